/* test_http_wait.c - answers that take long: their time, who has left meanwhile; and what an error may carry. */
#include "http_conn.h"
#include "http_rig.h"

static struct http_request *held;
static unsigned gone;

static void on_gone(struct http_request *r) {
        assert_ptr_equal(r, held);
        held = NULL;
        gone++;
}

static void handle(void *arg, struct http_request *r) {
        (void)arg;
        if (slice_is(r->path, "/refused")) {
                http_fail(r, STATUS_SAFETY_BLOCKED, (struct slice){ 0 }, &(struct http_extra){ .members = r->body });
                return;
        }
        held = r;
        r->gone = on_gone;
        if (!slice_is(r->path, "/later"))
                http_wait(r, 300, slice_is(r->path, "/turn"));
}

static struct rig *rig;

static int start(void **state) {
        (void)state;
        rig_settings("http_request_seconds = 120\n");
        rig = rig_new(handle, NULL, HTTP_PLAIN);
        return 0;
}

/* Every test starts and ends without connections. */
static int quiet(void **state) {
        (void)state;
        held = NULL;
        gone = 0;
        rig_until(rig, nobody(), http_server_connections(rig->server) == 0);
        return 0;
}

#define HOST "Host: x\r\n"

/* However it learns of it: the end comes behind the request, or with it. */
TEST(who_half_closes_has_left_only_where_that_was_said) {
        for (unsigned way = 0; way < 3; way++) {
                struct client *c = client_new(rig);
                held = NULL;
                gone = 0;
                if (way == 0)
                        client_say(rig, c, "GET /turn HTTP/1.1\r\n" HOST "\r\n");
                if (way == 0)
                        rig_until(rig, c, held);
                if (way == 1)
                        send(c->fd, "GET /turn HTTP/1.1\r\n" HOST "\r\n", 31, MSG_NOSIGNAL);
                if (way == 2)
                        client_say(rig, c, "GET /long HTTP/1.1\r\n" HOST "\r\n");
                shutdown(c->fd, SHUT_WR);
                if (way < 2) {
                        rig_until(rig, c, gone == 1 && c->eof);
                        assert_int_equal(c->n, 0);
                } else {
                        rig_until(rig, c, held && held->conn->eof);
                        assert_int_equal(gone, 0);
                        http_respond(held, 200, "text/plain", SLICE("late"), NULL);
                        rig_until(rig, c, c->eof);
                        assert_non_null(strstr(c->text, "late"));
                }
                client_free(c);
        }
}

TEST(a_long_answer_has_its_own_time_and_the_next_request_the_usual_one) {
        struct client *c = client_new(rig);
        client_say(rig, c, "GET /long HTTP/1.1\r\n" HOST "\r\n");
        rig_until(rig, c, held);
        assert_true(ev_timer_remaining(rig->loop, &held->conn->timer) > 250);
        http_respond(held, 200, "text/plain", SLICE(""), NULL);
        held = NULL;
        client_say(rig, c, "GET /later HTTP/1.1\r\n" HOST "\r\n");
        rig_until(rig, c, held);
        assert_true(ev_timer_remaining(rig->loop, &held->conn->timer) < 130);
        assert_false(held->conn->leaves);
        http_respond(held, 200, "text/plain", SLICE(""), NULL);
        client_free(c);
}

/* What an error of this members' text looks like, behind its ids. */
static void refused(const char *members, char *ret, size_t room) {
        static char request[70000];
        struct client *c = client_new(rig);
        char *at;
        snprintf(request, sizeof request,
                 "POST /refused HTTP/1.1\r\n" HOST "x-trace-id: t\r\nConnection: close\r\n"
                 "Content-Length: %zu\r\n\r\n%s",
                 strlen(members), members);
        client_say(rig, c, request);
        rig_until(rig, c, c->eof);
        assert_int_equal(client_status(c), 403);
        assert_non_null(strstr(c->text, "{\"ok\":false,\"code\":\"SAFETY_BLOCKED\",\"message\":\"this needs"));
        at = strstr(c->text, "\"traceId\":\"t\"");
        assert_non_null(at);
        assert_true(slice_copy(slice_of(at + strlen("\"traceId\":\"t\"")), ret, room));
        client_free(c);
}

TEST(an_errors_body_adds_to_the_one_shape_and_never_replaces_it) {
        static char text[70000], many[60000];
        static const struct {
                const char *members, *want;
        } rows[] = {
                { "{\"blocked\":true,\"decision\":{\"policyId\":\"p\", \"n\":[1,2]},\"t\\u0022x\":null}",
                  ",\"blocked\":true,\"decision\":{\"policyId\":\"p\", \"n\":[1,2]},\"t\\\"x\":null}" },
                { "{\"ok\":true,\"a\":1,\"code\":\"OK\",\"\\u006dessage\":\"\",\"retryable\":true,"
                  "\"requestId\":\"x\",\"traceId\":\"y\",\"b\":2}",
                  ",\"a\":1,\"b\":2}" },
                { "{}", "}" },
                { "", "}" },
                { "[1]", "}" },
                { "\"text\"", "}" },
                { "{\"a\":1", "}" },
                { "{\"a\":1,\"a\":2}", "}" },
                { "{\"a\":1}x", "}" },
                { "{\"a\":\"\xff\"}", "}" },
        };
        for (size_t i = 0; i < COUNT(rows); i++) {
                refused(rows[i].members, text, sizeof text);
                assert_string_equal(text, rows[i].want);
        }
        memset(many, 'm', sizeof many - 1);
        memcpy(many, "{\"a\":\"", 6);
        memcpy(many + sizeof many - 3, "\"}", 3);
        refused(many, text, sizeof text);
        assert_int_equal(strlen(text), strlen(many));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(who_half_closes_has_left_only_where_that_was_said, quiet),
                cmocka_unit_test_setup(a_long_answer_has_its_own_time_and_the_next_request_the_usual_one, quiet),
                cmocka_unit_test_setup(an_errors_body_adds_to_the_one_shape_and_never_replaces_it, quiet),
        };
        return cmocka_run_group_tests(tests, start, NULL);
}
