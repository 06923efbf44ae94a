/* test_gateway - one request to the gateway: its head, its words, and each way it ends, over real sockets. */
#include "gateway_rig.h"

#include "address.h"

static struct asked asked;

static int setup(void **state) {
        (void)state;
        asked = (struct asked){ 0 };
        world_start("openclaw_failures_max = 100\n");
        return 0;
}

static int teardown(void **state) {
        (void)state;
        world_stop();
        return 0;
}

#define HTTP(code, type, more, body)                                                                                 \
        "HTTP/1.1 " code "\r\nContent-Type: " type "\r\n" more "Connection: close\r\n\r\n" body
#define RUN_FAILED(code)                                                                                             \
        "{\"id\":\"resp_1\",\"object\":\"response\",\"status\":\"failed\",\"output\":[],\"error\":{\"code\":\"" code \
        "\"}}"

TEST(words_come_as_they_are_said_and_the_end_once) {
        ASK(&asked);
        assert_int_equal(asked.deltas, 0);
        until(asked.ends > 0);
        assert_int_equal(asked.status, STATUS_OK);
        assert_string_equal(asked.ended, "Thanks Ada.");
        assert_string_equal(asked.id, "resp_1");
        assert_int_equal(asked.input_tokens, 330);
        assert_int_equal(asked.deltas, 2);
        assert_true(asked.spoken);
        assert_int_equal(server.requests, 1);
}

TEST(the_request_is_the_one_the_gateway_wants) {
        ASK(&asked);
        until(asked.ends > 0);
        static const char *const has[] = {
                "POST /v1/responses HTTP/1.1\r\n",
                "\r\nAuthorization: Bearer " TOKEN "\r\n",
                "\r\nContent-Type: application/json\r\n",
                "\r\nx-openclaw-session-key: "
                "agent:recruiter:dashboard:incognito-3f0c7d52-9a41-4b7e-8f0e-0d5b1f6f2a10\r\n",
                "\r\nx-openclaw-message-channel: voice\r\n",
                "\r\n\r\n{\"model\":\"openclaw/recruiter\",\"stream\":true,\"instructions\":\"Be "
                "short.\",\"input\":\"Hello.\"}",
        };
        for (size_t i = 0; i < COUNT(has); i++)
                if (strstr(server.request, has[i]) == NULL)
                        fail_msg("no \"%s\" in \"%s\"", has[i], server.request);
        assert_null(strstr(server.request, "Expect"));
        assert_null(strstr(server.request, "orwarded"));
}

static const struct refusal {
        const char *answer;
        enum status status;
} refusals[] = {
        { HTTP("401 Unauthorized", "application/json", "",
               "{\"error\":{\"message\":\"Unauthorized\",\"type\":\"unauthorized\"}}"),
          STATUS_AI_REFUSED },
        { HTTP("401 Unauthorized", "application/json", "", RUN_FAILED("authentication_error")), STATUS_AI_FAILED },
        { HTTP("400 Bad Request", "application/json", "", "{\"error\":{\"type\":\"invalid_request_error\"}}"),
          STATUS_AI_REFUSED },
        { HTTP("403 Forbidden", "application/json", "", "{}"), STATUS_AI_REFUSED },
        { HTTP("404 Not Found", "text/plain", "", "Not Found"), STATUS_AI_REFUSED },
        { HTTP("405 Method Not Allowed", "text/plain", "Allow: POST\r\n", ""), STATUS_AI_REFUSED },
        { HTTP("413 Payload Too Large", "application/json", "", "{}"), STATUS_AI_REFUSED },
        { HTTP("429 Too Many Requests", "application/json", "Retry-After: 60\r\n",
               "{\"error\":{\"type\":\"rate_limited\"}}"),
          STATUS_AI_RATE_LIMITED },
        { HTTP("504 Gateway Timeout", "text/html", "", "<html>"), STATUS_AI_FAILED },
        { HTTP("204 No Content", "text/plain", "", ""), STATUS_AI_GARBLED },
        { HTTP("200 OK", "application/json", "", "{\"object\":\"response\"}"), STATUS_AI_GARBLED },
        { HTTP("200 OK", "text/html", "", "<html>"), STATUS_AI_GARBLED },
        { HTTP("200 OK", "text/event-stream", "", ""), STATUS_AI_CUT_OFF },
        { "SSH-2.0-something\r\n", STATUS_AI_GARBLED },
        { SSE_HEAD DELTA("Half"), STATUS_AI_CUT_OFF },
        { "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n5\r\ndata:",
          STATUS_AI_CUT_OFF },
        { SSE_HEAD DELTA("\xff"), STATUS_AI_GARBLED },
        { SSE_HEAD "data: garbage\n\n", STATUS_AI_GARBLED },
        { SSE_HEAD DELTA("One") TEXT_DONE("Two"), STATUS_AI_GARBLED },
        { SSE_HEAD TERMINAL("completed", ""), STATUS_AI_EMPTY },
        { SSE_HEAD DELTA("Half") FAILED("api_error", "upstream provider timeout"), STATUS_AI_TIMEOUT },
        { SSE_HEAD DELTA("Half") FAILED("rate_limit_error", "x"), STATUS_AI_RATE_LIMITED },
        { SSE_HEAD DELTA("Half") FAILED("api_error", "internal error"), STATUS_AI_FAILED },
};

