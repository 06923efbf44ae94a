/* http_conn.c - the life of one connection: reads what it may, hands on one request a loop turn, ends in time. */
#include "http_conn.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "proxy.h"
#include "settings.h"

#define LINGER_SECONDS 2
#define LINGER_BYTES   (1u << 20)  /* what a refused client may still send before we stop listening */
#define SLOWEST        (16u << 10) /* bytes a client must take of a response per body timer */
#define GRACE_SECONDS  5           /* handlers time out by themselves; this is for the one that does not */
#define DRAIN_SECONDS  1.0         /* what a first request may take to come when we drain */

static void advance(struct http_conn *c);

void http_conn_timer(struct http_conn *c, double seconds) {
        ev_timer_stop(c->server->loop, &c->timer);
        if (seconds > 0) {
                ev_timer_set(&c->timer, seconds, 0.);
                ev_timer_start(c->server->loop, &c->timer);
        }
}

static void enter(struct http_conn *c, enum conn_state state, enum setting timer) {
        http_server_spare_remove(c);
        c->state = state;
        http_conn_timer(c, (double)setting_int(timer) + (state == CONN_BUSY ? GRACE_SECONDS : 0));
        http_server_spare_add(c);
}

void http_conn_free(struct http_conn *c) {
        struct ev_loop *loop = c->server->loop;
        struct http_incoming *rq = c->rq;
        bool waiting = c->state == CONN_BUSY;
        http_server_spare_remove(c);
        c->server->n_lingering -= c->state == CONN_LINGER;
        http_conn_timer(c, 0);
        ev_io_stop(loop, &c->rd);
        ev_io_stop(loop, &c->wr);
        close(c->rd.fd);
        http_server_forget(c);
        if (rq && waiting && rq->r.gone)
                rq->r.gone(&rq->r);
        http_incoming_free(rq);
        if (c->stream)
                http_stream_lost(c);
        buf_free(&c->in);
        buf_free(&c->out);
        free(c);
}

static void linger(struct http_conn *c) {
        if (c->eof || shutdown(c->rd.fd, SHUT_WR) != 0) {
                http_conn_free(c);
                return;
        }
        http_server_spare_remove(c);
        c->state = CONN_LINGER;
        http_server_spare_add(c);
        c->server->n_lingering++;
        c->moved = 0;
        buf_free(&c->in);
        http_conn_timer(c, LINGER_SECONDS);
        ev_io_start(c->server->loop, &c->rd);
}

/* A request that cannot be handed on. What else the client sends is not understood any more: last response. */
static void refuse(struct http_conn *c, enum status s) {
        if (!c->rq)
                c->rq = http_incoming_new(c);
        if (!c->rq) {
                http_conn_free(c);
                return;
        }
        c->last = true;
        enter(c, CONN_BUSY, SETTING_http_request_seconds);
        http_fail(&c->rq->r, s, (struct slice){ 0 }, &(struct http_extra){ .retry_after = s == STATUS_BUSY });
}

void http_conn_displace(struct http_conn *c) {
        refuse(c, STATUS_BUSY);
}

static void dispatch(struct http_conn *c) {
        struct http_request *r = &c->rq->r;
        r->body = buf_view(&c->rq->body);
        r->received = text_now_micros();
        r->began = text_mono_micros();
        c->last = c->last || !c->rq->keep || c->server->draining;
        c->leaves = false;
        enter(c, CONN_BUSY, SETTING_http_request_seconds);
        c->server->handle(c->server->arg, r); /* may answer at once; c may be gone afterwards */
}

void http_wait(struct http_request *r, double seconds, bool leaves) {
        struct http_conn *c = r->conn;
        c->leaves = leaves;
        http_conn_timer(c, seconds + GRACE_SECONDS);
        if (c->eof && leaves && c->in.n == 0) /* it did so before we knew that this matters */
                http_server_turn(c);
}

/* What is here is not enough. */
static bool wait_input(struct http_conn *c) {
        if (c->eof)
                http_conn_free(c);
        else
                ev_io_start(c->server->loop, &c->rd);
        return false;
}

/* The steps: true if there is more to do; after false the connection may be gone. */
static bool proxy_step(struct http_conn *c) {
        ptrdiff_t n = proxy_parse(buf_view(&c->in), c->address);
        if (n < 0) {
                http_conn_free(c);
                return false;
        }
        if (n == 0)
                return wait_input(c);
        buf_drop(&c->in, (size_t)n);
        enter(c, CONN_IDLE, SETTING_http_idle_seconds);
        return true;
}

static bool idle_step(struct http_conn *c) {
        while (c->in.n >= 2 && c->in.p[0] == '\r' && c->in.p[1] == '\n') /* RFC 9112 2.2 */
                buf_drop(&c->in, 2);
        if (c->in.n == 0)
                buf_free(&c->in);
        if (c->in.n == 0 || (c->in.n == 1 && c->in.p[0] == '\r'))
                return wait_input(c);
        c->scanned = c->line = 0;
        enter(c, CONN_HEAD, SETTING_http_header_seconds);
        return true;
}

