/* test_ws.c - a WebSocket over the real HTTP server: messages in, frames out, every end told once and with its code. */
#include "ws.h"

#include "http_conn.h"
#include "ws_client.h"

static struct rig *rig;
static struct ws *ws;
static unsigned drained, closed, messages;
static unsigned code; /* closed() said */
static bool echo;
static struct buf heard; /* messages, each in brackets */
static struct slice protocol;

static void on_message(void *arg, struct slice text) {
        assert_ptr_equal(arg, &ws);
        assert_int_equal(closed, 0);
        messages++;
        buf_fmt(&heard, "[%.*s]", SLICE_FMT(text));
        if (echo)
                assert_true(ws_send(ws, text));
}

static void on_drained(void *arg) {
        assert_ptr_equal(arg, &ws);
        drained++;
}

static void on_closed(void *arg, unsigned why) {
        assert_ptr_equal(arg, &ws);
        closed++;
        code = why;
        ws = NULL;
}

static void handle(void *arg, struct http_request *r) {
        static const struct ws_events ev = { on_message, on_drained, on_closed };
        const char *why;
        (void)arg;
        enum status s = ws_wanted(r, &why);
        if (s != STATUS_OK)
                http_fail(r, s, slice_of(why), &(struct http_extra){ .upgrade = s == STATUS_UPGRADE_REQUIRED });
        else
                ws = ws_begin(r, protocol, &ev, &ws);
}

static int fresh(void **state) {
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

static struct client *open_ws(void) {
        struct client *c = client_new(rig);
        client_say(rig, c, WS_HELLO);
        rig_until(rig, c, strstr(c->text, "\r\n\r\n"));
        return c;
}

static size_t frames_at(const struct client *c) {
        return (size_t)(strstr(c->text, "\r\n\r\n") + 4 - c->text);
}

static void send_frame(struct client *c, unsigned first, const void *payload, size_t n) {
        struct buf b;
        buf_init(&b, 1u << 20);
        ws_put(&b, first, payload, n);
        client_send(rig, c, b.p, b.n);
        buf_free(&b);
}

static void say(struct client *c, unsigned first, const char *text) {
        send_frame(c, first, text, strlen(text));
}

/* The next frame from the server is this. */
static void expect(struct client *c, size_t *at, unsigned first, struct slice want) {
        unsigned got;
        struct slice payload;
        rig_until(rig, c, ws_take(c, at, &got, &payload) || c->eof);
        assert_int_equal(got, first);
        if (!slice_eq(payload, want))
                fail_msg("have \"%.*s\", want \"%.*s\"", SLICE_FMT(payload), SLICE_FMT(want));
}

TEST(the_handshake_proves_itself_and_a_message_comes_back) {
        struct client *c = open_ws();
        size_t at = frames_at(c);
        assert_int_equal(strncmp(c->text, "HTTP/1.1 101 Switching Protocols\r\n", 34), 0);
        assert_non_null(strstr(c->text, "\r\nsec-websocket-accept: " WS_ACCEPT "\r\n"));
        assert_non_null(strstr(c->text, "\r\nupgrade: websocket\r\n"));
        assert_non_null(strstr(c->text, "\r\nconnection: Upgrade\r\n"));
        assert_non_null(strstr(c->text, ws_request_id(ws)));
        assert_null(strstr(c->text, "chunked"));
        assert_null(strstr(c->text, "close"));
        assert_null(strstr(c->text, "content-length"));
        assert_null(strstr(c->text, "sec-websocket-protocol"));
        say(c, TEXT, "Hello");
        expect(c, &at, TEXT, SLICE("Hello"));
        say(c, TEXT, "");
        expect(c, &at, TEXT, SLICE(""));
        assert_int_equal(messages, 2);
        assert_true(ws_heard(ws) > 0);
        client_free(c);
        rig_until(rig, nobody(), closed == 1);
        assert_int_equal(code, WS_ABNORMAL);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(the_handshake_proves_itself_and_a_message_comes_back, fresh),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
