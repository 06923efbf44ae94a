/* test_ws_ends.c - how a WebSocket begins and ends: handshakes, time, memory, closing from either side. */
#include "ws_rig.h"

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

TEST(a_message_leaves_at_once_as_one_frame) {
        struct client *c = open_ws();
        size_t at = frames_at(c);
        rig_until(rig, c, !rig->server->conns->on_turn);
        assert_true(ws_send(ws, SLICE("now")));
        assert_int_equal(ws_queued(ws), 0);
        client_read(c);
        assert_int_equal(c->n, at + 5);
        assert_int_equal(drained, 0);
        rig_until(rig, c, drained == 1);
        client_free(c);
}

TEST(a_socket_that_begins_while_the_server_drains_is_told) {
        struct client *c = client_new(rig);
        client_say(rig, c, "GET /ws HTTP/1.1\r\n");
        rig_until(rig, nobody(), http_server_connections(rig->server) == 1 && rig->server->conns->in.n > 0);
        http_server_drain(rig->server);
        for (unsigned i = 0; i < 5; i++)
                ev_run(rig->loop, EVRUN_NOWAIT);
        client_say(rig, c, WS_HELLO_LINES "Sec-WebSocket-Version: 13\r\n\r\n");
        rig_until(rig, c, closed == 1 && strstr(c->text, "\r\n\r\n"));
        assert_int_equal(code, WS_GOING_AWAY);
        size_t at = frames_at(c);
        expect(c, &at, CLOSE, SLICE("\x03\xe9shutdown"));
        client_free(c);
}

/* ---- room ---- */

static struct client *newcomer(void) {
        struct client *c = client_new(rig);
        client_say(rig, c, "GET /ws HTTP/1.1\r\nHost: x\r\n\r\n");
        for (unsigned i = 0; i < 20; i++)
                ev_run(rig->loop, EVRUN_NOWAIT);
        return c;
}

TEST(a_spare_socket_makes_room_and_no_other_does) {
        struct client *c = open_ws(), *next;
        rig->server->max_conns = 1;
        next = newcomer();
        client_read(next);
        assert_int_equal(next->n + closed, 0);
        ws_spare(ws, true);
        ws_spare(ws, false);
        assert_null(rig->server->idle.first);
        ws_spare(ws, true);
        rig_until(rig, next, strstr(next->text, "HTTP/1.1 426"));
        assert_int_equal(closed, 1);
        assert_int_equal(code, WS_ABNORMAL);
        client_free(next);
        client_free(c);
}

TEST(a_socket_that_is_over_makes_room) {
        struct client *c = open_ws(), *next;
        ws_close(ws, WS_IDENTITY, "expired");
        ev_timer_stop(rig->loop, timer()); /* it may take its time */
        rig->server->max_conns = 1;
        next = newcomer();
        rig_until(rig, next, strstr(next->text, "HTTP/1.1 426"));
        assert_int_equal(closed, 0);
        client_free(next);
        client_free(c);
}

TEST(a_spare_socket_that_ends_leaves_the_list) {
        struct client *c = open_ws();
        size_t at = frames_at(c);
        ws_spare(ws, true);
        say(c, CLOSE, "\x03\xe8");
        expect(c, &at, CLOSE, SLICE("\x03\xe8"));
        rig_until(rig, c, c->eof);
        client_free(c);
        rig_until(rig, nobody(), http_server_connections(rig->server) == 0);
        assert_null(rig->server->idle.first);
        assert_null(rig->server->idle.last);
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
                cmocka_unit_test_setup(a_message_leaves_at_once_as_one_frame, fresh),
                cmocka_unit_test_setup(a_socket_that_begins_while_the_server_drains_is_told, fresh),
                cmocka_unit_test_setup(a_spare_socket_makes_room_and_no_other_does, fresh),
                cmocka_unit_test_setup(a_socket_that_is_over_makes_room, fresh),
                cmocka_unit_test_setup(a_spare_socket_that_ends_leaves_the_list, fresh),
                cmocka_unit_test_setup(bytes_behind_the_head_are_input, fresh),
                cmocka_unit_test_setup(a_mistake_behind_the_head_ends_it_from_the_loop, fresh),
                cmocka_unit_test_setup(the_chosen_protocol_is_named, fresh),
                cmocka_unit_test_setup(who_does_not_ask_rightly_is_told_how, fresh),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
