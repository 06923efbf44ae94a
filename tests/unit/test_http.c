/* test_http.c - requests in, answers out, over real sockets: order, bounds, reuse, ends. */
#include <sys/resource.h>

#include "http_rig.h"

static struct http_request *held;
static unsigned gone, handled;

static void on_gone(struct http_request *r) {
        assert_ptr_equal(r, held);
        held = NULL;
        gone++;
}

/* Answers with "<method> <path> <query> <body length>"; /later waits, /big is large. */
static void handle(void *arg, struct http_request *r) {
        char text[512];
        (void)arg;
        handled++;
        if (slice_is(r->path, "/later")) {
                held = r;
                r->gone = on_gone;
                return;
        }
        if (slice_is(r->path, "/big") || slice_is(r->path, "/huge")) {
                size_t n = slice_is(r->path, "/big") ? 2u << 20 : 12u << 20;
                char *big = malloc(n);
                assert_non_null(big);
                memset(big, 'x', n);
                http_respond(r, 200, "text/plain", (struct slice){ big, (uint32_t)n }, NULL);
                free(big);
                return;
        }
        int n = snprintf(text, sizeof text, "[%.*s %.*s %.*s %u]", SLICE_FMT(r->method), SLICE_FMT(r->path),
                         SLICE_FMT(r->query), r->body.n);
        http_respond(r, 200, "text/plain", (struct slice){ text, (uint32_t)n }, NULL);
}

static struct rig *rig;

static int start(void **state) {
        (void)state;
        rig_settings("http_header_seconds = 1\nhttp_body_seconds = 1\nhttp_idle_seconds = 1\n"
                     "http_connections_max = 16\nhttp_request_seconds = 120\n");
        rig = rig_new(handle, NULL, HTTP_PLAIN);
        return 0;
}

/* Every test starts and ends without connections. */
static int quiet(void **state) {
        (void)state;
        held = NULL;
        gone = handled = 0;
        rig_until(rig, nobody(), http_server_connections(rig->server) == 0);
        return 0;
}

#define HOST "Host: x\r\n"

TEST(a_request_is_answered_and_the_connection_stays) {
        struct client *c = client_new(rig);
        for (unsigned i = 1; i <= 3; i++) {
                client_say(rig, c, "GET /a%20b?q=1&r HTTP/1.1\r\n" HOST "\r\n");
                rig_until(rig, c, client_count(c, "[GET /a%20b q=1&r 0]") == i);
        }
        assert_null(strstr(c->text, "connection: close"));
        assert_int_equal(client_count(c, "HTTP/1.1 200 OK\r\n"), 3);
        client_free(c);
}

TEST(every_answer_carries_the_fixed_headers) {
        static const char *const lines[] = { "\r\nx-content-type-options: nosniff\r\n",
                                             "\r\nx-frame-options: DENY\r\n",
                                             "\r\nreferrer-policy: no-referrer\r\n",
                                             "\r\ncache-control: no-store\r\n",
                                             "\r\nx-request-id: req_",
                                             "\r\nx-trace-id: T.race:1_2-3\r\n",
                                             "\r\nvary: Origin\r\n",
                                             "\r\naccess-control-allow-origin: *\r\n",
                                             "\r\ndate: ",
                                             "\r\ncontent-length: " };
        struct client *c = client_new(rig);
        client_say(rig, c, "GET / HTTP/1.1\r\n" HOST "X-Trace-Id: T.race:1_2-3 \r\n\r\n");
        rig_until(rig, c, client_count(c, "[GET /  0]") == 1);
        for (size_t i = 0; i < COUNT(lines); i++)
                if (!strstr(c->text, lines[i]))
                        fail_msg("no %s in %s", lines[i], c->text);
        client_free(c);
}

TEST(a_trace_id_out_of_bounds_is_replaced) {
        struct client *c = client_new(rig);
        client_say(rig, c, "GET / HTTP/1.1\r\n" HOST "X-Trace-Id: a b\"\r\n\r\n");
        rig_until(rig, c, client_count(c, "[GET /  0]") == 1);
        assert_non_null(strstr(c->text, "\r\nx-trace-id: trace_"));
        client_free(c);
}

