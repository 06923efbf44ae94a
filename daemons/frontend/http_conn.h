/* http_conn.h - inside http_*.c: one accepted connection, the request on it, and who may touch what when. */
#pragma once

#include <llhttp.h>

#include "buf.h"
#include "cors.h"
#include "http.h"

/*
 * A connection is in one state; the comment says which timer runs and what is allocated beyond struct http_conn.
 * Nothing is allocated for a connection that is idle or an idle stream.
 */
enum conn_state {
        CONN_PROXY,   /* the PROXY header is awaited: header timer, `in` */
        CONN_IDLE,    /* between requests: idle timer; may be closed when others need the room */
        CONN_HEAD,    /* request line and headers arrive: header timer, `in`; as idle */
        CONN_BODY,    /* the body arrives: body timer, `in`, `rq`; closed for others' room when nobody is idle */
        CONN_BUSY,    /* somebody is to answer: request timer, `rq`; input waits in `in` or in the kernel */
        CONN_WRITING, /* the answer leaves: body timer renewed by progress, `out`; as BODY, after them */
        CONN_STREAM,  /* a response that goes on: its owner's timer or none, `out` while the client is behind; as idle
                       * while its owner says so */
        CONN_LINGER   /* everything said, our side shut; input is thrown away until the client closes: 2 s; as idle */
};

#define HTTP_TARGET_MAX  8192u
#define HTTP_HEADERS_MAX (16u << 10)
#define HTTP_FIELDS_MAX  64
#define HTTP_READ        (16u << 10) /* one read; also what may wait unread behind a request */
#define HTTP_IN_MAX      (64u << 10)
#define HTTP_OUT_MAX     (16u << 20)
#define HTTP_BODIES_MAX  (128u << 20) /* all unfinished bodies of the process together; beyond: BUSY */

struct http_field {
        struct slice name, value; /* name lower-cased; both in the head */
};

/* A request on its way in, and its private half while it is answered. */
struct http_incoming {
        struct http_request r; /* first: http_request is all that others see */
        llhttp_t parser;
        enum status refused;  /* why the parser was stopped by us; OK if it was not */
        bool head_done, done; /* all headers; all bytes */
        bool old, head, keep; /* HTTP/1.0; HEAD; the connection may stay */
        bool expect;
        uint64_t framed; /* bytes of a chunked body including its framing */
        unsigned n_fields;
        struct http_field fields[HTTP_FIELDS_MAX];
        struct buf headers; /* the head as it came; slices point here */
        struct buf body;
        char media[64];
        char trace[40];
};

struct http_conn {
        struct http_server *server;
        struct http_conn *prev, *next;             /* all */
        struct http_conn *spare_prev, *spare_next; /* in the server's list for its state */
        struct http_conn *turn_next;               /* has something to do before the loop sleeps */
        struct ev_io rd, wr;
        struct ev_timer timer;
        enum conn_state state;
        enum http_listener via;
        bool eof, last;         /* the client will send no more; close after this response */
        bool served;            /* has had an answer; else its first request may be on its way */
        bool on_turn, drained;  /* on the turn list; was told that the server drains */
        bool spare;             /* CONN_STREAM: may be ended for others' room */
        bool leaves;            /* CONN_BUSY: the end of its input is the end of it */
        uint32_t scanned, line; /* CONN_HEAD: bytes already checked; end of the request line, 0 while unknown */
        size_t moved;           /* bytes that left since the timer started */
        struct http_incoming *rq;
        struct http_stream *stream;
        struct buf in, out;
        char address[46];
};

struct http_stream {
        struct http_conn *conn;
        struct http_stream_events ev;
        void *arg;
        int64_t progress;
        size_t discarded;         /* bytes the client sent although it should listen */
        bool chunked, fed, empty; /* fed: written to since the last drained(); empty: HEAD, nothing follows */
        bool raw;                 /* upgraded: bytes both ways */
        char request_id[40];
};

/* Connections somebody else may get the room of, the one that has been in its state longest first. */
struct http_spare {
        struct http_conn *first, *last;
};

struct http_listening {
        struct http_server *server;
        struct ev_io io;
        enum http_listener how;
};
#define HTTP_LISTENERS_MAX 16

struct http_server {
        struct ev_loop *loop;
        void (*handle)(void *arg, struct http_request *r);
        void *arg;
        struct http_listening listeners[HTTP_LISTENERS_MAX];
        unsigned n_listeners, n_conns, max_conns, n_lingering, n_turn;
        bool draining, paused;
        struct ev_timer pause, turn_timer;
        struct ev_prepare turn;
        struct http_conn *conns, *turn_first, *turn_last;
        struct http_spare idle, bodying, writing; /* IDLE, HEAD, LINGER and spare streams; BODY; WRITING */
        size_t bodies;                            /* bytes held by unfinished and unanswered bodies */
        struct cors cors;
        struct buf scratch; /* response heads and chunk frames are made here */
        char read[HTTP_READ];
};

/* http_server.c */
void http_server_turn(struct http_conn *c);      /* http_conn_turn(c) before the loop sleeps */
void http_server_spare_add(struct http_conn *c); /* if its state is one that may be ended for others */
void http_server_spare_remove(struct http_conn *c);
void http_server_add(struct http_conn *c);
void http_server_forget(struct http_conn *c); /* from every list; accepting goes on if it had stopped */

/* http_conn.c: the states */
struct http_conn *http_conn_new(struct http_server *s, int fd, enum http_listener via, const char *address);
void http_conn_turn(struct http_conn *c);
void http_conn_timer(struct http_conn *c, double seconds); /* 0 stops it */
void http_conn_free(struct http_conn *c);                  /* closes; tells gone() or closed() */
void http_conn_wrote(struct http_conn *c);                 /* the response has left */
/* Answers BUSY and closes; in state BODY, not from inside c's own parser. */
void http_conn_displace(struct http_conn *c);
/* Writes or queues; false: the connection is of no more use and the caller frees it. */
bool http_conn_send(struct http_conn *c, struct slice a, struct slice b);

/* http_head.c, http_request.c, http_parse.c: bytes to a request */
struct http_incoming *http_incoming_new(struct http_conn *c);
void http_incoming_free(struct http_incoming *rq);
enum head_scan { HEAD_MORE, HEAD_END, HEAD_BAD, HEAD_LONG_LINE, HEAD_LONG };
enum head_scan http_head_scan(struct http_conn *c, uint32_t *ret_end);
/* OK, or why not. The head's bytes are copied. */
enum status http_incoming_head(struct http_incoming *rq, struct slice head);
enum status http_request_valid(struct http_incoming *rq);
enum status http_incoming_body(struct http_incoming *rq, struct slice bytes, size_t *ret_used);

/* http_write.c */
void http_response_head(struct http_incoming *rq, int code, const char *type, int64_t length,
                        const struct http_extra *x,
                        struct buf *out); /* length -1: chunked, or to the end for HTTP/1.0 */

/* http_stream.c */
void http_stream_flush(struct http_conn *c);
void http_stream_drain(struct http_conn *c);                     /* ends it, and tells closed() */
void http_stream_lost(struct http_conn *c);                      /* the connection goes: closed() */
void http_stream_input(struct http_conn *c, struct slice bytes); /* the connection may be gone afterwards */
void http_stream_timeout(struct http_conn *c);
