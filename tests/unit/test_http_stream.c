/* test_http_stream.c - responses that go on: what is written arrives, what cannot is refused, every end is told once. */
#include "http_conn.h"
#include "http_rig.h"

static struct rig *rig;
static struct http_stream *stream;
static unsigned drained, closed;

static void on_drained(void *arg) {
        assert_ptr_equal(arg, &drained);
        drained++;
}

static void on_closed(void *arg) {
        assert_ptr_equal(arg, &drained);
        closed++;
        stream = NULL;
}

static void handle(void *arg, struct http_request *r) {
        static const struct http_stream_events ev = { .drained = on_drained, .closed = on_closed };
        (void)arg;
        assert_non_null(arena_alloc(&r->arena, 1000)); /* leaves with the request */
        stream = http_stream_begin(r, "text/event-stream", &ev, &drained);
}

static int start(void **state) {
        (void)state;
        rig_settings("http_idle_seconds = 1\nhttp_body_seconds = 1\n");
        return 0;
}

static int fresh(void **state) {
        (void)state;
        rig = rig_new(handle, NULL, HTTP_PLAIN);
        stream = NULL;
        drained = closed = 0;
        return 0;
}

static struct client *open_stream(const char *request) {
        struct client *c = client_new(rig);
        client_say(rig, c, request);
        rig_until(rig, c, strstr(c->text, "\r\n\r\n"));
        return c;
}

#define GET "GET /s HTTP/1.1\r\nHost: x\r\nOrigin: https://a.example\r\n\r\n"

TEST(the_head_leaves_at_once_with_cors_and_ids) {
        struct client *c = open_stream(GET);
        assert_non_null(strstr(c->text, "content-type: text/event-stream\r\n"));
        assert_non_null(strstr(c->text, "transfer-encoding: chunked\r\n"));
        assert_non_null(strstr(c->text, "access-control-allow-origin: *\r\n"));
        assert_non_null(strstr(c->text, http_stream_request_id(stream)));
        assert_null(strstr(c->text, "content-length"));
        client_free(c);
        rig_until(rig, nobody(), closed == 1);
}

TEST(pieces_arrive_as_chunks_and_then_it_is_drained) {
        struct client *c = open_stream(GET);
        assert_true(http_stream_write(stream, SLICE("data: 1\n\n")));
        assert_true(http_stream_write(stream, SLICE("data: 2\n\n")));
        assert_int_equal(drained, 0); /* never from inside a call */
        rig_until(rig, c, strstr(c->text, "9\r\ndata: 1\n\n\r\n9\r\ndata: 2\n\n\r\n"));
        assert_int_equal(drained, 1);
        assert_int_equal(http_stream_queued(stream), 0);
        http_stream_end(stream);
        rig_until(rig, c, c->eof);
        assert_non_null(strstr(c->text, "\r\n0\r\n\r\n"));
        assert_int_equal(closed, 0);
        client_free(c);
}

TEST(the_first_piece_of_a_turn_leaves_at_once_and_the_next_ones_together) {
        struct client *c = open_stream(GET);
        rig_until(rig, c, !stream->conn->on_turn);
        assert_true(http_stream_write(stream, SLICE("first")));
        assert_int_equal(http_stream_queued(stream), 0);
        assert_null(stream->conn->out.p);
        assert_true(http_stream_write(stream, SLICE("second")));
        assert_int_equal(http_stream_queued(stream), 11);
        client_read(c);
        assert_non_null(strstr(c->text, "\r\n\r\n5\r\nfirst\r\n"));
        assert_null(strstr(c->text, "second"));
        assert_int_equal(drained, 0);
        rig_until(rig, c, strstr(c->text, "5\r\nfirst\r\n6\r\nsecond\r\n") && drained == 1);
        client_free(c);
        rig_until(rig, nobody(), closed == 1);
}

TEST(a_write_to_a_client_that_is_gone_is_told_by_the_loop) {
        struct client *c = open_stream(GET);
        struct linger reset = { .l_onoff = 1 };
        rig_until(rig, c, !stream->conn->on_turn);
        setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        client_free(c);
        assert_true(http_stream_write(stream, SLICE("to nobody")));
        assert_true(http_stream_write(stream, SLICE("to nobody")));
        assert_int_equal(closed, 0);
        rig_until(rig, nobody(), closed == 1);
}

TEST(an_idle_stream_holds_almost_nothing) {
        struct client *c = open_stream(GET);
        assert_true(http_stream_write(stream, SLICE("x")));
        rig_until(rig, c, drained == 1);
        const struct http_conn *conn = stream->conn;
        assert_null(conn->rq);
        assert_null(conn->in.p);
        assert_null(conn->out.p);
        assert_true(sizeof(struct http_conn) + sizeof(struct http_stream) < 1024);
        client_free(c);
        rig_until(rig, nobody(), closed == 1);
}