TEST(each_failure_has_its_own_status_and_is_asked_once) {
        for (size_t i = 0; i < COUNT(refusals); i++)
                script(slice_of(refusals[i].answer));
        for (unsigned i = 0; i < COUNT(refusals); i++) {
                ASK(&asked);
                until(asked.ends > 0);
                if (asked.status != refusals[i].status || server.requests != i + 1)
                        fail_msg("%.60s...: %s after %u requests", refusals[i].answer, status_row(asked.status)->name,
                                 server.requests);
                assert_false(gateway_ready(gateway));
                assert_true(gateway_why(gateway)[0] != '\0');
        }
}

TEST(a_reset_in_the_middle_is_a_cut) {
        struct reply *r = script(SLICE(SSE_HEAD DELTA("Half")));
        r->reset = true;
        ASK(&asked);
        until(asked.ends > 0);
        assert_true(asked.status == STATUS_AI_CUT_OFF || (asked.status == STATUS_AI_UNREACHABLE && !asked.spoken));
}

TEST(bytes_one_at_a_time_make_the_same_answer) {
        struct reply *r = script(SLICE(SSE_HEAD GOOD));
        r->chunk = 1;
        ASK(&asked);
        until(asked.ends > 0);
        assert_int_equal(asked.status, STATUS_OK);
        assert_string_equal(asked.ended, "Thanks Ada.");
}

TEST(a_finished_answer_need_not_wait_for_the_connection) {
        struct reply *r = script(SLICE(SSE_HEAD GOOD));
        r->hold = true;
        ASK(&asked);
        until(asked.ends > 0);
        assert_int_equal(asked.status, STATUS_OK);
        until(server.hung_up == 1);
        r = script(SLICE(SSE_HEAD DELTA("x") TERMINAL("completed", "")));
        r->hold = true;
        ASK(&asked);
        until(asked.ends > 0);
        assert_int_equal(asked.status, STATUS_OK);
}

/* Text over and over, in pieces so large that the bound is near and not the deadline. */
static struct slice flood(const char *text) {
        static char bytes[64 * 1024];
        size_t n = 0;

        for (size_t of = strlen(text); n + of < sizeof bytes; n += of)
                memcpy(bytes + n, text, of);
        return (struct slice){ bytes, (uint32_t)n };
}

TEST(an_endless_stream_ends_at_the_bound) {
        struct reply *r = script(SLICE(SSE_HEAD DELTA("Half")));
        r->again = flood(": nothing at all, again and again\n");
        ASK(&asked);
        until(asked.ends > 0);
        assert_int_equal(asked.status, STATUS_AI_TOO_MUCH);
        until(server.hung_up == 1);
        assert_true(server.written < 4 * (size_t)GATEWAY_STREAM_MAX);
}

TEST(a_flood_of_words_ends_at_the_bound) {
        struct reply *r = script(SLICE(SSE_HEAD));
        r->again = flood(DELTA("many, many words"));
        ASK(&asked);
        until(asked.ends > 0);
        assert_int_equal(asked.status, STATUS_AI_TOO_MUCH);
        assert_true(asked.text_n <= GATEWAY_TEXT_MAX);
        until(server.hung_up == 1);
}

TEST(endless_heads_and_endless_refusals_end_at_the_bound) {
        struct reply *r = script(SLICE("HTTP/1.1 200 OK\r\n"));
        r->again = SLICE("X-More: and more and more and more and more and more\r\n");
        r = script(SLICE("HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n"));
        r->again = SLICE("not here, not there, not anywhere\n");
        ASK(&asked);
        until(asked.ends > 0);
        assert_int_equal(asked.status, STATUS_AI_TOO_MUCH);
        ASK(&asked);
        until(asked.ends > 0);
        assert_int_equal(asked.status, STATUS_AI_REFUSED);
        until(server.hung_up == 2);
}

