/* test_status.c - every way to end has one name, one code, one SQLSTATE and a text that says what to do. */
#include "status.h"
#include "unit.h"

#define EACH(s) for (unsigned s = 0; s < STATUS_COUNT; s++)

TEST(rows_are_found_by_name_and_sqlstate) {
        EACH(s) {
                const struct status_row *row = status_row((enum status)s);

                assert_int_equal(status_by_name(slice_of(row->name)), s);
                if (row->sqlstate[0])
                        assert_int_equal(status_by_sqlstate(row->sqlstate), s);
        }
        assert_int_equal(status_by_name(SLICE("ok")), STATUS_COUNT);
        assert_int_equal(status_by_name(SLICE("")), STATUS_COUNT);
        assert_int_equal(status_by_sqlstate("42601"), STATUS_COUNT);
        assert_int_equal(status_by_sqlstate(""), STATUS_COUNT);
        assert_int_equal(status_by_sqlstate(NULL), STATUS_COUNT);
}

TEST(rows_can_be_sent) {
        EACH(s) {
                const struct status_row *row = status_row((enum status)s);

                assert_true(row->http >= 200 && row->http <= 599);
                assert_true(row->text[0] != 0 && text_utf8(slice_of(row->text)));
                assert_true(text_id(slice_of(row->name)));
                assert_true(row->sqlstate[0] == 0 ||
                            (strlen(row->sqlstate) == 5 && memcmp(row->sqlstate, "LO", 2) == 0));
        }
}

TEST(ok_is_zero_and_the_unknown_is_internal) {
        assert_int_equal(STATUS_OK, 0);
        assert_int_equal(status_row(STATUS_OK)->http, 200);
        assert_string_equal(status_row(STATUS_COUNT)->name, "INTERNAL");
        assert_string_equal(status_row((enum status)60000)->name, "INTERNAL");
}

/* Ours, and as it is until somebody has changed a configuration. */
static bool is_the_operators(enum status s) {
        return s == STATUS_AI_NOT_CONFIGURED || s == STATUS_AI_TLS_FAILED || s == STATUS_AI_REFUSED;
}

TEST(what_is_retryable_is_not_the_clients_fault) {
        EACH(s) {
                const struct status_row *row = status_row((enum status)s);

                if (row->retry == RETRYABLE)
                        assert_true((row->http >= 500 && !is_the_operators((enum status)s)) || row->http == 408 ||
                                    row->http == 409 || row->http == 429);
                else
                        assert_true(row->http < 500 || is_the_operators((enum status)s));
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(rows_are_found_by_name_and_sqlstate),
                cmocka_unit_test(rows_can_be_sent),
                cmocka_unit_test(ok_is_zero_and_the_unknown_is_internal),
                cmocka_unit_test(what_is_retryable_is_not_the_clients_fault),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
