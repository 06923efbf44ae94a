/* subs.h - which frontend listens to which stream, bounded per frontend. */
#pragma once

#include "channel.h"

struct sub {
        struct stream *stream;
        struct peer *peer;
        struct sub *of_stream;   /* next of the same stream */
        struct sub *prev, *next; /* of the same peer: the dirty ones stand first */
        bool dirty;              /* owes its peer a stream_head */
};

struct stream {
        uint64_t hash;
        struct slice account, session;
        int64_t head;   /* what its listeners were told of; the next event published is head + 1 */
        uint64_t round; /* subs_walk() met it in this one */
        struct sub *subs;
        char text[];
};

/* Another process at the other end of a channel, while it is up. */
struct peer {
        struct channel *channel;
        struct sub *first, *last;
        unsigned n;
        struct buf report; /* reports.c: its last stats_report, and when */
        int64_t reported;
        struct peer *next;
};

struct subs;
struct subs *subs_new(unsigned max_per_peer);
void subs_free(struct subs *s);

/* The peer of a channel that is up; NULL when memory is short. */
struct peer *subs_peer(struct subs *s, struct channel *c);
struct peer *subs_peers(const struct subs *s); /* walk by ->next */
/* The channel is down: forgets the peer and its subscriptions. */
void subs_drop(struct subs *s, const struct channel *c);

/* STATUS_OK, also if it was there; BUSY over the bound. head: what this listener has been told. */
enum status subs_add(struct subs *s, struct channel *c, struct slice account, struct slice session, int64_t head);
void subs_remove(struct subs *s, const struct channel *c, struct slice account, struct slice session);
/* NULL: nobody listens. */
struct stream *subs_find(const struct subs *s, struct slice account, struct slice session);
unsigned subs_count(const struct subs *s);
/* The next stream this round has not met, from slot *at (0 at first) on; NULL: all that stood there throughout were
 * met. Streams may come and go between two calls. */
struct stream *subs_walk(struct subs *s, uint64_t round, size_t *at);
/* Moves it to the front of its peer's list, or to the end. */
void subs_mark(struct sub *sub, bool dirty);
