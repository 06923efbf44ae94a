/* test_router.c - every route is found where the table says, refused in one order, and nothing else exists. */
#include "front_rig.h"

#define JSON_TYPE "Content-Type: application/json\r\n"
#define ANY_USER  front_token(issuer_sk, "k1", OURS "\"sub\":\"u\",\"account\":\"acc\"")

static int start(void **state) {
        (void)state;
        front_start("rate_address_per_minute = 0\nrate_actor_per_minute = 0\n", HTTP_PLAIN);
        return 0;
}

TEST(every_row_of_the_table_is_reachable) {
        for (unsigned i = 0; i < n_routes; i++) {
                char line[256], path[128], want[128];
                size_t n = 0;
                for (const char *p = routes[i].path; *p; p += strcspn(p, "/:")) {
                        if (*p == ':')
                                n += (size_t)snprintf(path + n, sizeof path - n, "s%%2e1");
                        else
                                n += (size_t)snprintf(path + n, sizeof path - n, "/%.*s", (int)strcspn(p + 1, "/:"),
                                                      p + 1);
                        p++;
                }
                snprintf(line, sizeof line, "%s %s?q=1", routes[i].method, path);
                snprintf(want, sizeof want, "<%s %s>", routes[i].name,
                         strstr(routes[i].path, ":sessionId") ? "s%2e1" : "");
                const char *text = front_ask(line, JSON_TYPE, ANY_USER, "");
                if (routes[i].auth == OPERATOR) /* reached, and not for people */
                        assert_int_equal(front_status(text), 403);
                else
                        assert_answer(text, want);
        }
}

TEST(other_paths_do_not_exist) {
        static const char *const paths[] = {
                "/v1",
                "/v1/call/sessions/",
                "//",
                "//v1/call/sessions",
                "/v1/call//sessions",
                "/V1/call/sessions",
                "/v1/call/sessions/s/",
                "/v1/call/sessions/s/x",
                "/v1/call/sessions//state",
                "/v1/%63all/sessions",
                "/health/",
                "/health/../health",
                "/metrics",
                "/v1/call/sessions;x",
                "/v1/realtime/sessions//events",
        };
        for (size_t i = 0; i < COUNT(paths); i++) {
                char line[128];
                snprintf(line, sizeof line, "GET %s", paths[i]);
                const char *text = front_ask(line, "", ANY_USER, "");
                if (front_status(text) != 404)
                        fail_msg("%s gave %.30s", paths[i], text);
                assert_answer(text, "\"code\":\"NOT_FOUND\"");
                assert_answer(text, "\"retryable\":false");
                assert_answer(text, "\"requestId\":\"req_");
                assert_answer(text, "\"traceId\":\"trace_");
        }
}

TEST(other_methods_are_named_in_allow) {
        const char *text = front_ask("DELETE /v1/call/sessions", "", NULL, "");
        assert_int_equal(front_status(text), 405);
        assert_answer(text, "\r\nallow: GET, HEAD, POST, OPTIONS\r\n");
        text = front_ask("GET /v1/realtime/events", "", NULL, "");
        assert_int_equal(front_status(text), 405);
        assert_answer(text, "\r\nallow: POST, OPTIONS\r\n");
        assert_answer(text, "\"METHOD_NOT_ALLOWED\"");
        text = front_ask("HEAD /v1/realtime/events", "", NULL, "");
        assert_int_equal(front_status(text), 405);
}

TEST(head_takes_the_way_of_get) {
        const char *text = front_ask("HEAD /health", "", NULL, "");
        assert_int_equal(front_status(text), 200);
        assert_answer(text, "content-length: 9\r\n"); /* <health > */
        assert_string_equal(strstr(text, "\r\n\r\n"), "\r\n\r\n");
}

TEST(preflights_are_answered_without_identity) {
        const char *text = front_ask("OPTIONS /v1/call/sessions",
                                     "Origin: https://a.example\r\nAccess-Control-Request-Method: POST\r\n"
                                     "Access-Control-Request-Headers: x-new\r\n",
                                     NULL, "");
        assert_int_equal(front_status(text), 204);
        assert_answer(text, "access-control-allow-methods: GET, HEAD, POST, OPTIONS\r\n");
        assert_answer(text, "accept, x-new\r\n");
        assert_null(strstr(text, "content-length"));
        assert_string_equal(strstr(text, "\r\n\r\n"), "\r\n\r\n");
        assert_int_equal(front_status(front_ask("OPTIONS *", "", NULL, "")), 204);
        assert_answer(front_ask("OPTIONS /nowhere", "Origin: x\r\n", NULL, ""),
                      "allow: GET, HEAD, POST, DELETE, OPTIONS\r\n");
}

