/* http_server.c - accepting, fairly and up to a number; the lists connections are on; draining. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "http_conn.h"
#include "log.h"
#include "proxy.h"
#include "settings.h"
#include "stats.h"

#define ACCEPTS_A_TURN 8   /* then the other processes on the same listener have their chance */
#define PAUSE_SECONDS  0.1 /* after running out of descriptors or memory */

static void count(struct http_server *s) {
        stat_set(STAT_http_connections, s->n_conns);
}

static void listeners_run(struct http_server *s, bool on) {
        s->paused = !on;
        for (unsigned i = 0; i < s->n_listeners; i++) {
                if (on)
                        ev_io_start(s->loop, &s->listeners[i].io);
                else
                        ev_io_stop(s->loop, &s->listeners[i].io);
        }
}

/* A stranger who only begins requests, or does not take his answers, must not keep others out, so these are spare too:
 * whoever means it needs a few round trips for a head; bodies in transit come after all that is idle, answers last. */
static struct http_spare *spare_of(struct http_conn *c) {
        bool idle = c->state == CONN_IDLE || c->state == CONN_HEAD || c->state == CONN_LINGER;
        if (idle || (c->state == CONN_STREAM && c->spare))
                return &c->server->idle;
        if (c->state == CONN_WRITING)
                return &c->server->writing;
        return c->state == CONN_BODY ? &c->server->bodying : NULL;
}

void http_server_spare_add(struct http_conn *c) {
        struct http_server *s = c->server;
        struct http_spare *l = spare_of(c);
        if (!l)
                return;
        c->spare_next = NULL;
        c->spare_prev = l->last;
        *(l->last ? &l->last->spare_next : &l->first) = c;
        l->last = c;
        if (s->paused && !s->draining && !ev_is_active(&s->pause))
                listeners_run(s, true); /* there is somebody to make room now */
}

void http_server_spare_remove(struct http_conn *c) {
        struct http_spare *l = spare_of(c);
        if (!l)
                return;
        *(c->spare_prev ? &c->spare_prev->spare_next : &l->first) = c->spare_next;
        *(c->spare_next ? &c->spare_next->spare_prev : &l->last) = c->spare_prev;
        c->spare_prev = c->spare_next = NULL;
}

void http_server_turn(struct http_conn *c) {
        if (c->on_turn)
                return;
        c->on_turn = true;
        c->turn_next = NULL;
        struct http_server *s = c->server;
        *(s->turn_last ? &s->turn_last->turn_next : &s->turn_first) = c;
        s->turn_last = c;
        s->n_turn++;
}

static void turn_remove(struct http_conn *c) {
        struct http_server *s = c->server;
        struct http_conn *before = NULL, **at = &s->turn_first;
        while (*at && *at != c) {
                before = *at;
                at = &before->turn_next;
        }
        if (!*at)
                return;
        *at = c->turn_next;
        if (s->turn_last == c)
                s->turn_last = before;
        s->n_turn--;
        c->on_turn = false;
}

void http_server_add(struct http_conn *c) {
        struct http_server *s = c->server;
        c->next = s->conns;
        if (s->conns)
                s->conns->prev = c;
        s->conns = c;
        s->n_conns++;
        count(s);
}

void http_server_forget(struct http_conn *c) {
        struct http_server *s = c->server;
        if (c->on_turn)
                turn_remove(c);
        *(c->prev ? &c->prev->next : &s->conns) = c->next;
        if (c->next)
                c->next->prev = c->prev;
        s->n_conns--;
        count(s);
        if (s->paused && !s->draining && !ev_is_active(&s->pause))
                listeners_run(s, true);
}

/* As many turns as connections are on the list now; who joins meanwhile gets his at once after the next poll. */
static void on_turn(struct ev_loop *loop, struct ev_prepare *w, int revents) {
        struct http_server *s = w->data;
        (void)revents;
        for (unsigned n = s->n_turn; n > 0 && s->turn_first; n--) {
                struct http_conn *c = s->turn_first;
                turn_remove(c);
                http_conn_turn(c); /* may end this connection, and others */
        }
        if (s->turn_first)
                ev_timer_start(loop, &s->turn_timer);
}

static void on_turn_timer(struct ev_loop *loop, struct ev_timer *w, int revents) {
        (void)loop;
        (void)w;
        (void)revents; /* only keeps the loop from sleeping */
}

