/* conn.c - one connection between two daemons: hello, proof of the key, signed frames, its end. */
#include "conn.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "log.h"
#include "stats.h"

#define READ_CHUNK     65536u
#define READS_PER_TURN 16         /* then the loop's other guests get their turn */
#define KEEP_BYTES     (1u << 20) /* a buffer that grew beyond this gives its memory back once it is empty */

static void on_readable(struct ev_loop *loop, ev_io *w, int revents);
static void on_writable(struct ev_loop *loop, ev_io *w, int revents);

void conn_fail(struct conn *k, const char *why) {
        if (k->failed == NULL)
                k->failed = why;
}

void conn_reject(struct conn *k, const char *why) {
        char what[48];
        if (k->failed != NULL)
                return;
        k->failed = why;
        k->rejected = true;
        stat_add(STAT_peer_rejected, 1);
        (void)snprintf(what, sizeof what, "peer refused (uid %u)", k->uid);
        hub_log(k->hub, k->them.kind, k->them.instance, what, why);
}

static void buf_rest(struct buf *b) {
        if (b->cap > KEEP_BYTES)
                buf_free(b);
        else
                buf_clear(b);
}

static void conn_write(struct conn *k) {
        while (k->failed == NULL && k->written < k->out.n) {
                ssize_t n = send(k->readable.fd, k->out.p + k->written, k->out.n - k->written,
                                 MSG_NOSIGNAL | MSG_DONTWAIT);
                if (n >= 0) {
                        k->written += (size_t)n;
                } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
                        ev_io_start(k->hub->loop, &k->writable);
                        return;
                } else if (errno != EINTR) {
                        conn_fail(k, "the connection broke");
                        return;
                }
        }
        k->written = 0;
        buf_rest(&k->out);
        ev_io_stop(k->hub->loop, &k->writable);
}

static void send_frame(struct conn *k, struct slice payload) {
        frame_seal(k->hub->ring, &k->us, &k->them, ++k->sent, payload, &k->out);
        if (k->out.over)
                conn_fail(k, "out of memory");
        stat_add(STAT_peer_frames_sent, 1);
        conn_write(k);
}

/* As many whole messages as one frame carries. */
static uint32_t frame_fill(const struct buf *queue) {
        if (queue->n <= FRAME_PAYLOAD_MAX)
                return (uint32_t)queue->n;
        uint32_t n = 0;
        while (n + 4 + get_le32(queue->p + n) <= FRAME_PAYLOAD_MAX)
                n += 4 + get_le32(queue->p + n);
        return n;
}

/* While a frame is partly written nothing more is sealed: what queues up meanwhile shares the next signature. */
void conn_flush(struct conn *k) {
        struct buf *queue = &k->channel->queue;
        if (queue->over)
                conn_fail(k, "out of memory, or more is queued than the peer may fall behind");
        while (k->failed == NULL && queue->n > 0 && k->out.n == 0) {
                uint32_t n = frame_fill(queue);
                send_frame(k, (struct slice){ queue->p, n });
                buf_drop(queue, n);
        }
        if (queue->n == 0)
                buf_rest(queue);
}

static const char *refusal(const struct conn *k) {
        const struct hub *h = k->hub;
        const struct cred_peer *peer = &h->ring->peer[k->them.kind];
        if (k->dialled && (k->them.kind != k->channel->kind || k->them.instance != k->channel->instance))
                return "another daemon answers at this socket";
        /* Our own hello, sent back: its signatures would be our own, too. */
        if ((k->them.kind == h->us && k->them.instance == h->instance) ||
            sodium_memcmp(k->them.nonce, k->us.nonce, sizeof k->us.nonce) == 0)
                return "it says that it is us";
        if (peer->n_keys == 0)
                return "no key is known for this kind";
        if ((k->them.kind == CTL) != (k->them.instance == 0) || k->them.instance > HUB_INSTANCE_MAX)
                return "no such instance";
        /* Of a socket that systemd passed, the kernel names the one who called listen(): root. */
        if (k->uid != peer->uid && !(k->dialled && k->uid == 0))
                return "it runs as another user";
        return NULL;
}

static void take_hello(struct conn *k, struct slice bytes) {
        const char *why;
        if (frame_hello_get(bytes, &k->them, &why) < 0 || (why = refusal(k)) != NULL) {
                conn_reject(k, why);
                return;
        }
        k->state = CONN_PROOF;
        send_frame(k, (struct slice){ 0 });
}

static void take_proof(struct conn *k) {
        struct hub *h = k->hub;
        struct channel *c = k->dialled ? k->channel : hub_channel(h, k->them.kind, k->them.instance);
        if (c == NULL) {
                conn_reject(k, "too many of its kind are connected");
                return;
        }
        k->state = CONN_UP;
        h->unproven -= k->dialled ? 0 : 1;
        if (c->conn != NULL) { /* it came back before we saw it go */
                struct conn *old = c->conn;
                old->channel = NULL;
                conn_fail(old, "replaced by a newer connection");
                channel_detach(c);
        }
        if (c->trying == k)
                c->trying = NULL;
        k->channel = c;
        channel_attach(c, k);
}

