/* chat.c - POST /v1/chat/stream: a turn told while it arrives, from its first frame to its last. */
#include "chat.h"

#include <stdlib.h>

#include "jsonw.h"
#include "settings.h"
#include "stats.h"

#define SAY_MAX 16384u /* what is no answer: ids, a message */

static struct chat *chat_of(struct waiter *w) {
        return (struct chat *)w;
}

/* ---- ends ---- */

/* The client went. Whatever it was told is in the turn too. */
static void chat_free(struct chat *c, bool left) {
        if (c->to)
                channel_forget(c->to, c);
        waiter_leave(c->f, &c->waiter, left && c->to);
        chat_forget(c);
}

static void chat_close(struct chat *c, bool left) {
        struct http_stream *http = c->http;

        chat_free(c, left);
        http_stream_end(http);
}

/* The memory may be gone afterwards. */
static void push(struct chat *c) {
        bool done = chat_push(c);

        if (c->broken)
                stat_add(STAT_stream_stalled, 1);
        if (done || c->broken)
                chat_close(c, true);
}

static void say_done(struct chat *c, bool ok, struct json answer) {
        static const char *const texts[] = { "turnId", "speaker" };
        struct slice s;
        struct buf data;
        struct jsonw w;
        bool incomplete;

        buf_init(&data, SAY_MAX);
        jsonw_init(&w, &data);
        jsonw_object(&w);
        jsonw_key_bool(&w, "ok", ok);
        if (c->conversation[0])
                jsonw_key_cstr(&w, "conversationId", c->conversation);
        for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
                if (json_str(json_get(answer, texts[i]), &s))
                        jsonw_key_str(&w, texts[i], s);
        if (ok)
                jsonw_key_cstr(&w, "contract", "v1.0");
        if (json_bool(json_get(answer, "incomplete"), &incomplete))
                jsonw_key_bool(&w, "incomplete", incomplete);
        if (json_type(json_get(answer, "usage")) == JSON_OBJECT)
                jsonw_key_raw(&w, "usage", json_raw(json_get(answer, "usage")));
        jsonw_end(&w, '}');
        chat_frame(c, "done", buf_view(&data));
        buf_free(&data);
        c->last = true;
}

static void say_error(struct chat *c, enum status s, struct slice detail, struct json answer) {
        const struct status_row *row = status_row(s);
        struct slice message = detail.n > 0 && detail.n <= 1024 && text_utf8(detail) ? detail : slice_of(row->text);
        bool retry = row->retry == RETRYABLE;
        struct buf data;
        struct jsonw w;

        buf_init(&data, SAY_MAX);
        jsonw_init(&w, &data);
        jsonw_object(&w);
        jsonw_key_bool(&w, "ok", false);
        jsonw_key_cstr(&w, "code", row->name);
        jsonw_key_str(&w, "message", message);
        jsonw_key_bool(&w, "retryable", retry);
        jsonw_key_str(&w, "error", message); /* the predecessor's names for two of them */
        jsonw_key_bool(&w, "recoverable", retry);
        jsonw_key_cstr(&w, "requestId", http_stream_request_id(c->http));
        jsonw_end(&w, '}');
        chat_frame(c, "error", buf_view(&data));
        buf_free(&data);
        say_done(c, false, answer);
}

/* ---- the answer ---- */

/* A chat's is a string; of a turn that did not complete it is as a call has it. */
static bool text_of(struct json answer, struct slice *ret) {
        struct json text = json_get(answer, "text");

        return json_str(text, ret) || json_str(json_get(text, "content"), ret);
}

static void say_text_done(struct chat *c, struct slice text, struct json answer) {
        struct slice speaker;
        struct buf data;
        struct jsonw w;

        buf_init(&data, 1u << 20);
        jsonw_init(&w, &data);
        jsonw_object(&w);
        jsonw_key_str(&w, "fullText", text);
        jsonw_key_cstr(&w, "messageId", c->message);
        if (json_str(json_get(answer, "speaker"), &speaker))
                jsonw_key_str(&w, "speaker", speaker);
        jsonw_end(&w, '}');
        chat_frame(c, "text.done", buf_view(&data));
        buf_free(&data);
}

/* Who came late, or comes again when all is over, hears here what he has not heard. */
static void say_events(struct chat *c, struct json events) {
        struct json event, payload;
        struct slice none, type;

        for (uint32_t it = 0; json_next(events, &it, &none, &event);) {
                payload = json_get(event, "payload");
                if (json_str(json_get(event, "type"), &type) && json_type(payload) == JSON_OBJECT)
                        chat_event(c, type, json_raw(payload), false);
        }
}

static void say_answer(struct chat *c, enum status s, struct slice detail, struct json answer) {
        struct slice text = { "", 0 };
        bool said = text_of(answer, &text);

        chat_learn(c, answer);
        if (said)
                chat_whole(c, text);
        if (s != STATUS_OK) {
                say_error(c, s, detail, answer);
                return;
        }
        say_events(c, json_get(answer, "events"));
        say_text_done(c, text, answer);
        say_done(c, true, answer);
}

