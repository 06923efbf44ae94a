/* test_http_full.c - when there is no more room: who goes, who waits, and that strangers cannot take all of it. */
#include "http_conn.h"
#include "http_rig.h"

static unsigned handled;

static void not_missed(struct http_request *r) {
        (void)r;
}

/* Answers with "[<method> <path> <body length>]"; /never does not, /big is large. */
static void handle(void *arg, struct http_request *r) {
        static char big[2u << 20];
        char text[512];
        (void)arg;
        handled++;
        if (slice_is(r->path, "/never")) {
                r->gone = not_missed;
                return;
        }
        int n = snprintf(text, sizeof text, "[%.*s %.*s  %u]", SLICE_FMT(r->method), SLICE_FMT(r->path), r->body.n);
        struct slice body = { text, (uint32_t)n };
        if (slice_is(r->path, "/big"))
                body = (struct slice){ memset(big, 'x', sizeof big), sizeof big };
        http_respond(r, 200, "text/plain", body, NULL);
}

static struct rig *rig;

static int start(void **state) {
        (void)state;
        rig_settings("http_header_seconds = 1\nhttp_body_seconds = 1\nhttp_idle_seconds = 1\n"
                     "http_connections_max = 16\nhttp_request_seconds = 120\n");
        rig = rig_new(handle, NULL, HTTP_PLAIN);
        return 0;
}

/* Every test starts without connections. */
static int quiet(void **state) {
        (void)state;
        handled = 0;
        rig_until(rig, nobody(), http_server_connections(rig->server) == 0);
        return 0;
}

#define HOST "Host: x\r\n"

TEST(when_full_the_longest_idle_connection_makes_room) {
        struct client *c[17];
        for (size_t i = 0; i < 17; i++) {
                c[i] = client_new(rig);
                client_say(rig, c[i], "GET /n HTTP/1.1\r\n" HOST "\r\n");
                rig_until(rig, c[i], strstr(c[i]->text, "[GET /n  0]"));
        }
        assert_int_equal(http_server_connections(rig->server), 16);
        rig_until(rig, c[0], c[0]->eof);
        for (size_t i = 0; i < 17; i++)
                client_free(c[i]);
}

TEST(when_full_of_unfinished_requests_the_oldest_makes_room) {
        static const char *const starts[] = { "GET /n HTT",
                                              "POST / HTTP/1.1\r\n" HOST "Content-Length: 10\r\n\r\nabc" };
        for (size_t k = 0; k < COUNT(starts); k++) {
                struct client *c[17];
                for (size_t i = 0; i < 16; i++) {
                        c[i] = client_new(rig);
                        client_say(rig, c[i], starts[k]);
                }
                rig_until(rig, c[0], http_server_connections(rig->server) == 16);
                c[16] = client_new(rig);
                client_say(rig, c[16], "GET /last HTTP/1.1\r\n" HOST "\r\n");
                rig_until(rig, c[16], strstr(c[16]->text, "[GET /last  0]"));
                rig_until(rig, c[0], c[0]->eof);
                assert_int_equal(c[0]->n, 0); /* not for its time, which would have been answered */
                for (size_t i = 0; i < 17; i++)
                        client_free(c[i]);
                rig_until(rig, nobody(), http_server_connections(rig->server) == 0);
        }
}

TEST(when_bodies_take_all_the_room_the_oldest_unfinished_one_gives_way) {
        struct client *slow = client_new(rig), *quick = client_new(rig);
        client_say(rig, slow, "POST /s HTTP/1.1\r\n" HOST "Content-Length: 10\r\n\r\nabc");
        rig_until(rig, slow, rig->server->bodies == 3);
        rig->server->bodies += HTTP_BODIES_MAX - 10; /* as if of others, who wait for answers */
        client_say(rig, quick, "POST /q HTTP/1.1\r\n" HOST "Content-Length: 8\r\n\r\n12345678");
        rig_until(rig, quick, strstr(quick->text, "[POST /q  8]"));
        rig_until(rig, slow, slow->eof);
        assert_int_equal(client_status(slow), 503);
        assert_int_equal(rig_ask(rig, "POST /r HTTP/1.1\r\n" HOST "Content-Length: 11\r\n\r\n12345678901", 60), 503);
        rig->server->bodies -= HTTP_BODIES_MAX - 10;
        assert_int_equal(rig->server->bodies, 0);
        client_free(slow);
        client_free(quick);
}

TEST(when_full_of_answers_nobody_takes_the_oldest_makes_room) {
        struct client *c[17];
        int small = 4096;
        for (size_t i = 0; i < 16; i++) {
                c[i] = client_new(rig);
                setsockopt(c[i]->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
                client_say(rig, c[i], "GET /big HTTP/1.1\r\n" HOST "\r\n");
        }
        rig_until(rig, nobody(), rig->server->writing.first && http_server_connections(rig->server) == 16);
        c[16] = client_new(rig);
        client_say(rig, c[16], "GET /last HTTP/1.1\r\n" HOST "\r\n");
        rig_until(rig, c[16], strstr(c[16]->text, "[GET /last  0]"));
        assert_int_equal(http_server_connections(rig->server), 16);
        for (size_t i = 0; i < 17; i++)
                client_free(c[i]);
}

TEST(when_full_of_busy_connections_newcomers_wait_their_turn) {
        struct linger now = { .l_onoff = 1 };
        struct client *c[17];
        for (size_t i = 0; i < 17; i++) {
                c[i] = client_new(rig);
                client_say(rig, c[i],
                           i < 16 ? "GET /never HTTP/1.1\r\n" HOST "\r\n" : "GET /last HTTP/1.1\r\n" HOST "\r\n");
                rig_until(rig, nobody(), handled == (i < 16 ? i + 1 : 16));
                setsockopt(c[i]->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        }
        assert_int_equal(http_server_connections(rig->server), 16);
        client_free(c[0]);
        rig_until(rig, c[16], strstr(c[16]->text, "[GET /last  0]"));
        for (size_t i = 1; i < 17; i++)
                client_free(c[i]);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(when_full_the_longest_idle_connection_makes_room, quiet),
                cmocka_unit_test_setup(when_full_of_unfinished_requests_the_oldest_makes_room, quiet),
                cmocka_unit_test_setup(when_bodies_take_all_the_room_the_oldest_unfinished_one_gives_way, quiet),
                cmocka_unit_test_setup(when_full_of_answers_nobody_takes_the_oldest_makes_room, quiet),
                cmocka_unit_test_setup(when_full_of_busy_connections_newcomers_wait_their_turn, quiet),
        };
        return cmocka_run_group_tests(tests, start, NULL);
}
