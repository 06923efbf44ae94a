/* gateway_rig.h - for the tests of the way out: a gateway on loopback, scripted, on the test's own loop. */
#pragma once

#include "unit.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "buf.h"
#include "gateway.h"
#include "settings.h"
#include "stats.h"

#define SSE_HEAD "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nConnection: close\r\n\r\n"
#define TOKEN    "a-token-of-at-least-24-characters"

#define CREATED                                                                                                      \
        "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"id\":\"resp_1\","             \
        "\"status\":\"in_progress\"}}\n\n"
#define DELTA(text)                                                                                                  \
        "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"item_id\":\"m\","       \
        "\"delta\":\"" text "\"}\n\n"
#define TEXT_DONE(text) "data: {\"type\":\"response.output_text.done\",\"text\":\"" text "\"}\n\n"
#define USAGE           "\"usage\":{\"input_tokens\":330,\"output_tokens\":5}"
#define TERMINAL(how, output)                                                                                        \
        "event: response." how "\ndata: {\"type\":\"response." how "\",\"response\":{\"id\":\"resp_1\","             \
        "\"model\":\"openclaw/recruiter\",\"output\":[" output "]," USAGE "}}\n\n"
#define FAILED(code, message)                                                                                        \
        "data: {\"type\":\"response.failed\",\"response\":{\"id\":\"resp_1\",\"status\":\"failed\",\"output\":[],"   \
        "\"error\":{\"code\":\"" code "\",\"message\":\"" message "\"}}}\n\n"
#define DONE "data: [DONE]\n\n"
#define GOOD CREATED DELTA("Thanks") DELTA(" Ada.") TEXT_DONE("Thanks Ada.") TERMINAL("completed", "") DONE

/* What a connection gets once its request was read. */
struct reply {
        struct slice bytes;
        struct slice again; /* written over and over after them */
        unsigned chunk;     /* bytes a write; 0: all */
        bool hold;          /* stays open when all is said */
        bool reset;         /* ends with a reset instead of a close */
        bool deaf;          /* it need not understand the request */
};

#define CONNS_MAX 32
static struct ev_loop *loop;
static struct server {
        int fd;
        unsigned port;
        ev_io accept;
        struct reply script[32], otherwise;             /* by the number of the request */
        unsigned n_script, requests, accepted, hung_up; /* hung_up: the client closed before all was said */
        struct conn {
                int fd;
                ev_io io;
                struct buf in;
                const struct reply *reply;
                size_t said;
        } conn[CONNS_MAX];
        char request[8192]; /* the last one, as far as it fits */
        size_t written;
} server;

