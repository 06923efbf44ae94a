/* fake_ws.h - WebSocket clients of the scripted surroundings. */
#pragma once

#include "fake_front.h"
#include "ws.h"

struct fake_socket {
        struct fake_client http; /* first: the upgrade */
        struct ws *ws;           /* NULL before and after */
        char protocol[32];       /* the subprotocol that was selected */
        unsigned close_code, pings;
        bool spare; /* may be ended for others' room */
        char close_reason[128];
        struct buf in; /* what it took and is no whole frame */
        void (*take)(struct fake_socket *c, struct slice text);
        void *data;
};

void *fake_socket_arg(const struct fake_socket *c);     /* the server's own */
bool fake_socket_take(struct fake_socket *c, size_t n); /* up to n bytes; true if there were any */
void fake_socket_say(struct fake_socket *c, const char *text);
void fake_socket_leave(struct fake_socket *c, unsigned code); /* and frees what it has */
/* In fake_front.c: the client whose request ends in a connection of another kind. */
struct fake_client *fake_upgraded(struct http_request *r);
