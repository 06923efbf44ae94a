/* receive.c - op webhook_raw: verified, translated, stored by the writer, and only then acknowledged. */
#include <stdlib.h>

#include "jsonw.h"
#include "log.h"
#include "settings.h"
#include "stats.h"
#include "translate.h"
#include "webhook.h"

#define ARENA_MAX          (16u << 20) /* a body of 1 MiB, its tokens and its texts */
#define REFUSALS_LOGGED_US 1000000

struct delivery {
        struct request request; /* whom to answer; message and bytes are gone by then */
};

/* Anybody may post here, so what is refused is told at most once a second. */
static void log_refusal(enum status s, const char *why) {
        static int64_t last;
        static unsigned silent;
        int64_t now = text_mono_micros();

        if (last != 0 && now - last < REFUSALS_LOGGED_US) {
                silent++;
                return;
        }
        log_line(LOG_NOTE, &(struct log_fields){ .op = "webhook_raw", .status = status_row(s)->name },
                 "webhook refused: %s (and %u more since the last such line)", why ? why : status_row(s)->text,
                 silent);
        last = now;
        silent = 0;
}

static void refuse(const struct request *r, enum status s, const char *why) {
        if (s != STATUS_LIVEKIT_UNAVAILABLE)
                stat_add_word(STAT_webhooks, "refused", 1);
        log_refusal(s, why);
        channel_reply(r, s, slice_of(why), slice_of(NULL));
}

/* The writer says in `result` what became of the event. */
static void count_result(struct slice body) {
        struct arena a;
        struct json reply;
        struct slice result;
        const char *why;
        char word[32];
        size_t at;

        arena_init(&a, 1u << 20);
        if (json_parse(body, &a, &reply, &why, &at) == 0 && json_str(json_get(reply, "result"), &result) &&
            slice_copy(result, word, sizeof word))
                stat_add_word(STAT_webhooks, word, 1);
        arena_free(&a);
}

static void stored(void *arg, const struct answer *a) {
        struct delivery *d = arg;

        if (a->status == STATUS_OK)
                count_result(a->body);
        else if (status_row(a->status)->retry == FINAL)
                stat_add_word(STAT_webhooks, "refused", 1);
        channel_reply(&d->request, a->status, a->detail, a->body);
        free(d);
}

static void store(struct webhook *w, const struct request *r, const struct op_provider_event *event) {
        struct delivery *d = malloc(sizeof *d);
        enum status s = STATUS_BUSY;

        if (d) {
                d->request = *r;
                s = channel_call(w->writer, OP_provider_event, event, WRITER_TIMEOUT_MS, stored, d);
        }
        if (s == STATUS_OK)
                return;
        free(d);
        channel_reply(r, s, slice_of(NULL), slice_of(NULL));
}

void receive_webhook(struct webhook *w, const struct request *r) {
        const struct op_webhook_raw *raw = r->msg;
        struct webhook_verified verified;
        struct op_provider_event event;
        struct arena a;
        enum status s;
        const char *why;
        char text[160];

        arena_init(&a, ARENA_MAX);
        s = webhook_verify(&w->keys, raw, text_now_micros() / 1000000, setting_int(SETTING_livekit_leeway_seconds),
                           &a, &verified, &why);
        if (s == STATUS_OK) {
                s = translate(raw->body, &verified, raw->received, &a, &event, text);
                why = text;
        }
        if (s != STATUS_OK)
                refuse(r, s, why);
        else if (op_check(OP_provider_event, &event) != 0)
                refuse(r, STATUS_WEBHOOK_INVALID, NULL);
        else
                store(w, r, &event);
        arena_free(&a);
}
