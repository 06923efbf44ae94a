/* ask.h - one request to the gateway from its first try to its one end; inside the gateway's own rooms only. */
#pragma once

#include <curl/curl.h>

#include "address.h"
#include "cred.h"
#include "multi.h"
#include "response.h"
#include "sse.h"

#define GATEWAY_BODY_MAX (2u << 20)

/* The way out: what every request has in common. */
struct way {
        struct ev_loop *loop;
        struct multi *multi;
        struct address address;
        struct secret bearer; /* the header line with the token, NUL-terminated; libcurl reads it from here */
        struct secret ca;     /* PEM; whom TLS trusts */
        const char *agent;
};

#define ASK_HEADERS 6

struct gateway_ask {
        struct way *way;
        struct gateway_ask *next, **at; /* the gateway's list */
        bool test;                      /* a test turn: tried once */
        void (*word)(struct gateway_ask *a, struct slice text);
        void (*end)(struct gateway_ask *a); /* the last thing it does: freed when this returns */
        void *owner;
        struct gateway_events ev; /* the owner's: of whom it asks for */
        void *arg;

        CURL *easy; /* NULL: waits for its next try */
        struct curl_slist header[ASK_HEADERS];
        struct curl_slist resolve;
        char session[192];
        struct buf body, refusal; /* refusal: of an answer other than 200 */
        struct sse sse;
        struct response response;
        size_t head_bytes, bytes;
        long code; /* of HTTP; 0: no answer yet */
        unsigned tries;
        bool inside, gone; /* in a callback; cancelled there */
        int64_t begun;     /* monotonic microseconds, as all below */
        int64_t first_at, gap, gap_at, total_at, pause_until, ended_at;
        ev_timer timer;
};

/* Begins. NULL: out of memory. The caller sets word, end, owner, ev, arg before the loop turns. */
struct gateway_ask *ask_new(struct way *way, const struct gateway_request *q);
/* Closes the connection and frees, without end(). From anywhere, end() included. */
void ask_cancel(struct gateway_ask *a);
/* The transfer's own news, from the multi. */
void ask_transfer_done(void *arg, CURLcode result);

/* head.c: everything libcurl is told about a request. False: it refuses. */
bool head_set(struct gateway_ask *a, curl_write_callback body, curl_write_callback head);
