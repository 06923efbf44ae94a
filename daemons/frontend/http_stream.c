/* http_stream.c - responses that go on, and what is no HTTP any more: a bounded queue, written before the loop sleeps. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

#include "http_conn.h"
#include "stats.h"

#define DISCARD_MAX 4096u /* a client that keeps talking to a stream is closed */

#define DEAF_ABOVE (HTTP_STREAM_QUEUE / 2) /* who does not take our answers is not listened to */

static struct http_stream *begin(struct http_request *r, int code, const char *content_type, struct slice lines,
                                 const struct http_stream_events *ev, void *arg) {
        struct http_conn *c = r->conn;
        struct http_incoming *rq = c->rq;
        struct buf *head = &c->server->scratch;
        struct http_stream *st = calloc(1, sizeof(*st));
        assert(&rq->r == r && c->state == CONN_BUSY);
        if (!st) {
                http_fail(r, STATUS_BUSY, (struct slice){ 0 }, &(struct http_extra){ .retry_after = 1 });
                return NULL;
        }
        c->last = true;
        bool raw = code == 101;
        *st = (struct http_stream){
                .conn = c, .ev = *ev, .arg = arg, .chunked = !rq->old && !raw, .empty = rq->head, .raw = raw
        };
        st->progress = text_mono_micros();
        memcpy(st->request_id, r->request_id, sizeof(st->request_id));
        stat_add(STAT_http_requests, 1);
        stat_add_word(STAT_http_responses, raw ? "1xx" : "2xx", 1);

        buf_clear(head);
        http_response_head(rq, code, content_type, -1, &(struct http_extra){ .lines = lines }, head);
        c->rq = NULL;
        c->stream = st;
        c->state = CONN_STREAM;
        http_conn_timer(c, 0);
        http_incoming_free(rq);
        buf_slice(&c->out, buf_view(head));
        if (!raw || c->in.n == 0)
                buf_free(&c->in);
        if (c->in.n == 0)
                ev_io_start(c->server->loop, &c->rd);
        else /* what is here goes first */
                ev_io_stop(c->server->loop, &c->rd);
        c->drained = false; /* begun while the server drains: told so at its first turn */
        http_server_turn(c);
        return st;
}

struct http_stream *http_stream_begin(struct http_request *r, const char *content_type,
                                      const struct http_stream_events *ev, void *arg) {
        return begin(r, 200, content_type, (struct slice){ 0 }, ev, arg);
}

struct http_stream *http_upgrade(struct http_request *r, struct slice lines, const struct http_stream_events *ev,
                                 void *arg) {
        assert(http_upgradable(r) && ev->input && ev->timeout && ev->draining);
        return begin(r, 101, NULL, lines, ev, arg);
}

void http_stream_timer(struct http_stream *st, double seconds) {
        http_conn_timer(st->conn, seconds);
}

bool http_stream_timed(const struct http_stream *st) {
        return ev_is_active(&st->conn->timer);
}

void http_stream_spare(struct http_stream *st, bool spare) {
        struct http_conn *c = st->conn;
        if (c->spare == spare)
                return;
        http_server_spare_remove(c);
        c->spare = spare;
        http_server_spare_add(c);
}

void http_stream_timeout(struct http_conn *c) {
        c->stream->ev.timeout(c->stream->arg);
}

/* The first piece of a turn leaves from where it lies; the next ones gather behind it and leave together. How much was
 * taken: the rest is queued, and what went wrong is met again, and told, by the turn. */
static size_t direct(struct http_stream *st, const struct slice *parts, int n) {
        struct http_conn *c = st->conn;
        struct iovec iov[3];
        if (c->out.n > 0 || c->on_turn || ev_is_active(&c->wr))
                return 0;
        for (int i = 0; i < n; i++) {
                iov[i].iov_len = parts[i].n;
                memcpy(&iov[i].iov_base, &parts[i].p, sizeof(parts[i].p)); /* writev takes no const */
        }
        ssize_t sent = writev(c->rd.fd, iov, n);
        if (sent > 0)
                st->progress = text_mono_micros();
        return sent > 0 ? (size_t)sent : 0;
}

