/* events_in.c - POST /v1/realtime/events: one envelope, an array or NDJSON, into one op; the stored events back. */
#include <sodium.h>
#include <stdio.h>

#include "call.h"
#include "events.h"
#include "jsonw.h"

#define EVENTS_MAX 1000u
#define REPLY_MAX  (4u << 20) /* the request's events again, with their sequences and times */

struct append {
        struct http_request *r;
        const struct actor *actor;
        struct slice key;           /* Idempotency-Key, may be empty */
        struct op_event_in *events; /* in the request's arena, until the answer */
        uint32_t n, room;
        bool single;      /* the body was one envelope, not a list of one */
        struct buf *rows; /* gone once the question is asked */
        char why[256];
};

/* ---- in ---- */

static void mix(crypto_generichash_state *st, struct slice s) {
        unsigned char n[4];

        put_le32(n, s.n);
        crypto_generichash_update(st, n, sizeof n);
        crypto_generichash_update(st, (const unsigned char *)s.p, s.n);
}

/* An event without an id gets one. Under an Idempotency-Key it is the same one each time, so that a repeat of the
 * request finds what the first one stored; nobody else can compute it into a stream that is not theirs, because
 * account and actor are in it. */
static struct slice fallback_id(struct append *p) {
        char *id = arena_alloc(&p->r->arena, 40);
        crypto_generichash_state st;
        unsigned char hash[16], index[4];

        if (!id)
                return (struct slice){ 0 };
        if (p->key.n == 0) {
                text_new_id("evt", id);
                return slice_of(id);
        }
        crypto_generichash_init(&st, NULL, 0, sizeof hash);
        mix(&st, p->key);
        mix(&st, p->actor->account);
        mix(&st, p->actor->id);
        put_le32(index, p->n);
        crypto_generichash_update(&st, index, sizeof index);
        crypto_generichash_final(&st, hash, sizeof hash);
        memcpy(id, "evt_", sizeof "evt_");
        text_hex(hash, sizeof hash, id + 4);
        return slice_of(id);
}

static enum status refuse(struct append *p, enum status s, const char *why) {
        if (p->single)
                (void)snprintf(p->why, sizeof p->why, "%s", why);
        else
                (void)snprintf(p->why, sizeof p->why, "events[%u]: %s", p->n, why);
        return s;
}

static enum status one(struct append *p, struct json envelope) {
        struct op_event_in *e = &p->events[p->n];
        struct slice none = { 0 };
        char why[160];
        enum status s;

        if (json_type(json_get(envelope, "eventId")) != JSON_STRING)
                none = fallback_id(p);
        s = event_bind(envelope, p->actor->service ? SERVICE : OWNER, p->r->received, none, &p->r->arena, e, why);
        if (s != STATUS_OK)
                return refuse(p, s, why);
        op_rows_add(p->rows, OP_event_in, e);
        p->n++;
        return STATUS_OK;
}

static bool room_for(struct append *p, uint32_t n) {
        p->events = arena_alloc(&p->r->arena, n * sizeof *p->events);
        return p->events != NULL;
}

static enum status count_wrong(struct append *p) {
        (void)snprintf(p->why, sizeof p->why, "send 1 to %u events at once", EVENTS_MAX);
        return STATUS_INVALID_REQUEST;
}

static enum status read_json(struct append *p) {
        struct json doc, v;
        struct slice key;
        const char *why;
        size_t at;
        uint32_t n;

        if (json_parse(p->r->body, &p->r->arena, &doc, &why, &at) != 0) {
                (void)snprintf(p->why, sizeof p->why, "the body is not valid JSON: %s at byte %zu", why, at);
                return STATUS_INVALID_JSON;
        }
        p->single = json_type(doc) == JSON_OBJECT;
        if (!p->single && json_type(doc) != JSON_ARRAY) {
                (void)snprintf(p->why, sizeof p->why, "the body must be one event or an array of them");
                return STATUS_INVALID_REQUEST;
        }
        n = p->single ? 1 : json_count(doc);
        if (n < 1 || n > EVENTS_MAX)
                return count_wrong(p);
        if (!room_for(p, n))
                return STATUS_BUSY;
        if (p->single)
                return one(p, doc);
        for (uint32_t it = 0; json_next(doc, &it, &key, &v);) {
                enum status s = one(p, v);

                if (s != STATUS_OK)
                        return s;
        }
        return STATUS_OK;
}

/* The next line of the rest, without its end and the blanks around it. */
static struct slice next_line(struct slice *rest) {
        const char *end = memchr(rest->p, '\n', rest->n);
        uint32_t n = end ? (uint32_t)(end - rest->p) : rest->n;
        struct slice line = { rest->p, n };

        *rest = end ? (struct slice){ end + 1, rest->n - n - 1 } : (struct slice){ 0 };
        if (line.n && line.p[line.n - 1] == '\r')
                line.n--;
        return slice_trim(line);
}

