/* place.h - who may go on: so many at once, the others in the order they came, never more than may wait. */
#pragma once

#include "status.h"

enum place_at { PLACE_OUT, PLACE_ASIDE, PLACE_QUEUED, PLACE_IN };

/* Part of whoever wants a place. */
struct place {
        enum place_at at;
        struct place *next, **link; /* in the queue */
        void (*go)(void *who);
        void *who;
};

struct places {
        unsigned max, waiting_max;
        unsigned in, waiting; /* waiting: aside or in the queue */
        struct place *first, **last;
        bool pumping;
};

void places_init(struct places *s, unsigned max, unsigned waiting_max);
/* From out to aside. TURN_QUEUE_FULL: as many wait as may, and nothing is free. */
enum status place_join(struct places *s, struct place *p);
void place_want(struct places *s, struct place *p);  /* queues at the end; go() when it is its turn, maybe at once */
void place_aside(struct places *s, struct place *p); /* gives back what it has, and waits without wanting */
void place_take(struct places *s, struct place *p);  /* now, whether or not one is free; go() is not called */
void place_leave(struct places *s, struct place *p);
