/* turn.h - one turn, as the files that carry it through its life share it; nobody else looks inside. */
#pragma once

#include "json.h"
#include "jsonw.h"
#include "openclaw.h"
#include "ops.h"
#include "place.h"
#include "turns.h"
#include "uitag.h"

#define LEASE_MS          15000
#define LIFE_MS           (LEASE_MS / 3) /* a sign of life at least this often */
#define WRITER_TIMEOUT_MS 10000u
#define END_PATIENCE_MS   30000 /* how long we try to end a turn properly; then its lease does */
#define DRAIN_PATIENCE_MS 7000  /* how long a turn may go on after we were told to stop */
#define TURN_BUCKETS      1024u
#define WAITERS_MAX       8u /* who asked for the same turn */
#define PROPOSALS_MAX     ((1u << 20) - 2)

enum turn_state {
        TURN_WAITING,   /* for a place */
        TURN_FOLLOWING, /* for an earlier turn of its conversation here */
        TURN_PAUSED,    /* for one that runs elsewhere */
        TURN_ASKING,    /* the writer was asked whether it may begin */
        TURN_RUNNING,   /* the gateway was asked */
        TURN_STORING,   /* the gateway is done; its last words are being stored */
        TURN_ENDING,    /* the writer was asked to end it */
};
enum turn_busy { BUSY_QUEUE, BUSY_REFUSE, BUSY_REPLACE };

/* Who waits for the answer. */
struct waiter {
        struct waiter *next;
        struct request request;
        bool stream;
        char command[129];
};

struct turn {
        struct turns *all;
        struct turn *next, **link; /* of its bucket, in the order they came */
        struct place place;
        enum turn_state state;
        ev_timer timer;
        struct waiter *waiters;

        struct arena arena; /* what was asked, until it is freed */
        struct op_turn_begin ask;
        struct slice context; /* what the client says was said before: JSON array, or empty */
        enum turn_busy busy;
        bool lead;      /* the one of its conversation that contends or runs */
        bool cancelled; /* wanted no more, while it cannot be stopped yet */
        int64_t until;  /* the end of waiting; monotonic, as all times here */
        unsigned pause_ms;

        struct gateway_ask *gateway;
        struct uitag_parser tags;
        struct buf shown;     /* the visible text */
        struct buf proposals; /* what the tags and calls want, JSON values with commas */
        const char *speaker;
        int64_t arrived, asked, first, done; /* the request, the gateway asked, first visible word, gateway done */

        int64_t stored, storing; /* bytes that are durable; that are on their way */
        int64_t said;            /* when the writer was last told anything */
        int64_t store_at;        /* not before */
        unsigned store_wait_ms;  /* after a failure */
        bool calling;            /* a call about this turn is on its way */
        bool lost;               /* the turn is not ours any more */

        enum status status; /* how it ended */
        bool incomplete, plain;
        char response_id[129], model[129];
        int64_t input_tokens, output_tokens;
        size_t told, heard; /* bytes to the gateway, and of its words: what was used, if it does not say */
};

struct turns {
        struct ev_loop *loop;
        struct gateway *gateway;
        struct channel *writer;
        struct places places;
        struct turn *bucket[TURN_BUCKETS];
        unsigned count;
        int64_t drain_at; /* 0: not told to stop */
        const char *runner;
};

/* turns.c */
void turn_free(struct turn *t);
/* The conversation's next in line becomes its lead. */
void turn_pass_lead(struct turns *all, struct slice account, struct slice session);
void turn_wake(struct turn *t, int64_t micros); /* its timer fires after this long */

/* turn_read.c: what was asked; not OK: *why for the client. */
enum status turn_read(struct turn *t, const struct op_turn_run *m, const char **why);
/* The ids a turn_run stands for, in `room`. */
void turn_ids(const struct op_turn_run *m, struct slice *ret_session, struct slice *ret_turn, char room[2][48]);

/* turn_begin.c */
void turn_begin(struct turn *t);                  /* asks the writer */
void turn_waited(struct turn *t);                 /* its timer fired while it waited */
void turn_start(struct turn *t, struct json run); /* turn_gateway.c: the writer says it runs */

/* turn_gateway.c */
void turn_cancel(struct turn *t, enum status why); /* while it runs */

/* turn_store.c: does what is due: store, give a sign of life, go on to the end. */
void turn_store(struct turn *t);

/* turn_end.c */
void turn_finish(struct turn *t, enum status how); /* the gateway is done with it */
void turn_end(struct turn *t);                     /* everything is stored: asks the writer to end it */
/* Answers everybody who waits, and frees the turn. */
void turn_answer(struct turn *t, enum status s, struct slice detail, struct slice body);
void turn_refuse(struct turn *t, enum status s);

/* turn_say.c: what a streaming client is told. */
void turn_say_text(struct turn *t, struct slice text);
void turn_say(struct turn *t, const char *type, struct slice payload);
void turn_say_status(struct turn *t, const char *type, const char *message, struct slice message_id);
void turn_say_tag(struct turn *t, const struct uitag *tag);
void turn_say_ended(struct turn *t, struct slice answer);
void turn_catch_up(struct turn *t, struct waiter *w);
