/* fanout_world.h - a database, a writer that publishes from it, and clients that check every byte they hear. */
#pragma once

#include "fake_front.h"

#include "follow.h"

#define SESSIONS 8

struct session {
        uint64_t n; /* events committed */
        bool subscribed;
        enum status refuses; /* stream_open and event_read for `refused_actor` (or all if NULL) */
        const char *refused_actor;
        unsigned reads, opens, closes;
        uint64_t checkpoint; /* the highest, whoever's */
        char consumer[101];  /* whose it was */
};

/* What was published and not yet delivered. */
struct publication {
        struct publication *next;
        unsigned session;
        uint64_t first, count;
        bool head; /* stream_head instead of the events */
};

struct listener_client {
        struct fake_client http;
        unsigned session;
        uint64_t heard; /* the last sequence */
        uint64_t events;
        unsigned resets, beats;
        char reset[32], closed[32];
        bool greeted;
        size_t pace; /* bytes it takes in one step */
        struct buf in;
};

struct world {
        struct session sessions[SESSIONS];
        struct publication *pubs;
        size_t pad;           /* bytes every event is longer */
        int64_t page;         /* rows the writer gives at most; 0: what was asked */
        unsigned checkpoints; /* asked to be stored */
        char seen[4096];      /* the last report of who is here */
};
extern struct world world;

void world_new(void);
void world_free(void);
int world_set_up(void **state);
int world_tear_down(void **state);

/* One client asks for session `s` with afterSequence `after`; last_id may be NULL. */
void client_join(struct listener_client *c, unsigned s, const char *actor, uint64_t after, const char *last_id);
extern int64_t client_until; /* the `until` of actors who join from now on */
void client_free(struct listener_client *c);
/* It has every event up to n, and its stream goes on. */
void assert_heard(const struct listener_client *c, uint64_t n);

/* The event everybody must see under this number. */
void world_event(unsigned s, uint64_t sequence, struct buf *to);
void writer_says(enum op op, const void *msg); /* a cast */

void commit(unsigned s, uint64_t n); /* and publish, if subscribed */
void commit_unpublished(unsigned s, uint64_t n);
void publish(unsigned s, uint64_t first, uint64_t n); /* at once, true or not */
void publish_head(unsigned s, uint64_t head);

/* The writer's steps, for tests that care: the snapshot is taken; the answer arrives. */
void execute(struct fake_call *q);
void deliver(struct fake_call *q);
bool deliver_pub(struct publication *p); /* and forgets it */

/* Everything under way happens, clients read at their pace, until nothing moves. */
void settle(struct listener_client *c, unsigned n);
void tick(void);
void pause_over(void);
/* The writer dies; what was asked is asked again of the next one. */
void writer_restart(void);
