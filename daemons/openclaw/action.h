/* action.h - one action while it is carried out, as the files that do it share it; nobody else looks inside. */
#pragma once

#include "actions.h"
#include "json.h"
#include "openclaw.h"
#include "ops.h"

#define ACTION_LEASE_MS    15000
#define ACTION_LIFE_MS     (ACTION_LEASE_MS / 3) /* the lease is renewed at least this often */
#define ACTION_WRITER_MS   10000u
#define ACTION_PATIENCE_MS 30000 /* how long we try to end it properly; then its lease does */
#define ACTION_DRAIN_MS    7000  /* how long it may go on after we were told to stop */
#define ACTION_WAITERS_MAX 8u
#define ACTION_RUN_MAX     (24u << 20) /* what the writer says it is about, parsed */

enum action_state {
        ACTION_WAITING, /* for a place */
        ACTION_PAUSED,  /* somebody else carries it out */
        ACTION_ASKING,  /* the writer was asked */
        ACTION_MAKING,  /* the gateway was asked */
        ACTION_ENDING,  /* the writer was asked to end it */
};

struct action_waiter {
        struct action_waiter *next;
        struct request request;
};

struct action {
        struct actions *all;
        struct action *next, **link;
        struct place place;
        enum action_state state;
        ev_timer timer;
        struct action_waiter *waiters;
        struct arena arena; /* what was asked */
        struct op_action_begin ask;
        enum status refused; /* why it ends without having begun */
        int64_t until;       /* of waiting */
        unsigned wait_ms;
        bool calling; /* a call about it is on its way */

        struct buf said;        /* the writer's reply: what it is about */
        struct arena run_arena; /* and what was read of it */
        struct json run;
        struct slice type, kind;
        struct gateway_ask *gateway;
        int64_t begun, done; /* monotonic */
        unsigned tries;
        char wrong[160];
        int64_t max_tokens;

        enum status status; /* how it ended */
        const char *why;    /* more exactly; NULL: the status' own text */
        struct buf title, markdown, data;
        char response_id[129], model[129];
        int64_t input_tokens, output_tokens;
};

struct actions {
        struct ev_loop *loop;
        struct gateway *gateway;
        struct channel *writer;
        const char *runner;
        struct places *places;
        struct action *first;
        int64_t drain_at;
        unsigned char secret[32];
};

/* actions.c */
void action_free(struct action *a);
void action_wake(struct action *a, int64_t ms);
void action_answer(struct action *a, enum status s, struct slice detail, struct slice body);

/* action_make.c */
void action_make(struct action *a); /* the writer says it is ours */
void action_cancel(struct action *a, enum status s, const char *why);
void action_finish(struct action *a, enum status s, const char *why);

/* action_end.c */
void action_end(struct action *a);
