/* front_rig.h - router, authentication and rate limits behind the real HTTP server; handlers and writer scripted. */
#pragma once

#include <sodium.h>

#include "auth.h"
#include "http_rig.h"

struct frontend {
        struct rig *rig;
        struct auth_state *auth;
        struct rate_state *rate;
};
static struct frontend front;

struct ev_loop *frontend_loop(struct frontend *f) {
        return f->rig->loop;
}
struct auth_state *frontend_auth(struct frontend *f) {
        return f->auth;
}
struct rate_state *frontend_rate(struct frontend *f) {
        return f->rate;
}

/* ---- the writer: linked with --wrap, so that nothing else of channel.c matters ---- */

static struct {
        bool connected, up, full;
        unsigned asked;
        struct op_key_check last;
        char key_id[32];
        unsigned char secret_hash[32];
        channel_answer_fn *fn[64];
        void *arg[64];
} writer;

struct channel *frontend_peer(struct frontend *f, enum daemon_id kind) {
        (void)f;
        assert_int_equal(kind, WRITER);
        union {
                void *p;
                struct channel *c;
        } any = { .p = &writer };
        return writer.connected ? any.c : NULL;
}
bool __wrap_channel_up(const struct channel *c);
bool __wrap_channel_up(const struct channel *c) {
        (void)c;
        return writer.up;
}
enum status __wrap_channel_call(struct channel *c, enum op op, const void *msg, unsigned ms, channel_answer_fn *fn,
                                void *arg);
enum status __wrap_channel_call(struct channel *c, enum op op, const void *msg, unsigned ms, channel_answer_fn *fn,
                                void *arg) {
        const struct op_key_check *m = msg;
        (void)c;
        assert_int_equal(op, OP_key_check);
        assert_int_equal(op_check(op, msg), 0);
        assert_true(ms > 0 && writer.asked < 64);
        if (writer.full)
                return STATUS_BUSY;
        assert_true(slice_copy(m->key_id, writer.key_id, sizeof writer.key_id));
        memcpy(writer.secret_hash, m->secret_hash.p, 32);
        writer.fn[writer.asked] = fn;
        writer.arg[writer.asked++] = arg;
        return STATUS_OK;
}
static inline void writer_answers(unsigned i, enum status s, const char *body) {
        writer.fn[i](writer.arg[i], &(struct answer){ .status = s, .body = slice_of(body) });
}

/* ---- the handlers: each answers with its route and who asks ---- */

static int64_t front_until; /* of the actor who asked last */

static void answer_name(struct frontend *f, struct http_request *r, const struct route *route,
                        const struct actor *a) {
        char text[512];
        int n = snprintf(text, sizeof text, "<%s %.*s>", route->name, SLICE_FMT(route_param(route, r, "sessionId")));
        assert_ptr_equal(f, &front);
        assert_ptr_equal(r->route, route);
        if (a)
                front_until = a->until;
        if (a)
                n += snprintf(text + n, sizeof text - (size_t)n, "<%.*s|%.*s|%.*s|%s>", SLICE_FMT(a->account),
                              SLICE_FMT(a->id), SLICE_FMT(a->role), a->service ? "service" : "person");
        http_respond(r, 200, "text/plain", (struct slice){ text, (uint32_t)n }, NULL);
}
#define HANDLER(name)                                                                                                \
        void name(struct frontend *f, struct http_request *r, const struct route *route, const struct actor *a) {    \
                answer_name(f, r, route, a);                                                                         \
        }
HANDLER(route_call)
HANDLER(route_webhook)
HANDLER(route_diff)
HANDLER(route_csv)
HANDLER(route_events)
HANDLER(route_stream)
HANDLER(route_health)
HANDLER(route_ready)
HANDLER(route_root)
HANDLER(route_metrics)
HANDLER(route_asset)
HANDLER(route_socket)
HANDLER(route_turn)
HANDLER(route_chat)
HANDLER(route_action)

static unsigned char issuer_sk[64], idp_sk[64];

static inline void front_start(const char *settings, enum http_listener how) {
        unsigned char pub[32];
        rig_settings(settings);
        memset(&writer, 0, sizeof writer);
        writer.connected = writer.up = true;
        front.rate = rate_new();
        if (!front.auth) {
                front.auth = auth_new(&front);
                crypto_sign_keypair(pub, issuer_sk);
                front.auth->ours.keys[front.auth->ours.n_keys++] = jwt_key_ed25519(pub, "k1");
                crypto_sign_keypair(pub, idp_sk);
                front.auth->idp.keys[front.auth->idp.n_keys++] = jwt_key_ed25519(pub, "i1");
        }
        front.rig = rig_new(router_handle, &front, how);
}

/* A token of these claims; exp in an hour is added. */
static inline const char *front_token(const unsigned char sk[64], const char *kid, const char *claims) {
        static char text[4096];
        char all[2048];
        struct buf out;
        buf_init(&out, sizeof text);
        int n = snprintf(all, sizeof all, "{%s,\"exp\":%lld}", claims,
                         (long long)(text_now_micros() / 1000000 + 3600));
        jwt_sign_ed25519((struct slice){ all, (uint32_t)n }, sk, kid, &out);
        assert_true(slice_copy(buf_view(&out), text, sizeof text));
        buf_free(&out);
        return text;
}
#define OURS "\"iss\":\"lifeos\",\"aud\":\"lifeos\","

/* One request on a new connection; the response's text, valid until the next. token NULL: no Authorization. */
static inline const char *front_ask(const char *line, const char *headers, const char *token, const char *body) {
        static char text[65536], request[32768];
        struct client *c = client_new(front.rig);
        int n = snprintf(request, sizeof request, "%s HTTP/1.1\r\nHost: x\r\n%s", line, headers);
        if (token)
                n += snprintf(request + n, sizeof request - (size_t)n, "Authorization: Bearer %s\r\n", token);
        n += snprintf(request + n, sizeof request - (size_t)n, "Content-Length: %zu\r\nConnection: close\r\n\r\n%s",
                      strlen(body), body);
        client_send(front.rig, c, request, (size_t)n);
        rig_until(front.rig, c, c->eof);
        snprintf(text, sizeof text, "%s", c->text);
        client_free(c);
        return text;
}
static inline int front_status(const char *response) {
        return atoi(response + 9);
}
#define assert_answer(response_, want_)                                                                              \
        do {                                                                                                         \
                const char *have_ = (response_);                                                                     \
                if (!strstr(have_, want_))                                                                           \
                        fail_msg("no %s in %s", want_, have_);                                                       \
        } while (0)
