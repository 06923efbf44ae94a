/* gateway.h - one request to the OpenClaw gateway: its words as they come, and exactly one way it ends. */
#pragma once

#include <ev.h>

#include "status.h"
#include "text.h"

/*
 * POST /v1/responses, always streamed (the Open Responses shape; the gateway's own manual, openresponses-http-api.md).
 * The gateway is one configured address: no redirect, no proxy, no other host, no address that was not resolved at start.
 * Bounds: GATEWAY_TEXT_MAX bytes of text, GATEWAY_CALLS_MAX function calls of GATEWAY_ARGUMENTS_MAX bytes together,
 * GATEWAY_STREAM_MAX bytes and GATEWAY_EVENTS_MAX events of a response; over one: AI_TOO_MUCH.
 * Single-threaded, on one ev_loop. No function here calls back from inside itself.
 */
#define GATEWAY_TEXT_MAX      65536u
#define GATEWAY_CALLS_MAX     16u
#define GATEWAY_ARGUMENTS_MAX (512u << 10)
#define GATEWAY_STREAM_MAX    (16u << 20)
#define GATEWAY_EVENTS_MAX    100000u

struct gateway;

struct gateway_call {
        struct slice name, arguments; /* arguments: a JSON object that was checked to be one */
};

/* How it ended. Slices are valid during end() only. */
struct gateway_end {
        enum status status; /* OK: completed, or incomplete; else AI_...: nothing of it may be acted on */
        bool incomplete;    /* the answer was cut at the token limit */
        bool spoken;        /* delta() was called: never to be tried again */
        struct slice text;  /* all deltas together, also when it failed */
        struct slice response_id, model;
        int64_t input_tokens, output_tokens;
        const struct gateway_call *calls; /* only with OK */
        unsigned n_calls;
};

struct gateway_events {
        void (*delta)(void *arg, struct slice text); /* UTF-8, never half a character */
        void (*end)(void *arg, const struct gateway_end *end);
};

/* What is asked. Copied. The daemon adds model, stream and nothing else: body is the rest of the request's members,
 * as "input":...,"instructions":... without braces. */
struct gateway_request {
        struct slice session; /* random: names the gateway's incognito session; [a-z0-9-]{1,64} */
        struct slice body;
        unsigned first_ms, gap_ms, total_ms; /* deadlines: first word, next word, all */
};

/* Reads the settings and the credentials openclaw-token and openclaw-ca (PEM, optional), resolves the address. Before
 * the sandbox; die() if they make no sense. No openclaw_url or no token: gateway_configured() is false. */
struct gateway *gateway_new(struct ev_loop *loop);
void gateway_free(struct gateway *g);
bool gateway_configured(const struct gateway *g);
/* Inside the sandbox: warms the gateway up with a test turn, and keeps testing while it fails. changed() when readiness
 * does. */
void gateway_start(struct gateway *g, void (*changed)(void *arg, bool ready), void *arg);
bool gateway_ready(const struct gateway *g);      /* the last turn or test turn succeeded */
const char *gateway_why(const struct gateway *g); /* why it is not: a constant text for people */

/* OK, or AI_NOT_CONFIGURED, AI_RESTING (the breaker is open), BUSY (openclaw_turns_max are under way), BODY_TOO_LARGE
 * (over 2 MB), INTERNAL (session's charset): then nothing was begun and end() is not called. One failure before the
 * first word that may be repeated is repeated once, if the deadlines allow. Failures count for the breaker, but
 * AI_EMPTY, AI_TOO_MUCH and a call's arguments that are no JSON do not: the model, not the gateway, brought them about. */
struct gateway_ask;
enum status gateway_ask(struct gateway *g, const struct gateway_request *q, const struct gateway_events *ev,
                        void *arg, struct gateway_ask **ret);
/* Closes the connection; the gateway aborts the model. end() will not be called. Also from delta() and end(). */
void gateway_cancel(struct gateway_ask *a);
