/* turn.c - POST .../turn: asks for a turn, waits for its answer, and says so when its client does not wait any more. */
#include "turn.h"

static bool blank(struct slice s) {
        for (uint32_t i = 0; i < s.n; i++)
                if (!strchr(" \t\r\n", s.p[i]))
                        return false;
        return true;
}

/* NULL: it may be asked. */
static const char *wrong(const struct op_turn_run *m, bool call) {
        bool said = OP_HAS(turn_run, m, text) && !blank(m->text);

        if (!call && OP_HAS(turn_run, m, session_id))
                return "sessionId is of calls: POST /v1/call/sessions/:sessionId/turn";
        if (!said && (call || OP_HAS(turn_run, m, text)))
                return "text is required";
        if (!said && !OP_HAS(turn_run, m, messages))
                return "text or messages is required";
        return NULL;
}

struct op_turn_run *turn_bind(struct http_request *r, const struct route *route, const struct actor *a, bool stream) {
        struct op_turn_run *m = call_bind(r, route, a);
        bool call = strstr(route->path, ":sessionId") != NULL;
        const char *why = m ? wrong(m, call) : NULL;

        if (why) {
                call_fail(r, STATUS_INVALID_REQUEST, slice_of(why));
                return NULL;
        }
        if (m && call) { /* a call has one conversation, its own; older clients name another */
                m->conversation_id = (struct slice){ 0 };
                m->present &= ~(UINT64_C(1) << OP_FIELD(turn_run, conversation_id));
        }
        if (m)
                OP_SET(turn_run, m, stream, stream);
        return m;
}

struct turn {
        struct waiter waiter; /* first */
        struct frontend *f;
        struct http_request *r;
        bool asked;
};

static void turn_done(struct http_request *r, const struct answer *a, void *arg) {
        struct turn *t = arg;

        waiter_leave(t->f, &t->waiter, false);
        if (a->status != STATUS_OK)
                call_refused(r, a);
        else
                http_respond(r, 200, CALL_JSON, a->body, NULL);
}

static void turn_gone(void *arg) {
        struct turn *t = arg;

        waiter_leave(t->f, &t->waiter, t->asked);
}

/* The turn goes on; its client finds the answer at the process that takes our place. */
static void turn_stop(struct waiter *w, bool late) {
        struct turn *t = (struct turn *)w;
        struct http_request *r = t->r;

        if (!late)
                return;
        t->asked = false;
        r->gone(r);
        r->gone = NULL;
        call_fail(r, STATUS_OPENCLAW_UNAVAILABLE, SLICE(WAITER_WHY));
}

void route_turn(struct frontend *f, struct http_request *r, const struct route *route, const struct actor *a) {
        static const struct waiter_events events = { .stop = turn_stop };
        static const struct call_then then = { .done = turn_done, .gone = turn_gone };
        struct op_turn_run *m = turn_bind(r, route, a, false);
        struct turn *t = m ? arena_alloc(&r->arena, sizeof *t) : NULL;
        enum status s;

        if (!m)
                return;
        s = t ? waiter_join(f, &t->waiter, m, &events) : STATUS_BUSY;
        if (s != STATUS_OK) {
                call_fail(r, s, s == STATUS_OPENCLAW_UNAVAILABLE ? SLICE(WAITER_WHY) : (struct slice){ 0 });
                return;
        }
        t->f = f;
        t->r = r;
        if (!call_ask(f, r, OP_turn_run, m, &then, t))
                return;
        t->asked = true;
        http_wait(r, (double)call_patience(OP_turn_run), true);
}
