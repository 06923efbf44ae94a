/* response.c - what an Open Responses stream says. */
#include "response.h"

#include "verdict.h"

#define SCRATCH_MAX    (64u << 20) /* an event of GATEWAY_STREAM_MAX, its values and its strings without escapes */
#define KEEP_MAX       (GATEWAY_ARGUMENTS_MAX + (64u << 10))
#define NAME_MAX_BYTES 128u
#define TOKENS_MAX     1000000000 /* no answer has used more; sums of these do not overflow */

/* What the gateway says when the model said nothing. */
static const char stand_in[] = "No response from OpenClaw.";

void response_init(struct response *r, void (*delta)(void *arg, struct slice text), void *arg) {
        *r = (struct response){ .delta = delta, .arg = arg };
        buf_init(&r->text, GATEWAY_TEXT_MAX);
        arena_init(&r->scratch, SCRATCH_MAX);
        arena_init(&r->keep, KEEP_MAX);
}

void response_free(struct response *r) {
        buf_free(&r->text);
        arena_free(&r->scratch);
        arena_free(&r->keep);
}

/* ---- how it ends ---- */

static void end(struct response *r, enum status status, const char *why) {
        if (r->state != RESPONSE_OPEN)
                return;
        r->state = RESPONSE_ENDED;
        r->why = why;
        r->end.status = status;
        r->end.text = (struct slice){ r->text.p, r->told };
        r->end.spoken = r->told > 0;
        r->end.calls = r->calls;
        if (status != STATUS_OK)
                r->end.n_calls = 0;
}

void response_fail(struct response *r, enum status status, const char *why) {
        end(r, status, why);
        r->state = RESPONSE_DONE;
}

void response_closed(struct response *r) {
        response_fail(r, STATUS_AI_CUT_OFF, "the answer broke off");
}

/* Always false, for those who return what response_event() does. */
static bool garbled(struct response *r, const char *why) {
        response_fail(r, STATUS_AI_GARBLED, why);
        return false;
}

static bool too_much(struct response *r, const char *why) {
        response_fail(r, STATUS_AI_TOO_MUCH, why);
        return false;
}

/* ---- words ---- */

static struct slice rest(const struct response *r, uint32_t at) {
        return r->text.n > at ? (struct slice){ r->text.p + at, (uint32_t)r->text.n - at } : (struct slice){ 0 };
}

static bool is_stand_in(const struct response *r) {
        return slice_is(buf_view(&r->text), stand_in);
}

/* What may be the gateway's stand-in for silence is held back until it is something else. */
static void tell(struct response *r, bool last) {
        size_t n = r->text.n;

        if (r->told == n || (r->told == 0 && n < sizeof stand_in && memcmp(r->text.p, stand_in, n) == 0 &&
                             !(last && !is_stand_in(r))))
                return;
        struct slice news = rest(r, r->told);
        r->told = (uint32_t)n;
        r->delta(r->arg, news);
}

static bool on_delta(struct response *r, struct json v) {
        struct slice delta;

        if (!json_str(json_get(v, "delta"), &delta))
                return garbled(r, "a delta without text");
        if (delta.n == 0)
                return true;
        r->words = true;
        buf_slice(&r->text, delta);
        if (r->text.over)
                return too_much(r, "the text is over its limit");
        tell(r, false);
        return true;
}

static bool on_text_done(struct response *r, struct json v) {
        struct slice whole, heard = rest(r, r->part);

        if (!json_str(json_get(v, "text"), &whole))
                return garbled(r, "the text's end without the text");
        if (!slice_eq(whole, heard))
                return garbled(r, "the text is not its deltas");
        r->part = (uint32_t)r->text.n;
        return true;
}

/* ---- the terminal events ---- */

/* A string of bounded length, kept; absent is empty. */
static bool keep_name(struct response *r, struct json v, struct slice *ret) {
        struct slice s;

        if (json_type(v) == JSON_NONE)
                return true;
        if (!json_str(v, &s) || s.n > NAME_MAX_BYTES)
                return false;
        char *copy = arena_copy(&r->keep, s);
        *ret = (struct slice){ copy, copy != NULL ? s.n : 0 };
        return true;
}

static bool tokens(struct json usage, const char *name, int64_t *ret) {
        struct json v = json_get(usage, name);
        int64_t n = 0;

        if (json_type(v) != JSON_NONE && (!json_int(v, &n) || n < 0 || n > TOKENS_MAX))
                return false;
        *ret = n;
        return true;
}

static bool keep_account(struct response *r, struct json response) {
        struct json usage = json_get(response, "usage");

        if (json_type(response) != JSON_OBJECT || !keep_name(r, json_get(response, "id"), &r->end.response_id) ||
            !keep_name(r, json_get(response, "model"), &r->end.model))
                return false;
        if (json_type(usage) == JSON_NONE || json_type(usage) == JSON_NULL)
                return true;
        return json_type(usage) == JSON_OBJECT && tokens(usage, "input_tokens", &r->end.input_tokens) &&
               tokens(usage, "output_tokens", &r->end.output_tokens);
}

