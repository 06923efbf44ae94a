/* ws_rig.h - one WebSocket over the real HTTP server, an owner that writes down what it is told, and a client. */
#pragma once

#include "http_conn.h"
#include "ws.h"
#include "ws_client.h"

static struct rig *rig;
static struct ws *ws;
static unsigned drained, closed, messages;
static unsigned code; /* closed() said */
static bool echo;
static struct buf heard; /* messages, each in brackets */
static struct slice protocol;

static inline void on_message(void *arg, struct slice text) {
        assert_ptr_equal(arg, &ws);
        assert_int_equal(closed, 0);
        messages++;
        buf_fmt(&heard, "[%.*s]", SLICE_FMT(text));
        if (echo)
                assert_true(ws_send(ws, text));
}

static inline void on_drained(void *arg) {
        assert_ptr_equal(arg, &ws);
        drained++;
}

static inline void on_closed(void *arg, unsigned why) {
        assert_ptr_equal(arg, &ws);
        closed++;
        code = why;
        ws = NULL;
}

static inline void handle(void *arg, struct http_request *r) {
        static const struct ws_events ev = { on_message, on_drained, on_closed };
        const char *why;
        (void)arg;
        enum status s = ws_wanted(r, &why);
        if (s != STATUS_OK)
                http_fail(r, s, slice_of(why), &(struct http_extra){ .upgrade = s == STATUS_UPGRADE_REQUIRED });
        else
                ws = ws_begin(r, protocol, &ev, &ws);
}

static inline int fresh(void **state) {
        (void)state;
        rig_settings("http_idle_seconds = 1\nhttp_body_seconds = 1\n");
        rig = rig_new(handle, NULL, HTTP_PLAIN);
        ws = NULL;
        drained = closed = messages = code = 0;
        echo = true;
        protocol = (struct slice){ 0 };
        buf_free(&heard);
        buf_init(&heard, 1u << 20);
        return 0;
}

static inline struct client *open_ws(void) {
        struct client *c = client_new(rig);
        client_say(rig, c, WS_HELLO);
        rig_until(rig, c, strstr(c->text, "\r\n\r\n"));
        return c;
}

static inline size_t frames_at(const struct client *c) {
        return (size_t)(strstr(c->text, "\r\n\r\n") + 4 - c->text);
}

static inline void send_frame(struct client *c, unsigned first, const void *payload, size_t n) {
        struct buf b;
        buf_init(&b, 1u << 20);
        ws_put(&b, first, payload, n);
        client_send(rig, c, b.p, b.n);
        buf_free(&b);
}

static inline void say(struct client *c, unsigned first, const char *text) {
        send_frame(c, first, text, strlen(text));
}

/* The next frame from the server is this. */
static inline void expect(struct client *c, size_t *at, unsigned first, struct slice want) {
        unsigned got;
        struct slice payload;
        rig_until(rig, c, ws_take(c, at, &got, &payload) || c->eof);
        assert_int_equal(got, first);
        if (!slice_eq(payload, want))
                fail_msg("have \"%.*s\", want \"%.*s\"", SLICE_FMT(payload), SLICE_FMT(want));
}

/* What the server sent beyond echoes and pongs: the code of its close frame, 0 without one. */
static inline unsigned close_code(const struct client *c, unsigned *ret_pongs) {
        size_t at = frames_at(c);
        unsigned first, found = 0;
        struct slice payload;
        *ret_pongs = 0;
        while (ws_take(c, &at, &first, &payload)) {
                assert_int_equal(found, 0); /* nothing after the close frame */
                *ret_pongs += first == PONG;
                if (first == CLOSE)
                        found = payload.n < 2
                                        ? 1
                                        : (unsigned)(unsigned char)payload.p[0] << 8 | (unsigned char)payload.p[1];
        }
        assert_int_equal(at, c->n);
        return found;
}

static char big[WS_MESSAGE_MAX + 1];

static inline struct slice big_text(size_t n) {
        for (size_t i = 0; i < n; i++)
                big[i] = (char)('a' + i % 26);
        return (struct slice){ big, (uint32_t)n };
}
