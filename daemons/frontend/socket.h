/* socket.h - inside socket*.c: one WebSocket follows many sessions; what is said on it, and when it ends. */
#pragma once

#include "follow.h"
#include "ws.h"

/*
 * Identity comes with the upgrade (Authorization, or the subprotocol bearer.<token>) or in a first message. A message
 * is a row of socket_ops.c's table and is bound by its record socket_<op> of ops.def. Bounds: SOCKET_BURST messages at
 * once and SOCKET_PER_SECOND after that, SOCKET_STRIKES that are no message at all, socket_subscriptions_max sessions,
 * one checkpoint per subscription and SOCKET_ACKS per actor on their way, sockets_per_actor. What cannot be queued ends the socket as slow.
 */
#define SOCKET_BURST      300
#define SOCKET_PER_SECOND 100
#define SOCKET_STRIKES    3
#define SOCKET_ACKS       4u
#define SOCKET_PROTOCOL   "lifeos.v1"
#define SOCKET_BEARER     "bearer."

struct stranger;
struct subscription;
TAILQ_HEAD(subscriptions, subscription);

struct socket {
        struct outlet outlet; /* first: what the fan-out knows of it */
        struct frontend *frontend;
        struct ws *ws;
        struct who *who;           /* NULL until identity is known */
        struct stranger *stranger; /* NULL from then on */
        struct subscriptions subscriptions;
        unsigned n;
        unsigned strikes;
        int64_t messages; /* monotonic microseconds when all of SOCKET_BURST are there again */
        int64_t pinged;
};

/* Not known yet: kept apart, most of a socket's life is spent without. */
struct stranger {
        struct auth_ask ask; /* first */
        struct socket *socket;
        int64_t deadline; /* monotonic microseconds */
        bool asking;
        char address[46];
};

/* ---- socket_shake.c ---- */

/* OK, or why this request does not become a socket; *ret_why is for INVALID_REQUEST. */
enum status socket_upgrade(const struct http_request *r, const char **ret_why);
bool socket_protocol(const struct http_request *r); /* SOCKET_PROTOCOL is to be selected */

/* ---- socket.c: coming and going ---- */

/* Identity is known. False: the socket is gone. */
bool socket_known(struct socket *so, const struct actor *a);
/* Says why and frees it with all it follows. */
void socket_end(struct socket *so, unsigned code, const char *reason);
struct actor socket_actor(const struct socket *so); /* only when known */

/* ---- socket_ops.c: what clients say ---- */

/* One whole message; the socket may be gone afterwards. */
void socket_message(struct socket *so, struct slice text);

/* ---- socket_sub.c: following one session ---- */

struct subscription {
        TAILQ_ENTRY(subscription) link;
        struct socket *socket;
        struct listener *listener;      /* reserved, and joined once the writer opened the stream */
        struct channel *asked;          /* of whom resume or open is asked; NULL: neither is on its way */
        TAILQ_ENTRY(subscription) turn; /* in who->acking, while it waits */
        struct ack *ack;                /* on its way */
        bool waits;                     /* newest is to be sent when the actor's others leave room */
        struct slice session;           /* behind the struct */
        struct slice consumer;          /* empty: the actor */
        char *resume;                   /* a token to be told with the greeting, or NULL */
        uint64_t cursor, newest; /* where to begin; the highest sequence acknowledged and not sent on yet, or 0 */
        uint64_t acked;          /* the highest that is stored */
        bool placed;             /* the client said where to begin */
};

struct subscription *subscription_find(const struct socket *so, struct slice session);
bool subscription_live(const struct subscription *s); /* greeted */
/* OK: it is on its way; else why not, with the reason in *ret_why if there is more to say than the status does. */
enum status subscription_start(struct socket *so, const struct op_socket_subscribe *m, const char **ret_why);
void subscription_free(struct subscription *s);

/* ---- socket_ack.c: what the client has heard ---- */

void subscription_ack(struct subscription *s, uint64_t sequence);
void subscription_ack_end(struct subscription *s); /* it goes */

/* ---- socket_say.c: what the server says ---- */

/* An event as the frame {"op":"event","event":...}. */
void socket_event(struct buf *out, uint64_t sequence, struct slice event);
void say_ready(struct socket *so);
void say_error(struct socket *so, const char *about, enum status s, struct slice detail, struct slice session);
void say_pong(struct socket *so, struct slice id);
void say_acked(struct socket *so, struct slice session, uint64_t sequence);
void say_unsubscribed(struct socket *so, struct slice session, const char *reason);
void say_subscribed(struct buf *out, const struct listener *l, const struct fanout_start *st);
void say_reset(struct buf *out, const struct listener *l, const char *reason, uint64_t from, uint64_t latest);
