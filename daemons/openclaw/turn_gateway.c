/* turn_gateway.c - a turn while the gateway talks: asked once, every word passed on at once. */
#include <sodium.h>

#include "prompt.h"
#include "proposal.h"
#include "settings.h"
#include "stats.h"
#include "turn.h"

#define CONTEXT_PARSE_MAX (4u << 20)

/* ---- what the model says ---- */

static void on_text(void *arg, struct slice s) {
        struct turn *t = arg;
        if (t->first == 0)
                t->first = text_mono_micros();
        buf_slice(&t->shown, s);
        turn_say_text(t, s);
}

/* Everybody but the executor speaks. */
static void on_tag(void *arg, const struct uitag *tag) {
        static const char *const speakers[] = { "antonio", "mariana", "both" };
        struct turn *t = arg;
        for (size_t i = 0; i < sizeof speakers / sizeof *speakers && tag->kind == UITAG_SPEAKER; i++)
                if (slice_is(tag->name, speakers[i]))
                        t->speaker = speakers[i];
        if (t->proposals.n > 0)
                buf_char(&t->proposals, ',');
        proposal_tag(tag, &t->proposals);
        turn_say_tag(t, tag);
}

static const struct uitag_events tag_events = { on_text, on_tag };

static void on_delta(void *arg, struct slice text) {
        struct turn *t = arg;
        int64_t began = text_mono_micros();
        t->heard += text.n;
        uitag_feed(&t->tags, text);
        turn_store(t);
        stat_observe(STAT_turn_delta_delay, text_mono_micros() - began);
}

static void copy_text(struct slice s, char *to, size_t cap) {
        if (!text_utf8(s) || !slice_copy(s, to, cap))
                to[0] = '\0';
}

static void on_end(void *arg, const struct gateway_end *end) {
        struct turn *t = arg;
        t->gateway = NULL;
        uitag_end(&t->tags);
        t->incomplete = end->incomplete;
        t->input_tokens = end->input_tokens > 0 ? end->input_tokens : 0;
        t->output_tokens = end->output_tokens > 0 ? end->output_tokens : 0;
        copy_text(end->response_id, t->response_id, sizeof t->response_id);
        copy_text(end->model, t->model, sizeof t->model);
        for (unsigned i = 0; i < end->n_calls && end->status == STATUS_OK; i++) {
                if (t->proposals.n > 0)
                        buf_char(&t->proposals, ',');
                proposal_call(&end->calls[i], &t->proposals);
        }
        turn_finish(t, end->status);
}

/* ---- asking ---- */

/* A gateway session of its own for every turn, by a name nobody can guess: each request carries all the model has to know,
 * and what the gateway remembered of earlier turns would be told to the model, and paid for, a second time. */
static void session_name(char name[33]) {
        unsigned char random[16];

        randombytes_buf(random, sizeof random);
        text_hex(random, sizeof random, name);
}

static int64_t tokens_for(struct json run) {
        int64_t left, max = setting_int(SETTING_turn_output_tokens);
        return json_int(json_get(run, "tokensLeft"), &left) && left < max ? left : max;
}

static bool build(struct turn *t, struct json run, struct arena *a, struct buf *body) {
        struct prompt p = {
                .persona = t->ask.persona,
                .chat = t->ask.chat,
                .history = json_get(run, "history"),
                .outcomes = json_get(run, "outcomes"),
                .text = t->ask.text,
                .max_tokens = tokens_for(run),
        };
        const char *why;
        size_t at;
        if (json_count(p.history) == 0 && t->context.n > 0 && json_parse(t->context, a, &p.history, &why, &at) != 0)
                return false;
        return prompt_turn(&p, body);
}

static enum status ask(struct turn *t, struct json run) {
        static const struct gateway_events events = { on_delta, on_end };
        struct buf body;
        struct arena a;
        char name[33];
        enum status s = STATUS_BUSY;
        buf_init(&body, PROMPT_MAX);
        arena_init(&a, CONTEXT_PARSE_MAX);
        session_name(name);
        if (build(t, run, &a, &body)) {
                const struct gateway_request q = {
                        .session = slice_of(name),
                        .body = buf_view(&body),
                        .first_ms = (unsigned)setting_int(SETTING_turn_first_seconds) * 1000,
                        .gap_ms = (unsigned)setting_int(SETTING_turn_gap_seconds) * 1000,
                        .total_ms = (unsigned)setting_int(SETTING_turn_seconds) * 1000,
                };
                s = gateway_ask(t->all->gateway, &q, &events, t, &t->gateway);
                t->told = s == STATUS_OK ? body.n : 0;
        }
        arena_free(&a);
        buf_free(&body);
        return s;
}

void turn_start(struct turn *t, struct json run) {
        t->state = TURN_RUNNING;
        t->asked = text_mono_micros();
        uitag_init(&t->tags, &tag_events, t);
        struct slice message_id = { 0 };
        (void)json_str(json_get(run, "messageId"), &message_id);
        turn_say_status(t, "thinking", "Thinking...", message_id);
        enum status s = ask(t, run);
        if (s != STATUS_OK) {
                turn_finish(t, s);
                return;
        }
        turn_store(t); /* the first sign of life is due some time */
}

/* What is held back may be half a tag: of an answer that was cut nobody hears it. */
void turn_cancel(struct turn *t, enum status why) {
        if (t->gateway != NULL)
                gateway_cancel(t->gateway);
        t->gateway = NULL;
        turn_finish(t, why);
}
