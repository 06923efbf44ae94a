/* action.c - an action asked for or confirmed: what the writer leaves to be done, openclaw does before the answer. */
#include "call.h"
#include "json.h"

struct action {
        struct frontend *f;
        struct op_action_run run;
};

static void run_done(struct http_request *r, const struct answer *a, void *arg) {
        (void)arg;
        if (a->status != STATUS_OK)
                call_refused(r, a);
        else
                http_respond(r, 200, CALL_JSON, a->body, NULL);
}

static bool is_pending(struct slice body, struct arena *a) {
        struct json doc;
        const char *why;
        bool pending = false;
        size_t at;

        return json_parse(body, a, &doc, &why, &at) == 0 && json_bool(json_get(doc, "pending"), &pending) && pending;
}

/* Whoever asks again, under any command id, finds it where it stands: nothing is kept here. */
static void asked(struct http_request *r, const struct answer *a, void *arg) {
        static const struct call_then then = { .done = run_done };
        struct action *x = arg;

        if (a->status == STATUS_OK && is_pending(a->body, &r->arena))
                (void)call_ask(x->f, r, OP_action_run, &x->run, &then, NULL);
        else
                run_done(r, a, NULL);
}

void route_action(struct frontend *f, struct http_request *r, const struct route *route, const struct actor *a) {
        static const struct call_then then = { .done = asked };
        const struct opdesc *d = op_desc(route->op);
        void *m = call_bind(r, route, a);
        struct action *x = m ? arena_alloc(&r->arena, sizeof *x) : NULL;

        if (!m)
                return;
        if (!x) {
                call_fail(r, STATUS_BUSY, (struct slice){ 0 });
                return;
        }
        x->f = f;
        call_actor(OP_action_run, &x->run, a);
        OP_SET(action_run, &x->run, command_id, op_get_slice(d, op_field(d, "command_id"), m));
        OP_SET(action_run, &x->run, session_id, op_get_slice(d, op_field(d, "session_id"), m));
        OP_SET(action_run, &x->run, action_id, op_get_slice(d, op_field(d, "action_id"), m));
        (void)call_ask(f, r, route->op, m, &then, x);
}
