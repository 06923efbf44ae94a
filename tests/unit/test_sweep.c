/* test_sweep.c - everything that is due is looked at, a bounded number at a time, and a sweep always comes to an end. */
#include <stdlib.h>

#include "log.h"
#include "settings.h"
#include "sweep.h"
#include "unit.h"

#define ASKED_MAX 8192u

/* The writer, played by the test. */
static struct {
        unsigned pages, calls, in_flight, most;
        bool busy;     /* refuse to queue */
        enum op asked; /* of which kind the last page is */
        channel_answer_fn *due_fn;
        void *due_arg;
        channel_answer_fn *fn[ASKED_MAX];
        void *arg[ASKED_MAX];
        char session[ASKED_MAX][16];
        struct op_session_sweep last;
        struct op_work_expire work;
        char account[64], kind[16], id[64];
} writer;

static struct {
        unsigned times;
        struct sweep_counts counts;
        enum status failed;
} end;

static struct sweep *sweep;

int64_t setting_int(enum setting s) {
        switch ((unsigned)s) {
        case SETTING_call_unanswered_seconds:
                return 3600;
        case SETTING_call_silence_seconds:
                return 900;
        case SETTING_call_longest_seconds:
                return 604800;
        case SETTING_provider_retries:
                return 5;
        case SETTING_provider_retry_base_ms:
                return 2000;
        case SETTING_provider_retry_cap_ms:
                return 30000;
        default:
                fail_msg("the sweep reads setting %d", (int)s);
                return 0;
        }
}

enum status channel_call(struct channel *c, enum op op, const void *msg, unsigned timeout_ms, channel_answer_fn *fn,
                         void *arg) {
        assert_null(c);
        assert_true(timeout_ms > 0);
        assert_int_equal(op_check(op, msg), 0);
        if (writer.busy)
                return STATUS_BUSY;
        if (op == OP_sweep_due || op == OP_work_due) {
                writer.pages++;
                writer.asked = op;
                assert_null(writer.due_fn);
                writer.due_fn = fn;
                writer.due_arg = arg;
                return STATUS_OK;
        }
        assert_true(writer.calls < ASKED_MAX);
        if (writer.asked == OP_sweep_due) {
                assert_int_equal(op, OP_session_sweep);
                writer.last = *(const struct op_session_sweep *)msg;
                assert_true(slice_copy(writer.last.session_id, writer.session[writer.calls], 16));
                assert_true(slice_copy(writer.last.account_id, writer.account, sizeof writer.account));
        } else {
                assert_int_equal(op, OP_work_expire);
                writer.work = *(const struct op_work_expire *)msg;
                assert_true(slice_copy(writer.work.session_id, writer.session[writer.calls], 16));
                assert_true(slice_copy(writer.work.account_id, writer.account, sizeof writer.account));
                assert_true(slice_copy(writer.work.kind, writer.kind, sizeof writer.kind));
                assert_true(slice_copy(writer.work.id, writer.id, sizeof writer.id));
        }
        writer.fn[writer.calls] = fn;
        writer.arg[writer.calls++] = arg;
        writer.in_flight++;
        if (writer.in_flight > writer.most)
                writer.most = writer.in_flight;
        return STATUS_OK;
}

static void on_done(void *arg, const struct sweep_counts *counts, enum status failed) {
        assert_ptr_equal(arg, &end);
        end.times++;
        end.counts = *counts;
        end.failed = failed;
}

static int setup(void **state) {
        (void)state;
        memset(&writer, 0, sizeof writer);
        memset(&end, 0, sizeof end);
        sweep = sweep_new(on_done, &end);
        return 0;
}

static int teardown(void **state) {
        (void)state;
        sweep_free(sweep);
        return 0;
}

static void say(channel_answer_fn *fn, void *arg, enum status s, const char *body) {
        struct answer a = { s, { 0 }, exact(slice_of(body)) };

        fn(arg, &a);
        exact_free(a.body);
}

static void say_due(enum status s, const char *body) {
        channel_answer_fn *fn = writer.due_fn;

        assert_non_null(fn);
        writer.due_fn = NULL;
        say(fn, writer.due_arg, s, body);
}

