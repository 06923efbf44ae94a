/* http_write.c - answers: the head every response carries, the error shape, one writev for both. */
#include <assert.h>
#include <stdio.h>
#include <time.h>

#include "http_conn.h"
#include "json.h"
#include "jsonw.h"
#include "log.h"
#include "stats.h"

static const struct {
        int code;
        const char *text;
} reasons[] = { { 101, "Switching Protocols" },
                { 200, "OK" },
                { 204, "No Content" },
                { 304, "Not Modified" },
                { 400, "Bad Request" },
                { 401, "Unauthorized" },
                { 403, "Forbidden" },
                { 404, "Not Found" },
                { 405, "Method Not Allowed" },
                { 408, "Request Timeout" },
                { 409, "Conflict" },
                { 410, "Gone" },
                { 413, "Content Too Large" },
                { 414, "URI Too Long" },
                { 415, "Unsupported Media Type" },
                { 422, "Unprocessable Content" },
                { 426, "Upgrade Required" },
                { 429, "Too Many Requests" },
                { 431, "Request Header Fields Too Large" },
                { 500, "Internal Server Error" },
                { 502, "Bad Gateway" },
                { 503, "Service Unavailable" },
                { 504, "Gateway Timeout" } };

static const char *reason(int code) {
        for (size_t i = 0; i < sizeof(reasons) / sizeof(*reasons); i++)
                if (reasons[i].code == code)
                        return reasons[i].text;
        return ""; /* RFC 9112 4: may be empty */
}

/* IMF-fixdate, made once a second. */
static const char *date(void) {
        static char text[32];
        static time_t made = -1;
        time_t now = (time_t)(text_now_micros() / 1000000);
        struct tm tm;
        if (now != made && gmtime_r(&now, &tm)) {
                static const char days[] = "SunMonTueWedThuFriSat";
                static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
                made = now;
                snprintf(text, sizeof(text), "%.3s, %02d %.3s %04d %02d:%02d:%02d GMT", days + 3 * (size_t)tm.tm_wday,
                         tm.tm_mday, months + 3 * (size_t)tm.tm_mon, (tm.tm_year + 1900) % 10000, tm.tm_hour,
                         tm.tm_min, tm.tm_sec);
        }
        return text;
}

static void extra(struct http_incoming *rq, int code, const struct http_extra *x, struct buf *out) {
        struct http_server *s = rq->r.conn->server;
        if (code == 401)
                buf_str(out, "www-authenticate: Bearer\r\n");
        if (!x)
                return;
        if (x->allow)
                buf_fmt(out, "allow: %s\r\n", x->allow);
        if (x->retry_after > 0)
                buf_fmt(out, "retry-after: %u\r\n", x->retry_after);
        if (x->upgrade) /* RFC 9110 7.8: the option names the field */
                buf_str(out, "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n");
        buf_slice(out, x->lines);
        if (x->preflight)
                cors_preflight(&s->cors, http_header(&rq->r, "origin"),
                               http_header(&rq->r, "access-control-request-headers"), x->allow ? x->allow : "", out);
}

void http_response_head(struct http_incoming *rq, int code, const char *type, int64_t length,
                        const struct http_extra *x, struct buf *out) {
        struct http_conn *c = rq->r.conn;
        buf_fmt(out, "HTTP/1.1 %d %s\r\ndate: %s\r\n", code, reason(code), date());
        if (type)
                buf_fmt(out, "content-type: %s\r\n", type);
        if (code == 101)
                buf_str(out, "connection: Upgrade\r\n");
        else if (length >= 0 && code != 204 && code != 304)
                buf_fmt(out, "content-length: %lld\r\n", (long long)length);
        else if (length < 0 && !rq->old)
                buf_str(out, "transfer-encoding: chunked\r\n");
        if (code != 101 && (c->last || c->server->draining || rq->old))
                buf_str(out, "connection: close\r\n");
        buf_fmt(out, "x-request-id: %s\r\nx-trace-id: %.*s\r\n", rq->r.request_id, SLICE_FMT(rq->r.trace_id));
        buf_str(out, "x-content-type-options: nosniff\r\nx-frame-options: DENY\r\nreferrer-policy: no-referrer\r\n");
        buf_fmt(out, "cache-control: %s\r\n", x && x->cache ? x->cache : "no-store");
        cors_response(&c->server->cors, http_header(&rq->r, "origin"), out);
        extra(rq, code, x, out);
        buf_str(out, "\r\n");
}

