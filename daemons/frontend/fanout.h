/* fanout.h - every listener of a stream hears each committed event once, in order, or is told why it stops. */
#pragma once

#include "frontend.h"

/*
 * One table of followed streams per process. A listener sends the event after its cursor or nothing: what the writer
 * publishes is passed on when it is exactly that, and anything else (a gap, a slow client, a restarted writer) makes
 * the listener read the database from its cursor until it stands at the head again. So nothing here has to be
 * reliable for delivery to be.
 *
 * A client is an SSE response with one listener, or a socket with one for each of its subscriptions; these share the
 * client's queue, and take turns. Who may listen is asked again every stream_recheck_seconds, and at once when the
 * writer says that something changed.
 *
 * Bounds: streams_per_actor and streams_per_account listeners, FANOUT_ASKING questions to the writer at a time
 * (streams take turns) and one page per client, FANOUT_QUEUE bytes waiting per client before it is sent another piece
 * of as much, FANOUT_RECENT bytes of recent events per stream and format, and FANOUT_RECENT_ALL together.
 */
#define FANOUT_ASKING     64u
#define FANOUT_PAGE       200
#define FANOUT_QUEUE      (64u << 10)
#define FANOUT_RECENT     (256u << 10)
#define FANOUT_RECENT_ALL (64u << 20)
#define FANOUT_SAY        4096u /* what is no event: ids and tokens are at most 128 bytes */

struct fanout;
struct listener;

/* fanout_new(), fanout_request(), fanout_up(), fanout_down() and fanout_drain() are in frontend.h. */
void fanout_free(struct fanout *fo);
unsigned fanout_listeners(const struct fanout *fo);

/* stream.c, socket_sub.c: a place among the actor's streams, taken before the writer is asked; NULL with the status to answer. Ends
 * in fanout_attach(), the socket's listener_join(), or fanout_release(). */
struct listener *fanout_reserve(struct fanout *fo, const struct actor *a, struct slice session, enum status *ret_why);
void fanout_release(struct listener *l);

struct fanout_start {
        struct slice account, session, status;
        uint64_t cursor;     /* the last sequence the client has */
        uint64_t latest;     /* the stream's, as the writer opened it */
        uint64_t checkpoint; /* of the consumer the writer was asked about; 0: none */
        const char *reset;   /* why the client's cursor was not taken (then cursor is 0), or NULL */
};
/* The body of stream_open's reply; false if it is not one. Texts live in the arena. */
bool fanout_opened(struct slice body, struct arena *a, struct fanout_start *ret);

/* The writer opened the stream for this actor: answers the request as text/event-stream and follows. */
void fanout_attach(struct listener *l, struct http_request *r, const struct fanout_start *st);
