/* waiting.h - who waits for a turn: what is said of it reaches each of them, and its runner hears that the last left. */
#pragma once

#include <sys/queue.h>

#include "frontend.h"

/*
 * A turn is known by account, actor and command id: several requests may wait for one. Bounds: WAITING_MAX requests of
 * a process; over it, and while the process drains, they are refused.
 */
#define WAITING_MAX     8192u
#define WAITING_BUCKETS 1024u

struct waiting; /* of a process */
struct waiter;

struct waiter_events {
        void (*event)(struct waiter *w, const struct op_turn_event *m); /* NULL: he hears the end alone */
        void (*away)(struct waiter *w);                                 /* openclaw's connection broke; may be NULL */
        void (*beat)(struct waiter *w, int64_t now);                    /* once a second, monotonic; may be NULL */
        /* The process stops: answer at once, and leave. `late`: it cannot wait any more. */
        void (*stop)(struct waiter *w, bool late);
};

/* The memory is its owner's. Any of its events may end it. */
struct waiter {
        LIST_ENTRY(waiter) link;
        const struct waiter_events *ev;
        unsigned char key[16]; /* a hash of the three */
        char account[129], actor[129], command[129];
};

/* OK, or why not: BUSY, OPENCLAW_UNAVAILABLE. */
enum status waiter_join(struct frontend *f, struct waiter *w, const struct op_turn_run *m,
                        const struct waiter_events *ev);
/* `left`: its client did, before the answer; if he was the last one, the turn's runner is told. */
void waiter_leave(struct frontend *f, struct waiter *w, bool left);
/* Who came before w, or before whoever this said last, for the same turn and in the same way. */
struct waiter *waiter_before(const struct waiter *w);
#define WAITER_WHY "this process is restarting; send the request again with the same Idempotency-Key"

struct waiting *waiting_new(struct frontend *f);
void waiting_free(struct waiting *t);
void waiting_event(struct frontend *f, const struct op_turn_event *m);
void waiting_down(struct frontend *f, struct channel *c);
void waiting_tick(struct waiting *t, int64_t now); /* by itself once a second */
/* The process drains; may be called again. */
void waiting_drain(struct frontend *f, bool late);
