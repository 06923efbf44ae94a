/* test_conn - a peer that cheats loses its connection; the process, its other peers and its calls do not notice. */
#include "stranger.h"

/* ---- hello ---- */

enum wrong { PROTOCOL, SCHEMA, KIND, ZEROS };

static void wrong_hello(enum wrong what) {
        struct stranger s = { .ring = &writer->ring };
        struct buf b;
        stranger_connect(&s, FRONTEND);
        buf_init(&b, FRAME_HELLO);
        frame_hello_put(&(struct frame_end){ .kind = WRITER, .instance = 1 }, &b);
        switch (what) {
        case PROTOCOL:
                b.p[0] ^= 1;
                break;
        case SCHEMA:
                b.p[FRAME_HELLO - 1] ^= 1;
                break;
        case KIND:
                b.p[16] = DAEMON_COUNT;
                break;
        case ZEROS:
                b.p[18] = 1;
                break;
        }
        put(&s, &b);
        buf_free(&b);
        refused(&s);
        assert_int_equal(frontend->ups, 1);
}

TEST(another_protocol_is_refused) {
        wrong_hello(PROTOCOL);
}
TEST(another_schema_is_refused) {
        wrong_hello(SCHEMA);
}
TEST(an_unknown_kind_is_refused) {
        wrong_hello(KIND);
}
TEST(reserved_bytes_must_be_zero) {
        wrong_hello(ZEROS);
}

static void hello_is_refused(enum daemon_id kind, uint8_t instance, struct cred_ring *ring) {
        struct stranger s = { .ring = ring };
        stranger_connect(&s, FRONTEND);
        hello(&s, kind, instance);
        put_frame(&s, (struct slice){ 0 });
        refused(&s);
        assert_int_equal(frontend->ups, 1);
}

TEST(a_wrong_key_is_refused) {
        hello_is_refused(WRITER, 1, &frontend->ring);
}
TEST(who_says_that_it_is_us_is_refused) {
        hello_is_refused(FRONTEND, 1, &frontend->ring);
}
TEST(instance_zero_is_for_operators) {
        hello_is_refused(WRITER, 0, &writer->ring);
}
TEST(an_instance_beyond_all_bounds_is_refused) {
        hello_is_refused(WRITER, 200, &writer->ring);
}

TEST(a_kind_without_a_key_is_refused) {
        frontend->ring.peer[WEBHOOK].n_keys = 0;
        hello_is_refused(WEBHOOK, 1, &writer->ring);
}

TEST(another_user_is_refused) {
        struct stranger s = { .ring = &writer->ring };
        frontend->ring.peer[WRITER].uid = (uint32_t)getuid() + 1;
        stranger_connect(&s, FRONTEND);
        hello(&s, WRITER, 1);
        until(closed(&s));
        (void)close(s.fd);
        assert_int_equal(frontend->ups, 0);
        frontend->ring.peer[WRITER].uid = (uint32_t)getuid();
        still_serves();
}

TEST(our_own_bytes_sent_back_prove_nothing) {
        struct stranger s = { .ring = NULL };
        char bytes[FRAME_HELLO];
        stranger_connect(&s, FRONTEND);
        get(&s, bytes, sizeof bytes);
        assert_int_equal(send(s.fd, bytes, sizeof bytes, MSG_NOSIGNAL), (ssize_t)sizeof bytes);
        refused(&s);
}

TEST(another_daemon_at_the_dialled_socket_is_refused) {
        struct side *webhook = side_new(WEBHOOK, 1);
        char path[108];
        side_up(webhook);
        rig_path(path, FRONTEND);
        (void)hub_dial(webhook->hub, WRITER, 1, path); /* the frontend listens there */
        for (int i = 0; i < 20; i++)
                settle();
        assert_int_equal(webhook->ups, 0);
        side_free(webhook);
}

/* ---- strangers ---- */

TEST(a_payload_before_the_proof_is_refused) {
        struct stranger s = { .ring = &writer->ring };
        stranger_connect(&s, FRONTEND);
        hello(&s, WRITER, 1);
        put_frame(&s, SLICE("anything"));
        refused(&s);
        assert_int_equal(frontend->requests + frontend->casts, 0);
}

TEST(silent_strangers_do_not_keep_others_out) {
        struct stranger s[100];
        for (int i = 0; i < 100; i++) {
                stranger_connect(&s[i], FRONTEND);
                settle();
        }
        assert_true(closed(&s[0]));
        assert_false(closed(&s[99]));
        still_serves();
        for (int i = 0; i < 100; i++)
                (void)close(s[i].fd);
}

TEST(a_stranger_who_says_nothing_is_shown_out) {
        struct stranger s = { .ring = NULL };
        int64_t began = text_mono_micros();
        stranger_connect(&s, FRONTEND);
        until(closed(&s));
        assert_in_range((text_mono_micros() - began) / 1000, 4900, 9000);
        (void)close(s.fd);
        still_serves();
}

