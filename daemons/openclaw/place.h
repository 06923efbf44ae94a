/* place.h - who may go on: so many at once, never more than may wait; tenants in turn, each one's in their order. */
#pragma once

#include "status.h"
#include "text.h"

#define PLACE_TENANTS 256u /* by hash: those who share a number share their turn */

enum place_at { PLACE_OUT, PLACE_ASIDE, PLACE_QUEUED, PLACE_IN };

/* Part of whoever wants a place. */
struct place {
        enum place_at at;
        struct place *next, **link; /* in the queue */
        void (*go)(void *who);
        void *who;
        unsigned tenant; /* place_tenant() */
};

struct places {
        unsigned max, waiting_max;
        unsigned in, waiting; /* waiting: aside or in the queue */
        struct {
                unsigned in, waiting;
                uint64_t went; /* when one of them last went, by the number of `gone` */
        } of[PLACE_TENANTS];   /* the same, by tenant */
        uint64_t gone;
        struct place *first, **last;
        bool pumping;
};

unsigned place_tenant(struct slice account);

void places_init(struct places *s, unsigned max, unsigned waiting_max);
/* From out to aside. TURN_QUEUE_FULL: as many wait as may, and nothing is free. An eighth of those who may wait is kept
 * for tenants of whom nobody waits: no one tenant keeps the others out. */
enum status place_join(struct places *s, struct place *p);
void place_want(struct places *s, struct place *p);  /* queues; go() when it is its turn, maybe at once */
void place_aside(struct places *s, struct place *p); /* gives back what it has, and waits without wanting */
void place_take(struct places *s, struct place *p);  /* now, whether or not one is free; go() is not called */
void place_leave(struct places *s, struct place *p);
