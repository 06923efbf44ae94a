/* http_request.c - a parsed head judged: what RFC 9112 demands, what smuggling needs, what we look up later. */
#include "http_conn.h"

/* Two of these would let two readers see two requests. */
static const char *const singletons[] = { "host",
                                          "content-length",
                                          "transfer-encoding",
                                          "content-type",
                                          "authorization",
                                          "expect",
                                          "origin",
                                          "idempotency-key",
                                          "last-event-id",
                                          "sec-websocket-key",
                                          "sec-websocket-version",
                                          "x-trace-id",
                                          "access-control-request-method",
                                          "access-control-request-headers" };

static struct slice find(const struct http_incoming *rq, const char *name, unsigned *ret_count) {
        struct slice found = { 0 };
        *ret_count = 0;
        for (unsigned i = 0; i < rq->n_fields; i++)
                if (slice_is(rq->fields[i].name, name) && (*ret_count)++ == 0)
                        found = rq->fields[i].value;
        return found;
}

struct slice http_header(const struct http_request *r, const char *name) {
        unsigned count;
        return find((const struct http_incoming *)r, name, &count);
}

bool http_header_item(const struct http_request *r, const char *name, uint64_t *at, struct slice *ret) {
        const struct http_incoming *rq = (const struct http_incoming *)r;
        unsigned field = (unsigned)(*at >> 32);
        uint32_t from = (uint32_t)*at;
        for (; field < rq->n_fields; field++, from = 0) {
                struct slice v = rq->fields[field].value;
                if (from >= v.n || !slice_is(rq->fields[field].name, name))
                        continue;
                uint32_t to = from;
                while (to < v.n && v.p[to] != ',')
                        to++;
                *ret = slice_trim((struct slice){ v.p + from, to - from });
                *at = (uint64_t)field << 32 | (to + 1);
                return true;
        }
        return false;
}

bool http_header_has(const struct http_request *r, const char *name, const char *item) {
        struct slice s;
        for (uint64_t at = 0; http_header_item(r, name, &at, &s);)
                if (slice_is_nocase(s, item))
                        return true;
        return false;
}

bool http_upgradable(const struct http_request *r) {
        const struct http_incoming *rq = (const struct http_incoming *)r;
        return slice_is(r->method, "GET") && !rq->old && r->body.n == 0 && http_header(r, "transfer-encoding").n == 0;
}

struct slice http_media_type(const struct http_request *r) {
        return slice_of(((const struct http_incoming *)r)->media);
}

/* The head is our own copy: names are lower-cased where they stand. */
static void lower(struct http_incoming *rq, struct slice s) {
        char *p = rq->headers.p + (s.p - rq->headers.p);
        for (uint32_t i = 0; i < s.n; i++)
                if (p[i] >= 'A' && p[i] <= 'Z')
                        p[i] = (char)(p[i] | 0x20);
}

/* RFC 9110 token; llhttp takes an empty name. */
static bool token(struct slice s) {
        for (uint32_t i = 0; i < s.n; i++) {
                unsigned char b = (unsigned char)s.p[i];
                bool alnum = (b >= '0' && b <= '9') || (b >= 'a' && b <= 'z');
                if (!alnum && (b == 0 || !strchr("!#$%&'*+-.^_`|~", b)))
                        return false;
        }
        return s.n > 0;
}

static bool fields_valid(struct http_incoming *rq) {
        unsigned count;
        for (unsigned i = 0; i < rq->n_fields; i++) {
                lower(rq, rq->fields[i].name);
                if (!token(rq->fields[i].name))
                        return false;
                rq->fields[i].value = slice_trim(rq->fields[i].value);
        }
        for (size_t i = 0; i < sizeof(singletons) / sizeof(*singletons); i++) {
                find(rq, singletons[i], &count);
                if (count > 1)
                        return false;
        }
        return true;
}

static bool host_valid(struct slice host) {
        for (uint32_t i = 0; i < host.n; i++) {
                unsigned char b = (unsigned char)host.p[i];
                bool alnum = (b >= '0' && b <= '9') || (b >= 'a' && b <= 'z') || (b >= 'A' && b <= 'Z');
                if (!alnum && (b == 0 || !strchr("-._~%!$&'()*+;=:[]", b)))
                        return false;
        }
        return host.n > 0;
}