TEST(garbage_never_reaches_more_than_its_own_connection) {
        uint64_t luck = 88172645463325252;
        for (int round = 0; round < 300; round++) {
                struct stranger s = { .ring = &writer->ring };
                char junk[512];
                stranger_connect(&s, FRONTEND);
                if (round % 3 != 0)
                        hello(&s, WRITER, 1);
                uint32_t n = 1 + dice(&luck, sizeof junk);
                for (uint32_t i = 0; i < n; i++)
                        junk[i] = (char)dice(&luck, round % 2 != 0 ? 256 : 4);
                (void)send(s.fd, junk, n, MSG_NOSIGNAL);
                settle();
                (void)close(s.fd);
        }
        settle();
        still_serves();
}

/* ---- frames of a proven peer ---- */

TEST(a_replayed_frame_is_refused) {
        struct stranger s;
        struct op_stream_head m = { 0 };
        struct buf body, one, frame;
        prove(&s);
        buf_init(&body, 1000);
        buf_init(&one, 1000);
        buf_init(&frame, 1000);
        OP_SET(stream_head, &m, account_id, SLICE("acme"));
        OP_SET(stream_head, &m, session_id, SLICE("call-1"));
        OP_SET(stream_head, &m, head, 7);
        op_encode(OP_stream_head, &m, &body);
        message(&one, 3, OP_stream_head, 0, buf_view(&body));
        frame_seal(s.ring, &s.us, &s.them, ++s.sent, buf_view(&one), &frame);
        put(&s, &frame);
        until(frontend->casts == 1);
        put(&s, &frame);
        refused(&s);
        assert_int_equal(frontend->casts, 1);
        buf_free(&body);
        buf_free(&one);
        buf_free(&frame);
}

TEST(a_skipped_counter_is_refused) {
        struct stranger s;
        prove(&s);
        s.sent++;
        put_frame(&s, SLICE("x"));
        refused(&s);
}

TEST(one_flipped_bit_anywhere_is_refused) {
        const size_t at[] = { 4, 12, 40, 75, FRAME_HEADER, FRAME_HEADER + 8 };
        for (size_t i = 0; i < COUNT(at); i++) {
                struct stranger s;
                struct buf frame;
                prove(&s);
                buf_init(&frame, 1000);
                frame_seal(s.ring, &s.us, &s.them, ++s.sent, SLICE("nine bytes"), &frame);
                frame.p[at[i]] ^= 0x10;
                put(&s, &frame);
                until(closed(&s));
                (void)close(s.fd);
                buf_free(&frame);
        }
        still_serves();
}

TEST(a_frame_for_another_connection_is_refused) {
        struct stranger a, b;
        struct buf frame;
        prove(&a);
        buf_init(&frame, 1000);
        frame_seal(a.ring, &a.us, &a.them, 2, SLICE("nine bytes"), &frame);
        prove(&b);
        put(&b, &frame);
        refused(&b);
        (void)close(a.fd);
        buf_free(&frame);
}

TEST(a_length_over_the_limit_is_refused_at_once) {
        struct stranger s;
        char head[4];
        prove(&s);
        put_le32(head, FRAME_PAYLOAD_MAX + 1);
        assert_int_equal(send(s.fd, head, sizeof head, MSG_NOSIGNAL), 4);
        refused(&s);
}

TEST(an_empty_frame_is_refused) {
        struct stranger s;
        prove(&s);
        put_frame(&s, (struct slice){ 0 });
        refused(&s);
}

int main(void) {
        const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
                T(another_protocol_is_refused),
                T(another_schema_is_refused),
                T(an_unknown_kind_is_refused),
                T(reserved_bytes_must_be_zero),
                T(a_wrong_key_is_refused),
                T(who_says_that_it_is_us_is_refused),
                T(instance_zero_is_for_operators),
                T(an_instance_beyond_all_bounds_is_refused),
                T(a_kind_without_a_key_is_refused),
                T(another_user_is_refused),
                T(our_own_bytes_sent_back_prove_nothing),
                T(another_daemon_at_the_dialled_socket_is_refused),
                T(a_payload_before_the_proof_is_refused),
                T(silent_strangers_do_not_keep_others_out),
                T(a_stranger_who_says_nothing_is_shown_out),
                T(garbage_never_reaches_more_than_its_own_connection),
                T(a_replayed_frame_is_refused),
                T(a_skipped_counter_is_refused),
                T(one_flipped_bit_anywhere_is_refused),
                T(a_frame_for_another_connection_is_refused),
                T(a_length_over_the_limit_is_refused_at_once),
                T(an_empty_frame_is_refused),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