TEST(arguments_of_200_kB_arrive_whole) {
        struct buf b;
        buf_init(&b, 1u << 20);
        buf_str(&b, SSE_HEAD CREATED
                "data: {\"type\":\"response.completed\",\"response\":{\"output\":[{\"type\":\"function_call\","
                "\"name\":\"propose_cv\",\"arguments\":\"{\\\"a\\\":\\\"");
        for (unsigned i = 0; i < 20000; i++)
                buf_str(&b, "0123456789");
        buf_str(&b, "\\\"}\"}]}}\n\n" DONE);
        script(buf_view(&b));
        ASK(&asked);
        until(asked.ends > 0);
        assert_int_equal(asked.status, STATUS_OK);
        assert_int_equal(asked.arguments_n, 200008);
        assert_string_equal(asked.first_call, "propose_cv");
        buf_free(&b);
}

static void times_out(struct slice bytes, unsigned first, unsigned gap, unsigned total) {
        struct reply *r = script(bytes);
        unsigned before = server.hung_up;
        r->hold = true;
        assert_int_equal(ask_for(&asked, first, gap, total), STATUS_OK);
        until(asked.ends > 0);
        assert_int_equal(asked.status, STATUS_AI_TIMEOUT);
        until(server.hung_up == before + 1);
}

TEST(each_deadline_ends_it_and_hangs_up) {
        times_out(SLICE(""), 40, 10000, 20000);
        times_out(SLICE(SSE_HEAD CREATED), 40, 10000, 20000);
        assert_false(asked.spoken);
        times_out(SLICE(SSE_HEAD CREATED DELTA("Half")), 10000, 40, 20000);
        assert_string_equal(asked.ended, "Half");
        times_out(SLICE(SSE_HEAD CREATED DELTA("Half")), 10000, 10000, 60);
}

TEST(a_stream_that_never_pauses_ends_at_the_deadline_for_all) {
        struct reply *r = script(SLICE(SSE_HEAD));
        r->again = SLICE(": .\n");
        r->chunk = 1;
        assert_int_equal(ask_for(&asked, 100, 10000, 100), STATUS_OK);
        until(asked.ends > 0);
        assert_int_equal(asked.status, STATUS_AI_TIMEOUT);
}

TEST(who_cancels_closes_the_connection_and_hears_no_more) {
        struct reply *r = script(SLICE(SSE_HEAD CREATED DELTA("Half")));
        r->hold = true;
        ASK(&asked);
        until(asked.deltas == 1);
        gateway_cancel(asked.ask);
        until(server.hung_up == 1);
        assert_int_equal(asked.ends, 0);
        ASK(&asked);
        gateway_cancel(asked.ask); /* before a byte went out */
        turn_loop();
        assert_int_equal(asked.ends, 0);
}

TEST(who_cancels_at_a_word_hears_no_more) {
        struct reply *r = script(SLICE(SSE_HEAD CREATED DELTA("One") DELTA("Two") TERMINAL("completed", "")));
        r->hold = true;
        asked.cancel = true;
        ASK(&asked);
        until(server.hung_up == 1);
        assert_int_equal(asked.deltas, 1);
        assert_int_equal(asked.ends, 0);
}

TEST(a_redirect_is_not_followed) {
        unsigned port, touched = 0;
        char answer[256];
        int other = listen_on(&port);
        (void)snprintf(answer, sizeof answer,
                       "HTTP/1.1 307 Temporary Redirect\r\nLocation: "
                       "http://127.0.0.1:%u/v1/responses\r\nContent-Length: 0\r\n\r\n",
                       port);
        script(slice_of(answer));
        ASK(&asked);
        until(asked.ends > 0);
        assert_int_equal(asked.status, STATUS_AI_REFUSED);
        touched = accept4(other, NULL, NULL, SOCK_NONBLOCK) >= 0;
        assert_false(touched);
        (void)close(other);
}

TEST(a_proxy_of_the_environment_is_not_asked) {
        unsigned port;
        char url[64];
        int other = listen_on(&port);
        (void)snprintf(url, sizeof url, "http://127.0.0.1:%u", port);
        assert_int_equal(setenv("http_proxy", url, 1) | setenv("all_proxy", url, 1) | setenv("ALL_PROXY", url, 1), 0);
        ASK(&asked);
        until(asked.ends > 0);
        assert_int_equal(asked.status, STATUS_OK);
        assert_true(accept4(other, NULL, NULL, SOCK_NONBLOCK) < 0);
        (void)unsetenv("http_proxy");
        (void)unsetenv("all_proxy");
        (void)unsetenv("ALL_PROXY");
        (void)close(other);
}