/* Exactly one Host (HTTP/1.0 may leave it out); one framing of the body, which both ends of any chain agree on. */
static bool framing_valid(struct http_incoming *rq) {
        unsigned hosts, lengths, codings;
        struct slice host = find(rq, "host", &hosts);
        struct slice length = find(rq, "content-length", &lengths);
        struct slice coding = find(rq, "transfer-encoding", &codings);
        if (hosts == 0 ? !rq->old : !host_valid(host))
                return false;
        if (codings > 0 && (lengths > 0 || rq->old || !slice_is_nocase(coding, "chunked")))
                return false;
        for (uint32_t i = 0; i < length.n; i++)
                if (length.p[i] < '0' || length.p[i] > '9')
                        return false;
        return lengths == 0 || length.n > 0;
}

/* Single spaces: llhttp takes more, others would take them for part of the target. */
static bool line_valid(const struct http_incoming *rq) {
        const char *line = rq->headers.p, *end = memchr(line, '\n', rq->headers.n);
        size_t version = sizeof(" HTTP/1.1\r") - 1;
        /* llhttp speaks RTSP too, which is spelt with as many letters. */
        return end && (size_t)(end - line) > version &&
               memcmp(end - version, " HTTP/1.", sizeof(" HTTP/1.") - 1) == 0 &&
               rq->r.target.p == line + rq->r.method.n + 1 &&
               (size_t)(end - rq->r.target.p) == rq->r.target.n + version;
}

/* origin-form, absolute-form (its authority is of no interest: we are one origin), or * for OPTIONS. */
static bool target_valid(struct http_incoming *rq) {
        struct slice t = rq->r.target;
        for (uint32_t i = 0; i < t.n; i++)
                if (t.p[i] <= 0x20 || t.p[i] >= 0x7f || t.p[i] == '#')
                        return false;
        if (slice_is(t, "*")) {
                rq->r.path = t;
                return slice_is(rq->r.method, "OPTIONS");
        }
        for (unsigned i = 0; i < 2; i++) {
                struct slice scheme = i == 0 ? SLICE("http://") : SLICE("https://");
                if (t.n < scheme.n || !slice_is_nocase((struct slice){ t.p, scheme.n }, scheme.p))
                        continue;
                uint32_t end = scheme.n;
                while (end < t.n && t.p[end] != '/' && t.p[end] != '?')
                        end++;
                if (!host_valid((struct slice){ t.p + scheme.n, end - scheme.n }))
                        return false;
                t = (struct slice){ t.p + end, t.n - end };
                break;
        }
        uint32_t query = 0;
        while (query < t.n && t.p[query] != '?')
                query++;
        rq->r.path = query == 0 ? SLICE("/") : (struct slice){ t.p, query };
        if (query < t.n)
                rq->r.query = (struct slice){ t.p + query + 1, t.n - query - 1 };
        return rq->r.path.p[0] == '/' && (t.p != rq->r.target.p || query > 0);
}

static void note_trace(struct http_incoming *rq) {
        struct slice t = http_header(&rq->r, "x-trace-id");
        if (t.n >= 1 && t.n <= 64 && text_id(t))
                rq->r.trace_id = t;
}

static void note_media(struct http_incoming *rq) {
        struct slice type = http_header(&rq->r, "content-type");
        uint32_t n = 0;
        while (n < type.n && type.p[n] != ';')
                n++;
        type = slice_trim((struct slice){ type.p, n });
        if (n > 0 && !slice_copy(type, rq->media, sizeof(rq->media)))
                memcpy(rq->media, "?", 2); /* longer than any we take */
        for (char *p = rq->media; *p; p++)
                if (*p >= 'A' && *p <= 'Z')
                        *p = (char)(*p | 0x20);
}

enum status http_request_valid(struct http_incoming *rq) {
        llhttp_t *p = &rq->parser;
        if (p->http_major != 1 || p->http_minor > 1 || p->method == HTTP_CONNECT)
                return STATUS_HTTP_BAD_REQUEST;
        rq->old = p->http_minor == 0;
        rq->keep = rq->keep && !rq->old;
        rq->head = p->method == HTTP_HEAD;
        rq->r.method = slice_of(llhttp_method_name((llhttp_method_t)p->method));
        if (rq->r.target.n > HTTP_TARGET_MAX)
                return STATUS_URI_TOO_LONG;
        if (!line_valid(rq) || !fields_valid(rq) || !framing_valid(rq) || !target_valid(rq))
                return STATUS_HTTP_BAD_REQUEST;
        note_trace(rq);
        note_media(rq);
        struct slice expect = http_header(&rq->r, "expect");
        rq->expect = expect.n > 0 && !rq->old;
        if (expect.n > 0 && !slice_is_nocase(expect, "100-continue"))
                return STATUS_HTTP_BAD_REQUEST;
        if ((p->flags & F_CONTENT_LENGTH) && p->content_length > HTTP_BODY_MAX)
                return STATUS_BODY_TOO_LARGE;
        return STATUS_OK;
}