TEST(pipelined_requests_are_answered_in_order) {
        struct client *c = client_new(rig);
        char text[8192];
        size_t n = 0;
        for (unsigned i = 0; i < 40; i++)
                n += (size_t)snprintf(text + n, sizeof text - n,
                                      i % 2 ? "GET /%u HTTP/1.1\r\n" HOST "\r\n"
                                            : "POST /%u HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc",
                                      i);
        client_send(rig, c, text, n);
        rig_until(rig, c, client_count(c, "HTTP/1.1 200 OK") == 40 && strstr(c->text, "/39  0]"));
        const char *at = c->text;
        for (unsigned i = 0; i < 40; i++) {
                char want[32];
                snprintf(want, sizeof want, i % 2 ? "[GET /%u  0]" : "[POST /%u  3]", i);
                at = strstr(at, want);
                assert_non_null(at);
        }
        client_free(c);
}

TEST(a_flood_of_pipelined_requests_is_bounded_and_complete) {
        static const char one[] = "GET /p HTTP/1.1\r\n" HOST "\r\n";
        struct client *c = client_new(rig);
        for (unsigned i = 0; i < 5000; i++) {
                client_send(rig, c, one, sizeof one - 1);
                if (i % 100 == 0)
                        client_read(c);
        }
        rig_until(rig, c, client_count(c, "[GET /p  0]") == 5000);
        assert_int_equal(handled, 5000);
        client_free(c);
}

TEST(while_one_request_waits_the_next_one_does_too) {
        struct client *c = client_new(rig);
        client_say(rig, c, "GET /later HTTP/1.1\r\n" HOST "\r\nGET /next HTTP/1.1\r\n" HOST "\r\n");
        rig_until(rig, c, held != NULL);
        client_say(rig, c, "GET /last HTTP/1.1\r\n" HOST "\r\n");
        rig_turn(rig, -1);
        assert_int_equal(handled, 1);
        http_respond(held, 200, "text/plain", SLICE("[first]"), NULL);
        rig_until(rig, c, strstr(c->text, "[GET /last  0]"));
        assert_true(strstr(c->text, "[first]") < strstr(c->text, "[GET /next  0]"));
        client_free(c);
}

TEST(chunked_bodies_are_joined_and_trailers_ignored) {
        static const char text[] = "POST /c HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
                                   "5;ext=\"x\"\r\nhello\r\nA\r\n0123456789\r\n0\r\nX-Trailer: y\r\n\r\n"
                                   "GET /after HTTP/1.1\r\n" HOST "\r\n";
        struct client *c = client_new(rig);
        for (size_t i = 0; i < sizeof text - 1; i++) /* byte by byte: no cut may matter */
                client_send(rig, c, text + i, 1);
        rig_until(rig, c, strstr(c->text, "[GET /after  0]"));
        assert_non_null(strstr(c->text, "[POST /c  15]"));
        client_free(c);
}

TEST(a_body_of_the_limit_is_taken_one_byte_more_is_not) {
        char *body = malloc(HTTP_BODY_MAX + 1);
        struct client *c = client_new(rig);
        char head[128];
        assert_non_null(body);
        memset(body, 'b', HTTP_BODY_MAX + 1);
        snprintf(head, sizeof head, "POST /b HTTP/1.1\r\n" HOST "Content-Length: %u\r\n\r\n", HTTP_BODY_MAX);
        client_say(rig, c, head);
        client_send(rig, c, body, HTTP_BODY_MAX);
        rig_until(rig, c, strstr(c->text, "[POST /b  1048576]"));

        snprintf(head, sizeof head, "POST /b HTTP/1.1\r\n" HOST "Content-Length: %u\r\n\r\n", HTTP_BODY_MAX + 1);
        client_say(rig, c, head); /* refused before a byte of the body is sent */
        rig_until(rig, c, c->eof);
        assert_int_equal(client_status(c), 413);
        assert_non_null(strstr(c->text, "\"BODY_TOO_LARGE\""));
        client_free(c);

        c = client_new(rig); /* chunked: counted as it arrives */
        client_say(rig, c, "POST /b HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n100001\r\n");
        client_send(rig, c, body, HTTP_BODY_MAX + 1);
        rig_until(rig, c, c->eof);
        assert_int_equal(client_status(c), 413);
        assert_int_equal(handled, 1);
        client_free(c);
        free(body);
}

TEST(chunk_framing_is_bounded_too) {
        struct client *c = client_new(rig);
        client_say(rig, c, "POST /b HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n1;");
        char ext[1024];
        memset(ext, 'e', sizeof ext);
        for (unsigned i = 0; i < 64 && !c->eof; i++) {
                client_send(rig, c, ext, sizeof ext);
                client_read(c);
        }
        rig_until(rig, c, c->eof);
        assert_int_equal(client_status(c), 400);
        client_free(c);
}

