/* test_gateway_rest - what is tried again, when the gateway is left in peace, and how it comes back. */
#include "gateway_rig.h"

static struct asked asked;
static unsigned changes;
static bool is_ready;

static void on_change(void *arg, bool ready) {
        (void)arg;
        changes++;
        is_ready = ready;
}

static int teardown(void **state) {
        (void)state;
        world_stop();
        return 0;
}

static void world(const char *settings) {
        changes = 0;
        is_ready = false;
        asked = (struct asked){ 0 };
        world_start(settings);
}

#define RUN_FAILED(code, head)                                                                                       \
        "HTTP/1.1 " code "\r\n" head "Content-Type: application/json\r\nConnection: close\r\n\r\n"                   \
        "{\"object\":\"response\",\"status\":\"failed\",\"error\":{\"code\":\"api_error\",\"message\":\"x\"}}"

TEST(a_failure_before_the_first_word_is_tried_again_once) {
        static const char *const first[] = {
                RUN_FAILED("502 Bad Gateway", ""),
                RUN_FAILED("408 Request Timeout", ""),
                RUN_FAILED("429 Too Many Requests", ""),
                RUN_FAILED("500 Internal Server Error", ""),
                RUN_FAILED("503 Service Unavailable", "Retry-After: 1\r\n"),
                SSE_HEAD CREATED FAILED("api_error", "internal error"),
                "",
        };
        world("");
        for (size_t i = 0; i < COUNT(first); i++) {
                script(slice_of(first[i]));
                script(SLICE(SSE_HEAD GOOD));
        }
        for (unsigned i = 0; i < COUNT(first); i++) {
                ASK(&asked);
                until(asked.ends > 0);
                if (asked.status != STATUS_OK || server.requests != 2 * (i + 1) || asked.deltas != 2)
                        fail_msg("%.40s: %s after %u requests", first[i], status_row(asked.status)->name,
                                 server.requests);
        }
}

TEST(a_second_failure_is_the_end) {
        world("");
        script(SLICE(RUN_FAILED("502 Bad Gateway", "")));
        script(SLICE(RUN_FAILED("429 Too Many Requests", "")));
        ASK(&asked);
        until(asked.ends > 0);
        assert_int_equal(asked.status, STATUS_AI_RATE_LIMITED);
        assert_int_equal(server.requests, 2);
        assert_int_equal(asked.ends, 1);
}

TEST(nothing_is_tried_again_after_a_word) {
        world("");
        script(SLICE(SSE_HEAD DELTA("Half") FAILED("api_error", "internal error")));
        ASK(&asked);
        until(asked.ends > 0);
        assert_int_equal(asked.status, STATUS_AI_FAILED);
        assert_true(asked.spoken);
        assert_int_equal(server.requests, 1);
}

TEST(nothing_is_tried_again_that_cannot_be_in_time) {
        world("");
        script(SLICE(RUN_FAILED("502 Bad Gateway", "")));
        script(SLICE(RUN_FAILED("503 Service Unavailable", "Retry-After: 30\r\n")));
        assert_int_equal(ask_for(&asked, 300, 300, 20000), STATUS_OK);
        until(asked.ends > 0);
        assert_int_equal(asked.status, STATUS_AI_FAILED);
        ASK(&asked);
        until(asked.ends > 0);
        assert_int_equal(asked.status, STATUS_AI_UNREACHABLE);
        assert_int_equal(server.requests, 2);
}

TEST(a_wait_for_another_try_can_be_cancelled) {
        world("");
        script(SLICE(RUN_FAILED("502 Bad Gateway", "")));
        ASK(&asked);
        until(server.requests == 1 && server.conn[0].fd < 0);
        turn_loop();
        gateway_cancel(asked.ask);
        for (int i = 0; i < 20; i++)
                turn_loop();
        assert_int_equal(asked.ends, 0);
        assert_int_equal(server.requests, 1);
}

TEST(a_gateway_that_is_not_there_is_unreachable) {
        world("");
        server_stop();
        ASK(&asked);
        until(asked.ends > 0);
        assert_int_equal(asked.status, STATUS_AI_UNREACHABLE);
        assert_false(asked.spoken);
}

