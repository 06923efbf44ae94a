/* http_rig.h - the real HTTP server on loopback TCP, and clients to it, in one thread. */
#pragma once

#include <arpa/inet.h>
#include <errno.h>
#include <ev.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "http.h"
#include "settings.h"
#include "unit.h"

#define RIG_SECONDS 20 /* how long a condition may take to come true */

struct rig {
        struct rig *next;
        struct ev_loop *loop;
        struct http_server *server;
        int port;
        char path[64]; /* of the proxy socket */
};

/* What a client has read so far. */
struct client {
        int fd;
        bool eof;
        size_t n;
        char *text; /* RIG_TEXT bytes, always ending in NUL */
};
#define RIG_TEXT (3u << 20)

/* For conditions that are about the server alone. */
static inline struct client *nobody(void) {
        static char nothing[1];
        static struct client c;
        c = (struct client){ .fd = -1, .eof = true, .text = nothing };
        return &c;
}

static inline void rig_settings(const char *lines) {
        char path[] = "/tmp/lifeos-test-XXXXXX", why[256];
        int fd = mkstemp(path);
        assert_true(fd >= 0);
        assert_int_equal(write(fd, lines, strlen(lines)), (ssize_t)strlen(lines));
        close(fd);
        if (settings_load(path, why) != 0)
                fail_msg("%s", why);
        unlink(path);
}

static inline int rig_tcp_listen(int *ret_port) {
        struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t n = sizeof a;
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), small = 64 << 10;
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small); /* inherited: what is stuck is stuck soon */
        assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
        assert_int_equal(listen(fd, 512), 0);
        assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
        *ret_port = ntohs(a.sin_port);
        return fd;
}

static inline int rig_unix_listen(char path[static 64]) {
        struct sockaddr_un a = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        snprintf(path, 64, "/tmp/lifeos-test-%d.sock", getpid());
        unlink(path);
        memcpy(a.sun_path, path, 64);
        assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
        assert_int_equal(listen(fd, 64), 0);
        return fd;
}

static inline struct rig *rig_new(void (*handle)(void *arg, struct http_request *r), void *arg,
                                  enum http_listener how) {
        static struct rig *rigs; /* servers live as long as their process; so do ours */
        struct rig *g = calloc(1, sizeof *g);
        int fd;
        assert_non_null(g);
        g->next = rigs;
        rigs = g;
        g->loop = ev_loop_new(EVFLAG_AUTO);
        g->server = http_server_new(g->loop, handle, arg);
        fd = how == HTTP_PROXY ? rig_unix_listen(g->path) : rig_tcp_listen(&g->port);
        http_server_listen(g->server, fd, how);
        return g;
}

static inline void rig_turn(struct rig *g, int fd) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        ev_run(g->loop, EVRUN_NOWAIT);
        (void)poll(&p, fd >= 0, fd >= 0 ? 1 : 0);
}

static inline struct client *client_new(struct rig *g) {
        struct client *c = calloc(1, sizeof *c);
        assert_non_null(c);
        c->text = calloc(1, RIG_TEXT);
        assert_non_null(c->text);
        if (g->path[0]) {
                struct sockaddr_un a = { .sun_family = AF_UNIX };
                memcpy(a.sun_path, g->path, sizeof g->path);
                c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
                assert_int_equal(connect(c->fd, (struct sockaddr *)&a, sizeof a), 0);
        } else {
                struct sockaddr_in a = { .sin_family = AF_INET,
                                         .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                         .sin_port = htons((uint16_t)g->port) };
                c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
                assert_int_equal(connect(c->fd, (struct sockaddr *)&a, sizeof a), 0);
        }
        return c;
}

static inline void client_free(struct client *c) {
        if (c->fd >= 0)
                close(c->fd);
        free(c->text);
        free(c);
}

/* Reads what is there. */
static inline void client_read(struct client *c) {
        while (!c->eof && c->n < RIG_TEXT - 1) {
                ssize_t n = recv(c->fd, c->text + c->n, RIG_TEXT - 1 - c->n, MSG_DONTWAIT);
                if (n < 0 && (errno == EAGAIN || errno == EINTR))
                        return;
                if (n <= 0)
                        c->eof = true;
                else
                        c->n += (size_t)n;
        }
}

/* Sends everything while the server runs; a server that closes early ends it. */
static inline void client_send(struct rig *g, struct client *c, const void *bytes, size_t n) {
        const char *p = bytes;
        while (n > 0) {
                ssize_t sent = send(c->fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);
                if (sent < 0 && errno != EAGAIN)
                        return;
                if (sent > 0) {
                        p += sent;
                        n -= (size_t)sent;
                }
                ev_run(g->loop, EVRUN_NOWAIT);
        }
}

static inline void client_say(struct rig *g, struct client *c, const char *text) {
        client_send(g, c, text, strlen(text));
}

/* Runs the loop until cond holds. */
#define rig_until(g, c, cond)                                                                                        \
        do {                                                                                                         \
                int64_t until_ = text_mono_micros() + RIG_SECONDS * INT64_C(1000000);                                \
                while (client_read(c), !(cond)) {                                                                    \
                        if (text_mono_micros() > until_)                                                             \
                                fail_msg("never came true: %s; read: %.400s", #cond, (c)->text);                     \
                        rig_turn(g, (c)->fd);                                                                        \
                }                                                                                                    \
        } while (0)

static inline unsigned client_count(const struct client *c, const char *what) {
        unsigned n = 0;
        for (const char *p = c->text; (p = strstr(p, what)); p += strlen(what))
                n++;
        return n;
}

/* Status code of the last complete or incomplete response. */
static inline int client_status(const struct client *c) {
        const char *last = NULL;
        for (const char *p = c->text; (p = strstr(p, "HTTP/1.1 ")); p++)
                last = p;
        return last ? atoi(last + 9) : 0;
}

/* One request on a new connection, sent whole; returns the status, 0 if the server just closed. */
static inline int rig_ask(struct rig *g, const void *bytes, size_t n) {
        struct client *c = client_new(g);
        int status;
        client_send(g, c, bytes, n);
        rig_until(g, c, c->eof || (client_status(c) >= 200 && strstr(c->text, "\r\n\r\n")));
        status = client_status(c);
        client_free(c);
        return status;
}
