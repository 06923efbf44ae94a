/* csv_route.c - an answer that is a table: the writer's text, sent as a file. */
#include "call.h"
#include "json.h"

#define ARENA_MAX (12u << 20) /* the text unescaped, as long as the whole answer at most */

static void csv_done(struct http_request *r, const struct answer *a, void *arg) {
        static const struct http_extra file = {
                .lines = { "content-disposition: attachment; filename=\"ledger.csv\"\r\n", 56 },
        };
        struct json doc = { 0 };
        struct slice text;
        struct arena arena;
        const char *why;
        size_t at;

        (void)arg;
        if (a->status != STATUS_OK) {
                call_refused(r, a);
                return;
        }
        arena_init(&arena, ARENA_MAX);
        if (json_parse(a->body, &arena, &doc, &why, &at) == 0 && json_str(json_get(doc, "csv"), &text))
                http_respond(r, 200, "text/csv; charset=utf-8; header=present", text, &file);
        else
                call_fail(r, STATUS_INTERNAL, (struct slice){ 0 });
        arena_free(&arena);
}

static const struct call_then csv_then = { .done = csv_done };

void route_csv(struct frontend *f, struct http_request *r, const struct route *route, const struct actor *a) {
        void *m = call_bind(r, route, a);

        if (m)
                call_ask(f, r, OP_ledger_csv, m, &csv_then, NULL);
}
