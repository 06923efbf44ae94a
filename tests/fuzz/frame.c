/* frame.c - fuzz: what a stranger sends before his proof, and what a proven peer puts into a frame. */
#include <ev.h>
#include <sodium.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conn.h"
#include "fuzz.h"
#include "log.h"

static struct cred_ring ring;
static struct ev_loop *loop;

static void answered(void *arg, const struct answer *a) {
        unsigned *answers = arg;
        must(a->status < STATUS_COUNT);
        (*answers)++;
}

/* Every slice of a decoded message is read, so that a sanitizer sees one that lies. */
static void request(void *arg, struct request *r) {
        (void)arg;
        must(op_check(r->op, r->msg) == 0);
        struct buf again;
        buf_init(&again, OP_BYTES_MAX);
        op_encode(r->op, r->msg, &again);
        must(slice_eq(buf_view(&again), r->bytes));
        buf_free(&again);
        channel_reply(r, STATUS_OK, (struct slice){ 0 }, r->bytes);
}

static const struct channel_events events = { .request = request };

static void begin(void) {
        if (loop != NULL)
                return;
        must(sodium_init() >= 0);
        loop = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
        ring.sign = (struct secret){ sodium_malloc(64), 64 };
        must(loop != NULL && ring.sign.p != NULL);
        for (unsigned k = 1; k < DAEMON_COUNT; k++) {
                (void)crypto_sign_keypair(ring.peer[k].keys[0], ring.sign.p);
                ring.peer[k].n_keys = 1;
                ring.peer[k].uid = (uint32_t)getuid();
        }
        log_open("fuzz");
        log_set_level(LOG_ERROR);
}

/* The bytes arrive on a fresh connection; a proven one if `kind` says whose. */
static void feed(enum daemon_id us, enum daemon_id kind, struct slice bytes) {
        int fds[2];
        unsigned answers = 0, asked = 0;
        must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
        struct hub *h = hub_new(loop, &ring, us, 1, &events, NULL, (struct channel_limits){ 1 << 20, 8 });
        conn_new(h, fds[0], NULL);
        struct conn *k = h->conns;
        if (kind == NOBODY) {
                (void)send(fds[1], bytes.p, bytes.n, MSG_NOSIGNAL | MSG_DONTWAIT);
                for (int i = 0; i < 3; i++)
                        ev_run(loop, EVRUN_NOWAIT);
        } else {
                k->them = (struct frame_end){ .kind = kind, .instance = 1 };
                k->state = CONN_UP;
                h->unproven--;
                struct channel *c = hub_channel(h, kind, 1);
                must(c != NULL);
                k->channel = c;
                channel_attach(c, k);
                if (us == FRONTEND && kind == WRITER) /* something to reply to: ids 1 and 2 */
                        for (; asked < 2; asked++) {
                                struct op_health m = { 0 };
                                must(channel_call(c, OP_health, &m, 1000, answered, &answers) == STATUS_OK);
                        }
                channel_take(c, bytes);
                hub_flush(h);
        }
        must(answers <= asked);
        hub_free(h);
        (void)close(fds[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const enum daemon_id pairs[][2] = {
                { FRONTEND, NOBODY },  { FRONTEND, WRITER }, { WRITER, FRONTEND }, { WRITER, WEBHOOK },
                { WEBHOOK, FRONTEND }, { ISSUER, CTL },      { WRITER, CTL },      { FRONTEND, WEBHOOK },
        };
        struct frame_end from = { .kind = WRITER, .instance = 1 }, to = { .kind = FRONTEND, .instance = 1 }, got;
        struct slice payload;
        const char *why;
        if (size < 1)
                return 0;
        begin();
        struct slice bytes = fuzz_slice(data + 1, size - 1);
        ptrdiff_t n = frame_size(bytes);
        must(n <= (ptrdiff_t)bytes.n);
        must(frame_open(&ring, &from, &to, 1, bytes, &payload) != 0);
        if (frame_hello_get(bytes, &got, &why) == 0)
                must(got.kind > NOBODY && got.kind < DAEMON_COUNT);
        const enum daemon_id *pair = pairs[data[0] % (sizeof pairs / sizeof pairs[0])];
        feed(pair[0], pair[1], bytes);
        return 0;
}
