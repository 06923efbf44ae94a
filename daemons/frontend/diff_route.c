/* diff_route.c - two versions of a deliverable, fetched from the writer and told line by line. */
#include "bind.h"
#include "call.h"
#include "diff.h"
#include "json.h"
#include "jsonw.h"

#define ARENA_MAX  (12u << 20) /* both texts unescaped, each as long as the whole answer at most */
#define ANSWER_MAX (16u << 20)

static void put_lines(struct jsonw *w, const char *key, const struct diff_text *t, uint32_t from, uint32_t n) {
        jsonw_key(w, key);
        jsonw_array(w);
        for (uint32_t i = 0; i < n; i++)
                jsonw_str(w, diff_line(t, from + i));
        jsonw_end(w, ']');
}

static void put_hunks(struct jsonw *w, const struct diff *d) {
        jsonw_key(w, "hunks");
        jsonw_array(w);
        for (uint32_t i = 0; i < d->n; i++) {
                const struct diff_hunk *h = &d->hunks[i];

                jsonw_object(w);
                jsonw_key_int(w, "fromLine", (int64_t)h->from + 1);
                jsonw_key_int(w, "toLine", (int64_t)h->to + 1);
                put_lines(w, "removed", &d->from, h->from, h->from_n);
                put_lines(w, "added", &d->to, h->to, h->to_n);
                jsonw_end(w, '}');
        }
        jsonw_end(w, ']');
}

/* Of a version all but its text. */
static void put_side(struct jsonw *w, const char *key, struct json side) {
        jsonw_key(w, key);
        jsonw_object(w);
        jsonw_key_raw(w, "version", json_raw(json_get(side, "version")));
        jsonw_key_raw(w, "contentHash", json_raw(json_get(side, "contentHash")));
        jsonw_end(w, '}');
}

static void put_answer(struct buf *out, struct json doc, const struct diff *d) {
        struct jsonw w;

        jsonw_init(&w, out);
        jsonw_object(&w);
        jsonw_key_bool(&w, "ok", true);
        jsonw_key_raw(&w, "deliverableId", json_raw(json_get(doc, "deliverableId")));
        put_side(&w, "from", json_get(doc, "from"));
        put_side(&w, "to", json_get(doc, "to"));
        jsonw_key_bool(&w, "coarse", d->coarse);
        put_hunks(&w, d);
        jsonw_end(&w, '}');
}

/* A version without Markdown, all data, has no lines. */
static bool side_text(struct json doc, const char *key, struct slice *ret) {
        struct json text = json_get(json_get(doc, key), "markdown");

        *ret = (struct slice){ 0 };
        return json_type(text) == JSON_NULL || json_str(text, ret);
}

static enum status answer(struct slice body, struct arena *arena, struct buf *out) {
        struct json doc = { 0 };
        struct slice from, to;
        struct diff d;
        const char *why;
        size_t at;
        bool done;

        if (json_parse(body, arena, &doc, &why, &at) != 0 || !side_text(doc, "from", &from) ||
            !side_text(doc, "to", &to))
                return STATUS_INTERNAL;
        done = diff_lines(from, to, DIFF_WORK, &d);
        if (done)
                put_answer(out, doc, &d);
        diff_free(&d);
        return done && !out->over ? STATUS_OK : STATUS_BUSY;
}

static void diff_done(struct http_request *r, const struct answer *a, void *arg) {
        enum status s = a->status;
        struct arena arena;
        struct buf out;

        (void)arg;
        if (s != STATUS_OK) {
                call_fail(r, s, a->detail);
                return;
        }
        arena_init(&arena, ARENA_MAX);
        buf_init(&out, ANSWER_MAX);
        s = answer(a->body, &arena, &out);
        if (s == STATUS_OK)
                http_respond(r, 200, CALL_JSON, buf_view(&out), NULL);
        else
                call_fail(r, s, (struct slice){ 0 });
        buf_free(&out);
        arena_free(&arena);
}

static const struct call_then diff_then = { .done = diff_done };

void route_diff(struct frontend *f, struct http_request *r, const struct route *route, const struct actor *a) {
        struct op_deliverable_diff m = { 0 };
        struct bind b = { .op = OP_deliverable_diff, .msg = &m, .arena = &r->arena, .self = a->id };
        enum status s;

        call_actor(b.op, &m, a);
        s = bind_path(&b, "deliverableId", route_param(route, r, "deliverableId"));
        if (s == STATUS_OK)
                s = bind_query(&b, r->query);
        if (s == STATUS_OK)
                s = bind_finish(&b);
        if (s == STATUS_OK)
                call_ask(f, r, b.op, &m, &diff_then, NULL);
        else
                call_fail(r, s, slice_of(b.why));
}