TEST(a_session_that_could_break_a_header_is_refused) {
        static const char *const bad[] = {
                "",  "a b", "a\r\nX: y",
                "A", "a:b", "0123456789012345678901234567890123456789012345678901234567890123x"
        };
        for (size_t i = 0; i < COUNT(bad); i++) {
                const struct gateway_request q = { .session = slice_of(bad[i]), .body = SLICE("\"input\":\"x\"") };
                struct gateway_ask *a;
                assert_int_equal(gateway_ask(gateway, &q, &hears, &asked, &a), STATUS_INTERNAL);
                assert_null(a);
        }
}

TEST(plain_http_goes_to_near_addresses_only) {
        static const struct {
                const char *url;
                bool good;
        } list[] = {
                { "http://127.0.0.1:18911", true },
                { "http://127.0.0.1:18911/", true },
                { "http://10.1.2.3", true },
                { "http://172.16.0.1", true },
                { "http://192.168.0.1:80/x", true },
                { "http://[::1]:18911", true },
                { "http://[fd00::1]", true },
                { "https://203.0.113.1", true },
                { "http://203.0.113.1", false },
                { "http://172.32.0.1", false },
                { "http://169.254.169.254", false },
                { "http://[2001:db8::1]", false },
                { "http://[::ffff:8.8.8.8]", false },
                { "ftp://127.0.0.1", false },
                { "file:///etc/passwd", false },
                { "127.0.0.1:18911", false },
                { "http://user:x@127.0.0.1", false },
                { "http://127.0.0.1/?x=y", false },
                { "http://127.0.0.1/#x", false },
                { "http://", false },
                { "http://no-such-host.invalid", false },
        };
        for (size_t i = 0; i < COUNT(list); i++) {
                struct address a;
                char why[256] = "";
                bool good = address_resolve(list[i].url, "/v1/responses", &a, why) == 0;
                if (good != list[i].good || (!good && why[0] == '\0'))
                        fail_msg("%s: %s", list[i].url, why);
        }
}

TEST(no_other_address_or_port_is_ever_the_pinned_one) {
        struct address a;
        char why[256];
        struct sockaddr_in to = { .sin_family = AF_INET,
                                  .sin_port = htons(18911),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        assert_int_equal(address_resolve("http://127.0.0.1:18911/base/", "/v1/responses", &a, why), 0);
        assert_string_equal(a.url, "http://127.0.0.1:18911/base/v1/responses");
        assert_true(address_has(&a, (const struct sockaddr *)&to, sizeof to));
        assert_false(address_has(&a, (const struct sockaddr *)&to, 4));
        to.sin_port = htons(18912);
        assert_false(address_has(&a, (const struct sockaddr *)&to, sizeof to));
        to.sin_port = htons(18911);
        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1);
        assert_false(address_has(&a, (const struct sockaddr *)&to, sizeof to));
        to.sin_family = AF_INET6;
        assert_false(address_has(&a, (const struct sockaddr *)&to, sizeof to));
}

int main(void) {
        const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
                T(words_come_as_they_are_said_and_the_end_once),
                T(the_request_is_the_one_the_gateway_wants),
                T(each_failure_has_its_own_status_and_is_asked_once),
                T(a_reset_in_the_middle_is_a_cut),
                T(bytes_one_at_a_time_make_the_same_answer),
                T(a_finished_answer_need_not_wait_for_the_connection),
                T(an_endless_stream_ends_at_the_bound),
                T(a_flood_of_words_ends_at_the_bound),
                T(endless_heads_and_endless_refusals_end_at_the_bound),
                T(arguments_of_200_kB_arrive_whole),
                T(each_deadline_ends_it_and_hangs_up),
                T(a_stream_that_never_pauses_ends_at_the_deadline_for_all),
                T(who_cancels_closes_the_connection_and_hears_no_more),
                T(who_cancels_at_a_word_hears_no_more),
                T(a_redirect_is_not_followed),
                T(a_proxy_of_the_environment_is_not_asked),
                T(a_session_that_could_break_a_header_is_refused),
                T(plain_http_goes_to_near_addresses_only),
                T(no_other_address_or_port_is_ever_the_pinned_one),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
