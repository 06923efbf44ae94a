/* info.c - what the appliance says about itself: alive, ready, what it offers, what it counts. */
#include <stdio.h>

#include "call.h"
#include "json.h"
#include "jsonw.h"
#include "settings.h"
#include "stats.h"

#define READY_MS    2000u
#define BODY_MAX    (64u << 10)
#define METRICS_MAX (1u << 20)
#define CONTRACT    "v1.0"

static void respond(struct http_request *r, int code, struct buf *body) {
        if (body->over)
                call_fail(r, STATUS_INTERNAL, (struct slice){ 0 });
        else
                http_respond(r, code, CALL_JSON, buf_view(body), NULL);
        buf_free(body);
}

/* ---- GET /health ---- */

void route_health(struct frontend *f, struct http_request *r, const struct route *route, const struct actor *a) {
        struct buf body;
        struct jsonw w;

        (void)route;
        (void)a;
        buf_init(&body, BODY_MAX);
        jsonw_init(&w, &body);
        jsonw_object(&w);
        jsonw_key_bool(&w, "ok", true);
        jsonw_key_cstr(&w, "contract", CONTRACT);
        jsonw_key_cstr(&w, "version", LIFEOS_VERSION);
        jsonw_key_int(&w, "uptimeMs", (text_mono_micros() - frontend_began(f)) / 1000);
        jsonw_end(&w, '}');
        respond(r, 200, &body);
}

/* ---- GET / ---- */

void route_root(struct frontend *f, struct http_request *r, const struct route *route, const struct actor *a) {
        const char *url = setting_text(SETTING_public_url);
        struct buf body;
        struct jsonw w;

        (void)f;
        (void)route;
        (void)a;
        buf_init(&body, BODY_MAX);
        jsonw_init(&w, &body);
        jsonw_object(&w);
        jsonw_key_bool(&w, "ok", true);
        jsonw_key_cstr(&w, "service", "lifeos-gateway");
        jsonw_key_cstr(&w, "contract", CONTRACT);
        jsonw_key_cstr(&w, "version", LIFEOS_VERSION);
        if (*url)
                jsonw_key_cstr(&w, "url", url);
        jsonw_key(&w, "endpoints");
        jsonw_object(&w);
        for (unsigned i = 0; i < n_routes; i++) {
                char line[512];

                (void)snprintf(line, sizeof line, "%s %s (%s)", routes[i].method, routes[i].path, routes[i].summary);
                jsonw_key_cstr(&w, routes[i].name, line);
        }
        jsonw_end(&w, '}');
        jsonw_end(&w, '}');
        respond(r, 200, &body);
}

/* ---- GET /health/ready ---- */

/* Every part that is asked, and what its answer says of the parts behind it. */
struct check {
        struct ready *ready;
        struct channel *to; /* NULL once it has answered */
        enum op op;
        enum status status;
};

struct ready {
        struct http_request *r;
        unsigned waiting;
        struct check writer, webhook, openclaw;
        const char *assistant; /* what the last one's answer says */
};

/* Of a channel's own statuses, these two say that nobody answered. */
static bool answered(const struct check *c) {
        return c->status != STATUS_WRITER_UNAVAILABLE && c->status != STATUS_WEBHOOK_UNAVAILABLE;
}

static const char *state(const struct check *c) {
        return !answered(c) ? "down" : c->status == STATUS_OK ? "ok" : c->status == STATUS_BUSY ? "busy" : "failing";
}

/* The database is behind the writer: only the writer can tell. */
static const char *database(const struct check *writer) {
        return writer->status == STATUS_OK                     ? "ok"
               : writer->status == STATUS_DATABASE_UNAVAILABLE ? "down"
                                                               : "unknown";
}

/* Without it everything but the assistant works: it makes nobody unready. */
static const char *assistant(struct slice said, struct arena *a) {
        static const char *const words[] = { "ready", "not configured" };
        struct json doc;
        struct slice s;
        const char *why;
        size_t at;

        if (json_parse(said, a, &doc, &why, &at) != 0 || !json_str(json_get(doc, "openclaw"), &s))
                return "not ready";
        for (size_t i = 0; i < sizeof words / sizeof *words; i++)
                if (slice_is(s, words[i]))
                        return words[i];
        return "not ready";
}

static void put_error(struct jsonw *w, const struct http_request *r, enum status s) {
        jsonw_key_bool(w, "ok", false);
        jsonw_key_cstr(w, "code", status_row(s)->name);
        jsonw_key_cstr(w, "message", status_row(s)->text);
        jsonw_key_bool(w, "retryable", status_row(s)->retry == RETRYABLE);
        jsonw_key_cstr(w, "requestId", r->request_id);
        jsonw_key_str(w, "traceId", r->trace_id);
}

