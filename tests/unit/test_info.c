/* test_info.c - what the appliance says about itself is true, also when parts of it are away. */
#include "fake_front.h"

#include "json.h"

static struct fake_client c;
static struct arena arena;
static enum status openclaw;
static const char *assistant; /* what it says of itself */

static int set_up(void **state) {
        (void)state;
        fake_reset();
        openclaw = STATUS_OK;
        assistant = "{\"ok\":true,\"openclaw\":\"ready\"}";
        arena_init(&arena, 1u << 20);
        return 0;
}

static int tear_down(void **state) {
        (void)state;
        fake_client_free(&c);
        arena_free(&arena);
        fake_reset();
        return 0;
}

static void get(route_fn *fn) {
        fake_client_free(&c);
        fake_request(&c, "", (struct slice){ 0 });
        fn(NULL, &c.r, NULL, NULL);
}

static struct json reply(void) {
        struct json v;
        const char *why;
        size_t at;

        assert_true(c.answered);
        assert_int_equal(json_parse(buf_view(&c.body), &arena, &v, &why, &at), 0);
        return v;
}

static void assert_str(struct json v, const char *key, const char *want) {
        struct slice s;

        assert_true(json_str(json_get(v, key), &s));
        assert_slice(s, want);
}

static bool flag(struct json v, const char *key) {
        bool yes;

        assert_true(json_bool(json_get(v, key), &yes));
        return yes;
}

TEST(health_is_this_process_alone) {
        int64_t up;

        fake_writer = fake_webhook = NULL;
        get(route_health);
        assert_int_equal(c.code, 200);
        assert_true(flag(reply(), "ok"));
        assert_str(reply(), "version", LIFEOS_VERSION);
        assert_true(json_int(json_get(reply(), "uptimeMs"), &up));
        assert_in_range(up, 5900, 60000);
}

static void ready(enum status writer, enum status webhook) {
        get(route_ready);
        assert_int_equal(fake_count(OP_health), 1);
        assert_int_equal(fake_count(OP_webhook_health), 1);
        fake_answer_next(writer, "", "{\"ok\":true}");
        assert_false(c.answered);
        fake_answer_next(webhook, "", "{\"ok\":true}");
        assert_false(c.answered);
        assert_int_equal(fake_count(OP_openclaw_health), 1);
        fake_answer_next(openclaw, "", assistant);
}

static void assert_checks(int code, const char *writer, const char *database, const char *webhook) {
        struct json checks = json_get(reply(), "checks");

        assert_int_equal(c.code, code);
        assert_int_equal(flag(reply(), "ok"), code == 200);
        assert_int_equal(flag(reply(), "ready"), code == 200);
        assert_str(checks, "writer", writer);
        assert_str(checks, "database", database);
        assert_str(checks, "webhook", webhook);
        if (code == 200)
                return;
        assert_str(reply(), "code", "NOT_READY");
        assert_str(reply(), "requestId", "req_1");
        assert_str(reply(), "traceId", "trace_1");
        assert_true(flag(reply(), "retryable"));
}

TEST(ready_names_the_part_that_is_not) {
        ready(STATUS_OK, STATUS_OK);
        assert_checks(200, "ok", "ok", "ok");
        ready(STATUS_DATABASE_UNAVAILABLE, STATUS_OK);
        assert_checks(503, "ok", "down", "ok");
        ready(STATUS_WRITER_UNAVAILABLE, STATUS_OK);
        assert_checks(503, "down", "unknown", "ok");
        ready(STATUS_BUSY, STATUS_OK);
        assert_checks(503, "busy", "unknown", "ok");
        ready(STATUS_OK, STATUS_LIVEKIT_UNAVAILABLE);
        assert_checks(503, "ok", "ok", "failing");
}

TEST(ready_does_not_wait_for_who_is_known_to_be_away) {
        fake_channel_up(fake_writer, false);
        fake_webhook = fake_openclaw = NULL;
        get(route_ready);
        assert_null(fake_calls);
        assert_checks(503, "down", "unknown", "down");
        assert_str(json_get(reply(), "checks"), "openclaw", "not ready");
}

TEST(without_an_assistant_all_else_is_ready) {
        static const struct {
                enum status s;
                const char *says, *want;
        } rows[] = { { STATUS_OK, "{\"ok\":true,\"openclaw\":\"ready\"}", "ready" },
                     { STATUS_OK, "{\"ok\":true,\"openclaw\":\"not configured\",\"why\":\"x\"}", "not configured" },
                     { STATUS_OK, "{\"ok\":true,\"openclaw\":\"not ready\"}", "not ready" },
                     { STATUS_OK, "{\"ok\":true,\"openclaw\":\"\\u0000\"}", "not ready" },
                     { STATUS_OK, "{\"ok\":true}", "not ready" },
                     { STATUS_BUSY, "", "not ready" },
                     { STATUS_OPENCLAW_UNAVAILABLE, "", "not ready" } };

        for (size_t i = 0; i < COUNT(rows); i++) {
                openclaw = rows[i].s;
                assistant = rows[i].says;
                ready(STATUS_OK, STATUS_OK);
                assert_checks(200, "ok", "ok", "ok");
                assert_str(json_get(reply(), "checks"), "openclaw", rows[i].want);
        }
}

TEST(a_prober_that_leaves_is_forgotten) {
        get(route_ready);
        fake_answer_next(STATUS_OK, "", "{}");
        fake_leave(&c);
        assert_int_equal(fake_count(OP_webhook_health), 0);
        assert_int_equal(fake_count(OP_openclaw_health), 0);
        fake_answer_next(STATUS_OK, "", "{}");
        fake_answer_next(STATUS_OK, "", "{}");
        assert_int_equal(c.code, 0);
}

TEST(the_root_lists_every_route) {
        struct json endpoints;

        get(route_root);
        endpoints = json_get(reply(), "endpoints");
        assert_str(reply(), "contract", "v1.0");
        assert_str(reply(), "service", "lifeos-gateway");
        assert_int_equal(json_count(endpoints), n_routes);
        assert_str(endpoints, "health", "GET /health (is this process alive)");
}

TEST(metrics_are_the_writers_or_at_least_our_own) {
        get(route_metrics);
        fake_answer_next(STATUS_OK, "", "all of them\n");
        assert_slice(buf_view(&c.body), "all of them\n");
        assert_string_equal(c.type, "text/plain; version=0.0.4; charset=utf-8");
        get(route_metrics);
        fake_answer_next(STATUS_WRITER_UNAVAILABLE, "", "");
        assert_int_equal(c.code, 200);
        assert_true(fake_said(&c, "instance 3 report report\n"));
        fake_writer = NULL;
        get(route_metrics);
        assert_true(fake_said(&c, "instance 1 report \n"));
        fake_reset();
        get(route_metrics);
        fake_leave(&c);
        assert_int_equal(fake_count(OP_stats_read), 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                T(health_is_this_process_alone),
                T(ready_names_the_part_that_is_not),
                T(without_an_assistant_all_else_is_ready),
                T(ready_does_not_wait_for_who_is_known_to_be_away),
                T(a_prober_that_leaves_is_forgotten),
                T(the_root_lists_every_route),
                T(metrics_are_the_writers_or_at_least_our_own),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
