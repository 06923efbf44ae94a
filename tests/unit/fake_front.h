/* fake_front.h - what surrounds the frontend's handlers, scripted: clients' connections and the other daemons. */
#pragma once

#include "unit.h"

#include "frontend.h"

/* One client: its request, and everything it was answered. */
struct fake_client {
        struct http_request r;
        struct {
                const char *name, *value;
        } headers[8];
        unsigned n_headers;
        bool answered; /* http_respond or http_fail */
        int code;
        enum status status; /* of http_fail, else OK */
        unsigned retry_after;
        double waits; /* http_wait() */
        bool leaves;
        char detail[256], type[64];
        struct buf body;
        /* A stream: what waits in its queue, and where the client puts what it takes. */
        struct http_stream *out;
        bool ended; /* the server closed it */
        void (*take)(struct fake_client *c, struct slice bytes);
        void *data;
};

void fake_request(struct fake_client *c, const char *query, struct slice body);
void fake_header(struct fake_client *c, const char *name, const char *value);
void fake_leave(struct fake_client *c); /* hangs up, whatever state it is in */
void fake_client_free(struct fake_client *c);
bool fake_said(const struct fake_client *c, const char *text); /* is it in the body? */
/* The client takes up to n bytes of what is queued. True if there were any. */
bool fake_take(struct fake_client *c, size_t n);

/* A question to another daemon, in the order they were asked. */
struct fake_call {
        struct fake_call *next;
        struct channel *to;
        enum op op;
        unsigned ms;     /* how long it may take */
        const void *msg; /* decoded from what was sent */
        struct buf bytes;
        channel_answer_fn *fn;
        void *arg;
        bool forgotten;
        struct buf reply; /* the test's own, between executing and answering */
        enum status status;
        bool executed;
};
extern struct fake_call *fake_calls;
unsigned fake_count(enum op op); /* unanswered, not forgotten */
void fake_answer(struct fake_call *q, enum status s, const char *detail, struct slice body);
void fake_answer_next(enum status s, const char *detail, const char *body);
extern bool fake_full; /* channel_call answers BUSY */
extern void (*fake_cast)(enum op op, const void *msg);

extern struct channel *fake_writer, *fake_webhook, *fake_openclaw;
void fake_channel_up(struct channel *c, bool up);

/* The process: no struct frontend of its own, its parts are here. */
const struct route *fake_route(const char *name); /* of routes.def */
extern struct fanout *fake_fanout;
extern struct waiting *fake_waiting;
extern int64_t fake_settings[];    /* by enum setting */
extern int64_t fake_stats[];       /* by enum stat_id */
extern bool fake_limited;          /* rate_address refuses */
extern unsigned fake_charged;      /* rate_address_charge was called */
extern char fake_forgotten[300];   /* what auth_forget was told last */
extern char fake_word[32];         /* of the last stat_add_word */
extern const char *fake_origins;   /* setting cors_origins */
extern struct auth_ask *fake_asks; /* bare tokens being looked up */
extern int64_t fake_until;         /* of actors known by a bare token */
void fake_identify(enum status s); /* the last of them becomes acme's ann, or is refused */
void fake_reset(void);