static uint32_t count_lines(struct slice body) {
        uint32_t n = 0;

        while (body.n && n <= EVENTS_MAX)
                n += next_line(&body).n > 0;
        return n;
}

static enum status read_lines(struct append *p) {
        struct slice rest = p->r->body;
        uint32_t n = count_lines(rest);

        if (n < 1 || n > EVENTS_MAX)
                return count_wrong(p);
        if (!room_for(p, n))
                return STATUS_BUSY;
        while (rest.n) {
                struct slice line = next_line(&rest);
                struct json doc;
                const char *why;
                enum status s;
                size_t at;

                if (!line.n)
                        continue;
                if (json_parse(line, &p->r->arena, &doc, &why, &at) != 0) {
                        (void)snprintf(p->why, sizeof p->why, "events[%u]: not valid JSON: %s at byte %zu", p->n, why,
                                       at);
                        return STATUS_INVALID_JSON;
                }
                s = one(p, doc);
                if (s != STATUS_OK)
                        return s;
        }
        return STATUS_OK;
}

/* ---- out ---- */

static void put_result(const struct append *p, const struct op_event_out *out, struct buf *to) {
        buf_str(to, "\"deduped\":");
        buf_str(to, out->deduped ? "true" : "false");
        buf_str(to, ",\"event\":");
        event_json(&p->events[out->row], out, to);
        buf_char(to, '}');
}

/* The body of a success, or the status of the row that refused. One row per event, in the events' order. */
static enum status put_results(struct append *p, struct slice rows, struct buf *to) {
        struct op_event_out out;
        uint32_t n = 0;
        size_t at = 0;

        if (!p->single)
                buf_fmt(to, "{\"ok\":true,\"count\":%u,\"results\":[", p->n);
        while (op_rows_next(rows, OP_event_out, &at, &out)) {
                if (!slice_is(out.status, "OK")) {
                        enum status s = status_by_name(out.status);

                        if (s == STATUS_COUNT)
                                return STATUS_INTERNAL;
                        p->n = (uint32_t)out.row;
                        return refuse(p, s, status_row(s)->text);
                }
                if (out.row != n || n >= p->n)
                        return STATUS_INTERNAL;
                buf_str(to, p->single ? "{\"ok\":true," : n ? ",{" : "{");
                put_result(p, &out, to);
                n++;
        }
        if (!p->single)
                buf_str(to, "]}");
        return n == p->n && !to->over ? STATUS_OK : STATUS_INTERNAL;
}

static void append_done(struct http_request *r, const struct answer *a, void *arg) {
        struct append *p = arg;
        enum status s = a->status;
        struct buf body;

        buf_init(&body, REPLY_MAX);
        if (s == STATUS_OK) {
                s = put_results(p, a->body, &body);
                if (s == STATUS_OK)
                        http_respond(r, 200, CALL_JSON, buf_view(&body), NULL);
                else
                        call_fail(r, s, slice_of(p->why));
        } else {
                call_fail(r, s, a->detail);
        }
        buf_free(&body);
}

static const struct call_then append_then = { .done = append_done };

/* ---- the handler ---- */

static enum status read_events(struct append *p) {
        enum status s = call_key(p->r, &p->key);

        if (s != STATUS_OK) {
                (void)snprintf(p->why, sizeof p->why, "%s", CALL_KEY_WHY);
                return s;
        }
        if (p->r->query.n) {
                (void)snprintf(p->why, sizeof p->why, "this path takes no query");
                return STATUS_INVALID_REQUEST;
        }
        s = slice_is(http_media_type(p->r), "application/x-ndjson") ? read_lines(p) : read_json(p);
        return s == STATUS_OK && p->rows->over ? STATUS_BODY_TOO_LARGE : s;
}

void route_events(struct frontend *f, struct http_request *r, const struct route *route, const struct actor *a) {
        struct append *p = arena_alloc(&r->arena, sizeof *p);
        struct op_event_append m = { 0 };
        struct buf rows;
        enum status s;

        if (!p) {
                call_fail(r, STATUS_BUSY, (struct slice){ 0 });
                return;
        }
        buf_init(&rows, OP_BYTES_MAX - 4096);
        *p = (struct append){ .r = r, .actor = a, .rows = &rows };
        s = read_events(p);
        if (s == STATUS_OK) {
                call_actor(route->op, &m, a);
                OP_SET(event_append, &m, origin, a->service ? SLICE("ingest") : SLICE("owner"));
                OP_SET(event_append, &m, received, r->received);
                OP_SET(event_append, &m, events, buf_view(&rows));
                (void)call_ask(f, r, route->op, &m, &append_then, p);
        } else {
                call_fail(r, s, slice_of(p->why));
        }
        buf_free(&rows);
}
