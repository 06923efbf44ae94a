/* conn.h - what hub.c, conn.c, channel.c and channel_pending.c know of each other; nobody else includes it. */
#pragma once

#include "channel.h"

#define HUB_UNPROVEN_MAX  64u  /* accepted connections that have not shown their key yet; the oldest goes */
#define HUB_PROOF_SECONDS 5    /* how long they may take */
#define HUB_OPERATORS_MAX 32u  /* connected lifeosctl at once */
#define HUB_INSTANCE_MAX  64u  /* the highest instance a peer may claim */
#define HUB_TICK_MS       50   /* grain of every timeout */
#define HUB_SLOTS         256u /* of the timing wheel: one turn is 12.8 s */
#define MESSAGE_HEADER    15u  /* length le32, type u8, op le16, id le64 */
#define MESSAGE_BYTES_MAX (FRAME_PAYLOAD_MAX - MESSAGE_HEADER)
#define DETAIL_MAX        512u

enum message_type { MESSAGE_REQUEST = 1, MESSAGE_REPLY = 2, MESSAGE_CAST = 3 };

/* One connection, from accept or connect to close. Torn down by hub_reap() only, so that no handler finds its
 * connection gone under it: everyone else marks it with conn_fail(). */
struct conn {
        struct hub *hub;
        struct channel *channel; /* dialled: from birth; accepted: once proven */
        struct conn *next, **link;
        ev_io readable, writable;
        enum { CONN_HELLO, CONN_PROOF, CONN_UP } state;
        bool dialled, rejected;
        const char *failed; /* why it has to go; NULL while it may stay */
        uint32_t uid;       /* of the other side, as the kernel has it */
        struct frame_end us, them;
        uint64_t sent, received; /* counters of the last frames */
        uint64_t epoch;
        int64_t born;
        struct buf in, out;
        size_t written; /* bytes of out that the kernel took */
};

/* One call that is not answered yet: kept with its bytes, to be sent again. In three lists: by id (hash and order) and
 * by deadline. `late`: its caller was told that there was no answer; it stays until the answer comes or cannot come. */
struct pending {
        struct pending *hash_next, *next, *prev;
        struct pending *slot_next, **slot_link;
        struct channel *channel;
        uint64_t id;
        int64_t deadline;
        channel_answer_fn *fn; /* NULL: forgotten */
        void *arg;
        enum op op;
        bool late, sent;
        uint32_t n;
        char bytes[]; /* the whole message */
};

struct pendings {
        struct pending **hash, *first, *last;
        uint32_t mask;
        unsigned count, late;
        size_t bytes;
};

struct channel {
        struct hub *hub;
        struct channel *next; /* by kind, then instance */
        enum daemon_id kind;
        uint8_t instance;
        bool idle;         /* an operator's that went; kept for the next one, because requests may still point here */
        struct conn *conn; /* proven, or NULL */
        struct conn *trying;
        char path[108]; /* "" unless we dial */
        ev_timer redial;
        double backoff;
        bool told; /* that it cannot be reached: once per outage */
        uint64_t last_id;
        struct buf queue; /* messages for the next frame */
        struct pendings pend;
        void *data;
};

#define HUB_LISTENERS 4
struct hub {
        struct ev_loop *loop;
        const struct cred_ring *ring;
        enum daemon_id us;
        uint8_t instance;
        const struct channel_events *ev;
        void *arg;
        struct channel_limits limits;
        struct channel *channels;
        struct conn *conns;
        unsigned unproven;
        uint64_t epoch;
        bool draining, paused; /* paused: out of descriptors, accepting again at the next tick */
        ev_io listeners[HUB_LISTENERS];
        unsigned n_listeners;
        ev_prepare before_sleep;
        ev_timer tick; /* runs only while something can time out */
        int64_t ticks; /* number of the last one handled */
        struct pending *slots[HUB_SLOTS];
        unsigned n_pending;
        struct buf scratch; /* one encoding */
        void *msg;          /* one decoded message of any op */
        int64_t log_window;
        unsigned log_lines;
};

/* conn.c */
void conn_new(struct hub *h, int fd, struct channel *dialled);
void conn_fail(struct conn *k, const char *why);   /* it ended, or we end it */
void conn_reject(struct conn *k, const char *why); /* the other side broke the rules: counted and logged */
void conn_flush(struct conn *k);                   /* writes what is sealed, then seals and writes what is queued */
void conn_free(struct conn *k);

/* channel.c */
void channel_take(struct channel *c, struct slice payload); /* one frame's messages; fails the connection */
void channel_attach(struct channel *c, struct conn *k);
void channel_detach(struct channel *c);

/* channel_pending.c */
int pending_init(struct pendings *t, unsigned max);
struct pending *pending_add(struct channel *c, enum op op, uint32_t n, unsigned timeout_ms);
struct pending *pending_find(const struct pendings *t, uint64_t id);
void pending_remove(struct pending *p);                         /* frees it */
void pending_answer(struct pending *p, const struct answer *a); /* removes it, then calls */
void pending_expire(struct hub *h, int64_t now);
void pending_drop_late(struct pendings *t);
void pending_fail_all(struct pendings *t); /* everyone is told; none remains */
void pending_free(struct pendings *t);     /* nobody is told */

/* hub.c */
struct channel *hub_channel(struct hub *h, enum daemon_id kind, uint8_t instance); /* for a proven peer; NULL: full */
void hub_reap(struct hub *h);
void hub_tick_start(struct hub *h);
void hub_log(struct hub *h, enum daemon_id kind, uint8_t instance, const char *what, const char *why);
void hub_log_life(struct hub *h, const struct channel *c, const char *what, const char *why);
unsigned hub_connections(const struct hub *h);