static bool begin(struct http_conn *c, uint32_t end) {
        c->rq = http_incoming_new(c);
        enum status s = c->rq ? http_incoming_head(c->rq, (struct slice){ c->in.p, end }) : STATUS_BUSY;
        buf_drop(&c->in, end);
        if (s != STATUS_OK) {
                refuse(c, s);
                return false;
        }
        if (c->rq->done) {
                dispatch(c);
                return false;
        }
        enter(c, CONN_BODY, SETTING_http_body_seconds);
        if (c->rq->expect && c->in.n == 0 && !http_conn_send(c, SLICE("HTTP/1.1 100 Continue\r\n\r\n"), SLICE(""))) {
                http_conn_free(c);
                return false;
        }
        return true;
}

static bool head_step(struct http_conn *c) {
        uint32_t end = 0;
        switch (http_head_scan(c, &end)) {
        case HEAD_END:
                return begin(c, end);
        case HEAD_BAD:
                refuse(c, STATUS_HTTP_BAD_REQUEST);
                return false;
        case HEAD_LONG_LINE:
                refuse(c, STATUS_URI_TOO_LONG);
                return false;
        case HEAD_LONG:
                refuse(c, STATUS_HEADERS_TOO_LARGE);
                return false;
        case HEAD_MORE:
                break;
        }
        return wait_input(c);
}

static bool body_step(struct http_conn *c) {
        size_t used;
        if (c->in.n == 0)
                return wait_input(c);
        enum status s = http_incoming_body(c->rq, buf_view(&c->in), &used);
        if (s != STATUS_OK) {
                refuse(c, s);
                return false;
        }
        buf_drop(&c->in, used);
        if (!c->rq->done)
                return wait_input(c);
        dispatch(c);
        return false;
}

static void advance(struct http_conn *c) {
        for (;;) {
                bool more = false;
                switch (c->state) {
                case CONN_PROXY:
                        more = proxy_step(c);
                        break;
                case CONN_IDLE:
                        more = idle_step(c);
                        break;
                case CONN_HEAD:
                        more = head_step(c);
                        break;
                case CONN_BODY:
                        more = body_step(c);
                        break;
                case CONN_BUSY:
                case CONN_WRITING:
                case CONN_STREAM:
                case CONN_LINGER:
                        break;
                }
                if (!more)
                        return;
        }
}

/* The client closed its sending side. What it asked completely is still answered. */
static void ended(struct http_conn *c) {
        c->eof = true;
        ev_io_stop(c->server->loop, &c->rd);
        if (c->state == CONN_BUSY && c->leaves && c->in.n == 0) {
                http_conn_free(c);
                return;
        }
        switch (c->state) {
        case CONN_BUSY:
        case CONN_WRITING:
                c->last = c->last || c->in.n == 0;
                return;
        case CONN_IDLE:
                if (c->on_turn) /* pipelined requests are waiting for their turn */
                        return;
                http_conn_free(c);
                return;
        case CONN_PROXY:
        case CONN_HEAD:
        case CONN_BODY:
        case CONN_STREAM:
        case CONN_LINGER:
                http_conn_free(c);
                return;
        }
}

static void consume(struct http_conn *c, size_t n) {
        if (c->state == CONN_STREAM) {
                http_stream_input(c, (struct slice){ c->server->read, (uint32_t)n });
                return;
        }
        if (c->state == CONN_LINGER) {
                c->moved += n;
                if (c->moved > LINGER_BYTES)
                        http_conn_free(c);
                return;
        }
        buf_add(&c->in, c->server->read, n);
        if (c->in.over) {
                http_conn_free(c);
                return;
        }
        bool behind = c->state == CONN_BUSY || c->state == CONN_WRITING || c->state == CONN_IDLE;
        if (behind && c->in.n >= HTTP_READ)
                ev_io_stop(c->server->loop, &c->rd); /* the rest waits in the kernel */
        if (!c->on_turn)
                advance(c);
}

static void on_readable(struct ev_loop *loop, struct ev_io *w, int revents) {
        struct http_conn *c = w->data;
        (void)loop;
        (void)revents;
        ssize_t n = read(w->fd, c->server->read, sizeof(c->server->read));
        if (n > 0)
                consume(c, (size_t)n);
        else if (n == 0)
                ended(c);
        else if (errno != EAGAIN && errno != EINTR)
                http_conn_free(c);
}

