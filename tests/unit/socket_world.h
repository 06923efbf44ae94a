/* socket_world.h - clients on WebSockets in the fan-out's world; they check every event they hear. */
#pragma once

#include "fake_ws.h"
#include "fanout_world.h"
#include "socket.h"

struct socket_client {
        struct fake_socket ws;
        uint64_t heard[SESSIONS];
        uint64_t events;
        size_t pace;        /* bytes it takes in one step */
        char said[64][512]; /* what was no event, in order */
        unsigned n_said, read;
};

/* Upgrades as `actor`; NULL: without identity. */
void socket_join(struct socket_client *c, const char *actor);
void socket_leave(struct socket_client *c);
void say(struct socket_client *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The next message that is no event; "" if there is none. */
const char *next_said(struct socket_client *c);
void assert_said(struct socket_client *c, const char *part); /* the next one has this in it */
void assert_nothing_said(struct socket_client *c);
/* Everything under way happens. */
void settle_sockets(struct socket_client *c, unsigned n);
