/* fake_turns.h - what surrounds the turns, scripted: the writer, the gateway, frontends, and the clock. */
#pragma once

#include "unit.h"

#include <ev.h>

#include "gateway.h"
#include "ops.h"
#include "settings.h"
#include "stats.h"
#include "turns.h"

/* A question to the writer that waits for its answer. */
struct fake_call {
        struct fake_call *next;
        enum op op;
        void *msg;
        struct buf bytes;
        channel_answer_fn *fn;
        void *arg;
        bool forgotten;
};
extern struct fake_call *fake_calls;
extern bool fake_full; /* the channel takes no more */

/* What the gateway was asked. */
struct gateway_ask {
        struct gateway_ask *next;
        const struct gateway_events *ev;
        void *arg;
        bool over; /* ended or cancelled */
        bool cancelled;
        char session[65];
        struct buf body, text;
};
extern struct gateway_ask *fake_asks;
extern enum status fake_gateway_status; /* what gateway_ask() says */
unsigned fake_running(void);            /* asks that are neither ended nor cancelled */

/* What a frontend heard about one of its requests. */
struct fake_reply {
        unsigned n;
        enum status status;
        char detail[256];
        struct buf body;
};
#define FAKE_REPLIES 4096
extern struct fake_reply fake_replies[FAKE_REPLIES]; /* by request id */
extern struct buf fake_events;                       /* "[offset:]type|text|payload\n" of everything cast */
extern struct channel *fake_front, *fake_other, *fake_writer;
extern struct channel *fake_asking; /* the frontend that asks from now on */

extern struct ev_loop *fake_loop;
extern struct turns *fake_turns;
extern int64_t fake_settings[SETTING_COUNT], fake_stats[STAT_COUNT];
extern char fake_stat_word[64]; /* the last one counted by word */

void fake_start(void); /* a new process, a new world */
void fake_stop(void);
/* Everything that can happen without time passing has happened. */
void fake_settle(void);
/* So much time passes, and every timer of a turn fires. */
void fake_pass(int64_t ms);

/* Asks for a turn of text in this conversation; its id, which is the request's as well. more: sets what it likes. */
unsigned fake_turn(const char *session, const char *turn, const char *text, void (*more)(struct op_turn_run *m));
void fake_left(const char *command);

/* The oldest unanswered question of this kind; fails the test if there is none. */
struct fake_call *fake_next(enum op op);
unsigned fake_waiting(enum op op);
void fake_answer(struct fake_call *q, enum status s, const char *body);
void fake_says(enum op op, enum status s, const char *body); /* answers the oldest of this kind */

void fake_delta(struct gateway_ask *a, const char *text);
void fake_end(struct gateway_ask *a, enum status s);
void fake_end_calls(struct gateway_ask *a, const struct gateway_call *calls, unsigned n);