bool http_conn_send(struct http_conn *c, struct slice a, struct slice b) {
        size_t sent = 0;
        if (c->out.n == 0) {
                struct iovec iov[2] = { { .iov_len = a.n }, { .iov_len = b.n } };
                memcpy(&iov[0].iov_base, &a.p, sizeof(a.p)); /* writev takes no const */
                memcpy(&iov[1].iov_base, &b.p, sizeof(b.p));
                ssize_t n = writev(c->rd.fd, iov, 2);
                if (n < 0 && errno != EAGAIN && errno != EINTR)
                        return false;
                sent = n > 0 ? (size_t)n : 0;
        }
        if (sent < a.n)
                buf_add(&c->out, a.p + sent, a.n - sent);
        size_t skip = sent > a.n ? sent - a.n : 0;
        if (skip < b.n)
                buf_add(&c->out, b.p + skip, b.n - skip);
        if (c->out.n > 0)
                ev_io_start(c->server->loop, &c->wr);
        return !c->out.over;
}

static void on_writable(struct ev_loop *loop, struct ev_io *w, int revents) {
        struct http_conn *c = w->data;
        (void)revents;
        if (c->state == CONN_STREAM) {
                http_stream_flush(c);
                return;
        }
        ssize_t n = write(w->fd, c->out.p, c->out.n);
        if (n < 0) {
                if (errno != EAGAIN && errno != EINTR)
                        http_conn_free(c);
                return;
        }
        c->moved += (size_t)n;
        buf_drop(&c->out, (size_t)n);
        if (c->out.n > 0)
                return;
        buf_free(&c->out);
        ev_io_stop(loop, w);
        if (c->state == CONN_WRITING) /* else it was 100 Continue */
                http_conn_wrote(c);
}

void http_conn_wrote(struct http_conn *c) {
        if (c->out.n > 0) {
                if (c->state != CONN_WRITING)
                        c->moved = 0;
                enter(c, CONN_WRITING, SETTING_http_body_seconds);
                return;
        }
        c->served = true;
        if (c->last || c->server->draining) {
                linger(c);
                return;
        }
        enter(c, CONN_IDLE, SETTING_http_idle_seconds);
        if (c->in.n > 0)
                http_server_turn(c);
        else
                wait_input(c);
}

/* Who was let in and has not spoken yet is about to: his request must not meet a closed door. */
static void drain(struct http_conn *c) {
        c->drained = c->last = true;
        if (c->state == CONN_PROXY || (c->state == CONN_IDLE && c->in.n == 0 && !c->served))
                http_conn_timer(c, DRAIN_SECONDS);
        else if (c->state == CONN_IDLE && c->in.n == 0)
                linger(c);
        else if (c->state == CONN_STREAM)
                http_stream_drain(c);
        else if (c->state == CONN_IDLE)
                advance(c);
}

/* A stream with something to write, a client that has left, or a pipelined request whose turn it is, or the end of it all. */
void http_conn_turn(struct http_conn *c) {
        if (c->state == CONN_BUSY && c->eof && c->leaves)
                http_conn_free(c);
        else if (c->server->draining && !c->drained)
                drain(c);
        else if (c->state == CONN_STREAM)
                http_stream_flush(c);
        else if (c->state == CONN_IDLE)
                advance(c);
}

static void on_timer(struct ev_loop *loop, struct ev_timer *w, int revents) {
        struct http_conn *c = w->data;
        (void)loop;
        (void)revents;
        switch (c->state) {
        case CONN_HEAD:
        case CONN_BODY:
                refuse(c, STATUS_REQUEST_TIMEOUT);
                return;
        case CONN_BUSY:
                if (c->rq->r.gone)
                        c->rq->r.gone(&c->rq->r);
                c->rq->r.gone = NULL;
                http_fail(&c->rq->r, STATUS_BUSY, (struct slice){ 0 }, &(struct http_extra){ .retry_after = 1 });
                return;
        case CONN_WRITING:
                if (c->moved >= SLOWEST) {
                        c->moved = 0;
                        enter(c, CONN_WRITING, SETTING_http_body_seconds);
                        return;
                }
                http_conn_free(c);
                return;
        case CONN_STREAM:
                http_stream_timeout(c);
                return;
        case CONN_PROXY:
        case CONN_IDLE:
        case CONN_LINGER:
                http_conn_free(c);
                return;
        }
}

struct http_conn *http_conn_new(struct http_server *s, int fd, enum http_listener via, const char *address) {
        struct http_conn *c = calloc(1, sizeof(*c));
        if (!c)
                return NULL;
        c->server = s;
        c->via = via;
        memcpy(c->address, address, sizeof(c->address));
        buf_init(&c->in, HTTP_IN_MAX);
        buf_init(&c->out, HTTP_OUT_MAX);
        ev_io_init(&c->rd, on_readable, fd, EV_READ);
        ev_io_init(&c->wr, on_writable, fd, EV_WRITE);
        ev_init(&c->timer, on_timer);
        c->rd.data = c->wr.data = c->timer.data = c;
        http_server_add(c);
        c->state = CONN_PROXY;
        if (via == HTTP_PROXY)
                enter(c, CONN_PROXY, SETTING_http_header_seconds);
        else
                enter(c, CONN_IDLE, SETTING_http_idle_seconds);
        ev_io_start(s->loop, &c->rd);
        return c;
}
