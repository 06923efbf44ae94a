/* http.h - HTTP/1.1 (RFC 9112) on accepted sockets: bytes to requests, responses to bytes; knows no route. */
#pragma once

#include <ev.h>

#include "arena.h"
#include "status.h"

/*
 * llhttp, strict. One request at a time per connection: what a client pipelines behind it stays unread until the
 * response is written. Bounds: request target 8 KiB, headers 64 and 16 KiB together, body HTTP_BODY_MAX (content-length
 * or chunked, counted as it arrives), time limits from the settings. Over a bound or malformed: the named status, and
 * the connection closes after the response. Content-Length with Transfer-Encoding, doubled Content-Length, obs-fold,
 * a missing or doubled Host, Expect other than 100-continue: refused. HEAD is answered like GET without the body.
 *
 * Every response carries x-request-id, x-trace-id, x-content-type-options, x-frame-options, referrer-policy,
 * cache-control: no-store and the CORS headers of cors.h, streams and errors included.
 */
#define HTTP_BODY_MAX (1u << 20)

struct http_server;
struct http_conn;
struct http_stream;

enum http_listener { HTTP_PLAIN, HTTP_PROXY, HTTP_METRICS };

struct http_request {
        struct http_conn *conn;
        enum http_listener via;
        struct slice method, target, path, query; /* target as sent; path still percent-encoded */
        struct slice body;
        struct slice trace_id; /* the client's x-trace-id if it is 1..64 of [A-Za-z0-9_.:-], else made here */
        char request_id[40];
        char address[46];   /* client: the peer's, or PROXY v2's on the proxy socket; "" for unix peers */
        struct arena arena; /* 4 MiB; dies with the request */
        int64_t received;   /* real time, microseconds: last byte of the request */
        int64_t began;      /* monotonic microseconds, same moment */

        /* For whoever answers later: called once if the connection dies before http_respond/http_stream_begin. The
         * request is freed when it returns. */
        void (*gone)(struct http_request *r);
        void *data;
        const void *route; /* the router's mark */
};

/* The answer may take this long from now on. With `leaves`, a client that shuts its sending side has left: gone() is
 * called, as if the connection had died. */
void http_wait(struct http_request *r, double seconds, bool leaves);

/* Header by lower-case name; the empty slice if absent; doubled singleton headers were refused at parse. */
struct slice http_header(const struct http_request *r, const char *name);
/* Media type of Content-Type, lower-cased, without parameters; empty if absent. */
struct slice http_media_type(const struct http_request *r);
/* Walks a header that is a list, over all its lines: the next element, trimmed. *at starts as 0. */
bool http_header_item(const struct http_request *r, const char *name, uint64_t *at, struct slice *ret);
bool http_header_has(const struct http_request *r, const char *name, const char *item); /* ASCII case is ignored */

/* handle() gets every complete request. It must respond, begin a stream, or set gone and do so later. */
struct http_server *http_server_new(struct ev_loop *loop, void (*handle)(void *arg, struct http_request *r),
                                    void *arg);
void http_server_listen(struct http_server *s, int fd, enum http_listener how);
void http_server_drain(struct http_server *s); /* stop accepting; answers carry connection: close; streams are told */
bool http_server_idle(const struct http_server *s);
unsigned http_server_connections(const struct http_server *s);

/* Answer and free the request. body is copied. `allow` (405) and `retry_after` seconds (0: none) are optional;
 * `preflight` adds what a browser asks of OPTIONS, with `allow` as the methods; `upgrade` says which protocol this
 * path speaks (426); `lines` are whole header lines. */
#define HTTP_MEMBERS_MAX (2u << 20) /* longer ones, or what is no object, are left out */
struct http_extra {
        const char *allow;
        unsigned retry_after;
        bool preflight, upgrade;
        struct slice lines;
        const char *cache;    /* cache-control instead of no-store */
        struct slice members; /* http_fail(): a JSON object; what it has that the shape has not is added */
};
void http_respond(struct http_request *r, int code, const char *content_type, struct slice body,
                  const struct http_extra *x);
/* The one error shape {ok:false, code, message, retryable, requestId, traceId}; logs it with the fields. detail
 * replaces the row's text if not empty. */
void http_fail(struct http_request *r, enum status s, struct slice detail, const struct http_extra *x);

/* A response that goes on: headers now (200, chunked), then pieces. Frees the request; the stream keeps request_id.
 * NULL: out of memory, the request was answered BUSY. To HEAD only the headers go out, and closed() follows. */
struct http_stream_events {
        void (*drained)(void *arg); /* everything written has left for the kernel; feed more */
        void (*closed)(void *arg);  /* the client left or the server drains: the stream is already dead */
        /* For http_upgrade() only. input: what the client sent; it may end the stream. timeout: of
         * http_stream_timer(); end the stream. draining: the server drains; end it soon. */
        void (*input)(void *arg, struct slice bytes);
        void (*timeout)(void *arg);
        void (*draining)(void *arg);
};
struct http_stream *http_stream_begin(struct http_request *r, const char *content_type,
                                      const struct http_stream_events *ev, void *arg);
/* What the kernel does not take at once is copied into the connection's queue. False: over HTTP_STREAM_QUEUE, nothing was queued. */
#define HTTP_STREAM_QUEUE (256u << 10)
bool http_stream_write(struct http_stream *s, struct slice bytes);
size_t http_stream_queued(const struct http_stream *s);
int64_t
http_stream_progress(const struct http_stream *s); /* monotonic microseconds of the last byte the client took */
void http_stream_end(struct http_stream *s);       /* final chunk after what is queued; closed() is not called */
const char *http_stream_request_id(const struct http_stream *s);

/* 101 with `lines` of header, then bytes both ways that are not HTTP any more; events and memory as above. Only for
 * http_upgradable() requests. What the client sent behind its head is input too. While the client does not take what is
 * written, nothing is read from it. */
bool http_upgradable(const struct http_request *r); /* a GET of HTTP/1.1 without a body */
struct http_stream *http_upgrade(struct http_request *r, struct slice lines, const struct http_stream_events *ev,
                                 void *arg);
bool http_stream_frame(struct http_stream *s, struct slice head, struct slice bytes); /* two slices, written as one */
void http_stream_timer(struct http_stream *s, double seconds);                        /* 0 stops it */
bool http_stream_timed(const struct http_stream *s);
void http_stream_spare(struct http_stream *s, bool spare); /* true: may be ended when others need the room */
/* input(), timeout(), draining(), drained() and closed() come from the loop, never from inside a call of the above. */
