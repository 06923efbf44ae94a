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

/* ---- what a client sends, and what becomes of it ---- */

struct piece {
        unsigned first;
        const char *payload;
        uint32_t n;
};
#define P(first, literal)                                                                                            \
        { first, literal, sizeof(literal) - 1 }

struct row {
        const char *name;
        struct piece pieces[6];
        const char *heard; /* messages */
        unsigned code;     /* of the server's close frame; 0: it stays open */
};

static const struct row rows[] = {
        { "two messages", { P(TEXT, "a"), P(TEXT, "b") }, "[a][b]", 0 },
        { "three fragments", { P(TEXT_PART, "Hel"), P(PART, ""), P(LAST, "lo") }, "[Hello]", 0 },
        { "controls between fragments",
          { P(TEXT_PART, "Hel"), P(PING, "x"), P(PART, "l"), P(PONG, ""), P(LAST, "o") },
          "[Hello]",
          0 },
        { "a pong nobody asked for", { P(PONG, "!"), P(TEXT, "a") }, "[a]", 0 },
        { "UTF-8 cut between fragments", { P(TEXT_PART, "\xe2\x82"), P(LAST, "\xac") }, "[\xe2\x82\xac]", 0 },
        { "not UTF-8", { P(TEXT, "\xc3\x28") }, "", WS_NOT_UTF8 },
        { "a surrogate", { P(TEXT, "\xed\xa0\x80") }, "", WS_NOT_UTF8 },
        { "UTF-8 cut off", { P(TEXT, "a\xe2\x82") }, "", WS_NOT_UTF8 },
        { "UTF-8 wrong over fragments", { P(TEXT_PART, "\xe2"), P(PING, ""), P(LAST, "\x28") }, "", WS_NOT_UTF8 },
        { "binary", { P(TEXT, "a"), P(0x82, "b") }, "[a]", WS_UNSUPPORTED },
        { "RSV1 without extension", { P(0xc1, "a") }, "", WS_PROTOCOL },
        { "RSV2", { P(0xa1, "a") }, "", WS_PROTOCOL },
        { "RSV3 on a ping", { P(0x99, "") }, "", WS_PROTOCOL },
        { "opcode 3", { P(0x83, "") }, "", WS_PROTOCOL },
        { "opcode 11", { P(0x8b, "") }, "", WS_PROTOCOL },
        { "continuation of nothing", { P(LAST, "a") }, "", WS_PROTOCOL },
        { "continuation after the end", { P(TEXT_PART, "a"), P(LAST, "b"), P(LAST, "c") }, "[ab]", WS_PROTOCOL },
        { "message inside a message", { P(TEXT_PART, "a"), P(TEXT, "b") }, "", WS_PROTOCOL },
        { "ping in fragments", { P(0x09, "a") }, "", WS_PROTOCOL },
        { "close", { P(TEXT, "a"), P(CLOSE, "\x03\xe8"), P(TEXT, "b") }, "[a]", WS_NORMAL },
        { "close with a reason",
          { P(CLOSE, "\x0f\xa0"
                     "bye") },
          "",
          4000 },
        { "close in a message", { P(TEXT_PART, "a"), P(CLOSE, "\x03\xe9") }, "", WS_GOING_AWAY },
        { "close, one byte", { P(CLOSE, "\x03") }, "", WS_PROTOCOL },
        { "close 999", { P(CLOSE, "\x03\xe7") }, "", WS_PROTOCOL },
        { "close 1004", { P(CLOSE, "\x03\xec") }, "", WS_PROTOCOL },
        { "close 1005", { P(CLOSE, "\x03\xed") }, "", WS_PROTOCOL },
        { "close 1006", { P(CLOSE, "\x03\xee") }, "", WS_PROTOCOL },
        { "close 1015", { P(CLOSE, "\x03\xf7") }, "", WS_PROTOCOL },
        { "close 2000", { P(CLOSE, "\x07\xd0") }, "", WS_PROTOCOL },
        { "close 5000", { P(CLOSE, "\x13\x88") }, "", WS_PROTOCOL },
        { "close, reason not UTF-8", { P(CLOSE, "\x03\xe8\xff") }, "", WS_NOT_UTF8 },
};

