/* test_stats - what was counted is what Prometheus reads; a report of another layout is left out. */
#include "unit.h"

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stats.h"

static struct buf report, text;

static int setup(void **state) {
        (void)state;
        buf_init(&report, 1 << 16);
        buf_init(&text, 1 << 20);
        return 0;
}

static int teardown(void **state) {
        (void)state;
        buf_free(&report);
        buf_free(&text);
        return 0;
}

static void render(size_t n, const struct stats_source *src) {
        buf_clear(&text);
        stats_render(src, n, &text);
        buf_char(&text, '\0');
        assert_false(text.over);
}

static void render_ours(void) {
        buf_clear(&report);
        stats_encode(&report);
        assert_false(report.over);
        render(1, &(struct stats_source){ FRONTEND, 2, buf_view(&report) });
}

#define has(line) assert_non_null(strstr(text.p, line "\n"))
#define OF        "{daemon=\"frontend\",instance=\"2\""

TEST(counters_and_gauges) {
        stat_add(STAT_http_requests, 3);
        stat_add(STAT_http_requests, 4);
        stat_set(STAT_streams_open, 9);
        stat_set(STAT_streams_open, 5);
        render_ours();
        has("# TYPE lifeos_http_requests_total counter");
        has("lifeos_http_requests_total" OF "} 7");
        has("# TYPE lifeos_streams_open gauge");
        has("lifeos_streams_open" OF "} 5");
        has("lifeos_up" OF "} 1");
}

TEST(counters_by_word) {
        stat_add_word(STAT_http_responses, "2xx", 2);
        stat_add_word(STAT_http_responses, "5xx", 1);
        stat_add_word(STAT_http_responses, "teapot", 6);
        stat_add_word(STAT_http_responses, "", 1);
        stat_add_word(STAT_http_responses, "2x", 1);
        render_ours();
        has("lifeos_http_responses_total" OF ",class=\"2xx\"} 2");
        has("lifeos_http_responses_total" OF ",class=\"4xx\"} 0");
        has("lifeos_http_responses_total" OF ",class=\"5xx\"} 1");
        has("lifeos_http_responses_total" OF ",class=\"other\"} 8");
}

TEST(histograms_cumulate) {
        const int64_t micros[] = { 0, -5, 100, 101, 1500000, 61000000, 3600000000 };
        for (size_t i = 0; i < COUNT(micros); i++)
                stat_observe(STAT_writer_commit, micros[i]);
        render_ours();
        has("# TYPE lifeos_writer_commit_seconds histogram");
        has("lifeos_writer_commit_seconds_bucket" OF ",le=\"0.0001\"} 3");
        has("lifeos_writer_commit_seconds_bucket" OF ",le=\"0.0002\"} 4");
        has("lifeos_writer_commit_seconds_bucket" OF ",le=\"1\"} 4");
        has("lifeos_writer_commit_seconds_bucket" OF ",le=\"2\"} 5");
        has("lifeos_writer_commit_seconds_bucket" OF ",le=\"60\"} 5");
        has("lifeos_writer_commit_seconds_bucket" OF ",le=\"+Inf\"} 7");
        has("lifeos_writer_commit_seconds_sum" OF "} 3662.500201");
        has("lifeos_writer_commit_seconds_count" OF "} 7");
}

TEST(each_metric_is_described_once_across_sources) {
        buf_clear(&report);
        stats_encode(&report);
        const struct stats_source src[] = { { FRONTEND, 1, buf_view(&report) },
                                            { FRONTEND, 2, buf_view(&report) },
                                            { WRITER, 1, buf_view(&report) } };
        render(3, src);
        const char *first = strstr(text.p, "# HELP lifeos_http_requests_total ");
        assert_non_null(first);
        assert_null(strstr(first + 1, "# HELP lifeos_http_requests_total "));
        has("lifeos_up{daemon=\"frontend\",instance=\"1\"} 1");
        has("lifeos_up{daemon=\"writer\",instance=\"1\"} 1");
}

TEST(a_report_that_does_not_fit_is_left_out) {
        buf_clear(&report);
        stats_encode(&report);
        struct slice whole = buf_view(&report);
        for (uint32_t n = 0; n < whole.n; n += n < 16 ? 1 : 97) {
                struct slice cut = exact((struct slice){ whole.p, n });
                render(1, &(struct stats_source){ WEBHOOK, 1, cut });
                assert_null(strstr(text.p, "lifeos_http_requests_total{"));
                exact_free(cut);
        }
        report.p[0] ^= 1; /* another build's table */
        render(1, &(struct stats_source){ WEBHOOK, 1, whole });
        assert_null(strstr(text.p, "lifeos_http_requests_total{"));
        has("lifeos_up{daemon=\"webhook\",instance=\"1\"} 0");
}

TEST(any_values_of_a_peer_render) {
        uint64_t luck = 7;
        buf_clear(&report);
        stats_encode(&report);
        for (size_t i = 8; i < report.n; i++)
                report.p[i] = (char)dice(&luck, 256);
        render(1, &(struct stats_source){ WEBHOOK, 1, buf_view(&report) });
        assert_non_null(strstr(text.p, "lifeos_http_requests_total{daemon=\"webhook\""));
}

/* The text format's own checker, where it is installed. */
TEST(promtool_agrees) {
        int status;
        if (access("/usr/bin/promtool", X_OK) != 0)
                skip();
        render_ours();
        FILE *check = popen("/usr/bin/promtool check metrics 1>&2", "w");
        assert_non_null(check);
        assert_int_equal(fwrite(text.p, 1, text.n - 1, check), text.n - 1);
        status = pclose(check);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
                T(counters_and_gauges),
                T(counters_by_word),
                T(histograms_cumulate),
                T(each_metric_is_described_once_across_sources),
                T(a_report_that_does_not_fit_is_left_out),
                T(any_values_of_a_peer_render),
                T(promtool_agrees),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