static inline void conn_close(struct conn *c) {
        const struct linger now = { 1, 0 };
        if (c->reply != NULL && c->reply->reset)
                (void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        ev_io_stop(loop, &c->io);
        (void)close(c->fd);
        buf_free(&c->in);
        c->fd = -1;
}

static inline void conn_watch(struct conn *c, int events) {
        ev_io_stop(loop, &c->io);
        ev_io_set(&c->io, c->fd, events);
        ev_io_start(loop, &c->io);
}

/* True while there is more. */
static inline bool conn_say(struct conn *c) {
        const struct reply *r = c->reply;
        struct slice now = { r->bytes.p + c->said, r->bytes.n - (uint32_t)c->said };
        if (c->said == r->bytes.n)
                now = r->again;
        if (now.n == 0)
                return false;
        if (r->chunk != 0 && now.n > r->chunk)
                now.n = r->chunk;
        ssize_t n = send(c->fd, now.p, now.n, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN)
                return true;
        if (n < 0) {
                server.hung_up++;
                conn_close(c);
                return true;
        }
        server.written += (size_t)n;
        if (c->said < r->bytes.n)
                c->said += (size_t)n;
        return true;
}

static inline bool request_complete(const struct buf *in) {
        struct slice s = buf_view(in);
        const char *end = s.n > 0 ? memmem(s.p, s.n, "\r\n\r\n", 4) : NULL;
        const char *length = end != NULL ? memmem(s.p, s.n, "Content-Length: ", 16) : NULL;
        return length != NULL && s.n >= (size_t)(end - s.p) + 4 + strtoul(length + 16, NULL, 10);
}

static inline void on_conn(struct ev_loop *l, ev_io *w, int revents) {
        struct conn *c = w->data;
        char bytes[65536];
        (void)l;
        if ((revents & EV_READ) != 0) {
                ssize_t n = recv(c->fd, bytes, sizeof bytes, MSG_DONTWAIT);
                if (n == 0 || (n < 0 && errno != EAGAIN)) {
                        if (c->reply == NULL || c->reply->again.n > 0 || c->reply->hold ||
                            c->said < c->reply->bytes.n)
                                server.hung_up++;
                        conn_close(c);
                        return;
                }
                if (n > 0 && c->reply == NULL)
                        buf_add(&c->in, bytes, (size_t)n);
                if (c->reply == NULL && (server.otherwise.deaf || request_complete(&c->in))) {
                        size_t keep = c->in.n < sizeof server.request - 1 ? c->in.n : sizeof server.request - 1;
                        memcpy(server.request, c->in.p, keep);
                        server.request[keep] = '\0';
                        c->reply = server.requests < server.n_script ? &server.script[server.requests]
                                                                     : &server.otherwise;
                        server.requests++;
                        conn_watch(c, EV_READ | EV_WRITE);
                }
                return;
        }
        if (c->reply != NULL && !conn_say(c)) {
                if (c->reply->hold)
                        conn_watch(c, EV_READ);
                else
                        conn_close(c);
        }
}

static inline void on_accept(struct ev_loop *l, ev_io *w, int revents) {
        int fd = accept4(w->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), one = 1;
        (void)l;
        (void)revents;
        if (fd < 0)
                return;
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        for (unsigned i = 0; i < CONNS_MAX; i++) {
                struct conn *c = &server.conn[i];
                if (c->fd >= 0)
                        continue;
                *c = (struct conn){ .fd = fd };
                buf_init(&c->in, 4u << 20);
                ev_init(&c->io, on_conn);
                c->io.data = c;
                server.accepted++;
                conn_watch(c, EV_READ);
                return;
        }
        fail_msg("too many connections");
}

static inline int listen_on(unsigned *port) {
        struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t n = sizeof at;
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        assert_true(fd >= 0 && bind(fd, (const struct sockaddr *)&at, sizeof at) == 0 && listen(fd, 16) == 0);
        assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &n), 0);
        *port = ntohs(at.sin_port);
        return fd;
}

static inline void server_start(void) {
        server = (struct server){ 0 };
        for (unsigned i = 0; i < CONNS_MAX; i++)
                server.conn[i].fd = -1;
        server.otherwise = (struct reply){ .bytes = SLICE(SSE_HEAD GOOD) };
        server.fd = listen_on(&server.port);
        ev_io_init(&server.accept, on_accept, server.fd, EV_READ);
        ev_io_start(loop, &server.accept);
}

static inline void server_stop(void) {
        for (unsigned i = 0; i < CONNS_MAX; i++)
                if (server.conn[i].fd >= 0)
                        conn_close(&server.conn[i]);
        ev_io_stop(loop, &server.accept);
        if (server.fd >= 0)
                (void)close(server.fd);
        server.fd = -1;
}

static inline struct reply *script(struct slice bytes) {
        assert_true(server.n_script < 32);
        struct reply *r = &server.script[server.n_script++];
        r->bytes = bytes;
        return r;
}

/* ---- the world: a directory with settings and credentials, a gateway, one that asks ---- */

static struct gateway *gateway;
static char rig_dir[64];

struct asked {
        unsigned deltas, ends;
        enum status status;
        bool incomplete, spoken;
        char text[1024], ended[1024], id[160], model[160], first_call[64];
        size_t text_n, arguments_n;
        unsigned n_calls;
        int64_t input_tokens, output_tokens;
        struct gateway_ask *ask;
        bool cancel; /* at the first delta */
};

static inline void put_file(const char *name, const char *text) {
        char path[128];
        (void)snprintf(path, sizeof path, "%s/%s", rig_dir, name);
        FILE *f = fopen(path, "w");
        assert_non_null(f);
        assert_true(fputs(text, f) >= 0);
        assert_int_equal(fclose(f), 0);
}

