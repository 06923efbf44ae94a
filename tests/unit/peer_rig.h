/* peer_rig.h - for the tests of channels: daemons on one loop with keys of their own, and a hand-made stranger. */
#pragma once

#include "unit.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "channel.h"

#define HELD_MAX 20000

/* One daemon: what it was asked (kept, or answered at once) and how often its peers came and went. */
struct side {
        struct hub *hub;
        struct cred_ring ring;
        enum daemon_id kind;
        uint8_t instance;
        bool echo; /* answer at once, with the session id */
        unsigned requests, casts, frames, ups, downs;
        struct request held[HELD_MAX];
        uint32_t bytes_hash[HELD_MAX]; /* of each request's encoding */
        char last_session[128];
        struct channel_limits limits;
};

static struct ev_loop *loop;
static char rig_dir[64];
static unsigned char rig_seed[DAEMON_COUNT][32], rig_public[DAEMON_COUNT][32];

static inline uint32_t rig_hash(struct slice s) {
        uint32_t h = 2166136261u;
        for (uint32_t i = 0; i < s.n; i++)
                h = (h ^ (unsigned char)s.p[i]) * 16777619u;
        return h;
}

static void rig_request(void *arg, struct request *r) {
        struct side *s = arg;
        const struct opdesc *d = op_desc(r->op);
        int f = op_field(d, "session_id");
        struct slice session = f >= 0 ? op_get_slice(d, f, r->msg) : (struct slice){ 0 };
        if (session.n > 0)
                assert_true(slice_copy(session, s->last_session, sizeof s->last_session));
        if (r->id == 0) {
                s->casts++;
                return;
        }
        assert_true(s->requests < HELD_MAX);
        s->bytes_hash[s->requests] = rig_hash(r->bytes);
        s->held[s->requests++] = *r;
        if (s->echo)
                channel_reply(r, STATUS_OK, (struct slice){ 0 }, session);
}

static void rig_frame_end(void *arg, struct channel *c) {
        (void)c;
        ((struct side *)arg)->frames++;
}

static void rig_up(void *arg, struct channel *c) {
        (void)c;
        ((struct side *)arg)->ups++;
}

static void rig_down(void *arg, struct channel *c) {
        (void)c;
        ((struct side *)arg)->downs++;
}

static const struct channel_events rig_events = { rig_request, rig_frame_end, rig_up, rig_down };

/* Everybody knows everybody; `side` signs as `kind`. */
static inline void rig_ring(struct cred_ring *ring, enum daemon_id kind) {
        memset(ring, 0, sizeof *ring);
        ring->sign = (struct secret){ sodium_malloc(crypto_sign_SECRETKEYBYTES), crypto_sign_SECRETKEYBYTES };
        assert_non_null(ring->sign.p);
        unsigned char public[32];
        assert_int_equal(crypto_sign_seed_keypair(public, ring->sign.p, rig_seed[kind]), 0);
        for (unsigned k = 1; k < DAEMON_COUNT; k++) {
                ring->peer[k].uid = (uint32_t)getuid();
                ring->peer[k].n_keys = 1;
                memcpy(ring->peer[k].keys[0], rig_public[k], 32);
        }
}

static inline void rig_start(void) {
        assert_true(sodium_init() >= 0);
        (void)signal(SIGPIPE, SIG_IGN);
        for (unsigned k = 1; k < DAEMON_COUNT; k++) {
                unsigned char sk[64];
                randombytes_buf(rig_seed[k], 32);
                (void)crypto_sign_seed_keypair(rig_public[k], sk, rig_seed[k]);
        }
        (void)snprintf(rig_dir, sizeof rig_dir, "/tmp/lifeos-peer-XXXXXX");
        assert_non_null(mkdtemp(rig_dir));
        loop = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
        assert_non_null(loop);
}

static inline void rig_path(char path[108], enum daemon_id kind) {
        (void)snprintf(path, 108, "%s/%u.sock", rig_dir, (unsigned)kind);
}

static inline void rig_stop(void) {
        char path[108];
        for (unsigned k = 1; k < DAEMON_COUNT; k++) {
                rig_path(path, (enum daemon_id)k);
                (void)unlink(path);
        }
        (void)rmdir(rig_dir);
        ev_loop_destroy(loop);
}

static inline struct side *side_new(enum daemon_id kind, uint8_t instance) {
        struct side *s = calloc(1, sizeof *s);
        assert_non_null(s);
        s->kind = kind;
        s->instance = instance;
        s->limits = (struct channel_limits){ .queue_bytes = 8u << 20, .pending = 16384 };
        rig_ring(&s->ring, kind);
        return s;
}

static inline void side_up(struct side *s) {
        s->hub = hub_new(loop, &s->ring, s->kind, s->instance, &rig_events, s, s->limits);
}

static inline void side_down(struct side *s) {
        hub_free(s->hub);
        s->hub = NULL;
}

static inline void side_free(struct side *s) {
        side_down(s);
        secret_wipe(&s->ring.sign);
        free(s);
}

static inline void side_listen(struct side *s) {
        struct sockaddr_un to = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        rig_path(to.sun_path, s->kind);
        (void)unlink(to.sun_path);
        assert_true(fd >= 0 && bind(fd, (const struct sockaddr *)&to, sizeof to) == 0 && listen(fd, 128) == 0);
        hub_listen(s->hub, fd);
}

static inline struct channel *side_dial(struct side *s, enum daemon_id kind, uint8_t instance) {
        char path[108];
        rig_path(path, kind);
        return hub_dial(s->hub, kind, instance, path);
}

static void rig_wake(struct ev_loop *l, ev_timer *w, int revents) {
        (void)l;
        (void)w;
        (void)revents;
}

/* Turns the loop until the condition holds; a test that waits for 10 s has failed. */
#define until(condition)                                                                                             \
        do {                                                                                                         \
                ev_timer wake_;                                                                                      \
                int64_t end_ = text_mono_micros() + 10000000;                                                        \
                ev_timer_init(&wake_, rig_wake, 0.01, 0.01);                                                         \
                ev_timer_start(loop, &wake_);                                                                        \
                while (!(condition) && text_mono_micros() < end_)                                                    \
                        ev_run(loop, EVRUN_ONCE);                                                                    \
                ev_timer_stop(loop, &wake_);                                                                         \
                if (!(condition))                                                                                    \
                        fail_msg("waited in vain for %s", #condition);                                               \
        } while (0)

static inline void settle(void) { /* everything that can happen without time passing has happened */
        for (int i = 0; i < 50; i++)
                ev_run(loop, EVRUN_NOWAIT);
}

/* ---- calls ---- */

struct heard {
        unsigned n;
        enum status status;
        char body[128];
};

static void hear(void *arg, const struct answer *a) {
        struct heard *h = arg;
        h->n++;
        h->status = a->status;
        (void)slice_copy(a->body, h->body, sizeof h->body);
}

static inline struct op_session_get ask_for(const char *session) {
        struct op_session_get m = { 0 };
        OP_SET(session_get, &m, account_id, SLICE("acme"));
        OP_SET(session_get, &m, actor_id, SLICE("ann"));
        OP_SET(session_get, &m, actor_role, SLICE("owner"));
        OP_SET(session_get, &m, session_id, slice_of(session));
        return m;
}

static inline enum status ask(struct side *s, const char *session, unsigned timeout_ms, struct heard *h) {
        struct op_session_get m = ask_for(session);
        struct channel *c = hub_find(s->hub, WRITER, 0);
        assert_non_null(c);
        return channel_call(c, OP_session_get, &m, timeout_ms, hear, h);
}