static void count(const struct http_incoming *rq, int code) {
        const char class[] = { (char)('0' + code / 100 % 10), 'x', 'x', '\0' };
        stat_add(STAT_http_requests, 1);
        stat_add_word(STAT_http_responses, class, 1);
        if (rq->r.began > 0)
                stat_observe(STAT_http_request_duration, text_mono_micros() - rq->r.began);
}

void http_respond(struct http_request *r, int code, const char *content_type, struct slice body,
                  const struct http_extra *x) {
        struct http_conn *c = r->conn;
        struct http_incoming *rq = c->rq;
        struct buf *out = &c->server->scratch;
        assert(&rq->r == r && c->state == CONN_BUSY);
        count(rq, code);
        buf_clear(out);
        http_response_head(rq, code, content_type, body.n, x, out);
        struct slice none = { 0 };
        bool sent =
                !out->over && http_conn_send(c, buf_view(out), rq->head || code == 204 || code == 304 ? none : body);
        c->rq = NULL;
        http_incoming_free(rq);
        if (sent)
                http_conn_wrote(c);
        else
                http_conn_free(c);
}

/* What another daemon adds to an error. The shape's own members are never its to say. */
static void put_members(struct jsonw *w, struct slice members, struct arena *a) {
        static const char *const ours[] = { "ok", "code", "message", "retryable", "requestId", "traceId" };
        struct json doc, v;
        struct slice key;
        const char *why;
        size_t at;
        if (members.n == 0 || members.n > HTTP_MEMBERS_MAX || json_parse(members, a, &doc, &why, &at) != 0 ||
            json_type(doc) != JSON_OBJECT)
                return;
        for (uint32_t it = 0; json_next(doc, &it, &key, &v);) {
                const char *name = arena_copy(a, key);
                bool known = !name;
                for (size_t i = 0; i < sizeof(ours) / sizeof(*ours); i++)
                        known = known || slice_is(key, ours[i]);
                if (!known)
                        jsonw_key_raw(w, name, json_raw(v));
        }
}

void http_fail(struct http_request *r, enum status s, struct slice detail, const struct http_extra *x) {
        const struct status_row *row = status_row(s);
        struct arena memory; /* the request's own may be full */
        struct buf body;
        struct jsonw w;
        struct log_fields f = { .op = NULL,
                                .status = row->name,
                                .peer = r->address,
                                .request_id = slice_of(r->request_id),
                                .trace_id = r->trace_id };
        /* Strangers must not fill the journal: what they cause is counted, and written only for who debugs. */
        bool stranger = !r->route || row->http == 401 || row->http == 429;
        enum log_level level = row->http >= 500 ? LOG_WARN : stranger ? LOG_DEBUG : LOG_INFO;
        log_line(level, &f, "%.*s %.*s: %s", SLICE_FMT(r->method), SLICE_FMT(r->path), row->name);
        arena_init(&memory, 4u << 20);
        buf_init(&body, 4096 + (x ? x->members.n : 0));
        jsonw_init(&w, &body);
        jsonw_object(&w);
        jsonw_key_bool(&w, "ok", false);
        jsonw_key_cstr(&w, "code", row->name);
        if (detail.n > 0 && detail.n <= 1024 && text_utf8(detail))
                jsonw_key_str(&w, "message", detail);
        else
                jsonw_key_cstr(&w, "message", row->text);
        jsonw_key_bool(&w, "retryable", row->retry == RETRYABLE);
        jsonw_key_cstr(&w, "requestId", r->request_id);
        jsonw_key_str(&w, "traceId", r->trace_id);
        if (x)
                put_members(&w, x->members, &memory);
        jsonw_end(&w, '}');
        http_respond(r, row->http, "application/json; charset=utf-8", buf_view(&body), x);
        arena_free(&memory);
        buf_free(&body);
}
