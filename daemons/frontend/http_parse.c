/* http_parse.c - llhttp driven over one request: head to fields, body to bytes, and every refusal by name. */
#include "http_conn.h"

#include <stdlib.h>

static struct http_incoming *incoming(llhttp_t *p) {
        return p->data;
}

static int stop(llhttp_t *p, enum status s) {
        incoming(p)->refused = s;
        return -1;
}

/* The parser may hand over one text in pieces; they lie side by side, because it gets the head whole. */
static bool extend(struct slice *s, const char *at, size_t n) {
        if (s->p == NULL || s->n == 0)
                *s = (struct slice){ at, (uint32_t)n };
        else if (s->p + s->n == at)
                s->n += (uint32_t)n;
        else
                return false;
        return true;
}

static int on_url(llhttp_t *p, const char *at, size_t n) {
        return extend(&incoming(p)->r.target, at, n) ? 0 : stop(p, STATUS_HTTP_BAD_REQUEST);
}

static int on_field(llhttp_t *p, const char *at, size_t n) {
        struct http_incoming *rq = incoming(p);
        if (rq->head_done) /* a trailer: bounded by `framed`, otherwise of no interest */
                return 0;
        struct http_field *last = rq->n_fields > 0 ? &rq->fields[rq->n_fields - 1] : NULL;
        if (last && last->value.p == NULL && last->name.p + last->name.n == at)
                return extend(&last->name, at, n) ? 0 : stop(p, STATUS_HTTP_BAD_REQUEST);
        if (rq->n_fields == HTTP_FIELDS_MAX)
                return stop(p, STATUS_HEADERS_TOO_LARGE);
        rq->fields[rq->n_fields++] = (struct http_field){ .name = { at, (uint32_t)n } };
        return 0;
}

static int on_value(llhttp_t *p, const char *at, size_t n) {
        struct http_incoming *rq = incoming(p);
        if (rq->head_done)
                return 0;
        if (rq->n_fields == 0 || !extend(&rq->fields[rq->n_fields - 1].value, at, n))
                return stop(p, STATUS_HTTP_BAD_REQUEST);
        return 0;
}

static int on_headers(llhttp_t *p) {
        struct http_incoming *rq = incoming(p);
        rq->head_done = true;
        rq->keep = llhttp_should_keep_alive(p) != 0;
        p->upgrade = 0; /* Upgrade is ignored, as RFC 9110 allows; CONNECT is refused by http_request_valid() */
        return 0;
}

/* Room for n more bytes of c's body, if need be that of the bodies that have been on their way longest: it is not for
 * strangers who never finish theirs to fill it. */
static bool bodies_room(struct http_conn *c, size_t n) {
        struct http_server *s = c->server;
        while (n > HTTP_BODIES_MAX - s->bodies) {
                struct http_conn *oldest = s->bodying.first;
                if (oldest == c)
                        oldest = c->spare_next;
                if (!oldest)
                        return false;
                http_conn_displace(oldest);
        }
        return true;
}

static int on_body(llhttp_t *p, const char *at, size_t n) {
        struct http_incoming *rq = incoming(p);
        struct http_server *s = rq->r.conn->server;
        if (n > HTTP_BODY_MAX - rq->body.n)
                return stop(p, STATUS_BODY_TOO_LARGE);
        if (!bodies_room(rq->r.conn, n))
                return stop(p, STATUS_BUSY);
        buf_add(&rq->body, at, n);
        if (rq->body.over)
                return stop(p, STATUS_BUSY);
        s->bodies += n;
        return 0;
}

static int on_done(llhttp_t *p) {
        incoming(p)->done = true;
        return HPE_PAUSED;
}

static const llhttp_settings_t *callbacks(void) {
        static llhttp_settings_t s;
        if (!s.on_url) {
                llhttp_settings_init(&s);
                s.on_url = on_url;
                s.on_header_field = on_field;
                s.on_header_value = on_value;
                s.on_headers_complete = on_headers;
                s.on_body = on_body;
                s.on_message_complete = on_done;
        }
        return &s;
}

struct http_incoming *http_incoming_new(struct http_conn *c) {
        struct http_incoming *rq = calloc(1, sizeof(*rq));
        if (!rq)
                return NULL;
        rq->r.conn = c;
        rq->r.via = c->via;
        memcpy(rq->r.address, c->address, sizeof(rq->r.address));
        arena_init(&rq->r.arena, 4u << 20);
        buf_init(&rq->headers, HTTP_IN_MAX);
        buf_init(&rq->body, HTTP_BODY_MAX);
        text_new_id("req", rq->r.request_id);
        text_new_id("trace", rq->trace);
        rq->r.trace_id = slice_of(rq->trace);
        llhttp_init(&rq->parser, HTTP_REQUEST, callbacks());
        rq->parser.data = rq;
        return rq;
}

void http_incoming_free(struct http_incoming *rq) {
        if (!rq)
                return;
        rq->r.conn->server->bodies -= rq->body.n;
        arena_free(&rq->r.arena);
        buf_free(&rq->headers);
        buf_free(&rq->body);
        free(rq);
}

static enum status parse(struct http_incoming *rq, struct slice bytes, size_t *ret_used) {
        llhttp_errno_t e = llhttp_execute(&rq->parser, bytes.p, bytes.n);
        *ret_used = bytes.n;
        if (e == HPE_PAUSED && rq->done) {
                *ret_used = (size_t)(llhttp_get_error_pos(&rq->parser) - bytes.p);
                return STATUS_OK;
        }
        if (e == HPE_OK)
                return STATUS_OK;
        return rq->refused != STATUS_OK ? rq->refused : STATUS_HTTP_BAD_REQUEST;
}

enum status http_incoming_head(struct http_incoming *rq, struct slice head) {
        size_t used;
        buf_slice(&rq->headers, head);
        if (rq->headers.over)
                return STATUS_BUSY;
        enum status s = parse(rq, buf_view(&rq->headers), &used);
        if (s != STATUS_OK)
                return s;
        if (!rq->head_done || used != head.n)
                return STATUS_HTTP_BAD_REQUEST;
        return http_request_valid(rq);
}

enum status http_incoming_body(struct http_incoming *rq, struct slice bytes, size_t *ret_used) {
        enum status s = parse(rq, bytes, ret_used);
        if (s != STATUS_OK)
                return s;
        /* Chunk sizes, extensions and trailers: room for one-byte chunks, no more. */
        rq->framed += *ret_used;
        if (rq->framed > (16u << 10) + 8 * (uint64_t)rq->body.n)
                return STATUS_HTTP_BAD_REQUEST;
        return STATUS_OK;
}
