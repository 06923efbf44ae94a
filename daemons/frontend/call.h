/* call.h - one request becomes one question to another daemon, and is answered exactly once. */
#pragma once

#include "frontend.h"

#define CALL_JSON "application/json; charset=utf-8"

/* Sets the ACTOR fields of a message. */
void call_actor(enum op op, void *msg, const struct actor *a);
/* The Idempotency-Key header, absent if there is none; INVALID_REQUEST unless 1..100 printable ASCII bytes. */
#define CALL_KEY_WHY "Idempotency-Key takes 1 to 100 printable ASCII characters"
enum status call_key(const struct http_request *r, struct slice *ret);

/* The route's message: actor, command id and everything the request says, bound by the op's row; in the request's arena.
 * NULL: it was answered. */
void *call_bind(struct http_request *r, const struct route *route, const struct actor *a);

/* Answers with the error shape, and Retry-After where waiting helps. */
void call_fail(struct http_request *r, enum status s, struct slice detail);
/* The same for what another daemon answered: a body that comes with an error adds its members to the shape. */
void call_refused(struct http_request *r, const struct answer *a);

/* How long an op's daemon may take to answer, in seconds. */
int64_t call_patience(enum op op);

/* Sends the message to its op's daemon. done() runs once, on a later turn, with arg; if the client leaves first,
 * gone() (may be NULL) runs instead. False: nothing could be asked, and the request was answered here, after gone().
 * The message may be freed when this returns. Who asks OpenClaw does not wait for one that is not there. */
struct call_then {
        void (*done)(struct http_request *r, const struct answer *a, void *arg);
        void (*gone)(void *arg);
};
bool call_ask(struct frontend *f, struct http_request *r, enum op op, const void *msg, const struct call_then *then,
              void *arg);
