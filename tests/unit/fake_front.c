/* fake_front.c - scripted surroundings of the frontend's handlers. */
#include "fake_front.h"

#include "fake_ws.h"

#include "log.h"
#include "settings.h"
#include "stats.h"

/* ---- the process ---- */

struct channel {
        enum daemon_id kind;
        bool up;
};
static struct channel writer = { WRITER, true }, webhook = { WEBHOOK, true }, openclaw = { OPENCLAW, true };
struct channel *fake_writer = &writer, *fake_webhook = &webhook, *fake_openclaw = &openclaw;
struct fanout *fake_fanout;
struct waiting *fake_waiting;
int64_t fake_settings[SETTING_COUNT], fake_stats[STAT_COUNT];

bool fake_limited;
unsigned fake_charged;

bool rate_address(struct frontend *f, const char *address, unsigned *ret_retry) {
        (void)f;
        (void)address;
        *ret_retry = 7;
        return !fake_limited;
}

void rate_address_charge(struct frontend *f, const char *address) {
        (void)f;
        (void)address;
        fake_charged++;
}

char fake_forgotten[300];
const char *fake_origins = "*";
struct auth_ask *fake_asks;

bool rate_actor(struct frontend *f, enum rate class, const struct actor *a, unsigned *ret_retry) {
        (void)f;
        (void)class;
        (void)a;
        *ret_retry = 7;
        return !fake_limited;
}

/* "good:<actor>" is acme's, "late:<actor>" takes until fake_identify(), all else is not known. */
void auth_check(struct frontend *f, const char *address, struct slice token, struct arena *scratch,
                struct auth_ask *q) {
        struct actor a = { SLICE("acme"), { token.p + 5, token.n - 5 }, SLICE("member"), false, fake_until };

        (void)f;
        (void)address;
        (void)scratch;
        q->lookup = NULL;
        if (token.n > 5 && memcmp(token.p, "good:", 5) == 0) {
                q->done(q, STATUS_OK, &a);
        } else if (token.n > 5 && memcmp(token.p, "late:", 5) == 0) {
                q->next = fake_asks;
                fake_asks = q;
        } else {
                q->done(q, slice_is(token, "old") ? STATUS_AUTH_EXPIRED : STATUS_AUTH_INVALID, NULL);
        }
}

int64_t fake_until;

void fake_identify(enum status s) {
        struct actor a = { SLICE("acme"), SLICE("ann"), SLICE("member"), false, fake_until };
        struct auth_ask *q = fake_asks;

        assert_non_null(q);
        fake_asks = q->next;
        q->done(q, s, s == STATUS_OK ? &a : NULL);
}

void auth_cancel(struct auth_ask *q) {
        for (struct auth_ask **at = &fake_asks; *at; at = &(*at)->next)
                if (*at == q) {
                        *at = q->next;
                        return;
                }
}

void auth_forget(struct frontend *f, struct slice account, struct slice key) {
        (void)f;
        (void)snprintf(fake_forgotten, sizeof fake_forgotten, "%.*s %.*s", SLICE_FMT(account), SLICE_FMT(key));
}

void fake_channel_up(struct channel *c, bool up) {
        c->up = up;
}

struct ev_loop *frontend_loop(struct frontend *f) {
        (void)f;
        return ev_default_loop(0);
}

struct channel *frontend_peer(struct frontend *f, enum daemon_id kind) {
        (void)f;
        return kind == WRITER     ? fake_writer
               : kind == WEBHOOK  ? fake_webhook
               : kind == OPENCLAW ? fake_openclaw
                                  : NULL;
}

struct fanout *frontend_fanout(struct frontend *f) {
        (void)f;
        return fake_fanout;
}

struct waiting *frontend_waiting(struct frontend *f) {
        (void)f;
        return fake_waiting;
}

uint8_t frontend_instance(struct frontend *f) {
        (void)f;
        return 3;
}

int64_t frontend_began(struct frontend *f) {
        (void)f;
        return text_mono_micros() - 6000000; /* six seconds: what it measures may lie a little before or after */
}

int64_t setting_int(enum setting s) {
        return fake_settings[s];
}

const char *setting_text(enum setting s) {
        return s == SETTING_cors_origins ? fake_origins : "";
}