TEST(expect_100_continue_is_answered_before_the_body) {
        struct client *c = client_new(rig);
        client_say(rig, c, "POST /e HTTP/1.1\r\n" HOST "Content-Length: 2\r\nExpect: 100-Continue\r\n\r\n");
        rig_until(rig, c, strstr(c->text, "HTTP/1.1 100 Continue\r\n\r\n"));
        client_say(rig, c, "ok");
        rig_until(rig, c, strstr(c->text, "[POST /e  2]"));
        client_free(c);

        c = client_new(rig); /* an unacceptable body is refused instead of asked for */
        client_say(rig, c, "POST /e HTTP/1.1\r\n" HOST "Content-Length: 9999999\r\nExpect: 100-continue\r\n\r\n");
        rig_until(rig, c, c->eof);
        assert_null(strstr(c->text, "100 Continue"));
        assert_int_equal(client_status(c), 413);
        client_free(c);
}

TEST(head_is_answered_like_get_without_the_body) {
        struct client *c = client_new(rig);
        client_say(rig, c, "HEAD /h HTTP/1.1\r\n" HOST "\r\nGET /g HTTP/1.1\r\n" HOST "\r\n");
        rig_until(rig, c, strstr(c->text, "[GET /g  0]"));
        assert_null(strstr(c->text, "[HEAD"));
        assert_non_null(strstr(c->text, "content-length: 12\r\n"));
        client_free(c);
}

TEST(http_1_0_is_answered_and_closed) {
        struct client *c = client_new(rig);
        client_say(rig, c, "GET /old HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
        rig_until(rig, c, c->eof);
        assert_non_null(strstr(c->text, "[GET /old  0]"));
        assert_non_null(strstr(c->text, "connection: close\r\n"));
        client_free(c);
}

TEST(connection_close_is_honoured) {
        struct client *c = client_new(rig);
        client_say(rig, c, "GET /c HTTP/1.1\r\n" HOST "Connection: close\r\n\r\nGET /d HTTP/1.1\r\n" HOST "\r\n");
        rig_until(rig, c, c->eof);
        assert_non_null(strstr(c->text, "connection: close\r\n"));
        assert_null(strstr(c->text, "/d"));
        client_free(c);
}

TEST(a_half_closed_client_gets_all_its_answers) {
        struct client *c = client_new(rig);
        client_say(rig, c,
                   "GET /1 HTTP/1.1\r\n" HOST "\r\nGET /2 HTTP/1.1\r\n" HOST "\r\nGET /3 HTTP/1.1\r\n" HOST "\r\n");
        shutdown(c->fd, SHUT_WR);
        rig_until(rig, c, c->eof);
        assert_non_null(strstr(c->text, "[GET /3  0]"));
        client_free(c);
}

TEST(a_client_that_resets_is_gone_and_said_so_once) {
        struct client *c = client_new(rig);
        struct linger now = { .l_onoff = 1 };
        client_say(rig, c, "GET /later HTTP/1.1\r\n" HOST "\r\n");
        rig_until(rig, c, held != NULL);
        setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        close(c->fd);
        c->fd = -1;
        c->eof = true;
        rig_until(rig, c, gone == 1);
        client_free(c);
}

TEST(a_large_answer_arrives_whole_at_a_slow_reader) {
        struct client *c = client_new(rig);
        int small = 64 << 10;
        setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
        client_say(rig, c, "GET /big HTTP/1.1\r\n" HOST "\r\nGET /then HTTP/1.1\r\n" HOST "\r\n");
        rig_until(rig, c, strstr(c->text, "[GET /then  0]"));
        assert_true(c->n > (2u << 20));
        client_free(c);
}

TEST(slow_clients_run_out_of_time) {
        static const char *const starts[] = {
                "GET / HT",
                "GET / HTTP/1.1\r\nHost: x\r\nX: y", /* slowloris */
                "POST / HTTP/1.1\r\n" HOST "Content-Length: 10\r\n\r\nabc",
                "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n5\r\nab",
        };
        struct client *c[COUNT(starts)], *silent = client_new(rig), *reader = client_new(rig);
        int small = 4096;
        setsockopt(reader->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
        client_say(rig, reader, "GET /huge HTTP/1.1\r\n" HOST "\r\n"); /* and reads nothing */
        for (size_t i = 0; i < COUNT(starts); i++) {
                c[i] = client_new(rig);
                client_say(rig, c[i], starts[i]);
        }
        for (size_t i = 0; i < COUNT(starts); i++) {
                rig_until(rig, c[i], c[i]->eof);
                assert_int_equal(client_status(c[i]), 408);
                assert_non_null(strstr(c[i]->text, "\"retryable\":true"));
                client_free(c[i]);
        }
        rig_until(rig, silent, silent->eof);
        assert_int_equal(silent->n, 0); /* idle: closed without a word */
        client_free(silent);
        rig_until(rig, nobody(), http_server_connections(rig->server) == 0); /* the reader too */
        client_free(reader);
        assert_int_equal(handled, 1);
}

TEST(without_descriptors_accepting_pauses_and_then_goes_on) {
        struct client *c = client_new(rig);
        struct rlimit was, now;
        int next = dup(0);
        assert_true(next >= 0);
        close(next);
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
        now = (struct rlimit){ (rlim_t)next, was.rlim_max };
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &now), 0);
        for (unsigned i = 0; i < 3; i++)
                ev_run(rig->loop, EVRUN_NOWAIT);
        assert_int_equal(http_server_connections(rig->server), 0);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
        client_say(rig, c, "GET /f HTTP/1.1\r\n" HOST "\r\n");
        rig_until(rig, c, strstr(c->text, "[GET /f  0]"));
        client_free(c);
}