/* The calls are done with, and no other work is due. */
static void say_no_work(void) {
        assert_int_equal(writer.asked, OP_work_due);
        say_due(STATUS_OK, "{\"ok\":true,\"due\":[],\"more\":false}");
}

/* The calls from..to-1 are due. */
static void say_page(unsigned from, unsigned to, bool more) {
        struct buf b;

        buf_init(&b, 1u << 20);
        buf_str(&b, "{\"ok\":true,\"due\":[");
        for (unsigned i = from; i < to; i++)
                buf_fmt(&b, "%s{\"accountId\":\"a\\u00e9\",\"sessionId\":\"s%u\"}", i == from ? "" : ",", i);
        buf_fmt(&b, "],\"more\":%s}", more ? "true" : "false");
        buf_char(&b, '\0');
        say_due(STATUS_OK, b.p);
        buf_free(&b);
}

static void say_result(unsigned call, enum status s, const char *body) {
        writer.in_flight--;
        say(writer.fn[call], writer.arg[call], s, body);
}

TEST(nobody_due_is_the_end) {
        sweep_start(sweep, NULL);
        assert_int_equal(end.times, 0);
        say_page(0, 0, false);
        assert_int_equal(end.times, 0);
        say_no_work();
        assert_int_equal(end.times, 1);
        assert_int_equal(end.failed, STATUS_OK);
        assert_int_equal(writer.calls, 0);
}

TEST(every_call_is_asked_for_once_with_the_operators_deadlines) {
        sweep_start(sweep, NULL);
        say_page(0, 5, false);
        assert_int_equal(writer.calls, 5);
        assert_int_equal(writer.last.unanswered_ms, 3600000);
        assert_int_equal(writer.last.silence_ms, 900000);
        assert_int_equal(writer.last.longest_ms, 604800000);
        assert_int_equal(writer.last.retries, 5);
        assert_int_equal(writer.last.retry_base_ms, 2000);
        assert_int_equal(writer.last.retry_cap_ms, 30000);
        assert_string_equal(writer.account, "a\xc3\xa9");
        assert_string_equal(writer.session[4], "s4");
        say_result(1, STATUS_OK, "{\"ok\":true,\"result\":\"ended\"}");
        say_result(0, STATUS_OK, "{\"ok\":true,\"result\":\"kept\"}");
        say_result(2, STATUS_OK, "{\"ok\":true,\"result\":\"retried\"}");
        say_result(4, STATUS_SESSION_NOT_FOUND, "");
        assert_int_equal(end.times, 0);
        say_result(3, STATUS_OK, "{\"ok\":true,\"result\":\"ended\"}");
        say_no_work();
        assert_int_equal(end.times, 1);
        assert_int_equal(end.failed, STATUS_OK);
        assert_int_equal(end.counts.kept, 1);
        assert_int_equal(end.counts.retried, 1);
        assert_int_equal(end.counts.ended, 2);
        assert_int_equal(end.counts.refused, 1);
        assert_int_equal(writer.pages, 2);
}

TEST(at_most_32_are_in_flight_however_many_are_due) {
        sweep_start(sweep, NULL);
        say_page(0, 1000, true);
        for (unsigned i = 0; i < 1000; i++)
                say_result(i, STATUS_OK, "{\"ok\":true,\"result\":\"kept\"}");
        assert_int_equal(writer.most, SWEEP_IN_FLIGHT);
        assert_int_equal(writer.pages, 2);
        say_page(1000, 1001, false);
        say_result(1000, STATUS_OK, "{\"ok\":true,\"result\":\"ended\"}");
        say_no_work();
        assert_int_equal(end.times, 1);
        assert_int_equal(end.counts.kept, 1000);
        assert_int_equal(end.counts.ended, 1);
}

TEST(a_page_that_only_fails_is_not_asked_for_again) {
        sweep_start(sweep, NULL);
        say_page(0, 40, true);
        for (unsigned i = 0; i < 40; i++)
                say_result(i, STATUS_INTERNAL, "");
        say_no_work();
        assert_int_equal(writer.pages, 2);
        assert_int_equal(end.times, 1);
        assert_int_equal(end.counts.refused, 40);
}