TEST(what_can_be_deleted_says_so_and_nothing_else_does) {
        const char *text =
                front_ask("OPTIONS /v1/chat/conversations/c1",
                          "Origin: https://a.example\r\nAccess-Control-Request-Method: DELETE\r\n", NULL, "");
        assert_int_equal(front_status(text), 204);
        assert_answer(text, "access-control-allow-methods: GET, HEAD, DELETE, OPTIONS\r\n");
        assert_answer(front_ask("DELETE /v1/chat/conversations/c1", "", ANY_USER, ""), "<deleteConversation >");
        assert_answer(front_ask("DELETE /v1/chat/conversations/c1", "Content-Type: text/plain\r\n", ANY_USER, "{}"),
                      "<deleteConversation >");
        assert_int_equal(front_status(front_ask("DELETE /v1/chat/conversations/c1", "", NULL, "")), 401);
        text = front_ask("DELETE /v1/chat/conversations", "", ANY_USER, "");
        assert_int_equal(front_status(text), 405);
        assert_answer(text, "\r\nallow: GET, HEAD, OPTIONS\r\n");
        text = front_ask("POST /v1/chat/conversations/c1", JSON_TYPE, ANY_USER, "{}");
        assert_int_equal(front_status(text), 405);
        assert_answer(text, "\r\nallow: GET, HEAD, DELETE, OPTIONS\r\n");
}

TEST(media_types_are_checked_before_identity) {
        static const struct {
                const char *path, *type, *body;
                int status;
        } rows[] = {
                { "/v1/call/sessions", "", "", 200 },
                { "/v1/call/sessions", "", "{}", 415 },
                { "/v1/call/sessions", "Content-Type: application/json; charset=utf-8\r\n", "{}", 200 },
                { "/v1/call/sessions", "Content-Type: Application/JSON\r\n", "{}", 200 },
                { "/v1/call/sessions", "Content-Type: text/plain\r\n", "{}", 415 },
                { "/v1/call/sessions", "Content-Type: application/x-ndjson\r\n", "{}", 415 },
                { "/v1/call/sessions", "Content-Type: application/jsonp\r\n", "", 415 },
                { "/v1/realtime/events", "Content-Type: application/x-ndjson\r\n", "{}", 200 },
                { "/v1/realtime/events", "Content-Type: application/json\r\n", "{}", 200 },
                { "/v1/realtime/events", "Content-Type: application/xml\r\n", "{}", 415 },
                { "/v1/providers/livekit/webhook", "Content-Type: application/webhook+json\r\n", "{}", 200 },
                { "/v1/providers/livekit/webhook", "", "{}", 200 },
        };
        for (size_t i = 0; i < COUNT(rows); i++) {
                char line[128];
                snprintf(line, sizeof line, "POST %s", rows[i].path);
                int have = front_status(front_ask(line, rows[i].type, ANY_USER, rows[i].body));
                if (have != rows[i].status)
                        fail_msg("%zu: %d", i, have);
        }
        char huge[300] = "Content-Type: application/json", *end = huge + strlen(huge);
        memset(end, 'n', 200);
        strcpy(end + 200, "\r\n");
        assert_int_equal(front_status(front_ask("POST /v1/call/sessions", huge, NULL, "{}")), 415);
}

TEST(identity_comes_before_role_and_role_before_the_handler) {
        const char *text = front_ask("GET /v1/call/sessions", "", NULL, "");
        assert_int_equal(front_status(text), 401);
        assert_answer(text, "\"AUTH_REQUIRED\"");
        assert_answer(text, "\r\nwww-authenticate: Bearer\r\n");
        text = front_ask("GET /v1/call/sessions", "", "nonsense", "");
        assert_int_equal(front_status(text), 401);
        assert_answer(text, "\"AUTH_INVALID\"");
        assert_answer(front_ask("GET /health", "", NULL, ""), "<health >");
}

TEST(the_metrics_listener_serves_metrics_only) {
        struct rig *public = front.rig;
        front.rig = rig_new(router_handle, &front, HTTP_METRICS);
        assert_answer(front_ask("GET /metrics", "", NULL, ""), "<metrics >");
        assert_int_equal(front_status(front_ask("HEAD /metrics", "", NULL, "")), 200);
        assert_int_equal(front_status(front_ask("POST /metrics", "", NULL, "")), 405);
        assert_int_equal(front_status(front_ask("GET /", "", NULL, "")), 404);
        assert_int_equal(front_status(front_ask("GET /v1/call/sessions", "", ANY_USER, "")), 404);
        assert_int_equal(front_status(front_ask("OPTIONS /v1/call/sessions", "", NULL, "")), 404);
        front.rig = public;
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_row_of_the_table_is_reachable),
                cmocka_unit_test(other_paths_do_not_exist),
                cmocka_unit_test(other_methods_are_named_in_allow),
                cmocka_unit_test(head_takes_the_way_of_get),
                cmocka_unit_test(preflights_are_answered_without_identity),
                cmocka_unit_test(what_can_be_deleted_says_so_and_nothing_else_does),
                cmocka_unit_test(media_types_are_checked_before_identity),
                cmocka_unit_test(identity_comes_before_role_and_role_before_the_handler),
                cmocka_unit_test(the_metrics_listener_serves_metrics_only),
        };
        return cmocka_run_group_tests(tests, start, NULL);
}
