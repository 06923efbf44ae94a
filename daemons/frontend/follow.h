/* follow.h - inside the fan-out: followed streams and their listeners; fanout.c, listener.c and feed.c only. */
#pragma once

#include <sys/queue.h>

#include "fanout.h"
#include "run.h"

/* An actor with live streams here, shared by its listeners. */
struct who {
        struct who *next;               /* in its bucket */
        unsigned refs;                  /* listeners, and questions asked in its name */
        unsigned streams;               /* listeners alone: what streams_per_actor bounds */
        struct slice account, id, role; /* behind the struct */
};

struct stream;

struct listener {
        TAILQ_ENTRY(listener) link; /* in stream->live or stream->behind */
        struct fanout *fanout;
        struct stream *stream; /* NULL until attached */
        struct who *who;
        struct http_stream *out;
        uint64_t cursor;      /* the last sequence sent */
        uint64_t epoch;       /* the writer's connection on which this actor was let in */
        int64_t until;        /* real microseconds: the actor's; 0: never */
        int64_t wrote, since; /* monotonic microseconds: last write, last write into an empty queue */
        unsigned opening;     /* until attached: which fanout->opening counts it */
        bool live;            /* stands at the head: publications go straight to it */
        bool ready;           /* may be written to; else drained() will come */
};
TAILQ_HEAD(listeners, listener);

enum place { QUIET, WAITING, LATER }; /* in no queue, fanout->waiting, fanout->later */

struct stream {
        struct fanout *fanout;
        struct stream *next;      /* in its bucket */
        TAILQ_ENTRY(stream) turn; /* in fanout->waiting or fanout->later */
        enum place place;
        struct slice account, session; /* behind the struct */
        struct listeners live, behind;
        struct asked *asked; /* questions on their way */
        uint64_t head;       /* the highest sequence known to be committed */
        uint64_t page;       /* rows to ask for at once, so that a page is about what a client takes */
        uint64_t missed;     /* a head that was told and not found, and complained of */
        bool verified;       /* all that was committed before we subscribed is at most head */
        struct run recent;
        size_t charged; /* of recent, in fanout->recent_bytes */
        int64_t used;   /* monotonic microseconds: last publication, or last listener gone */
};
TAILQ_HEAD(streams, stream);

#define FANOUT_BUCKETS 16384u
#define FANOUT_OPENING 1024u

struct fanout {
        struct frontend *frontend;
        struct stream *table[FANOUT_BUCKETS];
        struct who *whos[FANOUT_BUCKETS];
        unsigned opening[FANOUT_OPENING]; /* by session: clients' stream_opens on their way */
        unsigned char hash_key[16];
        struct streams waiting, later; /* for a free question; for a while after a refusal */
        unsigned asking;               /* questions on their way, at most FANOUT_ASKING */
        unsigned listeners;
        uint64_t epoch;        /* counts the writer's connections */
        size_t recent_bytes;   /* of all streams */
        bool draining, paused; /* paused: the writer or its database asked for patience */
        ev_timer tick, again;
};

/* ---- listener.c: one client ---- */

/* Sends what the run has for it. False: the client takes no more for now, or the run does not go on from here. */
bool listener_send(struct listener *l, const struct run *run);
/* The first bytes of the response. */
void listener_greet(struct listener *l, uint64_t latest, const char *reset);
/* The explicit reset: the client's cursor is not ours to follow, it goes on after `from`. */
void listener_reset(struct listener *l, const char *reason, uint64_t from, uint64_t latest);
void listener_heartbeat(struct listener *l, int64_t now);
/* Reads nothing although there is something to read, for longer than it may. */
bool listener_stalled(const struct listener *l, int64_t now);
/* Its actor's token or key has to be shown again. */
bool listener_expired(const struct listener *l, int64_t real);
/* Says why, ends the response and frees the listener. */
void listener_close(struct listener *l, const char *reason);

/* ---- fanout.c ---- */

/* Moves a listener on as far as it goes without asking: from recent events, to live, or into the queue to ask. */
void stream_advance(struct listener *l);
void stream_live(struct listener *l, bool live);
/* Forgets the recent events. */
void stream_forget(struct stream *s);
void listener_free(struct listener *l); /* whose response is gone or never began */
struct who *who_ref(struct who *w);
void who_unref(struct fanout *fo, struct who *w);

/* ---- feed.c: asking the writer ---- */

void feed_init(struct fanout *fo);
void feed_free(struct fanout *fo);
void feed_want(struct stream *s);   /* it has listeners that need a question asked */
void feed_pump(struct fanout *fo);  /* asks as many as may be on their way */
void feed_forget(struct stream *s); /* nobody will hear the answers */
/* The writer's connection is a new one: every actor is let in again, every listener reads from its cursor. */
void feed_restart(struct fanout *fo);