TEST(one_success_is_enough_to_go_on) {
        sweep_start(sweep, NULL);
        say_page(0, 2, true);
        say_result(0, STATUS_INTERNAL, "");
        say_result(1, STATUS_OK, "{\"ok\":true,\"result\":\"kept\"}");
        assert_int_equal(writer.pages, 2);
        say_due(STATUS_DATABASE_UNAVAILABLE, "");
        say_no_work();
        assert_int_equal(end.failed, STATUS_DATABASE_UNAVAILABLE);
        assert_int_equal(end.counts.kept, 1);
}

TEST(a_writer_that_does_not_say_who_is_due_ends_the_sweep) {
        sweep_start(sweep, NULL);
        say_due(STATUS_WRITER_UNAVAILABLE, "");
        say_due(STATUS_DATABASE_UNAVAILABLE, "");
        assert_int_equal(end.times, 1);
        assert_int_equal(end.failed, STATUS_WRITER_UNAVAILABLE);
}

TEST(overdue_work_is_expired_by_its_kind_and_id) {
        sweep_start(sweep, NULL);
        say_page(0, 0, false);
        assert_int_equal(writer.asked, OP_work_due);
        say_due(STATUS_OK,
                "{\"ok\":true,\"due\":[{\"accountId\":\"acc\",\"sessionId\":\"s1\",\"kind\":\"turn\",\"id\":\"t1\"},"
                "{\"accountId\":\"acc\",\"sessionId\":\"s2\",\"kind\":\"confirmation\",\"id\":\"a2\"}],"
                "\"more\":true}");
        assert_int_equal(writer.calls, 2);
        assert_string_equal(writer.account, "acc");
        assert_string_equal(writer.session[1], "s2");
        assert_string_equal(writer.kind, "confirmation");
        assert_string_equal(writer.id, "a2");
        say_result(0, STATUS_OK, "{\"ok\":true,\"result\":\"expired\"}");
        say_result(1, STATUS_OK, "{\"ok\":true,\"result\":\"kept\"}");
        assert_int_equal(end.times, 0);
        assert_int_equal(writer.pages, 3);
        say_no_work();
        assert_int_equal(end.times, 1);
        assert_int_equal(end.counts.expired, 1);
        assert_int_equal(end.counts.kept, 1);
}

TEST(calls_that_cannot_be_told_of_do_not_keep_work_from_its_end) {
        sweep_start(sweep, NULL);
        say_due(STATUS_INTERNAL, "");
        say_due(STATUS_OK, "{\"ok\":true,\"due\":[{\"accountId\":\"acc\",\"sessionId\":\"s1\",\"kind\":\"action\","
                           "\"id\":\"a1\"}],"
                           "\"more\":false}");
        say_result(0, STATUS_OK, "{\"ok\":true,\"result\":\"expired\"}");
        assert_int_equal(end.times, 1);
        assert_int_equal(end.counts.expired, 1);
        assert_int_equal(end.failed, STATUS_INTERNAL);
}

TEST(work_without_its_kind_or_id_ends_the_sweep_and_of_no_kind_is_refused) {
        static const char *const bodies[] = {
                "{\"ok\":true,\"due\":[{\"accountId\":\"a\",\"sessionId\":\"s\",\"kind\":\"turn\"}],\"more\":false}",
                "{\"ok\":true,\"due\":[{\"accountId\":\"a\",\"sessionId\":\"s\",\"id\":\"t\"}],\"more\":false}",
                "{\"ok\":true,\"due\":[{\"accountId\":\"a\",\"sessionId\":\"s\",\"kind\":\"aaaaaaaaaaaaaaaa\",\"id\":"
                "\"t\"}],"
                "\"more\":false}",
        };

        for (size_t i = 0; i < COUNT(bodies); i++) {
                sweep_free(sweep);
                sweep = sweep_new(on_done, &end);
                sweep_start(sweep, NULL);
                say_page(0, 0, false);
                say_due(STATUS_OK, bodies[i]);
                assert_int_equal(end.times, i + 1);
                assert_int_equal(end.failed, STATUS_INTERNAL);
        }
        sweep_free(sweep);
        sweep = sweep_new(on_done, &end);
        sweep_start(sweep, NULL);
        say_page(0, 0, false);
        say_due(STATUS_OK,
                "{\"ok\":true,\"due\":[{\"accountId\":\"a\",\"sessionId\":\"s\",\"kind\":\"other\",\"id\":\"t\"}],"
                "\"more\":true}");
        assert_int_equal(end.failed, STATUS_OK);
        assert_int_equal(end.counts.refused, 1);
        assert_int_equal(writer.calls, 0);
}