static void take_frame(struct conn *k, struct slice frame) {
        struct slice payload;
        if (frame_open(k->hub->ring, &k->them, &k->us, k->received + 1, frame, &payload) < 0) {
                conn_reject(k, "a frame with a wrong counter or signature");
                return;
        }
        k->received++;
        stat_add(STAT_peer_frames_received, 1);
        if (k->state == CONN_PROOF)
                take_proof(k);
        else if (payload.n == 0)
                conn_reject(k, "an empty frame");
        else
                channel_take(k->channel, payload);
}

/* One hello or frame from the front of `bytes`; the bytes it took, 0 if it needs more. */
static uint32_t take_one(struct conn *k, struct slice bytes) {
        if (k->state == CONN_HELLO) {
                if (bytes.n < FRAME_HELLO)
                        return 0;
                take_hello(k, (struct slice){ bytes.p, FRAME_HELLO });
                return FRAME_HELLO;
        }
        if (k->state == CONN_PROOF && bytes.n >= 4 && get_le32(bytes.p) != 0) {
                conn_reject(k, "its first frame is not empty"); /* a stranger makes us hold nothing */
                return 0;
        }
        ptrdiff_t size = frame_size(bytes);
        if (size < 0)
                conn_reject(k, "a frame over the limit");
        if (size <= 0)
                return 0;
        take_frame(k, (struct slice){ bytes.p, (uint32_t)size });
        return (uint32_t)size;
}

static void take_bytes(struct conn *k) {
        struct slice rest = buf_view(&k->in);
        while (k->failed == NULL && rest.n > 0) {
                uint32_t n = take_one(k, rest);
                if (n == 0)
                        break;
                rest = (struct slice){ rest.p + n, rest.n - n };
        }
        if (rest.n == 0)
                buf_rest(&k->in);
        else
                buf_drop(&k->in, k->in.n - rest.n);
}

static void on_readable(struct ev_loop *loop, ev_io *w, int revents) {
        struct conn *k = w->data;
        struct hub *h = k->hub;
        (void)loop;
        (void)revents;
        for (int i = 0; i < READS_PER_TURN && k->failed == NULL; i++) {
                char *to = buf_room(&k->in, READ_CHUNK);
                if (to == NULL) {
                        conn_fail(k, "out of memory");
                        break;
                }
                ssize_t n = recv(w->fd, to, READ_CHUNK, MSG_DONTWAIT);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
                        break;
                if (n <= 0) {
                        conn_fail(k, n == 0 ? "it closed the connection" : "the connection broke");
                        break;
                }
                k->in.n += (size_t)n;
                take_bytes(k);
                if ((size_t)n < READ_CHUNK)
                        break;
        }
        hub_reap(h);
}

static void on_writable(struct ev_loop *loop, ev_io *w, int revents) {
        struct conn *k = w->data;
        struct hub *h = k->hub;
        (void)loop;
        (void)revents;
        conn_write(k);
        if (k->state == CONN_UP && k->failed == NULL)
                conn_flush(k);
        hub_reap(h);
}

static uint32_t peer_uid(int fd) {
        struct ucred cred;
        socklen_t n = sizeof cred;
        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &n) < 0)
                return UINT32_MAX; /* matches nobody */
        return cred.uid;
}

void conn_new(struct hub *h, int fd, struct channel *dialled) {
        struct conn *k = calloc(1, sizeof *k);
        if (k == NULL) {
                (void)close(fd);
                return;
        }
        k->hub = h;
        k->channel = dialled;
        k->dialled = dialled != NULL;
        k->uid = peer_uid(fd);
        k->born = text_mono_micros();
        k->us = (struct frame_end){ .kind = h->us, .instance = h->instance };
        k->them.kind = dialled != NULL ? dialled->kind : NOBODY;
        k->them.instance = dialled != NULL ? dialled->instance : 0;
        randombytes_buf(k->us.nonce, sizeof k->us.nonce);
        buf_init(&k->in, FRAME_HEADER + FRAME_PAYLOAD_MAX + READ_CHUNK);
        buf_init(&k->out, FRAME_HELLO + FRAME_HEADER + FRAME_HEADER + FRAME_PAYLOAD_MAX);
        ev_io_init(&k->readable, on_readable, fd, EV_READ);
        ev_io_init(&k->writable, on_writable, fd, EV_WRITE);
        k->readable.data = k->writable.data = k;
        k->next = h->conns;
        k->link = &h->conns;
        if (k->next != NULL)
                k->next->link = &k->next;
        h->conns = k;
        h->unproven += k->dialled ? 0 : 1;
        if (dialled != NULL)
                dialled->trying = k;
        ev_io_start(h->loop, &k->readable);
        hub_tick_start(h);
        frame_hello_put(&k->us, &k->out);
        conn_write(k);
}

void conn_free(struct conn *k) {
        struct hub *h = k->hub;
        ev_io_stop(h->loop, &k->readable);
        ev_io_stop(h->loop, &k->writable);
        (void)close(k->readable.fd);
        *k->link = k->next;
        if (k->next != NULL)
                k->next->link = k->link;
        if (k->state != CONN_UP && !k->dialled)
                h->unproven--;
        buf_free(&k->in);
        buf_free(&k->out);
        free(k);
}
