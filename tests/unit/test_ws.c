/* test_ws.c - a WebSocket's frames: messages in, frames out, every mistake answered with its code. */
#include "ws_rig.h"

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
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