/* Exactly one JSON object, as whoever acts on it will read it. */
static bool is_object(struct response *r, struct slice text) {
        struct json v;
        const char *why;
        size_t at;

        return json_parse(text, &r->scratch, &v, &why, &at) == 0 && json_type(v) == JSON_OBJECT;
}

static bool take_call(struct response *r, struct json item, size_t *sum) {
        struct gateway_call *c = &r->calls[r->end.n_calls];
        struct slice name, arguments, status;

        if (!json_str(json_get(item, "name"), &name) || name.n == 0 || name.n > NAME_MAX_BYTES ||
            !json_str(json_get(item, "arguments"), &arguments))
                return garbled(r, "a function call without name or arguments");
        if (json_str(json_get(item, "status"), &status) && !slice_is(status, "completed"))
                return garbled(r, "a function call that is not complete");
        if (r->end.n_calls == GATEWAY_CALLS_MAX)
                return too_much(r, "more function calls than the limit");
        *sum += arguments.n;
        if (*sum > GATEWAY_ARGUMENTS_MAX)
                return too_much(r, "function calls over their limit");
        if (!is_object(r, arguments))
                return garbled(r, "a function call's arguments are no JSON object");
        c->name = (struct slice){ arena_copy(&r->keep, name), name.n };
        c->arguments = (struct slice){ arena_copy(&r->keep, arguments), arguments.n };
        if (c->name.p == NULL || c->arguments.p == NULL)
                return too_much(r, "out of memory");
        r->end.n_calls++;
        return true;
}

static bool take_calls(struct response *r, struct json response) {
        struct json output = json_get(response, "output"), item;
        struct slice key, type;
        uint32_t it = 0;
        size_t sum = 0;

        if (json_type(output) != JSON_ARRAY)
                return garbled(r, "a completed response without its output");
        while (json_next(output, &it, &key, &item)) {
                if (!json_str(json_get(item, "type"), &type))
                        return garbled(r, "an item of the output without a type");
                if (slice_is(type, "function_call") && !take_call(r, item, &sum))
                        return false;
        }
        return true;
}

static bool on_completed(struct response *r, struct json v) {
        struct json response = json_get(v, "response");

        if (!keep_account(r, response))
                return garbled(r, "the response's account of itself makes no sense");
        if (!take_calls(r, response))
                return false;
        if (r->end.n_calls == 0 && (r->text.n == 0 || is_stand_in(r))) {
                response_fail(r, STATUS_AI_EMPTY, "the model said nothing");
                return false;
        }
        if (is_stand_in(r))
                buf_clear(&r->text);
        tell(r, true);
        end(r, STATUS_OK, NULL);
        return true;
}

static bool on_incomplete(struct response *r, struct json v) {
        if (!keep_account(r, json_get(v, "response")))
                return garbled(r, "the response's account of itself makes no sense");
        if (r->text.n == 0 || is_stand_in(r)) {
                response_fail(r, STATUS_AI_EMPTY, "the model said nothing within its limit");
                return false;
        }
        tell(r, true);
        r->end.incomplete = true;
        end(r, STATUS_OK, NULL);
        return true;
}

static bool on_failed(struct response *r, struct json v) {
        struct json response = json_get(v, "response");

        if (!keep_account(r, response))
                return garbled(r, "the response's account of itself makes no sense");
        struct verdict is = verdict_run(json_get(response, "error"));
        r->again = is.again;
        end(r, is.status, is.why);
        return true;
}

/* ---- events ---- */

static const struct {
        const char *type;
        bool (*take)(struct response *r, struct json v);
} takes[] = {
        { "response.output_text.delta", on_delta }, { "response.output_text.done", on_text_done },
        { "response.completed", on_completed },     { "response.incomplete", on_incomplete },
        { "response.failed", on_failed },
};

static bool take(struct response *r, struct slice data) {
        struct json v;
        struct slice type;
        const char *why;
        size_t at;

        if (json_parse(data, &r->scratch, &v, &why, &at) != 0)
                return garbled(r, "an event is no valid JSON");
        if (!json_str(json_get(v, "type"), &type))
                return garbled(r, "an event without a type");
        for (size_t i = 0; i < sizeof takes / sizeof *takes; i++)
                if (slice_is(type, takes[i].type))
                        return takes[i].take(r, v);
        return true; /* others say nothing we need, and new ones may come */
}

bool response_event(struct response *r, struct slice data) {
        bool more;

        if (slice_is(data, "[DONE]")) {
                response_closed(r);
                return false;
        }
        if (r->state != RESPONSE_OPEN)
                return r->state == RESPONSE_ENDED; /* nothing said after its end counts */
        if (++r->events > GATEWAY_EVENTS_MAX)
                return too_much(r, "more events than the limit");
        more = take(r, data);
        arena_reset(&r->scratch);
        return more;
}