TEST(failures_in_a_row_open_the_breaker_and_a_test_turn_closes_it) {
        world("openclaw_failures_max = 3\nopenclaw_test_seconds = 1\n");
        struct slice bad = SLICE(RUN_FAILED("401 Unauthorized", ""));
        for (int i = 0; i < 5; i++) /* three turns and two test turns */
                script(bad);
        for (unsigned i = 1; i <= 3; i++) {
                ASK(&asked);
                until(asked.ends > 0);
                assert_int_equal(asked.status, STATUS_AI_FAILED);
        }
        assert_int_equal(ask_for(&asked, 1000, 1000, 1000), STATUS_AI_RESTING);
        assert_null(asked.ask);
        until(server.requests == 4); /* the first test turn comes at once */
        until(server.requests == 5);
        assert_int_equal(ask_for(&asked, 1000, 1000, 1000), STATUS_AI_RESTING);
        until(gateway_ready(gateway));
        assert_int_equal(server.requests, 6);
        ASK(&asked);
        until(asked.ends > 0);
        assert_int_equal(asked.status, STATUS_OK);
}

TEST(a_success_between_them_starts_the_count_anew) {
        world("openclaw_failures_max = 2\n");
        for (int i = 0; i < 3; i++) {
                struct slice bad = SLICE(SSE_HEAD "data: ?\n\n");
                script(bad);
                script(SLICE(SSE_HEAD GOOD));
        }
        for (unsigned i = 0; i < 6; i++) {
                ASK(&asked);
                until(asked.ends > 0);
                assert_int_equal(asked.status, i % 2 == 0 ? STATUS_AI_GARBLED : STATUS_OK);
                assert_int_equal(gateway_ready(gateway), i % 2 != 0);
        }
}

TEST(a_model_with_nothing_to_say_does_not_open_the_breaker) {
        world("openclaw_failures_max = 1\n");
        script(SLICE(SSE_HEAD TERMINAL("completed", "")));
        ASK(&asked);
        until(asked.ends > 0);
        assert_int_equal(asked.status, STATUS_AI_EMPTY);
        ASK(&asked);
        until(asked.ends > 0);
        assert_int_equal(asked.status, STATUS_OK);
}

TEST(a_model_whose_arguments_make_no_sense_does_not_open_the_breaker) {
        world("openclaw_failures_max = 1\n");
        script(SLICE(SSE_HEAD TERMINAL("completed",
                                       "{\"type\":\"function_call\",\"name\":\"propose_cv\",\"arguments\":\"{]\"}")));
        ASK(&asked);
        until(asked.ends > 0);
        assert_int_equal(asked.status, STATUS_AI_GARBLED);
        ASK(&asked);
        until(asked.ends > 0);
        assert_int_equal(asked.status, STATUS_OK);
}

TEST(the_start_warms_up_and_readiness_follows_the_last_turn) {
        world("openclaw_test_seconds = 1\n");
        assert_false(gateway_ready(gateway));
        gateway_start(gateway, on_change, NULL);
        assert_int_equal(changes, 0);
        until(changes == 1);
        assert_true(is_ready && gateway_ready(gateway));
        assert_non_null(strstr(server.request, "dashboard:incognito-"));
        script(SLICE(SSE_HEAD GOOD)); /* number 1 was the warm-up */
        script(SLICE(SSE_HEAD "data: ?\n\n"));
        ASK(&asked);
        until(asked.ends > 0);
        assert_int_equal(asked.status, STATUS_AI_GARBLED);
        assert_int_equal(changes, 2);
        assert_false(is_ready);
        assert_true(gateway_why(gateway)[0] != '\0');
        until(changes == 3); /* by a test turn, without anybody asking */
        assert_true(is_ready);
        assert_int_equal(server.requests, 3);
}

