/* test_ops_sql.c - the statements the writer prepares, spelled from the rows. */
#include "message.h"

static const char *types[64];
static int n_types;

static void expect(enum op op, const char *want) {
        struct buf sql;

        buf_init(&sql, 65536);
        assert_int_equal(op_sql(op, &sql, types, &n_types), 0);
        assert_slice(buf_view(&sql), want);
        buf_free(&sql);
}

TEST(a_read_names_its_arguments) {
        expect(OP_session_list,
               "SELECT * FROM api.session_list(\"account_id\" => $1::text, \"actor_id\" => $2::text, "
               "\"actor_role\" => $3::text, \"limit\" => $4::bigint, \"status\" => $5::text, "
               "\"cursor\" => $6::text)");
        assert_int_equal(n_types, 6);
        assert_string_equal(types[3], "bigint");
        expect(OP_stream_open,
               "SELECT * FROM api.stream_open(\"account_id\" => $1::text, \"actor_id\" => $2::text, "
               "\"actor_role\" => $3::text, \"session_id\" => $4::text, \"consumer_id\" => $5::text)");
        expect(OP_key_check, "SELECT * FROM api.key_check(\"key_id\" => $1::text, \"secret_hash\" => $2::bytea)");
        expect(OP_health, "SELECT * FROM api.health(\"deep\" => $1::boolean)");
}

TEST(a_command_brings_its_hash_last) {
        expect(OP_key_revoke, "SELECT * FROM api.key_revoke(\"command_id\" => $1::text, \"key_id\" => $2::text, "
                              "\"command_hash\" => $3::bytea)");
        assert_int_equal(n_types, 3);
        assert_string_equal(types[2], "bytea");
        expect(OP_session_create,
               "SELECT * FROM api.session_create(\"account_id\" => $1::text, \"actor_id\" => $2::text, "
               "\"actor_role\" => $3::text, \"command_id\" => $4::text, \"session_id\" => $5::text, "
               "\"correlation_id\" => $6::text, \"provider\" => $7::text, \"reconnect_window_ms\" => $8::bigint, "
               "\"provider_room_id\" => $9::text, \"provider_participant_id\" => $10::text, "
               "\"provider_call_id\" => $11::text, \"metadata\" => $12::json, \"command_hash\" => $13::bytea)");
}

TEST(a_batch_is_arrays_led_by_the_op_of_each_row) {
        expect(OP_event_append,
               "SELECT * FROM api.event_append(\"account_id\" => $1::text[], \"actor_id\" => $2::text[], "
               "\"actor_role\" => $3::text[], \"origin\" => $4::text[], \"received\" => $5::bigint[], "
               "\"events_op\" => $6::int[], \"events_session_id\" => $7::text[], \"events_event_id\" => $8::text[], "
               "\"events_type\" => $9::text[], \"events_ts_given\" => $10::boolean[], \"events_ts\" => "
               "$11::bigint[], "
               "\"events_payload\" => $12::text[])");
        assert_int_equal(n_types, 12);
        assert_string_equal(types[5], "int[]");
        assert_string_equal(types[9], "boolean[]");
}

TEST(only_what_the_database_answers_has_a_statement) {
        for (unsigned op = 0; op < OP_COUNT; op++) {
                enum mode mode = op_desc((enum op)op)->mode;
                bool database = mode == READ || mode == WRITE || mode == BATCH || mode == LISTEN;
                struct buf sql;

                buf_init(&sql, 65536);
                assert_int_equal(op_sql((enum op)op, &sql, types, &n_types), database ? 0 : -1);
                assert_int_equal(sql.n > 0, database);
                for (int i = 0; database && i < n_types; i++)
                        assert_non_null(types[i]);
                buf_free(&sql);
        }
}

TEST(a_statement_that_does_not_fit_is_no_statement) {
        struct buf sql;

        buf_init(&sql, 40);
        assert_int_equal(op_sql(OP_session_create, &sql, types, &n_types), -1);
        buf_free(&sql);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_read_names_its_arguments),
                cmocka_unit_test(a_command_brings_its_hash_last),
                cmocka_unit_test(a_batch_is_arrays_led_by_the_op_of_each_row),
                cmocka_unit_test(only_what_the_database_answers_has_a_statement),
                cmocka_unit_test(a_statement_that_does_not_fit_is_no_statement),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