static void put(struct http_stream *st, const struct slice *parts, int n) {
        struct http_conn *c = st->conn;
        size_t gone = direct(st, parts, n);
        for (int i = 0; i < n; i++) {
                size_t skip = gone < parts[i].n ? gone : parts[i].n;
                if (skip < parts[i].n)
                        buf_add(&c->out, parts[i].p + skip, parts[i].n - skip);
                gone -= skip;
        }
        st->fed = true;
        if (st->raw && c->out.n > DEAF_ABOVE)
                ev_io_stop(c->server->loop, &c->rd);
        if (!ev_is_active(&c->wr)) /* else the kernel is full and says when it is not */
                http_server_turn(c);
}

static bool full(const struct http_stream *st, size_t n) {
        return st->conn->out.n + n > HTTP_STREAM_QUEUE;
}

bool http_stream_write(struct http_stream *st, struct slice bytes) {
        char size[16];
        if (bytes.n == 0 || st->empty)
                return true;
        if (full(st, bytes.n))
                return false;
        if (!st->chunked) {
                put(st, &bytes, 1);
                return true;
        }
        struct slice head = { size, (uint32_t)snprintf(size, sizeof(size), "%x\r\n", bytes.n) };
        put(st, (const struct slice[]){ head, bytes, SLICE("\r\n") }, 3);
        return true;
}

bool http_stream_frame(struct http_stream *st, struct slice head, struct slice bytes) {
        assert(st->raw);
        if (full(st, (size_t)head.n + bytes.n))
                return false;
        put(st, (const struct slice[]){ head, bytes }, 2);
        return true;
}

size_t http_stream_queued(const struct http_stream *st) {
        return st->conn->out.n;
}

int64_t http_stream_progress(const struct http_stream *st) {
        return st->progress;
}

const char *http_stream_request_id(const struct http_stream *st) {
        return st->request_id;
}

/* The rest of the queue leaves like any response. */
static void detach(struct http_conn *c) {
        struct http_stream *st = c->stream;
        if (st->chunked && !st->empty)
                buf_str(&c->out, "0\r\n\r\n");
        c->stream = NULL;
        free(st);
        if (c->out.n > 0)
                ev_io_start(c->server->loop, &c->wr);
        http_conn_wrote(c);
}

void http_stream_end(struct http_stream *st) {
        detach(st->conn);
}

void http_stream_drain(struct http_conn *c) {
        struct http_stream_events ev = c->stream->ev;
        void *arg = c->stream->arg;
        if (ev.draining) {
                ev.draining(arg);
                return;
        }
        detach(c);
        ev.closed(arg);
}

void http_stream_lost(struct http_conn *c) {
        struct http_stream *st = c->stream;
        c->stream = NULL;
        st->ev.closed(st->arg);
        free(st);
}

void http_stream_input(struct http_conn *c, struct slice bytes) {
        if (c->stream->raw) {
                c->stream->ev.input(c->stream->arg, bytes);
                return;
        }
        c->stream->discarded += bytes.n;
        if (c->stream->discarded > DISCARD_MAX)
                http_conn_free(c);
}

/* What came behind the head of the request that was upgraded. */
static void behind_head(struct http_conn *c) {
        struct buf in = c->in;
        buf_init(&c->in, in.max);
        ev_io_start(c->server->loop, &c->rd);
        http_server_turn(c);
        http_stream_input(c, buf_view(&in));
        buf_free(&in);
}

void http_stream_flush(struct http_conn *c) {
        struct http_stream *st = c->stream;
        if (c->out.over) {
                http_conn_free(c);
                return;
        }
        if (c->in.n > 0) {
                behind_head(c);
                return;
        }
        if (c->out.n > 0) {
                ssize_t n = write(c->rd.fd, c->out.p, c->out.n);
                if (n < 0 && errno != EAGAIN && errno != EINTR) {
                        http_conn_free(c);
                        return;
                }
                if (n > 0) {
                        st->progress = text_mono_micros();
                        buf_drop(&c->out, (size_t)n);
                }
        }
        if (st->raw && c->out.n <= DEAF_ABOVE)
                ev_io_start(c->server->loop, &c->rd);
        if (c->out.n > 0) {
                ev_io_start(c->server->loop, &c->wr);
                return;
        }
        ev_io_stop(c->server->loop, &c->wr);
        buf_free(&c->out);
        if (st->empty) {
                http_stream_drain(c);
        } else if (st->fed) {
                st->fed = false;
                st->ev.drained(st->arg);
        }
}
