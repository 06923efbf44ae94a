/* action_make.c - the gateway makes the document; what it makes is checked, and asked for once more if it is no good. */
#include <sodium.h>
#include <stdio.h>

#include "action.h"
#include "deliver.h"
#include "log.h"
#include "markdown.h"
#include "prompt.h"
#include "settings.h"
#include "task.h"

#define TOKENS_FACTOR 4 /* a document is longer than a spoken answer */
#define TRIES_MAX     2u
#define TITLE_MAX     DELIVER_TITLE_MAX
#define DATA_MAX      GATEWAY_ARGUMENTS_MAX
#define PARSE_MAX     (16u << 20)

static void ask(struct action *a);

void action_finish(struct action *a, enum status s, const char *why) {
        a->status = s;
        a->why = why;
        a->done = text_mono_micros();
        a->state = ACTION_ENDING;
        a->wait_ms = 0;
        ev_timer_stop(a->all->loop, &a->timer);
        if (!a->calling) /* else the lease is just being renewed: the end follows its answer */
                action_end(a);
}

void action_cancel(struct action *a, enum status s, const char *why) {
        if (a->gateway != NULL)
                gateway_cancel(a->gateway);
        a->gateway = NULL;
        action_finish(a, s, why);
}

/* ---- what came ---- */

static void keep(struct action *a, const struct delivered *d) {
        buf_init(&a->title, TITLE_MAX);
        buf_init(&a->markdown, DELIVER_MARKDOWN_MAX);
        buf_init(&a->data, DATA_MAX);
        buf_slice(&a->title, d->title);
        buf_slice(&a->data, json_raw(d->data));
        if (d->markdown.n > 0)
                buf_slice(&a->markdown, d->markdown);
        else
                markdown_put(a->kind, d->title, d->data, &a->markdown);
        if (a->markdown.over) /* the data is the document; it stays readable without */
                buf_free(&a->markdown);
}

static bool read_call(struct action *a, const struct gateway_call *call) {
        struct delivered d = { 0 };
        struct arena arena;
        struct json arguments;
        const char *why;
        size_t at;
        bool good = false;
        arena_init(&arena, PARSE_MAX);
        if (json_parse(call->arguments, &arena, &arguments, &why, &at) != 0)
                (void)snprintf(a->wrong, sizeof a->wrong, "the arguments are no JSON: %s", why);
        else
                good = deliver_read(a->kind, arguments, &d, a->wrong);
        if (good)
                keep(a, &d);
        arena_free(&arena);
        return good;
}

/* Its function's first call that can be used. */
static bool read_calls(struct action *a, const struct gateway_end *end) {
        const char *function = deliver_function(a->kind);
        (void)snprintf(a->wrong, sizeof a->wrong, "%s was not called", function);
        for (unsigned i = 0; i < end->n_calls; i++)
                if (slice_is(end->calls[i].name, function) && read_call(a, &end->calls[i]))
                        return true;
        return false;
}

static void copy_text(struct slice s, char *to, size_t cap) {
        if (!text_utf8(s) || !slice_copy(s, to, cap))
                to[0] = '\0';
}

static int64_t left_ms(const struct action *a) {
        return setting_int(SETTING_turn_seconds) * 1000 - (text_mono_micros() - a->begun) / 1000;
}

static void on_delta(void *arg, struct slice text) {
        (void)arg; /* it was told to say nothing: whatever it says is not the document */
        (void)text;
}

static void on_end(void *arg, const struct gateway_end *end) {
        struct action *a = arg;
        a->gateway = NULL;
        a->input_tokens += end->input_tokens > 0 ? end->input_tokens : 0;
        a->output_tokens += end->output_tokens > 0 ? end->output_tokens : 0;
        copy_text(end->response_id, a->response_id, sizeof a->response_id);
        copy_text(end->model, a->model, sizeof a->model);
        if (end->status != STATUS_OK) {
                action_finish(a, end->status, NULL);
        } else if (read_calls(a, end)) {
                action_finish(a, STATUS_OK, NULL);
        } else if (a->tries < TRIES_MAX && left_ms(a) > setting_int(SETTING_turn_seconds) * 500) {
                ask(a);
        } else {
                log_line(LOG_WARN, &(struct log_fields){ .op = "action_run", .session = a->ask.session_id },
                         "the model's document could not be used: %s", a->wrong);
                action_finish(a, STATUS_ACTION_EXECUTION_FAILED, "the AI's document did not have what it needs");
        }
}

/* ---- asking ---- */

static void session_name(const struct action *a, char name[33]) {
        crypto_generichash_state h;
        unsigned char hash[16];
        (void)crypto_generichash_init(&h, a->all->secret, sizeof a->all->secret, sizeof hash);
        (void)crypto_generichash_update(&h, (const unsigned char *)a->ask.account_id.p, a->ask.account_id.n + 1);
        (void)crypto_generichash_update(&h, (const unsigned char *)a->ask.session_id.p, a->ask.session_id.n + 1);
        (void)crypto_generichash_update(&h, (const unsigned char *)a->ask.action_id.p, a->ask.action_id.n);
        (void)crypto_generichash_final(&h, hash, sizeof hash);
        text_hex(hash, sizeof hash, name);
}

static enum status ask_gateway(struct action *a, struct slice body) {
        static const struct gateway_events events = { on_delta, on_end };
        unsigned ms = (unsigned)(left_ms(a) > 1000 ? left_ms(a) : 1000);
        char name[33];
        session_name(a, name);
        /* Nothing is said before the function is called: only the whole time counts. */
        const struct gateway_request q = {
                .session = slice_of(name), .body = body, .first_ms = ms, .gap_ms = ms, .total_ms = ms
        };
        return gateway_ask(a->all->gateway, &q, &events, a, &a->gateway);
}

static void ask(struct action *a) {
        struct task t = { .type = a->type,
                          .kind = a->kind,
                          .run = a->run,
                          .max_tokens = a->max_tokens,
                          .wrong = a->tries > 0 ? a->wrong : NULL };
        struct buf body;
        a->tries++;
        buf_init(&body, PROMPT_MAX);
        bool fits = task_put(&t, &body);
        enum status s = fits ? ask_gateway(a, buf_view(&body)) : STATUS_ACTION_EXECUTION_FAILED;
        buf_free(&body);
        if (s != STATUS_OK)
                action_finish(a, s, fits ? NULL : "what is known is too long for the AI");
}

void action_make(struct action *a) {
        int64_t left, max = setting_int(SETTING_turn_output_tokens) * TOKENS_FACTOR;
        a->state = ACTION_MAKING;
        a->begun = text_mono_micros();
        a->max_tokens = json_int(json_get(a->run, "tokensLeft"), &left) && left < max ? left : max;
        if (!json_str(json_get(a->run, "actionType"), &a->type) || !json_str(json_get(a->run, "kind"), &a->kind) ||
            deliver_function(a->kind) == NULL) {
                action_finish(a, STATUS_ACTION_EXECUTION_FAILED, "the AI makes nothing of this kind");
                return;
        }
        action_wake(a, ACTION_LIFE_MS);
        ask(a);
}