TEST(draining_finishes_what_was_asked_and_takes_nothing_new) {
        struct client *busy = client_new(rig), *idle = client_new(rig);
        struct client *late = client_new(rig), *silent = client_new(rig); /* let in, and have not spoken yet */
        client_say(rig, idle, "GET /i HTTP/1.1\r\n" HOST "\r\n");
        rig_until(rig, idle, strstr(idle->text, "[GET /i  0]"));
        client_say(rig, busy, "GET /later HTTP/1.1\r\n" HOST "\r\n");
        rig_until(rig, busy, held != NULL && http_server_connections(rig->server) == 4);
        http_server_drain(rig->server);
        rig_until(rig, idle, idle->eof);
        client_say(rig, late, "GET /l HTTP/1.1\r\n" HOST "\r\n");
        rig_until(rig, late, late->eof);
        assert_non_null(strstr(late->text, "[GET /l  0]"));
        rig_until(rig, silent, silent->eof);
        assert_string_equal(silent->text, "");
        assert_false(http_server_idle(rig->server));
        http_respond(held, 200, "text/plain", SLICE("[done]"), NULL);
        rig_until(rig, busy, busy->eof);
        assert_non_null(strstr(busy->text, "connection: close"));
        assert_non_null(strstr(busy->text, "[done]"));
        assert_true(http_server_idle(rig->server));
        client_free(busy);
        client_free(idle);
        client_free(late);
        client_free(silent);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(a_request_is_answered_and_the_connection_stays, quiet),
                cmocka_unit_test_setup(every_answer_carries_the_fixed_headers, quiet),
                cmocka_unit_test_setup(a_trace_id_out_of_bounds_is_replaced, quiet),
                cmocka_unit_test_setup(pipelined_requests_are_answered_in_order, quiet),
                cmocka_unit_test_setup(a_flood_of_pipelined_requests_is_bounded_and_complete, quiet),
                cmocka_unit_test_setup(while_one_request_waits_the_next_one_does_too, quiet),
                cmocka_unit_test_setup(chunked_bodies_are_joined_and_trailers_ignored, quiet),
                cmocka_unit_test_setup(a_body_of_the_limit_is_taken_one_byte_more_is_not, quiet),
                cmocka_unit_test_setup(chunk_framing_is_bounded_too, quiet),
                cmocka_unit_test_setup(expect_100_continue_is_answered_before_the_body, quiet),
                cmocka_unit_test_setup(head_is_answered_like_get_without_the_body, quiet),
                cmocka_unit_test_setup(http_1_0_is_answered_and_closed, quiet),
                cmocka_unit_test_setup(connection_close_is_honoured, quiet),
                cmocka_unit_test_setup(a_half_closed_client_gets_all_its_answers, quiet),
                cmocka_unit_test_setup(a_client_that_resets_is_gone_and_said_so_once, quiet),
                cmocka_unit_test_setup(a_large_answer_arrives_whole_at_a_slow_reader, quiet),
                cmocka_unit_test_setup(slow_clients_run_out_of_time, quiet),
                cmocka_unit_test_setup(without_descriptors_accepting_pauses_and_then_goes_on, quiet),
                cmocka_unit_test_setup(draining_finishes_what_was_asked_and_takes_nothing_new, quiet),
        };
        return cmocka_run_group_tests(tests, start, NULL);
}