static inline void rig_open(const char *settings) {
        char path[128], why[256];
        (void)snprintf(rig_dir, sizeof rig_dir, "/tmp/lifeos-gateway-XXXXXX");
        assert_non_null(mkdtemp(rig_dir));
        assert_int_equal(setenv("CREDENTIALS_DIRECTORY", rig_dir, 1), 0);
        put_file("openclaw-token", TOKEN "\n");
        put_file("openclaw-ca", "");
        put_file("gateway.conf", settings);
        (void)snprintf(path, sizeof path, "%s/gateway.conf", rig_dir);
        if (settings_load(path, why) != 0)
                fail_msg("%s", why);
}

static inline void rig_close(void) {
        static const char *const names[] = { "openclaw-token", "openclaw-ca", "gateway.conf" };
        char path[128];
        for (size_t i = 0; i < COUNT(names); i++) {
                (void)snprintf(path, sizeof path, "%s/%s", rig_dir, names[i]);
                (void)unlink(path);
        }
        (void)rmdir(rig_dir);
}

static inline void world_start(const char *more) {
        char settings[512];
        loop = ev_default_loop(EVFLAG_AUTO);
        assert_non_null(loop);
        server_start();
        (void)snprintf(settings, sizeof settings, "openclaw_url = http://127.0.0.1:%u\n%s", server.port, more);
        rig_open(settings);
        gateway = gateway_new(loop);
}

static inline void world_stop(void) {
        gateway_free(gateway);
        gateway = NULL;
        server_stop();
        rig_close();
}

static inline void hear_delta(void *arg, struct slice text) {
        struct asked *a = arg;
        assert_int_equal(a->ends, 0);
        assert_true(text.n > 0 && text_utf8(text));
        a->deltas++;
        if (a->text_n + text.n < sizeof a->text)
                memcpy(a->text + a->text_n, text.p, text.n);
        a->text_n += text.n;
        if (a->cancel)
                gateway_cancel(a->ask);
}

static inline void hear_end(void *arg, const struct gateway_end *e) {
        struct asked *a = arg;
        a->ends++;
        a->status = e->status;
        a->incomplete = e->incomplete;
        a->spoken = e->spoken;
        assert_true(e->spoken == (a->deltas > 0));
        assert_int_equal(e->text.n, a->text_n);
        (void)slice_copy(e->text, a->ended, sizeof a->ended);
        (void)slice_copy(e->response_id, a->id, sizeof a->id);
        (void)slice_copy(e->model, a->model, sizeof a->model);
        a->n_calls = e->n_calls;
        assert_true(e->n_calls == 0 || e->status == STATUS_OK);
        for (unsigned i = 0; i < e->n_calls; i++)
                a->arguments_n += e->calls[i].arguments.n;
        if (e->n_calls > 0)
                (void)slice_copy(e->calls[0].name, a->first_call, sizeof a->first_call);
        a->input_tokens = e->input_tokens;
        a->output_tokens = e->output_tokens;
}

static const struct gateway_events hears = { hear_delta, hear_end };

static inline enum status ask_for(struct asked *a, unsigned first_ms, unsigned gap_ms, unsigned total_ms) {
        const struct gateway_request q = {
                .session = SLICE("3f0c7d52-9a41-4b7e-8f0e-0d5b1f6f2a10"),
                .body = SLICE("\"instructions\":\"Be short.\",\"input\":\"Hello.\""),
                .first_ms = first_ms,
                .gap_ms = gap_ms,
                .total_ms = total_ms,
        };
        *a = (struct asked){ .cancel = a->cancel };
        return gateway_ask(gateway, &q, &hears, a, &a->ask);
}

#define ASK(a) assert_int_equal(ask_for(a, 10000, 10000, 20000), STATUS_OK)

static inline void rig_tick(struct ev_loop *l, ev_timer *w, int revents) {
        (void)l;
        (void)w;
        (void)revents;
}

static inline void turn_loop(void) {
        ev_timer tick;
        ev_timer_init(&tick, rig_tick, 0.02, 0.);
        ev_timer_start(loop, &tick);
        ev_run(loop, EVRUN_ONCE);
        ev_timer_stop(loop, &tick);
}

#define until(condition)                                                                                             \
        do {                                                                                                         \
                int64_t give_up_ = text_mono_micros() + INT64_C(20000000);                                           \
                while (!(condition)) {                                                                               \
                        if (text_mono_micros() > give_up_)                                                           \
                                fail_msg("waited in vain for %s", #condition);                                       \
                        turn_loop();                                                                                 \
                }                                                                                                    \
        } while (0)
