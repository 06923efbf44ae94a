/* ws.h - WebSocket (RFC 6455) on a client's connection: whole text messages in, frames out, every end with its code. */
#pragma once

#include "buf.h"
#include "http.h"

/*
 * Framing by wslay; what a connection needs beyond its socket exists only while a frame is incomplete. Bounds: a
 * message WS_MESSAGE_MAX bytes, whether whole or in fragments (beyond: 1009), the fragments of one message
 * WS_FRAGMENT_SECONDS (1008), what waits to be taken by the client HTTP_STREAM_QUEUE. The client's mistakes end the
 * connection with 1002, 1003 (binary) or 1007 (not UTF-8). Pings are answered here.
 */
#define WS_MESSAGE_MAX      (16u << 10)
#define WS_FRAGMENT_SECONDS 30
#define WS_REASON_MAX       123u /* bytes of a close frame's reason */

enum ws_code {
        WS_NORMAL = 1000,
        WS_GOING_AWAY = 1001,
        WS_PROTOCOL = 1002,
        WS_UNSUPPORTED = 1003,
        WS_ABNORMAL = 1006, /* never sent: the connection broke */
        WS_NOT_UTF8 = 1007,
        WS_POLICY = 1008,
        WS_TOO_LARGE = 1009,
        WS_UNKNOWN_OP = 4400,
        WS_IDENTITY = 4401,
        WS_REVOKED = 4403,
        WS_SLOW = 4408,
        WS_TOO_MANY = 4429,
};

struct ws;
struct ws_events {
        void (*message)(void *arg, struct slice text); /* whole, UTF-8; valid during the call */
        void (*drained)(void *arg);                    /* everything written has left for the kernel */
        /* It has ended, by whom and how is in the code: the client's close or mistake, a lost connection
         * (WS_ABNORMAL), or the server draining (WS_GOING_AWAY). Not called after ws_close(). The ws is dead. */
        void (*closed)(void *arg, unsigned code);
};

/* Before the sandbox: the one hash this needs is found, or the process dies. */
void ws_open(void);
/* OK if the request asks for this protocol, else UPGRADE_REQUIRED or INVALID_REQUEST with the reason in *ret_why. */
enum status ws_wanted(const struct http_request *r, const char **ret_why);
/* 101; frees the request. protocol: the subprotocol chosen, or empty. NULL: out of memory, answered BUSY. ev must
 * outlive the ws. */
struct ws *ws_begin(struct http_request *r, struct slice protocol, const struct ws_events *ev, void *arg);

/* False: over HTTP_STREAM_QUEUE, nothing was queued. */
bool ws_send(struct ws *w, struct slice text);    /* as one text frame */
bool ws_write(struct ws *w, struct slice frames); /* whole frames made by ws_frame() */
bool ws_ping(struct ws *w);
size_t ws_queued(const struct ws *w);
int64_t ws_progress(const struct ws *w); /* monotonic microseconds of the last byte the client took */
int64_t ws_heard(const struct ws *w);    /* of the last byte that came from it */
const char *ws_request_id(const struct ws *w);
/* True: it may be ended (WS_ABNORMAL) when others need the room. So is whoever was told that it is over. */
void ws_spare(struct ws *w, bool may_go);

/* Queues the close frame behind what waits, takes no more messages, and lets go when the client has answered or 2 s
 * are over. The ws is dead to the caller at once. */
void ws_close(struct ws *w, unsigned code, const char *reason);

/* Appends one text frame of the server's (unmasked, final). */
void ws_frame(struct buf *out, struct slice text);
/* message(), drained() and closed() come from the loop, never from inside a call of the above. */