static void answered(void *arg, const struct answer *a) {
        struct chat *c = arg;
        enum status s = a->status;
        struct slice detail = a->detail;
        struct json answer = { 0 };
        struct arena memory;
        const char *why;
        size_t at;

        c->to = NULL;
        arena_init(&memory, 8u << 20);
        if ((s == STATUS_OK || a->body.n > 0) && json_parse(a->body, &memory, &answer, &why, &at) != 0 &&
            s == STATUS_OK) {
                s = STATUS_INTERNAL;
                detail = (struct slice){ 0 };
        }
        say_answer(c, s, detail, answer);
        arena_free(&memory);
        push(c);
}

/* ---- meanwhile ---- */

/* Text, deliverables and what asks for a confirmation come once, whoever tells us how often. */
static void heard(struct waiter *w, const struct op_turn_event *m) {
        struct chat *c = chat_of(w);
        bool once = slice_is(m->type, "confirm.required") ||
                    (m->type.n > 12 && memcmp(m->type.p, "deliverable.", 12) == 0);

        if (!c->to)
                return;
        if (slice_is(m->type, "text.delta"))
                chat_text(c, OP_HAS(turn_event, m, offset) ? m->offset : -1, m->text);
        else if (OP_HAS(turn_event, m, payload) && m->payload.p[0] == '{')
                chat_event(c, m->type, m->payload, !once);
        push(c);
}

static void away(struct waiter *w) {
        struct chat *c = chat_of(w);

        if (!c->to)
                return;
        c->anew = true;
        chat_status(c, "loading", "The assistant is restarting; your turn goes on.");
        push(c);
}

static void beat(struct waiter *w, int64_t now) {
        struct chat *c = chat_of(w);
        int64_t progress = http_stream_progress(c->http), last = progress > c->since ? progress : c->since;
        bool behind = c->out.n > 0 || http_stream_queued(c->http) > 0;

        if (behind && now - last >= setting_int(SETTING_sse_stall_seconds) * 1000000) {
                stat_add(STAT_stream_stalled, 1);
                chat_close(c, true);
        } else if (!behind && now - c->spoke >= setting_int(SETTING_sse_heartbeat_seconds) * 1000000) {
                buf_str(&c->out, ": hb\n\n");
                push(c);
        }
}

/* The turn goes on; the same request to the process that takes our place finds it. */
static void stop(struct waiter *w, bool late) {
        struct chat *c = chat_of(w);

        (void)late;
        c->stopping = true;
        if (!c->last)
                say_error(c, STATUS_OPENCLAW_UNAVAILABLE, SLICE(WAITER_WHY), (struct json){ 0 });
        (void)chat_push(c); /* best effort: a full queue has no room for a reason */
        chat_close(c, false);
}

static void drained(void *arg) {
        push(arg);
}

static void closed(void *arg) {
        chat_free(arg, true);
}

/* ---- begin ---- */

static struct chat *chat_new(struct frontend *f, const struct op_turn_run *m, enum status *ret_why) {
        static const struct waiter_events events = { .event = heard, .away = away, .beat = beat, .stop = stop };
        struct chat *c = calloc(1, sizeof *c);

        *ret_why = c ? waiter_join(f, &c->waiter, m, &events) : STATUS_BUSY;
        if (*ret_why != STATUS_OK) {
                free(c);
                return NULL;
        }
        c->f = f;
        c->spoke = c->since = text_mono_micros();
        memcpy(c->message, "msg_", sizeof "msg_");
        text_hex(c->waiter.key, sizeof c->waiter.key, c->message + 4);
        if (OP_HAS(turn_run, m, conversation_id))
                (void)slice_copy(m->conversation_id, c->conversation, sizeof c->conversation);
        buf_init(&c->text, CHAT_TEXT_MAX);
        buf_init(&c->out, CHAT_OUT_MAX);
        chat_status(c, "ready", "Starting...");
        return c;
}

/* Who streams the same turn here already: what he hears is for us too. */
static struct chat *companion(const struct chat *c) {
        for (struct waiter *w = waiter_before(&c->waiter); w; w = waiter_before(w))
                if (chat_of(w)->to)
                        return chat_of(w);
        return NULL;
}

static enum status ask(struct chat *c, struct op_turn_run *m) {
        struct channel *to = frontend_peer(c->f, OPENCLAW);
        const struct chat *other = companion(c);
        enum status s;

        if (!to || !channel_up(to))
                return STATUS_OPENCLAW_UNAVAILABLE;
        if (other) { /* its events are told once to a process, and as long as anybody of it waits */
                OP_SET(turn_run, m, stream, false);
                memcpy(c->message, other->message, sizeof c->message);
                chat_text(c, 0, buf_view(&other->text));
        }
        s = channel_call(to, OP_turn_run, m, (unsigned)call_patience(OP_turn_run) * 1000, answered, c);
        if (s == STATUS_OK)
                c->to = to;
        return s;
}

void route_chat(struct frontend *f, struct http_request *r, const struct route *route, const struct actor *a) {
        static const struct http_stream_events events = { .drained = drained, .closed = closed };
        struct op_turn_run *m = turn_bind(r, route, a, true);
        struct chat *c;
        enum status s;

        if (!m)
                return;
        c = chat_new(f, m, &s);
        if (c)
                s = ask(c, m);
        if (s != STATUS_OK) {
                if (c)
                        chat_free(c, false);
                call_fail(r, s, (struct slice){ 0 });
                return;
        }
        c->http = http_stream_begin(r, "text/event-stream; charset=utf-8", &events, c); /* its memory is gone */
        if (!c->http) {                                                                 /* it was answered */
                chat_free(c, true);
                return;
        }
        push(c);
}
