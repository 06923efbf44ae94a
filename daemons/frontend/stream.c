/* stream.c - GET .../events: the cursor a client means, then JSON replay or a live stream. */
#include "bind.h"
#include "call.h"
#include "fanout.h"
#include "sse.h"

struct follow {
        struct listener *listener;
        struct slice session, consumer;
        uint64_t cursor;
        bool placed;     /* the client said where to begin; else its consumer's checkpoint does */
        bool unreadable; /* Last-Event-ID is not one of ours */
};

static void follow_done(struct http_request *r, const struct answer *a, void *arg) {
        struct follow *w = arg;
        struct fanout_start st = { .session = w->session, .cursor = w->cursor };

        if (a->status == STATUS_OK && !fanout_opened(a->body, &r->arena, &st)) {
                fanout_release(w->listener);
                call_fail(r, STATUS_INTERNAL, (struct slice){ 0 });
                return;
        }
        if (a->status != STATUS_OK) {
                fanout_release(w->listener);
                call_fail(r, a->status, a->detail);
                return;
        }
        if (!w->placed)
                st.cursor = st.checkpoint;
        if (w->unreadable || st.cursor > st.latest) {
                st.reset = w->unreadable ? "cursor_invalid" : "cursor_ahead";
                st.cursor = 0;
        }
        fanout_attach(w->listener, r, &st);
}

static void follow_gone(void *arg) {
        struct follow *w = arg;

        fanout_release(w->listener);
}

static const struct call_then follow_then = { .done = follow_done, .gone = follow_gone };

/* afterSequence from the query; Last-Event-ID, which a browser sends when it comes back by itself, is newer. */
static enum status cursor(struct bind *b, const struct route *route, struct http_request *r, struct follow *w) {
        struct op_stream_follow *m = b->msg;
        struct slice last = http_header(r, "last-event-id");
        enum status s = bind_path(b, "sessionId", route_param(route, r, "sessionId"));

        if (s == STATUS_OK)
                s = bind_query(b, r->query);
        if (s != STATUS_OK)
                return s;
        if (OP_HAS(stream_follow, m, limit)) {
                (void)slice_copy(SLICE("limit is for JSON replay; a live stream has none"), b->why, sizeof b->why);
                return STATUS_INVALID_REQUEST;
        }
        s = bind_finish(b);
        *w = (struct follow){ .session = m->session_id,
                              .placed = last.n || OP_HAS(stream_follow, m, after_sequence) };
        if (OP_HAS(stream_follow, m, consumer_id))
                w->consumer = m->consumer_id;
        if (OP_HAS(stream_follow, m, after_sequence))
                w->cursor = (uint64_t)m->after_sequence;
        w->unreadable = last.n && !sse_cursor(last, &w->cursor);
        return s;
}

static void open_stream(struct frontend *f, struct http_request *r, const struct actor *a, struct follow *w) {
        struct op_stream_open m = { 0 };
        enum status s;

        w->listener = fanout_reserve(frontend_fanout(f), a, w->session, &s);
        if (!w->listener) {
                call_fail(r, s, (struct slice){ 0 });
                return;
        }
        call_actor(OP_stream_open, &m, a);
        OP_SET(stream_open, &m, session_id, w->session);
        if (w->consumer.n)
                OP_SET(stream_open, &m, consumer_id, w->consumer);
        (void)call_ask(f, r, OP_stream_open, &m, &follow_then, w);
}

void route_stream(struct frontend *f, struct http_request *r, const struct route *route, const struct actor *a) {
        struct op_stream_follow m = { 0 };
        struct bind b = { .op = OP_stream_follow, .msg = &m, .arena = &r->arena, .self = a->id };
        struct follow *w;
        enum status s;

        if (!sse_accepted(http_header(r, "accept"))) {
                route_call(f, r, route, a);
                return;
        }
        w = arena_alloc(&r->arena, sizeof *w);
        if (!w) {
                call_fail(r, STATUS_BUSY, (struct slice){ 0 });
                return;
        }
        s = cursor(&b, route, r, w);
        if (s != STATUS_OK)
                call_fail(r, s, slice_of(b.why));
        else
                open_stream(f, r, a, w);
}
