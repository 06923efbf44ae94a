/* channel.h - asking another daemon and being answered, over connections that come and go. */
#pragma once

#include <ev.h>

#include "frame.h"
#include "status.h"

/*
 * A channel stands for one other process: (kind, instance). Who dials is a property of the pair (the exposed side
 * never does); a channel outlives its connections. Messages queued in one loop turn leave in one signed frame.
 * Requests that were not answered when a connection broke are sent again on the next one, in order, with the same
 * bytes; the receiver's receipts make that harmless.
 *
 * Message inside a frame: length le32 (of what follows) | type u8 | op le16 | request id le64 | body
 *     type 1 request, body = op's encoding
 *     type 2 reply, body = status le16 | detail length le16 | detail | JSON or ROWS
 *     type 3 cast, request id 0
 * A message that breaks its row, an op the sender may not send (ops.def, checked against the authenticated kind), a
 * reply to nothing: the connection is closed and logged, never the process.
 *
 * Single-threaded; everything runs on one ev_loop.
 */

struct channel;

/* A request on its way to be answered; the handler owns it until channel_reply() or channel_drop(). */
struct request {
        struct channel *from;
        enum op op;
        uint64_t id;
        uint64_t epoch;     /* of the connection it came on; a reply after that connection died goes nowhere */
        const void *msg;    /* struct op_<name>; borrowed from the frame: valid until the handler returns */
        struct slice bytes; /* its encoding; same life */
        int64_t at;         /* monotonic microseconds when it arrived */
};

/* One op's answer. detail: a short message for the client's error body, may be empty. body: JSON, or ROWS. Slices are
 * valid during the call only. On no answer: STATUS_<KIND>_UNAVAILABLE. */
struct answer {
        enum status status;
        struct slice detail, body;
};
typedef void channel_answer_fn(void *arg, const struct answer *a);

struct channel_events {
        /* A request or cast arrived (casts have id 0 and take no reply). Runs inside the read; may reply at once. */
        void (*request)(void *arg, struct request *r);
        /* Every message of one frame has been handed over; a good moment to start a batch. May be NULL. */
        void (*frame_end)(void *arg, struct channel *c);
        void (*up)(void *arg, struct channel *c);   /* authenticated; may be NULL */
        void (*down)(void *arg, struct channel *c); /* lost; may be NULL. c is freed after this if it was accepted
                                                     * from a kind that has no instance configured (CTL) */
};

struct channel_limits {
        size_t queue_bytes; /* outgoing, beyond it channel_call answers BUSY and casts are refused */
        unsigned pending;   /* unanswered calls */
};

struct hub; /* all channels of one process */
struct hub *hub_new(struct ev_loop *loop, const struct cred_ring *ring, enum daemon_id us, uint8_t instance,
                    const struct channel_events *ev, void *arg, struct channel_limits limits);
void hub_free(struct hub *h);
/* Accept peers on a listening unix socket (non-blocking; ownership passes). */
void hub_listen(struct hub *h, int fd);
/* Keep a connection to (kind, instance) at this socket path; reconnects with backoff 10 ms .. 1 s, jittered. */
struct channel *hub_dial(struct hub *h, enum daemon_id kind, uint8_t instance, const char *path);
/* The channel of this instance; instance 0: of the kind, the lowest connected instance first. NULL if it never
 * connected and was never dialled. */
struct channel *hub_find(struct hub *h, enum daemon_id kind, uint8_t instance);
/* Walk: *it starts NULL; NULL at the end. */
struct channel *hub_next(struct hub *h, struct channel *it);
/* Seals and writes what is queued; otherwise happens by itself before the loop sleeps. */
void hub_flush(struct hub *h);
/* Stop accepting connections and requests: what still arrives stays unanswered, so that the peers send it again to
 * the process that takes our place. Casts and answers still arrive. Up to the caller to wait for hub_idle(). */
void hub_drain(struct hub *h);
bool hub_idle(const struct hub *h); /* nothing queued, nothing pending */

enum daemon_id channel_kind(const struct channel *c);
uint8_t channel_instance(const struct channel *c);
bool channel_up(const struct channel *c);
size_t channel_queued(const struct channel *c); /* outgoing bytes not yet written */
void *channel_data(struct channel *c);          /* the daemon's own, NULL until set */
void channel_set_data(struct channel *c, void *data);

/* Ask. The answer arrives exactly once, on a later loop turn, at the latest after timeout_ms (in steps of 50 ms).
 * STATUS_OK; or BUSY over a bound, BODY_TOO_LARGE over OP_BYTES_MAX: nothing was queued, fn will not be called. */
enum status channel_call(struct channel *c, enum op op, const void *msg, unsigned timeout_ms, channel_answer_fn *fn,
                         void *arg);
/* Stop caring about an answer: fn for this arg will not be called any more. The request itself still runs. */
void channel_forget(struct channel *c, void *arg);
bool channel_cast(struct channel *c, enum op op, const void *msg); /* false: down or over the bound */
/* Gives its connection up, so that both sides begin anew: they ask again what is unanswered, and listen again. */
void channel_restart(struct channel *c, const char *why);
void channel_reply(const struct request *r, enum status s, struct slice detail, struct slice body);