static void ready_respond(struct ready *y) {
        bool database_down = y->writer.status == STATUS_DATABASE_UNAVAILABLE;
        bool ok = y->writer.status == STATUS_OK && y->webhook.status == STATUS_OK;
        struct buf body;
        struct jsonw w;

        buf_init(&body, BODY_MAX);
        jsonw_init(&w, &body);
        jsonw_object(&w);
        if (ok)
                jsonw_key_bool(&w, "ok", true);
        else
                put_error(&w, y->r, STATUS_NOT_READY);
        jsonw_key_bool(&w, "ready", ok);
        jsonw_key(&w, "checks");
        jsonw_object(&w);
        jsonw_key_cstr(&w, "writer", database_down ? "ok" : state(&y->writer));
        jsonw_key_cstr(&w, "database", database(&y->writer));
        jsonw_key_cstr(&w, "webhook", state(&y->webhook));
        jsonw_key_cstr(&w, "openclaw", y->assistant);
        jsonw_end(&w, '}');
        jsonw_end(&w, '}');
        respond(y->r, ok ? 200 : 503, &body);
}

static void check_done(void *arg, const struct answer *a) {
        struct check *c = arg;

        c->to = NULL;
        c->status = a->status;
        if (c->op == OP_openclaw_health)
                c->ready->assistant = assistant(a->body, &c->ready->r->arena);
        if (--c->ready->waiting)
                return;
        c->ready->r->gone = NULL;
        ready_respond(c->ready);
}

static void check_start(struct frontend *f, struct check *c) {
        enum daemon_id kind = op_desc(c->op)->to;
        struct channel *to = frontend_peer(f, kind);
        union {
                struct op_health health;
                struct op_webhook_health webhook;
                struct op_openclaw_health openclaw;
        } none = { 0 };

        c->status = kind == WEBHOOK    ? STATUS_WEBHOOK_UNAVAILABLE
                    : kind == OPENCLAW ? STATUS_OPENCLAW_UNAVAILABLE
                                       : STATUS_WRITER_UNAVAILABLE;
        if (!to || !channel_up(to))
                return;
        c->status = channel_call(to, c->op, &none, READY_MS, check_done, c);
        if (c->status != STATUS_OK)
                return;
        c->to = to;
        c->ready->waiting++;
}

static void ready_gone(struct http_request *r) {
        struct ready *y = r->data;

        if (y->writer.to)
                channel_forget(y->writer.to, &y->writer);
        if (y->webhook.to)
                channel_forget(y->webhook.to, &y->webhook);
        if (y->openclaw.to)
                channel_forget(y->openclaw.to, &y->openclaw);
}

void route_ready(struct frontend *f, struct http_request *r, const struct route *route, const struct actor *a) {
        struct ready *y = arena_alloc(&r->arena, sizeof *y);

        (void)route;
        (void)a;
        if (!y) {
                call_fail(r, STATUS_BUSY, (struct slice){ 0 });
                return;
        }
        *y = (struct ready){ .r = r,
                             .assistant = "not ready",
                             .writer = { .ready = y, .op = OP_health },
                             .webhook = { .ready = y, .op = OP_webhook_health },
                             .openclaw = { .ready = y, .op = OP_openclaw_health } };
        check_start(f, &y->writer);
        check_start(f, &y->webhook);
        check_start(f, &y->openclaw);
        if (!y->waiting) {
                ready_respond(y);
                return;
        }
        r->data = y;
        r->gone = ready_gone;
}

/* ---- GET /metrics, on its own listener ---- */

struct metrics {
        struct frontend *f;
        struct http_request *r;
        struct channel *to;
};

static const char metrics_type[] = "text/plain; version=0.0.4; charset=utf-8";

/* The writer gathers what all daemons count; without it we still have our own, and say who is missing. */
static void metrics_own(struct frontend *f, struct http_request *r) {
        struct stats_source sources[] = { { .kind = FRONTEND, .instance = frontend_instance(f) },
                                          { .kind = WRITER, .instance = 1 } };
        struct buf report, body;

        buf_init(&report, METRICS_MAX);
        buf_init(&body, METRICS_MAX);
        stats_encode(&report);
        sources[0].report = buf_view(&report);
        stats_render(sources, 2, &body);
        http_respond(r, 200, metrics_type, buf_view(&body), NULL);
        buf_free(&report);
        buf_free(&body);
}

static void metrics_done(void *arg, const struct answer *a) {
        struct metrics *m = arg;

        m->r->gone = NULL;
        if (a->status == STATUS_OK)
                http_respond(m->r, 200, metrics_type, a->body, NULL);
        else
                metrics_own(m->f, m->r);
}

static void metrics_gone(struct http_request *r) {
        struct metrics *m = r->data;

        channel_forget(m->to, m);
}

void route_metrics(struct frontend *f, struct http_request *r, const struct route *route, const struct actor *a) {
        struct channel *to = frontend_peer(f, WRITER);
        struct metrics *m = arena_alloc(&r->arena, sizeof *m);
        struct op_stats_read none = { 0 };

        (void)route;
        (void)a;
        if (m)
                *m = (struct metrics){ .f = f, .r = r, .to = to };
        if (!m || !to || !channel_up(to) ||
            channel_call(to, OP_stats_read, &none, READY_MS, metrics_done, m) != STATUS_OK) {
                metrics_own(f, r);
                return;
        }
        r->data = m;
        r->gone = metrics_gone;
}