static void on_pause_over(struct ev_loop *loop, struct ev_timer *w, int revents) {
        struct http_server *s = w->data;
        (void)revents;
        ev_timer_stop(loop, w);
        if (!s->draining)
                listeners_run(s, true);
}

static void address_text(const struct sockaddr_storage *a, char to[static 46]) {
        to[0] = '\0';
        if (a->ss_family == AF_INET) {
                struct sockaddr_in in;
                memcpy(&in, a, sizeof(in));
                proxy_address(4, &in.sin_addr, to);
        } else if (a->ss_family == AF_INET6) {
                struct sockaddr_in6 in6;
                memcpy(&in6, a, sizeof(in6));
                proxy_address(6, &in6.sin6_addr, to);
        }
}

/* Who goes when somebody comes; NULL: nobody can be sent away. */
static struct http_conn *spare(const struct http_server *s) {
        struct http_conn *idle = s->idle.first;
        if (idle && (!idle->on_turn || idle->state == CONN_STREAM)) /* else it has a whole request waiting */
                return idle;
        return s->bodying.first ? s->bodying.first : s->writing.first;
}

static bool accept_one(struct http_listening *l) {
        struct http_server *s = l->server;
        struct sockaddr_storage peer = { 0 };
        socklen_t size = sizeof(peer);
        char address[46] = "";
        if (s->n_conns >= s->max_conns && !spare(s)) {
                listeners_run(s, false);
                return false;
        }
        int fd = accept4(l->io.fd, (struct sockaddr *)&peer, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
                if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
                        log_warn("accepting pauses: %s", strerror(errno));
                        listeners_run(s, false);
                        ev_timer_again(s->loop, &s->pause);
                }
                return errno == EINTR || errno == ECONNABORTED;
        }
        if (s->n_conns >= s->max_conns)
                http_conn_free(spare(s));
        address_text(&peer, address);
        if (http_conn_new(s, fd, l->how, address))
                return true;
        close(fd);
        return false;
}

static void on_accept(struct ev_loop *loop, struct ev_io *w, int revents) {
        (void)loop;
        (void)revents;
        for (int i = 0; i < ACCEPTS_A_TURN && ev_is_active(w) && accept_one(w->data); i++)
                ;
}

struct http_server *http_server_new(struct ev_loop *loop, void (*handle)(void *arg, struct http_request *r),
                                    void *arg) {
        struct http_server *s = calloc(1, sizeof(*s));
        if (!s)
                die("out of memory");
        s->loop = loop;
        s->handle = handle;
        s->arg = arg;
        s->max_conns = (unsigned)setting_int(SETTING_http_connections_max);
        buf_init(&s->scratch, 64u << 10);
        if (!cors_init(&s->cors, setting_text(SETTING_cors_origins)))
                die("cors_origins names more than %d origins", CORS_ORIGINS_MAX);
        signal(SIGPIPE, SIG_IGN);
        ev_timer_init(&s->pause, on_pause_over, 0., PAUSE_SECONDS);
        ev_timer_init(&s->turn_timer, on_turn_timer, 0., 0.);
        ev_prepare_init(&s->turn, on_turn);
        s->pause.data = s->turn.data = s;
        ev_prepare_start(loop, &s->turn);
        return s;
}

void http_server_listen(struct http_server *s, int fd, enum http_listener how) {
        if (s->n_listeners == HTTP_LISTENERS_MAX)
                die("more than %d HTTP sockets were passed", HTTP_LISTENERS_MAX);
        struct http_listening *l = &s->listeners[s->n_listeners++];
        int on = 1;
        /* Inherited by what is accepted; fails on unix sockets, where it means nothing. */
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
        *l = (struct http_listening){ .server = s, .how = how };
        ev_io_init(&l->io, on_accept, fd, EV_READ);
        l->io.data = l;
        ev_io_start(s->loop, &l->io);
}

void http_server_drain(struct http_server *s) {
        if (s->draining)
                return;
        s->draining = true;
        listeners_run(s, false);
        for (unsigned i = 0; i < s->n_listeners; i++)
                close(s->listeners[i].io.fd);
        for (struct http_conn *c = s->conns; c; c = c->next)
                http_server_turn(c); /* http_conn_turn() sees that we are draining */
}

bool http_server_idle(const struct http_server *s) {
        return s->n_conns == s->n_lingering;
}

unsigned http_server_connections(const struct http_server *s) {
        return s->n_conns;
}
