/* test_csv_route.c - a ledger is asked for as this person's, and sent as a file, byte for byte. */
#include "fake_front.h"

static const struct actor ann = { { "acme", 4 }, { "ann", 3 }, { "owner", 5 }, false, 0 };
static struct fake_client c;

static int set_up(void **state) {
        (void)state;
        fake_reset();
        return 0;
}

static int tear_down(void **state) {
        (void)state;
        fake_client_free(&c);
        fake_reset();
        return 0;
}

static void ask(const char *account, const char *query) {
        fake_client_free(&c);
        fake_request(&c, query, (struct slice){ 0 });
        c.r.path = slice_of(account);
        fake_route("exportLedger")->handler(NULL, &c.r, fake_route("exportLedger"), &ann);
}

TEST(it_is_asked_for_as_this_person_and_arrives_as_it_is) {
        const struct op_ledger_csv *m;

        ask("acme", "fromMs=1&toMs=2");
        assert_non_null(fake_calls);
        assert_int_equal(fake_calls->op, OP_ledger_csv);
        m = fake_calls->msg;
        assert_slice(m->account_id, "acme");
        assert_slice(m->actor_id, "ann");
        assert_slice(m->of_account, "acme");
        assert_int_equal(m->from_ms, 1);
        assert_int_equal(m->to_ms, 2);
        fake_answer_next(STATUS_OK, "", "{\"ok\":true,\"rows\":1,\"csv\":\"a,b\\r\\n\\\"x\\\"\\\"\\\",'=1\\r\\n\"}");
        assert_int_equal(c.code, 200);
        assert_slice(buf_view(&c.body), "a,b\r\n\"x\"\"\",'=1\r\n");
        assert_string_equal(c.type, "text/csv; charset=utf-8; header=present");
}

TEST(a_refusal_is_passed_on_and_an_answer_that_is_none_is_internal) {
        static const char *const bodies[] = { "", "{", "{}", "[]", "{\"csv\":1}" };

        ask("acme", "fromMs=x");
        assert_null(fake_calls);
        assert_int_equal(status_row(c.status)->http, 400);
        ask("acme", "");
        fake_answer_next(STATUS_EXPORT_TOO_LARGE, "", "");
        assert_int_equal(c.status, STATUS_EXPORT_TOO_LARGE);
        for (size_t i = 0; i < COUNT(bodies); i++) {
                ask("acme", "");
                fake_answer_next(STATUS_OK, "", bodies[i]);
                assert_int_equal(c.status, STATUS_INTERNAL);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(it_is_asked_for_as_this_person_and_arrives_as_it_is, set_up,
                                                tear_down),
                cmocka_unit_test_setup_teardown(a_refusal_is_passed_on_and_an_answer_that_is_none_is_internal, set_up,
                                                tear_down),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