TEST(a_client_that_reads_nothing_fills_the_queue_and_no_more) {
        struct client *c = client_new(rig);
        char piece[8192];
        int small = 32 << 10;
        unsigned taken = 0;
        memset(piece, 'p', sizeof piece);
        setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
        client_say(rig, c, GET);
        rig_until(rig, nobody(), stream != NULL);
        while (http_stream_write(stream, (struct slice){ piece, sizeof piece })) {
                assert_true(++taken < 10000);
                ev_run(rig->loop, EVRUN_NOWAIT);
        }
        assert_true(http_stream_queued(stream) > HTTP_STREAM_QUEUE - 2 * sizeof piece);
        assert_true(http_stream_queued(stream) <= HTTP_STREAM_QUEUE + 64);
        int64_t before = http_stream_progress(stream);
        unsigned told = drained;
        rig_until(rig, c, drained > told); /* it reads on: nothing was lost */
        assert_true(http_stream_progress(stream) > before);
        http_stream_end(stream);
        rig_until(rig, c, c->eof);
        assert_int_equal(client_count(c, "2000\r\npppppppp"), taken);
        client_free(c);
}

TEST(a_client_that_half_closes_has_left) {
        struct client *c = open_stream(GET);
        shutdown(c->fd, SHUT_WR);
        rig_until(rig, c, closed == 1);
        client_free(c);
}

TEST(a_client_that_talks_to_a_stream_is_closed) {
        struct client *c = open_stream(GET);
        char noise[8192] = { 0 };
        client_send(rig, c, noise, 100);
        ev_run(rig->loop, EVRUN_NOWAIT);
        assert_int_equal(closed, 0);
        client_send(rig, c, noise, sizeof noise);
        rig_until(rig, c, closed == 1);
        client_free(c);
}

TEST(head_gets_the_head_and_the_stream_is_told) {
        struct client *c = open_stream("HEAD /s HTTP/1.1\r\nHost: x\r\n\r\n");
        rig_until(rig, c, c->eof);
        assert_int_equal(closed, 1);
        assert_string_equal(strstr(c->text, "\r\n\r\n"), "\r\n\r\n");
        client_free(c);
}

TEST(http_1_0_reads_to_the_end_without_chunks) {
        struct client *c = open_stream("GET /s HTTP/1.0\r\n\r\n");
        assert_null(strstr(c->text, "chunked"));
        http_stream_write(stream, SLICE("plain"));
        http_stream_end(stream);
        rig_until(rig, c, c->eof);
        assert_string_equal(strstr(c->text, "\r\n\r\n"), "\r\n\r\nplain");
        client_free(c);
}

TEST(draining_ends_streams_cleanly_and_tells_them) {
        struct client *c = open_stream(GET);
        http_stream_write(stream, SLICE("last words"));
        http_server_drain(rig->server);
        assert_int_equal(closed, 0); /* from the loop, not from inside the call */
        rig_until(rig, c, c->eof);
        assert_int_equal(closed, 1);
        assert_non_null(strstr(c->text, "last words\r\n0\r\n\r\n"));
        assert_true(http_server_idle(rig->server));
        client_free(c);
}

TEST(streams_outlive_every_timer) {
        struct client *c = open_stream(GET);
        int64_t until = text_mono_micros() + 1300000; /* idle and body timers are 1 s */
        rig_until(rig, c, text_mono_micros() > until);
        assert_int_equal(closed, 0);
        http_stream_write(stream, SLICE("still here"));
        rig_until(rig, c, strstr(c->text, "still here"));
        client_free(c);
        rig_until(rig, nobody(), closed == 1);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(the_head_leaves_at_once_with_cors_and_ids, fresh),
                cmocka_unit_test_setup(pieces_arrive_as_chunks_and_then_it_is_drained, fresh),
                cmocka_unit_test_setup(the_first_piece_of_a_turn_leaves_at_once_and_the_next_ones_together, fresh),
                cmocka_unit_test_setup(a_write_to_a_client_that_is_gone_is_told_by_the_loop, fresh),
                cmocka_unit_test_setup(an_idle_stream_holds_almost_nothing, fresh),
                cmocka_unit_test_setup(a_client_that_reads_nothing_fills_the_queue_and_no_more, fresh),
                cmocka_unit_test_setup(a_client_that_half_closes_has_left, fresh),
                cmocka_unit_test_setup(a_client_that_talks_to_a_stream_is_closed, fresh),
                cmocka_unit_test_setup(head_gets_the_head_and_the_stream_is_told, fresh),
                cmocka_unit_test_setup(http_1_0_reads_to_the_end_without_chunks, fresh),
                cmocka_unit_test_setup(draining_ends_streams_cleanly_and_tells_them, fresh),
                cmocka_unit_test_setup(streams_outlive_every_timer, fresh),
        };
        return cmocka_run_group_tests(tests, start, NULL);
}
