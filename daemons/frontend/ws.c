/* ws.c - one WebSocket: what a frame does, who closes and how it is told, and never more than the bounds. */
#include <assert.h>
#include <stdlib.h>

#include "ws_frame.h"

#define CLOSE_SECONDS   2     /* for the client's answer to our close frame */
#define CONTROLS_MAX    64    /* control frames a second; more is a flood */
#define CONTROL_RESERVE 1024u /* of the queue: a close frame always fits */
#define CONTROL_MAX     125u  /* RFC 6455 5.5 */

/* wslay's opcodes with the final bit, as they leave. */
enum { FRAME_TEXT = 0x81, FRAME_CLOSE = 0x88, FRAME_PING = 0x89, FRAME_PONG = 0x8a };

struct ws {
        struct http_stream *stream;
        const struct ws_events *ev;
        void *arg;
        int64_t heard, second; /* of the client's last byte; when `controls` began to be counted */
        unsigned controls;
        bool closing;             /* our close frame is queued: nothing more is told */
        struct ws_reader *reader; /* while a frame or message is incomplete */
};

/* For whoever has nothing incomplete: one for the process. */
static struct ws_reader *spare;

static struct ws_reader *reader_take(struct ws *w) {
        struct ws_reader *rd = w->reader ? w->reader : spare;
        if (!w->reader)
                spare = NULL;
        w->reader = NULL;
        return rd ? rd : ws_reader_new();
}

static void reader_give(struct ws_reader *rd) {
        if (spare || !ws_reader_whole(rd))
                ws_reader_free(rd);
        else
                spare = rd;
}

static bool control(struct ws *w, unsigned op, const void *payload, size_t n) {
        char frame[2 + CONTROL_MAX] = { (char)op, (char)n };
        if (n > 0)
                memcpy(frame + 2, payload, n);
        return http_stream_write(w->stream, (struct slice){ frame, (uint32_t)(2 + n) });
}

/* code 0: without one. */
static void close_frame(struct ws *w, unsigned code, struct slice reason) {
        char payload[2 + WS_REASON_MAX] = { (char)(code >> 8), (char)(code & 0xff) };
        size_t n = reason.n <= WS_REASON_MAX ? reason.n : 0;
        if (n > 0)
                memcpy(payload + 2, reason.p, n);
        (void)control(w, FRAME_CLOSE, payload, code == 0 ? 0 : 2 + n); /* the reserve has room for it */
}

/* The rest of the queue leaves, then the connection lingers and closes. */
static void end(struct ws *w, unsigned code) {
        const struct ws_events *ev = w->ev;
        void *arg = w->arg;
        bool tell = !w->closing;
        http_stream_end(w->stream);
        ws_reader_free(w->reader);
        free(w);
        if (tell)
                ev->closed(arg, code);
}

static void fail(struct ws *w, unsigned code, const char *why) {
        if (!w->closing && code != WS_ABNORMAL)
                close_frame(w, code, slice_of(why));
        end(w, code);
}

static bool flood(struct ws *w) {
        if (w->heard - w->second >= 1000000) {
                w->second = w->heard;
                w->controls = 0;
        }
        return ++w->controls > CONTROLS_MAX;
}

/* One item; false: the ws is gone. */
static bool took(struct ws *w, enum ws_took what, const struct ws_item *item) {
        if (what == WS_TEXT) {
                if (!w->closing)
                        w->ev->message(w->arg, item->text);
                return true;
        }
        if (what == WS_WRONG) {
                fail(w, item->code, item->why);
                return false;
        }
        if (what == WS_CLOSE) {
                if (!w->closing)
                        close_frame(w, item->code, (struct slice){ 0 });
                end(w, item->code == 0 ? WS_NORMAL : item->code);
                return false;
        }
        if (flood(w)) {
                fail(w, WS_POLICY, "too many control frames");
                return false;
        }
        /* A client that takes no answers may miss some. */
        if (what == WS_PING && !w->closing && ws_queued(w) + 2 + item->text.n <= HTTP_STREAM_QUEUE - CONTROL_RESERVE)
                (void)control(w, FRAME_PONG, item->text.p, item->text.n);
        return true;
}

/* What is incomplete has its time, from where it began: neither fragments nor control frames between them renew it. */
static void patience(struct ws *w, bool began) {
        if (w->closing)
                return;
        if (!w->reader)
                http_stream_timer(w->stream, 0);
        else if (began || !http_stream_timed(w->stream))
                http_stream_timer(w->stream, WS_FRAGMENT_SECONDS);
}

