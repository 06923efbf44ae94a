/* test_channel_lies - a proven peer that sends what its row forbids loses its connection, and nobody else anything. */
#include "stranger.h"

/* ---- messages of a proven peer ---- */

static void message_is_refused(unsigned type, unsigned op, uint64_t id, struct slice body) {
        struct stranger s;
        struct buf b;
        prove(&s);
        buf_init(&b, 4096);
        message(&b, type, op, id, body);
        put_frame(&s, buf_view(&b));
        refused(&s);
        assert_int_equal(frontend->requests, 0);
        assert_int_equal(frontend->casts, 0);
        buf_free(&b);
}

static struct buf session_get(void) {
        struct op_session_get m = ask_for("call-1");
        struct buf b;
        buf_init(&b, 1000);
        op_encode(OP_session_get, &m, &b);
        return b;
}

TEST(an_op_that_the_sender_may_not_send_is_refused) {
        struct buf b = session_get(); /* FRONTEND to WRITER: a writer may not send it to a frontend */
        message_is_refused(1, OP_session_get, 1, buf_view(&b));
        buf_free(&b);
}

TEST(an_unknown_op_is_refused) {
        message_is_refused(1, OP_COUNT, 1, (struct slice){ 0 });
}
TEST(a_record_is_no_message) {
        message_is_refused(3, OP_event_stored, 0, (struct slice){ 0 });
}
TEST(an_unknown_type_is_refused) {
        message_is_refused(9, OP_stream_head, 0, (struct slice){ 0 });
}
TEST(a_cast_as_a_request_is_refused) {
        message_is_refused(1, OP_stream_head, 1, (struct slice){ 0 });
}
TEST(a_cast_with_an_id_is_refused) {
        message_is_refused(3, OP_stream_head, 1, (struct slice){ 0 });
}
TEST(a_message_that_breaks_its_row_is_refused) {
        message_is_refused(3, OP_stream_head, 0, SLICE("\1\2\3"));
}
TEST(a_reply_to_nothing_is_refused) {
        message_is_refused(2, OP_session_get, 1, SLICE("\0\0\0\0{}"));
}

TEST(messages_must_fill_their_frame_exactly) {
        const struct slice payload[] = { SLICE("abc"), SLICE("\4\0\0\0abcd"),
                                         SLICE("\0\1\0\0\1\2\3\4\5\6\7\10\11\12\13"),
                                         SLICE("\377\377\377\377\1\2\3\4\5\6\7\10\11\12\13") };
        for (size_t i = 0; i < COUNT(payload); i++) {
                struct stranger s;
                prove(&s);
                put_frame(&s, payload[i]);
                until(closed(&s));
                (void)close(s.fd);
        }
        still_serves();
}

/* The frontend asked; the reply is a lie. The call survives and is answered by an honest writer. */
static void reply_is_refused(unsigned op, struct slice body) {
        struct stranger s;
        struct heard h = { 0 };
        struct buf b;
        prove(&s);
        assert_int_equal(ask(frontend, "call-1", 20000, &h), STATUS_OK);
        settle();
        buf_init(&b, 4096);
        message(&b, 2, op, 1, body);
        put_frame(&s, buf_view(&b));
        until(closed(&s));
        (void)close(s.fd);
        assert_int_equal(h.n, 0);
        still_serves();
        until(h.n == 1);
        assert_int_equal(h.status, STATUS_OK);
        buf_free(&b);
}

TEST(a_reply_to_another_op_is_refused) {
        reply_is_refused(OP_session_list, SLICE("\0\0\0\0{}"));
}
TEST(a_cut_reply_is_refused) {
        reply_is_refused(OP_session_get, SLICE("\0\0\0"));
}
TEST(a_reply_with_an_unknown_status_is_refused) {
        reply_is_refused(OP_session_get, SLICE("\377\0\0\0{}"));
}
TEST(a_reply_with_too_long_a_detail_is_refused) {
        reply_is_refused(OP_session_get, SLICE("\0\0\7\0{}"));
}
TEST(a_detail_that_is_no_text_is_refused) {
        reply_is_refused(OP_session_get, SLICE("\0\0\2\0\377\376"));
}

TEST(a_second_reply_is_refused) {
        struct stranger s;
        struct heard h = { 0 };
        struct buf b;
        prove(&s);
        assert_int_equal(ask(frontend, "call-1", 20000, &h), STATUS_OK);
        settle();
        buf_init(&b, 4096);
        message(&b, 2, OP_session_get, 1, SLICE("\0\0\0\0{}"));
        message(&b, 2, OP_session_get, 1, SLICE("\0\0\0\0{}"));
        put_frame(&s, buf_view(&b));
        refused(&s);
        assert_int_equal(h.n, 1);
        buf_free(&b);
}

int main(void) {
        const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
                T(an_op_that_the_sender_may_not_send_is_refused),
                T(an_unknown_op_is_refused),
                T(a_record_is_no_message),
                T(an_unknown_type_is_refused),
                T(a_cast_as_a_request_is_refused),
                T(a_cast_with_an_id_is_refused),
                T(a_message_that_breaks_its_row_is_refused),
                T(a_reply_to_nothing_is_refused),
                T(messages_must_fill_their_frame_exactly),
                T(a_reply_to_another_op_is_refused),
                T(a_cut_reply_is_refused),
                T(a_reply_with_an_unknown_status_is_refused),
                T(a_reply_with_too_long_a_detail_is_refused),
                T(a_detail_that_is_no_text_is_refused),
                T(a_second_reply_is_refused),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
