/* follow.h - inside the fan-out: followed streams, their listeners, and the clients these speak to. */
#pragma once

#include <sys/queue.h>

#include "fanout.h"
#include "run.h"

/* An account whose actors have live streams here. */
struct tenant {
        struct tenant *next; /* in its bucket */
        unsigned refs;
        unsigned streams;     /* what streams_per_account bounds */
        struct slice account; /* behind the struct */
};

struct subscription;
TAILQ_HEAD(acking, subscription);

/* An actor with live streams or a socket here, shared by them. */
struct who {
        struct who *next; /* in its bucket */
        struct tenant *tenant;
        unsigned refs;                  /* listeners, passes, sockets, acks, and questions asked in its name */
        unsigned streams;               /* listeners alone: what streams_per_actor bounds */
        unsigned sockets;               /* what sockets_per_actor bounds */
        unsigned acks;                  /* checkpoints on their way */
        struct acking acking;           /* subscriptions whose next one waits for these */
        bool service;                   /* an API key, no person */
        struct slice account, id, role; /* behind the struct */
};

struct stream;

/* What the writer said about one actor and one stream: he may listen, on this connection and until asked again. */
struct pass {
        struct pass *next;      /* in its bucket */
        TAILQ_ENTRY(pass) link; /* in stream->passes, or in stream->strangers while it has to be asked for */
        struct stream *stream;
        struct who *who;
        unsigned listeners;
        uint64_t epoch;    /* the writer's connection on which it was given; listeners wait while it is another */
        int64_t due;       /* monotonic microseconds: to be asked for again */
        bool stranger;     /* in stream->strangers */
        bool asked, again; /* on its way; to be asked for once more after that */
};
TAILQ_HEAD(passes, pass);

struct listener;
struct outlet;
TAILQ_HEAD(listeners, listener);

/* The kinds of clients. Control bytes go to `out`, which outlet_say() then queues. */
enum format { FORMAT_SSE, FORMAT_SOCKET, FORMATS };
struct wire {
        enum format format; /* which of a stream's runs it takes */
        size_t (*queued)(const struct outlet *o);
        bool (*write)(struct outlet *o, struct slice bytes); /* false: no room, nothing queued */
        /* It begins. reset: why its cursor was not taken, or NULL. */
        void (*greet)(struct buf *out, const struct listener *l, const struct fanout_start *st);
        void (*reset)(struct buf *out, const struct listener *l, const char *reason, uint64_t from, uint64_t latest);
        /* The writer refused this listener for good: says so and frees it. s: its last word. */
        void (*revoked)(struct listener *l, enum status s);
        /* The operator changed what an account or one of its keys may do; may end the client. NULL: of no interest. */
        void (*changed)(struct outlet *o, struct slice account, struct slice key);
        /* Once a second, first come first; may end the client: heartbeats, stalls, the actor's end. */
        void (*tend)(struct outlet *o, int64_t now, int64_t real);
        /* The server drains: says so, frees the client and its listeners. */
        void (*shut)(struct outlet *o);
};

/* One client's connection: an SSE response has one listener, a socket one for each subscription. They share its queue:
 * what one of them is sent, the others wait for. So they take turns, and read one page at a time. */
struct outlet {
        const struct wire *wire;
        struct fanout *fanout;
        TAILQ_ENTRY(outlet) link;   /* in fanout->outlets */
        struct listeners listeners; /* the one whose turn is next comes first */
        int64_t until;              /* real microseconds: the actor's; 0: never */
        int64_t wrote, since;       /* monotonic microseconds: last write, last write into an empty queue */
        bool ready;                 /* may be written to; else outlet_drained() will come */
        bool reading;               /* a page for one of its listeners is on its way */
        bool broken;                /* something that had to be said found no room: it is closed as slow */
};
TAILQ_HEAD(outlets, outlet);

struct listener {
        TAILQ_ENTRY(listener) link;  /* in stream->live or stream->behind */
        TAILQ_ENTRY(listener) along; /* in outlet->listeners */
        struct fanout *fanout;
        struct pass *pass; /* NULL until attached */
        struct who *who;
        struct outlet *out;
        void *owner;      /* the wire's own */
        uint64_t cursor;  /* the last sequence sent */
        int64_t until;    /* the actor's; for the outlet that is made of it */
        unsigned opening; /* until attached: which fanout->opening counts it */
        unsigned changes; /* fanout->changes when it was reserved */
        bool live;        /* stands at the head: publications go straight to it */
};

enum place { QUIET, WAITING, PAUSED }; /* in no queue, fanout->waiting, fanout->later */

struct stream {
        struct fanout *fanout;
        struct stream *next;      /* in its bucket */
        TAILQ_ENTRY(stream) turn; /* in fanout->waiting or fanout->later */
        enum place place;
        struct slice account, session; /* behind the struct */
        struct listeners live, behind;
        struct passes passes, strangers;
        struct asked *asked; /* questions on their way */
        uint64_t head;       /* the highest sequence known to be committed */
        uint64_t page;       /* rows to ask for at once, so that a page is about what a client takes */
        uint64_t missed;     /* a head that was told and not found, and complained of */
        bool verified;       /* all that was committed before we subscribed is at most head */
        unsigned listening[FORMATS];
        struct run recent[FORMATS]; /* only what somebody listens in is kept up */
        size_t charged;             /* of recent, in fanout->recent_bytes */
        int64_t used;               /* monotonic microseconds: last publication, or last listener gone */
};
TAILQ_HEAD(streams, stream);

