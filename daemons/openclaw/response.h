/* response.h - what an Open Responses stream says: its words as they come, and the one way it ends. */
#pragma once

#include "arena.h"
#include "buf.h"
#include "gateway.h"

enum response_state {
        RESPONSE_OPEN,  /* more is to come */
        RESPONSE_ENDED, /* its terminal event was read; nothing but [DONE] may follow */
        RESPONSE_DONE,  /* [DONE], or nothing more is wanted of it */
};

struct response {
        enum response_state state;
        struct gateway_end end; /* once it ended; its slices live as long as this */
        const char *why;        /* for the log: a constant text; NULL: it completed */
        bool again;             /* another try may do better */
        bool words;             /* a word has arrived, told or not yet */
        bool by_model;          /* it is the model that made no sense: that says nothing of the gateway */
        struct buf text;
        uint32_t told; /* bytes of it handed to delta() */
        uint32_t part; /* where the part that is arriving begins */
        uint32_t events;
        struct arena scratch, keep; /* of one event; of the end */
        struct gateway_call calls[GATEWAY_CALLS_MAX];
        void (*delta)(void *arg, struct slice text);
        void *arg;
};

void response_init(struct response *r, void (*delta)(void *arg, struct slice text), void *arg);
void response_free(struct response *r);
/* One event's data. False when nothing more is wanted: see state and end. */
bool response_event(struct response *r, struct slice data);
/* It ends here and so, whatever it said; the first end counts. */
void response_fail(struct response *r, enum status status, const char *why);
/* No more bytes: an open response was cut off. */
void response_closed(struct response *r);