TEST(no_test_turn_runs_while_all_is_well) {
        world("openclaw_test_seconds = 1\n");
        gateway_start(gateway, on_change, NULL);
        until(changes == 1);
        for (int64_t end = text_mono_micros() + INT64_C(1300000); text_mono_micros() < end;)
                turn_loop();
        assert_int_equal(server.requests, 1);
}

static void no_delta(void *arg, struct slice text) {
        (void)arg;
        (void)text;
}

static void ask_again(void *arg, const struct gateway_end *e) {
        struct asked *a = arg;
        assert_int_equal(e->status, STATUS_OK);
        gateway_cancel(a->ask); /* its end is being told: harmless */
        ASK(&asked);
}

TEST(an_end_may_begin_the_next) {
        static const struct gateway_events again = { no_delta, ask_again };
        static struct asked first;
        const struct gateway_request q = { .session = SLICE("a"),
                                           .body = SLICE("\"input\":\"x\""),
                                           .first_ms = 5000,
                                           .gap_ms = 5000,
                                           .total_ms = 5000 };
        world("openclaw_turns_max = 1\n");
        assert_int_equal(gateway_ask(gateway, &q, &again, &first, &first.ask), STATUS_OK);
        until(asked.ends > 0);
        assert_int_equal(asked.status, STATUS_OK);
        assert_int_equal(server.requests, 2);
}

TEST(over_its_places_it_is_busy) {
        struct asked second = { 0 };
        world("openclaw_turns_max = 1\n");
        ASK(&asked);
        assert_int_equal(ask_for(&second, 1000, 1000, 1000), STATUS_BUSY);
        until(asked.ends > 0);
        ASK(&second);
        until(second.ends > 0);
}

TEST(a_gateway_that_goes_away_takes_its_turns_along) {
        world("");
        struct reply *r = script(SLICE(SSE_HEAD DELTA("Half")));
        r->hold = true;
        gateway_start(gateway, NULL, NULL);
        ASK(&asked);
        until(server.requests == 2);
        gateway_free(gateway);
        gateway = gateway_new(loop);
        assert_int_equal(asked.ends, 0);
}

static void unconfigured(const char *settings, const char *token) {
        gateway_free(gateway);
        put_file("gateway.conf", settings);
        put_file("openclaw-token", token);
        char path[128], why[256];
        (void)snprintf(path, sizeof path, "%s/gateway.conf", rig_dir);
        assert_int_equal(settings_load(path, why), 0);
        gateway = gateway_new(loop);
        assert_false(gateway_configured(gateway));
        gateway_start(gateway, on_change, NULL);
        assert_int_equal(ask_for(&asked, 1000, 1000, 1000), STATUS_AI_NOT_CONFIGURED);
        assert_false(gateway_ready(gateway));
        assert_true(gateway_why(gateway)[0] != '\0');
        for (int i = 0; i < 3; i++)
                turn_loop();
        assert_int_equal(server.accepted, 0);
}

TEST(without_url_or_token_nothing_is_asked) {
        world("");
        unconfigured("", TOKEN);
        unconfigured("openclaw_url = http://127.0.0.1:9\n", "\n");
}

int main(void) {
        const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_teardown(name, teardown)
                T(a_failure_before_the_first_word_is_tried_again_once),
                T(a_second_failure_is_the_end),
                T(nothing_is_tried_again_after_a_word),
                T(nothing_is_tried_again_that_cannot_be_in_time),
                T(a_wait_for_another_try_can_be_cancelled),
                T(a_gateway_that_is_not_there_is_unreachable),
                T(failures_in_a_row_open_the_breaker_and_a_test_turn_closes_it),
                T(a_success_between_them_starts_the_count_anew),
                T(a_model_with_nothing_to_say_does_not_open_the_breaker),
                T(a_model_whose_arguments_make_no_sense_does_not_open_the_breaker),
                T(the_start_warms_up_and_readiness_follows_the_last_turn),
                T(no_test_turn_runs_while_all_is_well),
                T(an_end_may_begin_the_next),
                T(over_its_places_it_is_busy),
                T(a_gateway_that_goes_away_takes_its_turns_along),
                T(without_url_or_token_nothing_is_asked),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