static void on_input(void *arg, struct slice bytes) {
        struct ws *w = arg;
        struct ws_reader *rd = reader_take(w);
        struct ws_item item = { .code = WS_ABNORMAL };
        enum ws_took what;
        bool began = false; /* what is incomplete now has begun in these bytes */
        w->heard = text_mono_micros();
        if (!rd) {
                fail(w, WS_ABNORMAL, "out of memory");
                return;
        }
        ws_reader_feed(rd, bytes);
        while ((what = ws_reader_next(rd, &item)) != WS_MORE) {
                began = began || !ws_reader_open(rd);
                if (!took(w, what, &item)) {
                        ws_reader_free(rd);
                        return;
                }
        }
        if (ws_reader_whole(rd))
                reader_give(rd);
        else
                w->reader = rd;
        patience(w, began);
}

static void on_timeout(void *arg) {
        struct ws *w = arg;
        fail(w, WS_POLICY, "message not finished in time");
}

static void on_drained(void *arg) {
        struct ws *w = arg;
        if (!w->closing)
                w->ev->drained(w->arg);
}

static void closing(struct ws *w, unsigned code, const char *reason) {
        close_frame(w, code, slice_of(reason));
        w->closing = true;
        http_stream_spare(w->stream, true);
        http_stream_timer(w->stream, CLOSE_SECONDS);
}

static void on_draining(void *arg) {
        struct ws *w = arg;
        if (w->closing)
                return;
        closing(w, WS_GOING_AWAY, "shutdown");
        w->ev->closed(w->arg, WS_GOING_AWAY);
}

static void on_closed(void *arg) {
        struct ws *w = arg;
        const struct ws_events *ev = w->ev;
        void *owner = w->arg;
        bool tell = !w->closing;
        ws_reader_free(w->reader);
        free(w);
        if (tell)
                ev->closed(owner, WS_ABNORMAL);
}

struct ws *ws_begin(struct http_request *r, struct slice protocol, const struct ws_events *ev, void *arg) {
        static const struct http_stream_events events = { .drained = on_drained,
                                                          .closed = on_closed,
                                                          .input = on_input,
                                                          .timeout = on_timeout,
                                                          .draining = on_draining };
        struct ws *w = calloc(1, sizeof(*w));
        char accept[WS_ACCEPT_SIZE];
        struct buf lines;
        buf_init(&lines, 1024);
        if (!w || !ws_accept(http_header(r, "sec-websocket-key"), accept)) {
                free(w);
                http_fail(r, STATUS_BUSY, (struct slice){ 0 }, &(struct http_extra){ .retry_after = 1 });
                return NULL;
        }
        buf_fmt(&lines, "upgrade: websocket\r\nsec-websocket-accept: %.*s\r\n", WS_ACCEPT_SIZE, accept);
        if (protocol.n > 0)
                buf_fmt(&lines, "sec-websocket-protocol: %.*s\r\n", SLICE_FMT(protocol));
        *w = (struct ws){ .ev = ev, .arg = arg, .heard = text_mono_micros() };
        w->stream = http_upgrade(r, buf_view(&lines), &events, w);
        buf_free(&lines);
        if (w->stream)
                return w;
        free(w);
        return NULL;
}

static size_t head(uint64_t n, char to[static 10]) {
        to[0] = (char)FRAME_TEXT;
        to[1] = (char)(n > 65535 ? 127 : n > 125 ? 126 : n);
        size_t size = n > 65535 ? 8 : n > 125 ? 2 : 0;
        for (size_t i = 0; i < size; i++)
                to[2 + i] = (char)(n >> 8 * (size - 1 - i));
        return 2 + size;
}

void ws_frame(struct buf *out, struct slice text) {
        char bytes[10];
        buf_add(out, bytes, head(text.n, bytes));
        buf_slice(out, text);
}

static bool room(const struct ws *w, size_t n) {
        assert(!w->closing);
        return ws_queued(w) + n <= HTTP_STREAM_QUEUE - CONTROL_RESERVE;
}

bool ws_send(struct ws *w, struct slice text) {
        char bytes[10];
        size_t n = head(text.n, bytes);
        return room(w, n + text.n) && http_stream_frame(w->stream, (struct slice){ bytes, (uint32_t)n }, text);
}

bool ws_write(struct ws *w, struct slice frames) {
        return room(w, frames.n) && http_stream_write(w->stream, frames);
}

bool ws_ping(struct ws *w) {
        return room(w, 2) && control(w, FRAME_PING, NULL, 0);
}

size_t ws_queued(const struct ws *w) {
        return http_stream_queued(w->stream);
}

int64_t ws_progress(const struct ws *w) {
        return http_stream_progress(w->stream);
}

int64_t ws_heard(const struct ws *w) {
        return w->heard;
}

const char *ws_request_id(const struct ws *w) {
        return http_stream_request_id(w->stream);
}

void ws_spare(struct ws *w, bool may_go) {
        assert(!w->closing);
        http_stream_spare(w->stream, may_go);
}

void ws_close(struct ws *w, unsigned code, const char *reason) {
        assert(!w->closing && code != WS_ABNORMAL);
        closing(w, code, reason);
}