#define FANOUT_BUCKETS 16384u
#define FANOUT_OPENING 1024u

struct fanout {
        struct frontend *frontend;
        struct stream *table[FANOUT_BUCKETS];
        struct who *whos[FANOUT_BUCKETS];
        struct pass *passes[FANOUT_BUCKETS];
        struct tenant *tenants[FANOUT_OPENING];
        unsigned opening[FANOUT_OPENING]; /* by session: clients' stream_opens on their way */
        unsigned char hash_key[16];
        struct outlets outlets;
        struct streams waiting, later; /* for a free question; for a while after a refusal */
        unsigned asking;               /* questions on their way, at most FANOUT_ASKING */
        unsigned listeners, behind, sockets;
        unsigned changes;      /* of what anybody may do */
        uint64_t epoch;        /* counts the writer's connections */
        size_t recent_bytes;   /* of all streams */
        bool draining, paused; /* paused: the writer or its database asked for patience */
        ev_timer tick, again;
        struct presence *presence;
};

/* ---- fanout_table.c: who and what there is ---- */

extern run_format *const follow_formats[FORMATS];

unsigned stream_opening(const struct fanout *fo, struct slice session); /* its place in fanout->opening */
struct stream *stream_find(struct fanout *fo, struct slice account, struct slice session);
struct stream *stream_get(struct fanout *fo, struct slice account, struct slice session); /* NULL: out of memory */
bool stream_empty(const struct stream *s);
void stream_forget(struct stream *s); /* the recent events */
void stream_free(struct stream **at);
struct who *who_get(struct fanout *fo, const struct actor *a); /* a reference; NULL: out of memory */
struct who *who_ref(struct who *w);
void who_unref(struct fanout *fo, struct who *w);

/* ---- pass.c: who may listen ---- */

struct pass *pass_find(const struct stream *s, const struct who *w);
struct pass *pass_get(struct stream *s, struct who *w); /* NULL: out of memory */
void pass_leave(struct pass *p);                        /* one listener less; the last one takes it away */
bool pass_valid(const struct pass *p);
void pass_stranger(struct pass *p, bool stranger); /* does it have to be asked for? */
/* The writer has let him in; latest: the stream's, as the writer found it then. */
void pass_given(struct pass *p, uint64_t latest);
void pass_refused(struct pass *p, enum status s); /* for good: ends its listeners, and so itself */
void pass_tend(struct stream *s, int64_t now);    /* those that are due are asked for again */
/* The operator changed what an account or one of its keys (may be empty) may do. */
void pass_recheck(struct fanout *fo, struct slice account, struct slice key);

/* ---- listener.c: coming, moving on, going ---- */

void outlet_open(struct outlet *o, struct fanout *fo, const struct wire *wire, int64_t until);
void outlet_close(struct outlet *o);                 /* frees its listeners, which say nothing any more */
void outlet_drained(struct outlet *o);               /* everything has left: its listeners go on, in turns */
void outlet_turn(struct outlet *o);                  /* those that are behind go on, in turns */
bool outlet_say(struct outlet *o, struct buf *what); /* frees it; false, and broken: no room */
/* Has something to take and takes nothing for longer than it may. progress: when it last took something. */
bool outlet_stalled(const struct outlet *o, int64_t progress, int64_t now);
bool outlet_idle(const struct outlet *o, int64_t now); /* has heard nothing for a heartbeat */
bool outlet_expired(const struct outlet *o, int64_t real);

/* The stream a reserved listener follows from now on. False: out of memory or draining; the caller releases it. */
bool listener_join(struct listener *l, struct outlet *o, const struct fanout_start *st);
/* Greets, and sends what comes after the cursor. Of *st only what is not behind pointers of the request's. */
void listener_begin(struct listener *l, const struct fanout_start *st);
void listener_free(struct listener *l); /* who has been told, or whose client is gone */
/* Sends what the run has for it. False: the client takes no more for now. */
bool listener_send(struct listener *l, const struct run runs[FORMATS]);
/* The explicit reset: the client's cursor is not ours to follow, it goes on after `from`. */
void listener_reset(struct listener *l, const char *reason, uint64_t from, uint64_t latest);
void listener_live(struct listener *l, bool live);
/* Moves it on as far as it goes without asking: from recent events, to live, or into the queue to ask. */
void listener_advance(struct listener *l);

/* ---- feed.c: asking the writer ---- */

void feed_init(struct fanout *fo);
void feed_free(struct fanout *fo);
void feed_want(struct stream *s);          /* it has somebody who needs a question asked */
void feed_pump(struct fanout *fo);         /* asks as many as may be on their way */
void feed_forget(struct stream *s);        /* nobody will hear the answers */
bool feed_leave(const struct listener *l); /* it goes; true: its client may read for another one now */
/* The writer's connection is a new one: every actor is let in again, every listener reads from its cursor. */
void feed_restart(struct fanout *fo);