TEST(a_full_queue_ends_the_sweep) {
        writer.busy = true;
        sweep_start(sweep, NULL);
        assert_int_equal(end.failed, STATUS_BUSY);
        writer.busy = false;
        sweep_free(sweep);
        sweep = sweep_new(on_done, &end);
        sweep_start(sweep, NULL);
        writer.busy = true;
        say_page(0, 3, true);
        assert_int_equal(end.failed, STATUS_BUSY);
        assert_int_equal(end.times, 2);
        assert_int_equal(end.counts.refused, 3);
}

TEST(an_answer_that_is_none_of_the_writers_ends_the_sweep) {
        static const char *const bodies[] = {
                "",
                "{",
                "[]",
                "{\"ok\":true,\"due\":[]}",
                "{\"ok\":true,\"more\":true}",
                "{\"ok\":true,\"due\":{},\"more\":true}",
                "{\"ok\":true,\"due\":[1],\"more\":true}",
                "{\"ok\":true,\"due\":[{\"accountId\":\"a\"}],\"more\":true}",
                "{\"ok\":true,\"due\":[{\"accountId\":1,\"sessionId\":\"s\"}],\"more\":true}",
        };

        for (size_t i = 0; i < COUNT(bodies); i++) {
                sweep_free(sweep);
                sweep = sweep_new(on_done, &end);
                sweep_start(sweep, NULL);
                say_due(STATUS_OK, bodies[i]);
                say_no_work();
                assert_int_equal(end.times, i + 1);
                assert_int_equal(end.failed, STATUS_INTERNAL);
        }
        assert_int_equal(writer.calls, 0);
}

TEST(a_name_or_a_page_over_its_bound_ends_the_sweep) {
        char body[512], name[131];

        memset(name, 'x', 130);
        name[130] = '\0';
        (void)snprintf(body, sizeof body,
                       "{\"ok\":true,\"due\":[{\"accountId\":\"%s\",\"sessionId\":\"s\"}],\"more\":false}", name);
        sweep_start(sweep, NULL);
        say_due(STATUS_OK, body);
        say_no_work();
        assert_int_equal(end.failed, STATUS_INTERNAL);
        sweep_free(sweep);
        sweep = sweep_new(on_done, &end);
        sweep_start(sweep, NULL);
        say_page(0, SWEEP_PAGE + 1, false);
        say_no_work();
        assert_int_equal(end.times, 2);
        assert_int_equal(end.failed, STATUS_INTERNAL);
        assert_int_equal(writer.calls, 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
                T(nobody_due_is_the_end),
                T(every_call_is_asked_for_once_with_the_operators_deadlines),
                T(at_most_32_are_in_flight_however_many_are_due),
                T(a_page_that_only_fails_is_not_asked_for_again),
                T(one_success_is_enough_to_go_on),
                T(a_writer_that_does_not_say_who_is_due_ends_the_sweep),
                T(overdue_work_is_expired_by_its_kind_and_id),
                T(calls_that_cannot_be_told_of_do_not_keep_work_from_its_end),
                T(work_without_its_kind_or_id_ends_the_sweep_and_of_no_kind_is_refused),
                T(a_full_queue_ends_the_sweep),
                T(an_answer_that_is_none_of_the_writers_ends_the_sweep),
                T(a_name_or_a_page_over_its_bound_ends_the_sweep),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
