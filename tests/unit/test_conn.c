/* test_conn - a peer that cheats loses its connection; the process, its other peers and its calls do not notice. */
#include "peer_rig.h"

static struct side *frontend, *writer;

/* A hand-made peer on a blocking socket; says what it likes. */
struct stranger {
        int fd;
        struct frame_end us, them;
        uint64_t sent, received;
        struct cred_ring *ring;
};

static int setup(void **state) {
        (void)state;
        rig_start();
        frontend = side_new(FRONTEND, 1);
        writer = side_new(WRITER, 1);
        writer->echo = true;
        side_up(frontend);
        side_listen(frontend);
        side_up(writer);
        return 0;
}

static int teardown(void **state) {
        (void)state;
        side_free(frontend);
        side_free(writer);
        rig_stop();
        return 0;
}

static void stranger_connect(struct stranger *s, enum daemon_id to) {
        struct sockaddr_un at = { .sun_family = AF_UNIX };
        rig_path(at.sun_path, to);
        s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_true(s->fd >= 0 && connect(s->fd, (const struct sockaddr *)&at, sizeof at) == 0);
}

static void put(struct stranger *s, const struct buf *b) {
        assert_false(b->over);
        assert_int_equal(send(s->fd, b->p, b->n, MSG_NOSIGNAL), (ssize_t)b->n);
}

/* Reads exactly n bytes while the loop turns. */
static void get(struct stranger *s, char *to, size_t n) {
        size_t have = 0;
        int64_t end = text_mono_micros() + 10000000;
        while (have < n && text_mono_micros() < end) {
                ssize_t got = recv(s->fd, to + have, n - have, MSG_DONTWAIT);
                if (got > 0)
                        have += (size_t)got;
                else
                        ev_run(loop, EVRUN_NOWAIT);
        }
        assert_int_equal(have, n);
}

static bool closed(const struct stranger *s) {
        char sink[4096];
        ssize_t n;
        do
                n = recv(s->fd, sink, sizeof sink, MSG_DONTWAIT);
        while (n > 0);
        return n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK);
}

static void hello(struct stranger *s, enum daemon_id kind, uint8_t instance) {
        char theirs[FRAME_HELLO];
        const char *why;
        struct buf b;
        s->us = (struct frame_end){ .kind = kind, .instance = instance };
        randombytes_buf(s->us.nonce, sizeof s->us.nonce);
        buf_init(&b, FRAME_HELLO);
        frame_hello_put(&s->us, &b);
        put(s, &b);
        buf_free(&b);
        get(s, theirs, sizeof theirs);
        assert_int_equal(frame_hello_get((struct slice){ theirs, FRAME_HELLO }, &s->them, &why), 0);
}

static void put_frame(struct stranger *s, struct slice payload) {
        struct buf b;
        buf_init(&b, FRAME_HEADER + (size_t)payload.n);
        frame_seal(s->ring, &s->us, &s->them, ++s->sent, payload, &b);
        put(s, &b);
        buf_free(&b);
}

/* A proven writer to the frontend, by hand. */
static void prove(struct stranger *s) {
        char frame[FRAME_HEADER];
        struct slice payload;
        unsigned ups = frontend->ups;
        *s = (struct stranger){ .ring = &writer->ring };
        stranger_connect(s, FRONTEND);
        hello(s, WRITER, 1);
        put_frame(s, (struct slice){ 0 });
        get(s, frame, sizeof frame);
        assert_int_equal(
                frame_open(s->ring, &s->them, &s->us, ++s->received, (struct slice){ frame, sizeof frame }, &payload),
                0);
        until(frontend->ups == ups + 1);
}

static void message(struct buf *b, unsigned type, unsigned op, uint64_t id, struct slice body) {
        buf_le32(b, 11 + body.n);
        buf_char(b, (char)type);
        buf_char(b, (char)(op & 0xff));
        buf_char(b, (char)(op >> 8));
        buf_le64(b, id);
        buf_slice(b, body);
}

/* The frontend still serves an honest writer. */
static void still_serves(void) {
        struct heard h = { 0 };
        unsigned ups = frontend->ups;
        if (hub_find(writer->hub, FRONTEND, 1) == NULL)
                side_dial(writer, FRONTEND, 1);
        until(frontend->ups > ups && channel_up(hub_find(writer->hub, FRONTEND, 1)));
        assert_int_equal(ask(frontend, "call-1", 5000, &h), STATUS_OK);
        until(h.n == 1);
        assert_int_equal(h.status, STATUS_OK);
}

static void refused(struct stranger *s) {
        until(closed(s));
        (void)close(s->fd);
        still_serves();
}

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
                T(garbage_never_reaches_more_than_its_own_connection),
                T(a_replayed_frame_is_refused),
                T(a_skipped_counter_is_refused),
                T(one_flipped_bit_anywhere_is_refused),
                T(a_frame_for_another_connection_is_refused),
                T(a_length_over_the_limit_is_refused_at_once),
                T(an_empty_frame_is_refused),
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
