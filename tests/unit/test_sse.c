/* test_sse.c - the promises of sse.h and run.h: bytes a browser's EventSource understands. */
#include "unit.h"

#include "run.h"
#include "sse.h"

static struct buf out;

static void fresh(void) {
        buf_free(&out);
        buf_init(&out, 4096);
}

TEST(an_event_has_its_sequence_and_no_name) {
        fresh();
        sse_event(&out, 42, SLICE("{\"a\":1}"));
        assert_slice(buf_view(&out), "id: 42\ndata: {\"a\":1}\n\n");
        fresh();
        sse_named(&out, "reset", SLICE("{}"));
        assert_slice(buf_view(&out), "event: reset\ndata: {}\n\n");
        fresh();
        sse_retry(&out, 1000);
        assert_slice(buf_view(&out), "retry: 1000\n\n");
        fresh();
}

TEST(no_byte_of_data_ends_its_field) {
        fresh();
        sse_event(&out, 1, SLICE("{\n\"a\":\r\n1}\n"));
        assert_slice(buf_view(&out), "id: 1\ndata: { \"a\":  1} \n\n");
        fresh();
}

TEST(a_live_stream_is_asked_for_by_name) {
        static const char *const yes[] = { "text/event-stream",
                                           "Text/Event-Stream",
                                           "application/json, text/event-stream",
                                           " text/event-stream ; q=0.1 ",
                                           "*/*;q=0,text/event-stream;q=1",
                                           "text/event-stream;charset=utf-8",
                                           "text/event-stream;q=0.001" };
        static const char *const no[] = { "",
                                          "*/*",
                                          "text/*",
                                          "application/json",
                                          "text/event-stream;q=0",
                                          "text/event-stream; q=0.000",
                                          "text/event-streams",
                                          "xtext/event-stream",
                                          ",,;" };

        for (size_t i = 0; i < COUNT(yes); i++)
                if (!sse_accepted(slice_of(yes[i])))
                        fail_msg("%s", yes[i]);
        for (size_t i = 0; i < COUNT(no); i++)
                if (sse_accepted(slice_of(no[i])))
                        fail_msg("%s", no[i]);
}

TEST(a_cursor_is_a_decimal_sequence) {
        static const char *const bad[] = { "", "-1", "+1", "01", "1.0", "1e3", "x", " 1", "9223372036854775808" };
        uint64_t v = 7;

        for (size_t i = 0; i < COUNT(bad); i++)
                assert_false(sse_cursor(slice_of(bad[i]), &v));
        assert_int_equal(v, 7);
        assert_true(sse_cursor(SLICE("0"), &v));
        assert_int_equal(v, 0);
        assert_true(sse_cursor(SLICE("9223372036854775807"), &v));
        assert_true(v == INT64_MAX);
}

/* ---- runs ---- */

static void assert_after(const struct run *r, uint64_t cursor, size_t max, const char *want, uint64_t want_last) {
        uint64_t last = 0;

        assert_slice(run_after(r, cursor, max, &last), want);
        assert_int_equal(last, want_last);
}

#define FRAME(n) "id: " #n "\ndata: e" #n "\n\n" /* 16 bytes for one digit */

TEST(any_tail_of_a_run_is_one_piece) {
        struct run r;

        run_init(&r, 4096, sse_event);
        assert_false(run_follows(&r, 0));
        assert_int_equal(run_last(&r), 0);
        assert_true(run_add(&r, 3, SLICE("e3")));
        assert_true(run_add(&r, 4, SLICE("e4")));
        assert_true(run_add(&r, 5, SLICE("e5")));
        assert_false(run_follows(&r, 1));
        assert_true(run_follows(&r, 2));
        assert_true(run_follows(&r, 4));
        assert_false(run_follows(&r, 5));
        assert_false(run_follows(&r, 6));
        assert_after(&r, 2, 4096, FRAME(3) FRAME(4) FRAME(5), 5);
        assert_after(&r, 3, 4096, FRAME(4) FRAME(5), 5);
        assert_after(&r, 2, 31, FRAME(3), 3);
        assert_after(&r, 2, 32, FRAME(3) FRAME(4), 4);
        assert_after(&r, 4, 1, FRAME(5), 5);
        run_free(&r);
}

TEST(what_is_held_is_not_taken_twice_and_a_gap_starts_anew) {
        struct run r;

        run_init(&r, 4096, sse_event);
        assert_true(run_add(&r, 3, SLICE("e3")));
        assert_true(run_add(&r, 3, SLICE("other")));
        assert_true(run_add(&r, 1, SLICE("e1")));
        assert_after(&r, 2, 4096, FRAME(3), 3);
        assert_true(run_add(&r, 7, SLICE("e7")));
        assert_false(run_follows(&r, 2));
        assert_after(&r, 6, 4096, FRAME(7), 7);
        run_free(&r);
}

TEST(the_oldest_give_way_and_the_rest_stays_true) {
        struct run r;
        char text[80];

        run_init(&r, 1000, sse_event);
        for (uint64_t n = 1; n <= 500; n++) {
                int bytes = snprintf(text, sizeof text, "{\"n\":%llu}", (unsigned long long)n);
                uint64_t last;

                assert_true(run_add(&r, n, (struct slice){ text, (uint32_t)bytes }));
                assert_true(r.bytes.n <= 1000);
                assert_true(run_follows(&r, n - 1));
                assert_int_equal(run_last(&r), n);
                for (uint64_t c = r.first - 1; c < n; c++) {
                        struct slice one = run_after(&r, c, 1, &last);
                        char want[80];

                        (void)snprintf(want, sizeof want, "id: %llu\ndata: {\"n\":%llu}\n\n",
                                       (unsigned long long)(c + 1), (unsigned long long)(c + 1));
                        assert_slice(one, want);
                        assert_int_equal(last, c + 1);
                }
        }
        assert_true(r.first > 400);
        run_free(&r);
}

TEST(an_event_over_the_bound_empties_the_run_and_harms_nothing) {
        struct run r;
        static char large[2000];

        run_init(&r, 1000, sse_event);
        assert_true(run_add(&r, 1, SLICE("e1")));
        assert_false(run_add(&r, 2, (struct slice){ large, sizeof large }));
        assert_false(run_follows(&r, 0));
        assert_true(run_add(&r, 3, SLICE("e3")));
        assert_after(&r, 2, 4096, FRAME(3), 3);
        run_free(&r);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(an_event_has_its_sequence_and_no_name),
                cmocka_unit_test(no_byte_of_data_ends_its_field),
                cmocka_unit_test(a_live_stream_is_asked_for_by_name),
                cmocka_unit_test(a_cursor_is_a_decimal_sequence),
                cmocka_unit_test(any_tail_of_a_run_is_one_piece),
                cmocka_unit_test(what_is_held_is_not_taken_twice_and_a_gap_starts_anew),
                cmocka_unit_test(the_oldest_give_way_and_the_rest_stays_true),
                cmocka_unit_test(an_event_over_the_bound_empties_the_run_and_harms_nothing),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