void stat_add(enum stat_id s, int64_t n) {
        fake_stats[s] += n;
}

char fake_word[32];

void stat_add_word(enum stat_id s, const char *word, int64_t n) {
        fake_stats[s] += n;
        (void)snprintf(fake_word, sizeof fake_word, "%s", word);
}

void stat_set(enum stat_id s, int64_t v) {
        fake_stats[s] = v;
}

void stat_observe(enum stat_id s, int64_t micros) {
        assert_true(micros >= 0);
        fake_stats[s]++;
}

void stats_encode(struct buf *out) {
        buf_str(out, "report");
}

void stats_render(const struct stats_source *src, size_t n, struct buf *out) {
        for (size_t i = 0; i < n; i++)
                buf_fmt(out, "kind %d instance %u report %.*s\n", (int)src[i].kind, (unsigned)src[i].instance,
                        SLICE_FMT(src[i].report));
}

void log_line(enum log_level l, const struct log_fields *f, const char *fmt, ...) {
        (void)l;
        (void)f;
        (void)fmt;
}

void die(const char *fmt, ...) {
        fputs(fmt, stderr);
        abort();
}

#define ROUTE(n, m, p, a, r, b, h, o, s)                                                                             \
        { .name = #n,                                                                                                \
          .method = #m,                                                                                              \
          .path = p,                                                                                                 \
          .summary = s,                                                                                              \
          .auth = a,                                                                                                 \
          .rate = r##_RATE,                                                                                          \
          .body = b##_BODY,                                                                                          \
          .handler = route_##h,                                                                                      \
          .op = OP_##o },
const struct route routes[] = {
#include "routes.def"
};
const unsigned n_routes = COUNT(routes);

const struct route *fake_route(const char *name) {
        for (unsigned i = 0; i < n_routes; i++)
                if (strcmp(routes[i].name, name) == 0)
                        return &routes[i];
        fail_msg("no route %s", name);
        return NULL;
}

/* ---- clients ---- */

struct http_stream {
        struct fake_client *client;
        struct http_stream_events ev;
        void *arg;
        struct buf queue;
        int64_t progress;
        bool fed;
};

void fake_request(struct fake_client *c, const char *query, struct slice body) {
        *c = (struct fake_client){ .take = c->take, .data = c->data };
        c->r.method = SLICE("GET");
        c->r.query = slice_of(query);
        c->r.body = body;
        c->r.trace_id = SLICE("trace_1");
        memcpy(c->r.request_id, "req_1", 6);
        c->r.received = text_now_micros();
        c->r.began = text_mono_micros();
        arena_init(&c->r.arena, 4u << 20);
        buf_init(&c->body, 8u << 20);
}

void fake_header(struct fake_client *c, const char *name, const char *value) {
        assert_true(c->n_headers < COUNT(c->headers));
        c->headers[c->n_headers].name = name;
        c->headers[c->n_headers++].value = value;
}

bool fake_said(const struct fake_client *c, const char *text) {
        return c->body.n && memmem(c->body.p, c->body.n, text, strlen(text));
}

static struct fake_client *client_of(const struct http_request *r) {
        union {
                const char *in;
                struct fake_client *out;
        } p = { .in = (const char *)r - offsetof(struct fake_client, r) };

        return p.out;
}

struct slice http_header(const struct http_request *r, const char *name) {
        const struct fake_client *c = client_of(r);

        for (unsigned i = 0; i < c->n_headers; i++)
                if (strcmp(c->headers[i].name, name) == 0)
                        return slice_of(c->headers[i].value);
        return (struct slice){ 0 };
}

bool http_header_item(const struct http_request *r, const char *name, uint64_t *at, struct slice *ret) {
        const struct fake_client *c = client_of(r);
        unsigned seen = 0;

        for (unsigned i = 0; i < c->n_headers; i++) {
                const char *v = c->headers[i].value, *end;

                if (strcmp(c->headers[i].name, name) != 0)
                        continue;
                for (; *v; v = *end ? end + 1 : end) {
                        end = v + strcspn(v, ",");
                        if (seen++ < *at)
                                continue;
                        *ret = slice_trim((struct slice){ v, (uint32_t)(end - v) });
                        ++*at;
                        return true;
                }
        }
        return false;
}

bool http_header_has(const struct http_request *r, const char *name, const char *token) {
        return slice_is_nocase(http_header(r, name), token);
}

struct slice http_media_type(const struct http_request *r) {
        return http_header(r, "content-type");
}

/* The end of the path, whatever the parameter: the fakes' paths have one at most. */
struct slice route_param(const struct route *route, const struct http_request *r, const char *name) {
        assert_non_null(strstr(route->path, name));
        return r->path;
}

/* The request's memory is gone once it is answered: the sanitizer sees who still holds it. */
static struct fake_client *answered(struct http_request *r) {
        struct fake_client *c = client_of(r);

        assert_false(c->answered);
        assert_null(c->out);
        c->answered = true;
        r->gone = NULL;
        return c;
}

void http_wait(struct http_request *r, double seconds, bool leaves) {
        struct fake_client *c = client_of(r);

        c->waits = seconds;
        c->leaves = leaves;
}

void http_respond(struct http_request *r, int code, const char *content_type, struct slice body,
                  const struct http_extra *x) {
        struct fake_client *c = answered(r);

        c->code = code;
        c->retry_after = x ? x->retry_after : 0;
        (void)snprintf(c->type, sizeof c->type, "%s", content_type ? content_type : "");
        buf_slice(&c->body, body);
        arena_free(&r->arena);
}

void http_fail(struct http_request *r, enum status s, struct slice detail, const struct http_extra *x) {
        struct fake_client *c = answered(r);

        c->code = status_row(s)->http;
        c->status = s;
        c->retry_after = x ? x->retry_after : 0;
        (void)snprintf(c->detail, sizeof c->detail, "%.*s", SLICE_FMT(detail));
        if (x)
                buf_slice(&c->body, x->members);
        arena_free(&r->arena);
}

struct fake_client *fake_upgraded(struct http_request *r) {
        struct fake_client *c = answered(r);

        c->code = 101;
        return c;
}

struct http_stream *http_stream_begin(struct http_request *r, const char *content_type,
                                      const struct http_stream_events *ev, void *arg) {
        struct fake_client *c = answered(r);
        struct http_stream *s = calloc(1, sizeof *s);

        assert_non_null(s);
        *s = (struct http_stream){ .client = c, .ev = *ev, .arg = arg, .progress = text_mono_micros() };
        buf_init(&s->queue, HTTP_STREAM_QUEUE);
        c->code = 200;
        (void)snprintf(c->type, sizeof c->type, "%s", content_type);
        arena_free(&r->arena);
        return c->out = s;
}

bool http_stream_write(struct http_stream *s, struct slice bytes) {
        if (s->queue.n + bytes.n > HTTP_STREAM_QUEUE)
                return false;
        buf_slice(&s->queue, bytes);
        s->fed = true;
        return true;
}

size_t http_stream_queued(const struct http_stream *s) {
        return s->queue.n;
}

int64_t http_stream_progress(const struct http_stream *s) {
        return s->progress;
}

const char *http_stream_request_id(const struct http_stream *s) {
        (void)s;
        return "req_1";
}

static void stream_free(struct http_stream *s) {
        s->client->out = NULL;
        buf_free(&s->queue);
        free(s);
}

void http_stream_end(struct http_stream *s) {
        if (s->client->take)
                s->client->take(s->client, buf_view(&s->queue));
        s->client->ended = true;
        stream_free(s);
}

bool fake_take(struct fake_client *c, size_t n) {
        struct http_stream *s = c->out;

        if (!s || s->queue.n == 0 || n == 0)
                return false;
        n = n < s->queue.n ? n : s->queue.n;
        if (c->take)
                c->take(c, (struct slice){ s->queue.p, (uint32_t)n });
        buf_drop(&s->queue, n);
        s->progress = text_mono_micros();
        if (s->queue.n == 0 && s->fed) {
                s->fed = false;
                s->ev.drained(s->arg);
        }
        return true;
}

void fake_leave(struct fake_client *c) {
        if (c->out) {
                c->out->ev.closed(c->out->arg);
                stream_free(c->out);
        } else if (!c->answered) {
                if (c->r.gone)
                        c->r.gone(&c->r);
                c->answered = true;
                arena_free(&c->r.arena);
        }
}

void fake_client_free(struct fake_client *c) {
        fake_leave(c);
        buf_free(&c->body);
}

/* ---- other daemons ---- */

struct fake_call *fake_calls;
bool fake_full;
void (*fake_cast)(enum op op, const void *msg);

enum daemon_id channel_kind(const struct channel *c) {
        return c->kind;
}

bool channel_up(const struct channel *c) {
        return c->up;
}

enum status channel_call(struct channel *c, enum op op, const void *msg, unsigned timeout_ms, channel_answer_fn *fn,
                         void *arg) {
        struct fake_call *q, **at = &fake_calls;
        void *copy = calloc(1, op_desc(op)->size);

        assert_true(timeout_ms > 0);
        assert_true(op_desc(op)->to == c->kind);
        assert_int_equal(op_check(op, msg), 0);
        if (fake_full) {
                free(copy);
                return STATUS_BUSY;
        }
        q = calloc(1, sizeof *q);
        assert_non_null(q);
        *q = (struct fake_call){ .to = c, .op = op, .ms = timeout_ms, .fn = fn, .arg = arg, .msg = copy };
        buf_init(&q->bytes, OP_BYTES_MAX);
        buf_init(&q->reply, 16u << 20);
        op_encode(op, msg, &q->bytes);
        assert_int_equal(op_decode(op, buf_view(&q->bytes), copy), 0);
        while (*at)
                at = &(*at)->next;
        *at = q;
        return STATUS_OK;
}

void channel_forget(struct channel *c, void *arg) {
        for (struct fake_call *q = fake_calls; q; q = q->next)
                if (q->to == c && q->arg == arg)
                        q->forgotten = true;
}

bool channel_cast(struct channel *c, enum op op, const void *msg) {
        assert_int_equal(op_check(op, msg), 0);
        if (c->up && fake_cast)
                fake_cast(op, msg);
        return c->up;
}

unsigned fake_count(enum op op) {
        unsigned n = 0;

        for (struct fake_call *q = fake_calls; q; q = q->next)
                n += q->op == op && !q->forgotten;
        return n;
}

static void call_free(struct fake_call *q) {
        union {
                const void *in;
                void *out;
        } msg = { .in = q->msg };

        buf_free(&q->bytes);
        buf_free(&q->reply);
        free(msg.out);
        free(q);
}

void fake_answer(struct fake_call *q, enum status s, const char *detail, struct slice body) {
        struct fake_call **at = &fake_calls;
        struct answer a = { .status = s, .detail = slice_of(detail), .body = exact(body) };

        while (*at != q)
                at = &(*at)->next;
        *at = q->next;
        if (!q->forgotten)
                q->fn(q->arg, &a);
        exact_free(a.body);
        call_free(q);
}

void fake_answer_next(enum status s, const char *detail, const char *body) {
        assert_non_null(fake_calls);
        fake_answer(fake_calls, s, detail, slice_of(body));
}

void fake_reset(void) {
        while (fake_calls) {
                struct fake_call *q = fake_calls;

                fake_calls = q->next;
                call_free(q);
        }
        fake_full = fake_limited = false;
        fake_charged = 0;
        fake_cast = NULL;
        fake_writer = &writer;
        fake_webhook = &webhook;
        fake_openclaw = &openclaw;
        writer.up = webhook.up = openclaw.up = true;
        memset(fake_stats, 0, sizeof fake_stats);
        fake_settings[SETTING_http_request_seconds] = 15;
        fake_settings[SETTING_turn_queue_seconds] = 20;
        fake_settings[SETTING_turn_seconds] = 28;
        fake_settings[SETTING_sse_heartbeat_seconds] = 15;
        fake_settings[SETTING_sse_stall_seconds] = 30;
        fake_settings[SETTING_streams_per_actor] = 10000;
        fake_settings[SETTING_streams_per_account] = 20000;
        fake_settings[SETTING_sockets_per_actor] = 1000;
        fake_settings[SETTING_socket_auth_seconds] = 10;
        fake_settings[SETTING_socket_subscriptions_max] = 100;
        fake_settings[SETTING_stream_recheck_seconds] = 60;
        fake_forgotten[0] = 0;
        fake_origins = "*";
        fake_asks = NULL;
        fake_until = 0;
}