/* What the server sent beyond echoes and pongs: the code of its close frame, 0 without one. */
static unsigned close_code(const struct client *c, unsigned *ret_pongs) {
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

static void run_row(const struct row *row, size_t piece) {
        struct buf b;
        unsigned pongs, pings = 0;
        fresh(NULL);
        echo = false;
        struct client *c = open_ws();
        buf_init(&b, 1u << 20);
        for (const struct piece *p = row->pieces; p->payload; p++) {
                ws_put(&b, p->first, p->payload, p->n);
                pings += p->first == PING;
        }
        if (row->code == 0)
                ws_put(&b, PING, "end", 3);
        for (size_t at = 0; at < b.n; at += piece)
                client_send(rig, c, b.p + at, b.n - at < piece ? b.n - at : piece);
        rig_until(rig, c, row->code == 0 ? close_code(c, &pongs) == 0 && pongs > pings : c->eof);
        if (close_code(c, &pongs) != row->code ||
            strcmp(heard.p ? (buf_char(&heard, '\0'), heard.p) : "", row->heard) != 0)
                fail_msg("%s: close %u, heard %s", row->name, close_code(c, &pongs), heard.p ? heard.p : "");
        assert_int_equal(closed, row->code == 0 ? 0 : 1);
        assert_int_equal(code, row->code);
        buf_free(&b);
        client_free(c);
        rig_until(rig, nobody(), http_server_idle(rig->server) && closed == 1);
}

TEST(every_row_of_the_table_however_it_is_cut) {
        for (size_t i = 0; i < COUNT(rows); i++)
                for (size_t piece = 1; piece < 1000; piece = piece * 3 + 1)
                        run_row(&rows[i], piece);
}

TEST(rfc_6455_examples_are_understood) {
        /* 5.7: a single-frame masked text, and the same frame from the server. */
        static const char hello[] = "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58",
                          ping[] = "\x89\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
        struct client *c = open_ws();
        size_t at = frames_at(c), begin = at;
        client_send(rig, c, hello, sizeof hello - 1);
        expect(c, &at, TEXT, SLICE("Hello"));
        assert_memory_equal(c->text + begin, "\x81\x05Hello", 7);
        client_send(rig, c, ping, sizeof ping - 1);
        expect(c, &at, PONG, SLICE("Hello"));
        client_free(c);
}

TEST(a_frame_without_mask_is_an_error) {
        struct client *c = open_ws();
        unsigned pongs;
        client_send(rig, c, "\x81\x05Hello", 7);
        rig_until(rig, c, c->eof);
        assert_int_equal(close_code(c, &pongs), WS_PROTOCOL);
        assert_int_equal(code, WS_PROTOCOL);
        assert_int_equal(messages, 0);
        client_free(c);
}

TEST(a_length_in_more_bytes_than_it_needs_is_an_error) {
        struct client *c = open_ws();
        unsigned pongs;
        client_send(rig, c, "\x81\xfe\x00\x01mask!", 9);
        rig_until(rig, c, c->eof);
        assert_int_equal(close_code(c, &pongs), WS_PROTOCOL);
        client_free(c);
}

/* ---- sizes ---- */

static char big[WS_MESSAGE_MAX + 1];

static struct slice big_text(size_t n) {
        for (size_t i = 0; i < n; i++)
                big[i] = (char)('a' + i % 26);
        return (struct slice){ big, (uint32_t)n };
}

TEST(messages_of_every_length_form_come_back) {
        static const size_t sizes[] = { 125, 126, 127, 4085, 4096, 4097, 8192, WS_MESSAGE_MAX - 1, WS_MESSAGE_MAX };
        struct client *c = open_ws();
        size_t at = frames_at(c);
        for (size_t i = 0; i < COUNT(sizes); i++) {
                struct slice text = big_text(sizes[i]);
                send_frame(c, TEXT, text.p, text.n);
                expect(c, &at, TEXT, text);
        }
        client_free(c);
}

TEST(a_message_over_the_bound_is_too_large_whole_or_summed) {
        for (unsigned parts = 1; parts <= 3; parts++) {
                unsigned pongs;
                fresh(NULL);
                struct client *c = open_ws();
                struct slice text = big_text(sizeof big);
                size_t half = parts == 3 ? WS_MESSAGE_MAX : text.n / 2;
                if (parts == 1) {
                        send_frame(c, TEXT, text.p, text.n);
                } else {
                        send_frame(c, TEXT_PART, text.p, half);
                        send_frame(c, LAST, text.p + half, text.n - half);
                }
                rig_until(rig, c, c->eof);
                assert_int_equal(close_code(c, &pongs), WS_TOO_LARGE);
                assert_int_equal(code, WS_TOO_LARGE);
                assert_int_equal(messages, 0);
                client_free(c);
        }
}

TEST(a_length_nobody_can_mean_is_too_large_at_its_first_byte) {
        static const char head[] = "\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff"
                                   "mask"
                                   "x";
        struct client *c = open_ws();
        unsigned pongs;
        client_send(rig, c, head, sizeof head - 1);
        rig_until(rig, c, c->eof);
        assert_int_equal(close_code(c, &pongs), WS_TOO_LARGE);
        client_free(c);
}

TEST(sixty_four_kibibytes_leave_with_the_long_length) {
        static char text[70000];
        struct client *c = open_ws();
        size_t at = frames_at(c);
        struct buf b;
        memset(text, 't', sizeof text);
        buf_init(&b, 1u << 20);
        ws_frame(&b, (struct slice){ text, 65535 });
        ws_frame(&b, SLICE("between"));
        assert_true(ws_write(ws, buf_view(&b)));
        assert_true(ws_send(ws, (struct slice){ text, sizeof text }));
        expect(c, &at, TEXT, (struct slice){ text, 65535 });
        expect(c, &at, TEXT, SLICE("between"));
        expect(c, &at, TEXT, (struct slice){ text, sizeof text });
        buf_free(&b);
        client_free(c);
}

/* ---- time ---- */

static struct ev_timer *timer(void) {
        assert_int_equal(rig->server->n_conns, 1);
        return &rig->server->conns->timer;
}

/* Everything sent was taken: the server answered a ping behind it. */
static void settle(struct client *c, const char *mark) {
        say(c, PING, mark);
        rig_until(rig, c, memmem(c->text, c->n, mark, strlen(mark)));
}

TEST(fragments_have_their_time_and_do_not_renew_it) {
        struct client *c = open_ws();
        unsigned pongs;
        settle(c, "(1)");
        assert_false(ev_is_active(timer()));
        say(c, TEXT_PART, "a");
        settle(c, "(2)");
        assert_true(ev_is_active(timer()));
        assert_true(ev_timer_remaining(rig->loop, timer()) <= WS_FRAGMENT_SECONDS + 0.1);
        ev_timer_stop(rig->loop, timer());
        ev_timer_set(timer(), 7., 0.);
        ev_timer_start(rig->loop, timer());
        for (unsigned i = 0; i < 5; i++)
                say(c, PART, "a");
        settle(c, "(3)");
        assert_true(ev_timer_remaining(rig->loop, timer()) < 8.);
        ev_invoke(rig->loop, timer(), EV_TIMER);
        assert_int_equal(closed, 1);
        assert_int_equal(code, WS_POLICY);
        rig_until(rig, c, c->eof);
        assert_int_equal(close_code(c, &pongs), WS_POLICY);
        client_free(c);
}

TEST(a_message_that_ends_stops_the_time_and_the_next_has_its_own) {
        struct client *c = open_ws();
        say(c, TEXT_PART, "a");
        settle(c, "(1)");
        assert_true(ev_is_active(timer()));
        say(c, LAST, "b");
        settle(c, "(2)");
        assert_false(ev_is_active(timer()));
        say(c, TEXT_PART, "a");
        settle(c, "(3)");
        ev_timer_stop(rig->loop, timer());
        ev_timer_set(timer(), 7., 0.);
        ev_timer_start(rig->loop, timer());
        struct buf b; /* the end of one and the beginning of the next in the same read */
        buf_init(&b, 1000);
        ws_put(&b, LAST, "b", 1);
        ws_put(&b, TEXT_PART, "c", 1);
        client_send(rig, c, b.p, b.n);
        settle(c, "(4)");
        assert_true(ev_timer_remaining(rig->loop, timer()) > WS_FRAGMENT_SECONDS - 5.);
        buf_free(&b);
        client_free(c);
}

TEST(a_frame_that_never_ends_has_its_time_too) {
        struct client *c = open_ws();
        client_send(rig, c, "\x81", 1);
        rig_until(rig, c, ev_is_active(timer()));
        ev_invoke(rig->loop, timer(), EV_TIMER);
        assert_int_equal(code, WS_POLICY);
        client_free(c);
}

/* ---- memory ---- */

TEST(an_idle_socket_holds_almost_nothing) {
        struct client *c = open_ws();
        size_t at = frames_at(c);
        say(c, TEXT, "x");
        expect(c, &at, TEXT, SLICE("x"));
        rig_until(rig, c, drained > 0);
        const struct http_conn *conn = rig->server->conns;
        assert_null(conn->rq);
        assert_null(conn->in.p);
        assert_null(conn->out.p);
        print_message("heap: http_conn %zu, http_stream %zu\n", sizeof(struct http_conn), sizeof(struct http_stream));
        client_free(c);
}

TEST(a_client_that_reads_nothing_fills_the_queue_and_no_more_and_is_not_listened_to) {
        struct client *c = client_new(rig);
        int small = 32 << 10;
        unsigned taken = 0, first;
        struct slice text = big_text(8192), payload;
        setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
        client_say(rig, c, WS_HELLO);
        rig_until(rig, nobody(), ws != NULL);
        while (ws_send(ws, text)) {
                assert_true(++taken < 10000);
                ev_run(rig->loop, EVRUN_NOWAIT);
        }
        assert_true(ws_queued(ws) > HTTP_STREAM_QUEUE - 3 * text.n);
        assert_true(ws_queued(ws) <= HTTP_STREAM_QUEUE);
        echo = false;
        say(c, TEXT, "not heard yet");
        for (unsigned i = 0; i < 20; i++)
                ev_run(rig->loop, EVRUN_NOWAIT);
        assert_int_equal(messages, 0);
        int64_t before = ws_progress(ws);
        rig_until(rig, c, messages == 1);
        assert_true(ws_progress(ws) > before);
        ws_close(ws, WS_SLOW, "slow");
        rig_until(rig, c, memmem(c->text, c->n, "slow", 4));
        size_t at = frames_at(c);
        for (; ws_take(c, &at, &first, &payload) && first == TEXT; taken--)
                assert_true(slice_eq(payload, text));
        assert_int_equal(taken, 0);
        assert_int_equal(first, CLOSE);
        client_free(c);
}

TEST(a_full_queue_still_has_room_for_the_close_frame) {
        struct client *c = client_new(rig);
        int small = 32 << 10;
        setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
        client_say(rig, c, WS_HELLO);
        rig_until(rig, nobody(), ws != NULL);
        while (ws_send(ws, SLICE("0123456789")) || http_stream_queued(rig->server->conns->stream) == 0)
                if (ws_queued(ws) % 1200 == 0)
                        ev_run(rig->loop, EVRUN_NOWAIT);
        size_t before = rig->server->conns->out.n;
        ws_close(ws, WS_SLOW, "too slow");
        assert_int_equal(rig->server->conns->out.n, before + 2 + 2 + 8);
        rig_until(rig, c, memmem(c->text, c->n, "too slow", 8));
        client_free(c);
}

TEST(a_flood_of_pings_is_ended) {
        struct client *c = open_ws();
        struct buf b;
        unsigned pongs;
        buf_init(&b, 1u << 20);
        for (unsigned i = 0; i < 2000; i++)
                ws_put(&b, PING, "", 0);
        client_send(rig, c, b.p, b.n);
        rig_until(rig, c, c->eof);
        assert_int_equal(close_code(c, &pongs), WS_POLICY);
        assert_int_equal(code, WS_POLICY);
        assert_true(pongs > 0 && pongs < 200);
        buf_free(&b);
        client_free(c);
}

/* ---- ends ---- */

TEST(our_close_is_answered_and_nothing_more_is_heard) {
        struct client *c = open_ws();
        size_t at = frames_at(c);
        say(c, TEXT, "before");
        expect(c, &at, TEXT, SLICE("before"));
        ws_close(ws, WS_REVOKED, "revoked");
        expect(c, &at, CLOSE, SLICE("\x11\x33revoked"));
        say(c, TEXT, "after");
        say(c, CLOSE, "\x11\x33");
        rig_until(rig, c, c->eof);
        assert_int_equal(messages, 1);
        assert_int_equal(closed, 0);
        assert_int_equal(at, c->n);
        client_free(c);
}

TEST(a_client_that_does_not_answer_our_close_is_let_go) {
        struct client *c = open_ws();
        size_t at = frames_at(c);
        ws_close(ws, WS_TOO_MANY, "");
        expect(c, &at, CLOSE, SLICE("\x11\x4d"));
        assert_true(ev_is_active(timer()) && ev_timer_remaining(rig->loop, timer()) <= 2.1);
        assert_false(c->eof);
        ev_invoke(rig->loop, timer(), EV_TIMER);
        rig_until(rig, c, c->eof);
        assert_int_equal(closed, 0);
        client_free(c);
}

TEST(a_close_without_code_is_normal_and_echoed_without) {
        struct client *c = open_ws();
        size_t at = frames_at(c);
        say(c, CLOSE, "");
        expect(c, &at, CLOSE, SLICE(""));
        rig_until(rig, c, c->eof);
        assert_int_equal(code, WS_NORMAL);
        client_free(c);
}

TEST(what_waits_leaves_before_the_answer_to_a_close) {
        struct client *c = open_ws();
        size_t at = frames_at(c);
        assert_true(ws_send(ws, SLICE("waits")));
        say(c, CLOSE, "\x03\xe8");
        expect(c, &at, TEXT, SLICE("waits"));
        expect(c, &at, CLOSE, SLICE("\x03\xe8"));
        rig_until(rig, c, c->eof);
        client_free(c);
}

TEST(a_client_that_half_closes_or_disappears_is_lost) {
        struct client *c = open_ws();
        shutdown(c->fd, SHUT_WR);
        rig_until(rig, c, c->eof);
        assert_int_equal(closed, 1);
        assert_int_equal(code, WS_ABNORMAL);
        client_free(c);
        fresh(NULL);
        c = open_ws();
        client_send(rig, c, "\x81\x85\x37", 3); /* in the middle of a frame */
        struct linger reset = { .l_onoff = 1 };
        setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        client_free(c);
        rig_until(rig, nobody(), closed == 1);
        assert_int_equal(code, WS_ABNORMAL);
        assert_int_equal(http_server_connections(rig->server), 0);
}

TEST(a_client_lost_after_our_close_is_not_told) {
        struct client *c = open_ws();
        ws_close(ws, WS_NORMAL, "bye");
        client_free(c);
        rig_until(rig, nobody(), http_server_connections(rig->server) == 0);
        assert_int_equal(closed, 0);
}

TEST(draining_says_going_away_and_waits_for_the_answer) {
        struct client *c = open_ws();
        size_t at = frames_at(c);
        assert_true(ws_send(ws, SLICE("last words")));
        http_server_drain(rig->server);
        assert_int_equal(closed, 0);
        expect(c, &at, TEXT, SLICE("last words"));
        expect(c, &at, CLOSE, SLICE("\x03\xe9shutdown"));
        assert_int_equal(closed, 1);
        assert_int_equal(code, WS_GOING_AWAY);
        assert_false(http_server_idle(rig->server));
        say(c, CLOSE, "\x03\xe9");
        rig_until(rig, c, c->eof && http_server_idle(rig->server));
        assert_int_equal(closed, 1);
        client_free(c);
}

/* ---- the handshake ---- */

TEST(bytes_behind_the_head_are_input) {
        static const char head[] = WS_HELLO;
        for (size_t piece = 1; piece < 2000; piece = piece * 7 + 5) {
                struct buf b;
                fresh(NULL);
                struct client *c = client_new(rig);
                buf_init(&b, 1u << 20);
                buf_add(&b, head, sizeof head - 1);
                ws_put(&b, TEXT, "early", 5);
                ws_put(&b, TEXT, "bird", 4);
                for (size_t at = 0; at < b.n; at += piece)
                        client_send(rig, c, b.p + at, b.n - at < piece ? b.n - at : piece);
                rig_until(rig, c, messages == 2 && strstr(c->text, "\r\n\r\n"));
                size_t at = frames_at(c);
                expect(c, &at, TEXT, SLICE("early"));
                expect(c, &at, TEXT, SLICE("bird"));
                buf_free(&b);
                client_free(c);
        }
}

TEST(a_mistake_behind_the_head_ends_it_from_the_loop) {
        struct client *c = client_new(rig);
        client_say(rig, c, WS_HELLO "\x81\x05Hello and more");
        rig_until(rig, c, c->eof);
        assert_int_equal(closed, 1);
        assert_int_equal(code, WS_PROTOCOL);
        client_free(c);
}

TEST(the_chosen_protocol_is_named) {
        protocol = SLICE("lifeos.v1");
        struct client *c = open_ws();
        assert_non_null(strstr(c->text, "\r\nsec-websocket-protocol: lifeos.v1\r\n"));
        client_free(c);
}

#define KEY "Sec-WebSocket-Key: " WS_KEY "\r\n"
#define V13 "Sec-WebSocket-Version: 13\r\n"
#define UP  "Upgrade: websocket\r\n"

TEST(who_does_not_ask_rightly_is_told_how) {
        static const struct {
                const char *request;
                int status;
        } asked[] = {
                { "GET /ws HTTP/1.1\r\nHost: x\r\n\r\n", 426 },
                { "GET /ws HTTP/1.1\r\nHost: x\r\n" UP KEY V13 "\r\n", 426 },
                { "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n" KEY V13 "\r\n", 426 },
                { "GET /ws HTTP/1.1\r\n" WS_HELLO_LINES "Sec-WebSocket-Version: 8\r\n\r\n", 426 },
                { "GET /ws HTTP/1.1\r\n" WS_HELLO_LINES "Sec-WebSocket-Version: 13, 8\r\n\r\n", 426 },
                { "GET /ws HTTP/1.1\r\n" WS_HELLO_LINES "\r\n", 426 },
                { "GET /ws HTTP/1.1\r\n" WS_HELLO_LINES V13 V13 "\r\n", 400 },
                { "GET /ws HTTP/1.1\r\n" WS_HELLO_LINES V13 KEY "\r\n", 400 },
                { "GET /ws HTTP/1.0\r\n" WS_HELLO_LINES V13 "\r\n", 400 },
                { "HEAD /ws HTTP/1.1\r\n" WS_HELLO_LINES V13 "\r\n", 400 },
                { "POST /ws HTTP/1.1\r\n" WS_HELLO_LINES V13 "Content-Length: 0\r\n\r\n", 400 },
                { "GET /ws HTTP/1.1\r\n" WS_HELLO_LINES V13 "Content-Length: 1\r\n\r\nx", 400 },
                { "GET /ws HTTP/1.1\r\n" WS_HELLO_LINES V13 "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400 },
                { "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n" UP V13 "\r\n", 400 },
                { "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n" UP V13
                  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ\r\n\r\n",
                  400 },
                { "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n" UP V13
                  "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==AAAA\r\n\r\n",
                  400 },
                { "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: close\r\nConnection: UPGRADE\r\nUpgrade: h2c, "
                  "WebSocket\r\n" KEY V13 "\r\n",
                  101 },
        };
        for (size_t i = 0; i < COUNT(asked); i++) {
                struct client *c = client_new(rig);
                client_say(rig, c, asked[i].request);
                rig_until(rig, c, strstr(c->text, "\r\n\r\n"));
                if (atoi(c->text + 9) != asked[i].status)
                        fail_msg("%zu: %.12s", i, c->text);
                if (asked[i].status == 426) {
                        assert_non_null(strstr(c->text, "\r\nsec-websocket-version: 13\r\n"));
                        assert_non_null(strstr(c->text, "\r\nupgrade: websocket\r\n"));
                }
                client_free(c);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(the_handshake_proves_itself_and_a_message_comes_back, fresh),
                cmocka_unit_test_setup(every_row_of_the_table_however_it_is_cut, fresh),
                cmocka_unit_test_setup(rfc_6455_examples_are_understood, fresh),
                cmocka_unit_test_setup(a_frame_without_mask_is_an_error, fresh),
                cmocka_unit_test_setup(a_length_in_more_bytes_than_it_needs_is_an_error, fresh),
                cmocka_unit_test_setup(messages_of_every_length_form_come_back, fresh),
                cmocka_unit_test_setup(a_message_over_the_bound_is_too_large_whole_or_summed, fresh),
                cmocka_unit_test_setup(a_length_nobody_can_mean_is_too_large_at_its_first_byte, fresh),
                cmocka_unit_test_setup(sixty_four_kibibytes_leave_with_the_long_length, fresh),
                cmocka_unit_test_setup(fragments_have_their_time_and_do_not_renew_it, fresh),
                cmocka_unit_test_setup(a_message_that_ends_stops_the_time_and_the_next_has_its_own, fresh),
                cmocka_unit_test_setup(a_frame_that_never_ends_has_its_time_too, fresh),
                cmocka_unit_test_setup(an_idle_socket_holds_almost_nothing, fresh),
                cmocka_unit_test_setup(a_client_that_reads_nothing_fills_the_queue_and_no_more_and_is_not_listened_to,
                                       fresh),
                cmocka_unit_test_setup(a_full_queue_still_has_room_for_the_close_frame, fresh),
                cmocka_unit_test_setup(a_flood_of_pings_is_ended, fresh),
                cmocka_unit_test_setup(our_close_is_answered_and_nothing_more_is_heard, fresh),
                cmocka_unit_test_setup(a_client_that_does_not_answer_our_close_is_let_go, fresh),
                cmocka_unit_test_setup(a_close_without_code_is_normal_and_echoed_without, fresh),
                cmocka_unit_test_setup(what_waits_leaves_before_the_answer_to_a_close, fresh),
                cmocka_unit_test_setup(a_client_that_half_closes_or_disappears_is_lost, fresh),
                cmocka_unit_test_setup(a_client_lost_after_our_close_is_not_told, fresh),
                cmocka_unit_test_setup(draining_says_going_away_and_waits_for_the_answer, fresh),
                cmocka_unit_test_setup(bytes_behind_the_head_are_input, fresh),
                cmocka_unit_test_setup(a_mistake_behind_the_head_ends_it_from_the_loop, fresh),
                cmocka_unit_test_setup(the_chosen_protocol_is_named, fresh),
                cmocka_unit_test_setup(who_does_not_ask_rightly_is_told_how, fresh),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
