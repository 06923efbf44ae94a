/* frontend.h - what the rooms of this daemon share: the process, its actor type, its routes. */
#pragma once

#include "daemon.h"
#include "http.h"

enum auth { PUBLIC, USER, USER_OR_INGEST, USER_OR_OPERATOR, OPERATOR, LATER };
enum rate { NONE_RATE, READ_RATE, WRITE_RATE, STREAM_RATE, INGEST_RATE, TURN_RATE, RATE_COUNT };

/* Who is asking: set by auth.c alone, from a verified token or key. Text lives in the request's arena. */
struct actor {
        struct slice account; /* "*": the whole appliance, service keys only */
        struct slice id;      /* user id, or key id */
        struct slice role;    /* owner, admin, member, viewer; ingest, operator */
        bool service;
        int64_t until; /* real microseconds: when a live stream of his has to end; 0: nothing says so */
};

struct frontend; /* main.c: server, hub, fan-out, caches; one per process */

/* auth.c: verifies Authorization. done() is called exactly once, at once or after the writer looked the API key up,
 * unless the request goes first. Until done(), r->gone and r->data are auth.c's; after it they are the handler's.
 * STATUS_RATE_LIMITED: the address may not try another token now. The actor's text lives in the request's arena. */
void auth_start(struct frontend *f, struct http_request *r,
                void (*done)(struct frontend *f, struct http_request *r, enum status s, const struct actor *a));
/* The same for a token that stood elsewhere in the request. */
void auth_bearer(struct frontend *f, struct http_request *r, struct slice token,
                 void (*done)(struct frontend *f, struct http_request *r, enum status s, const struct actor *a));

/* A bare token, for who is no request any more. done() is called exactly once, perhaps at once, unless auth_cancel()
 * comes first; the actor's text is valid during the call only. The memory of q is the caller's, as is scratch, which
 * is needed during the call only. */
struct auth_lookup;
struct auth_ask {
        struct auth_ask *next;
        struct auth_lookup *lookup;
        void (*done)(struct auth_ask *q, enum status s, const struct actor *a);
};
void auth_check(struct frontend *f, const char *address, struct slice token, struct arena *scratch,
                struct auth_ask *q);
void auth_cancel(struct auth_ask *q);
/* The writer said that what an account, or one of its keys (may be empty), may do has changed: keys are looked up
 * again. */
void auth_forget(struct frontend *f, struct slice account, struct slice key);

/* rate.c: true if the request may go on, else *ret_retry is the Retry-After in seconds. */
bool rate_actor(struct frontend *f, enum rate class, const struct actor *a, unsigned *ret_retry);
bool rate_address(struct frontend *f, const char *address, unsigned *ret_retry); /* only asks */
void rate_address_charge(struct frontend *f,
                         const char *address); /* after a refusal; "" (unix peer) is never limited */
/* What an address is counted as: IPv4 whole, IPv6 its /64. Bytes written (0: no address). */
size_t rate_address_key(const char *address, unsigned char to[static 9]);
/* The router asks and charges for every route but PUBLIC ones with rate NONE: route_webhook does both itself. */

/* router.c: the whole way of a request: route, 404/405, OPTIONS, media type, auth, role, rate, handler. */
void router_handle(void *arg, struct http_request *r);

struct route {
        const char *name, *method, *path, *summary;
        enum auth auth;
        enum rate rate;
        enum { NOBODY_BODY, JSON_BODY, EVENTS_BODY, RAW_BODY } body; /* NOBODY: a body that comes anyway is ignored */
        enum op op;
        void (*handler)(struct frontend *f, struct http_request *r, const struct route *route, const struct actor *a);
};
extern const struct route routes[];
extern const unsigned n_routes;
/* The value of :name in the request's path, still encoded; empty if the route has none. */
struct slice route_param(const struct route *route, const struct http_request *r, const char *name);

/* Handlers; call.c, turn.c, chat.c, action.c, events_in.c, stream.c, socket.c, info.c. `a` is valid during the call only (its text as long
 * as the request); it is NULL on PUBLIC routes, and may be on LATER ones. HEAD arrives as GET: http.c leaves the body out. */
typedef void route_fn(struct frontend *f, struct http_request *r, const struct route *route, const struct actor *a);
route_fn route_call, route_webhook, route_events, route_stream, route_health, route_ready, route_root, route_metrics,
        route_socket, route_asset, route_turn, route_chat, route_action;

route_fn route_diff; /* diff_route.c */
route_fn route_csv;  /* csv_route.c */

/* socket_shake.c: the token that a subprotocol carries; false: none does. */
bool socket_bearer(const struct http_request *r, struct slice *ret);

struct ev_loop *frontend_loop(struct frontend *f);
struct hub *frontend_hub(struct frontend *f);
uint8_t frontend_instance(struct frontend *f); /* main.c; for info.c's own metrics */
int64_t frontend_began(struct frontend *f);    /* main.c: monotonic microseconds of the process' start */
/* The channel to a daemon kind, NULL while it never connected. */
struct channel *frontend_peer(struct frontend *f, enum daemon_id kind);
/* fanout.h's state and auth.c's and rate.c's caches hang here. */
struct fanout *frontend_fanout(struct frontend *f);
struct waiting *frontend_waiting(struct frontend *f); /* waiting.h */
struct auth_state *frontend_auth(struct frontend *f);
struct rate_state *frontend_rate(struct frontend *f);

/* fanout.c: what comes from other daemons. main.c hands every request and cast of the hub to it, and the comings and
 * goings of channels. */
struct fanout *fanout_new(struct frontend *f);
void fanout_request(struct frontend *f, struct request *r);
void fanout_up(struct frontend *f, struct channel *c);
void fanout_down(struct frontend *f, struct channel *c);
/* Before http_server_drain(): every listener hears `close` with reason shutdown, and its stream ends. */
void fanout_drain(struct frontend *f);

/* auth.c, rate.c: made once at start, before the sandbox (auth reads credentials). */
struct auth_state *auth_new(struct frontend *f);
struct rate_state *rate_new(void);

/* Who counts: http_*.c counts http_requests, http_responses, http_connections, http_request_duration; router.c counts
 * http_rate_limited and http_auth_failures; stream.c and fanout.c count the stream_* and streams_open. */
