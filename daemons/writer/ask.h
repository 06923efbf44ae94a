/* ask.h - one request in our own memory, from the frame it came in to its answer; and queues of them. */
#pragma once

#include "channel.h"

struct ask;
typedef void ask_done_fn(void *arg, const struct answer *a);

struct ask {
        struct ask *next;
        struct request from; /* from.from NULL: its connection is gone, or we ask ourselves (done) */
        enum op op;
        const void *msg;               /* struct op_<name>, in the same allocation */
        struct slice bytes;            /* its encoding */
        struct slice account, session; /* what it is about; may be empty */
        uint64_t hash;                 /* of the session, or else of the account */
        uint64_t number;               /* order of arrival */
        uint32_t rows;                 /* rows of its ROWS field */
        unsigned tries;
        enum status verdict; /* BATCH: how it ended, and because of which row */
        uint32_t culprit;
        int64_t at; /* monotonic microseconds when it arrived */
        ask_done_fn *done;
        void *arg;
        struct ask *watch_next; /* watch.c: a LISTEN on its way */
        struct slice seen_account;
        int64_t seen; /* highest sequence committed meanwhile */
        char seen_text[128];
};

/* Copies the request out of its frame; NULL when memory is short. */
struct ask *ask_new(const struct request *r);
/* A question of our own; done is called once with the answer, also when the database stays away. */
struct ask *ask_own(enum op op, const void *msg, ask_done_fn *done, void *arg);
void ask_free(struct ask *a);
/* Answers whoever asked, if he is still there. The ask stays the caller's. */
void ask_reply(const struct ask *a, enum status s, struct slice detail, struct slice body);
static inline void ask_status(const struct ask *a, enum status s) {
        ask_reply(a, s, (struct slice){ 0 }, (struct slice){ 0 });
}

/* First in, first out. Zero-initialised is empty. */
struct asks {
        struct ask *head, *tail;
        uint32_t n;
        size_t bytes;
};
void asks_add(struct asks *q, struct ask *a);
void asks_add_front(struct asks *q, struct ask *a);
struct ask *asks_take(struct asks *q); /* NULL when empty */
/* Takes out the one after `prev` (NULL: the first); for walks that remove. */
void asks_remove_after(struct asks *q, struct ask *prev);
/* Takes out and frees what came from this channel. */
void asks_forget(struct asks *q, const struct channel *c);
