/* test_writer_params.c - messages become PostgreSQL's binary parameters, and a repeat keeps its command hash. */
#include "message.h"
#include "params.h"
#include "writer_rig.h"

static struct params params;

static int setup(void **state) {
        params_init(&params);
        return rig_setup(state);
}

static int teardown(void **state) {
        params_free(&params);
        return rig_teardown(state);
}

static uint64_t be(const char *p, int n) {
        uint64_t v = 0;

        for (int i = 0; i < n; i++)
                v = v << 8 | (unsigned char)p[i];
        return v;
}

/* Reads parameter `at` as an array: checks its header, and points cell[i] at each element's length word. */
static unsigned array(int at, uint32_t oid, const char *cell[static 64]) {
        struct slice s = exact((struct slice){ params.value[at], (uint32_t)params.length[at] });
        unsigned n = 0;

        assert_int_equal(params.format[at], 1);
        assert_int_equal(be(s.p + 8, 4), oid);
        if (be(s.p, 4) == 0) {
                assert_int_equal(s.n, 12);
        } else {
                size_t p = 20;

                assert_int_equal(be(s.p, 4), 1);
                assert_int_equal(be(s.p + 16, 4), 1);
                for (n = 0; p < s.n; n++) {
                        int32_t length = (int32_t)be(s.p + p, 4);

                        cell[n] = params.value[at] + p;
                        p += 4 + (length > 0 ? (size_t)length : 0);
                        assert_true(length >= 0 || be(s.p + 4, 4) == 1);
                }
                assert_int_equal(p, s.n);
                assert_int_equal(be(s.p + 12, 4), n);
        }
        exact_free(s);
        return n;
}

static void assert_text(const char *cell, const char *want) {
        assert_slice(((struct slice){ cell + 4, (uint32_t)be(cell, 4) }), want);
}

static void create(struct op_session_create *m, const char *command) {
        *m = (struct op_session_create){ 0 };
        OP_SET(session_create, m, account_id, SLICE("acme"));
        OP_SET(session_create, m, actor_id, SLICE("u1"));
        OP_SET(session_create, m, actor_role, SLICE("owner"));
        OP_SET(session_create, m, command_id, slice_of(command));
        OP_SET(session_create, m, reconnect_window_ms, 60000);
        OP_SET(session_create, m, metadata, SLICE("{\"a\":1}"));
}

TEST(one_message_is_one_value_per_parameter) {
        struct op_session_create m;
        struct ask *a;

        create(&m, "c1");
        a = rig_ask(1, OP_session_create, &m);
        params_one(&params, OP_session_create, a->msg, a->bytes);
        assert_int_equal(params.n, plan_of(OP_session_create)->n_params);
        assert_false(params.over);
        assert_slice(((struct slice){ params.value[0], (uint32_t)params.length[0] }), "acme");
        assert_slice(((struct slice){ params.value[3], (uint32_t)params.length[3] }), "c1");
        assert_null(params.value[4]); /* session_id: absent is NULL */
        assert_int_equal(params.length[7], 8);
        assert_int_equal(be(params.value[7], 8), 60000);
        assert_slice(((struct slice){ params.value[11], (uint32_t)params.length[11] }), "{\"a\":1}");
        assert_int_equal(params.length[12], 32); /* the command hash, last */
        ask_free(a);
}

TEST(an_empty_text_is_not_null) {
        struct op_account_set m = { 0 };
        struct ask *a;

        OP_SET(account_set, &m, command_id, SLICE("c"));
        OP_SET(account_set, &m, account_id, SLICE("acme"));
        OP_SET(account_set, &m, livekit_agents, SLICE(""));
        a = rig_ask(1, OP_account_set, &m);
        params_one(&params, OP_account_set, a->msg, a->bytes);
        assert_null(params.value[2]);
        assert_non_null(params.value[3]);
        assert_int_equal(params.length[3], 0);
        ask_free(a);
}

static void hash(const char *command, int64_t window, unsigned char out[32]) {
        struct op_session_create m;
        struct ask *a;

        create(&m, command);
        m.reconnect_window_ms = window;
        a = rig_ask(1, OP_session_create, &m);
        params_command_hash(OP_session_create, a->msg, a->bytes, out);
        ask_free(a);
}

TEST(the_command_hash_is_of_the_request_not_of_its_id) {
        unsigned char one[32], two[32];

        hash("c1", 60000, one);
        hash("c2", 60000, two);
        assert_memory_equal(one, two, 32);
        hash("c1", 60001, two);
        assert_memory_not_equal(one, two, 32);
}

TEST(a_batch_is_arrays_whose_rows_name_their_message) {
        struct ask *a[3] = { rig_append(1, "acme", "s1", 0, 2, "{}"), rig_append(2, "b", "s2", 0, 0, "{}"),
                             rig_append(3, "acme", "s3", 7, 1, "{\"x\":\"\xc3\xbc\"}") };
        const void *msgs[3] = { a[0]->msg, a[1]->msg, a[2]->msg };
        const char *cell[64];

        params_batch(&params, OP_event_append, msgs, 3);
        assert_int_equal(params.n, 12);
        assert_false(params.over);
        assert_int_equal(array(0, 25, cell), 3);
        assert_text(cell[0], "acme");
        assert_text(cell[1], "b");
        assert_int_equal(array(4, 20, cell), 3);
        assert_int_equal(be(cell[2] + 4, 8), 5000);
        assert_int_equal(array(5, 23, cell), 3); /* events_op */
        assert_int_equal(be(cell[0] + 4, 4), 0);
        assert_int_equal(be(cell[1] + 4, 4), 0);
        assert_int_equal(be(cell[2] + 4, 4), 2);
        assert_int_equal(array(7, 25, cell), 3);
        assert_text(cell[1], "s1-1");
        assert_text(cell[2], "s3-7");
        assert_int_equal(array(9, 16, cell), 3);
        assert_int_equal(be(cell[0], 4), 1);
        assert_int_equal(cell[0][4], 1);
        assert_int_equal(cell[1][4], 0);
        assert_int_equal(array(11, 25, cell), 3);
        assert_text(cell[2], "{\"x\":\"\xc3\xbc\"}");
        for (int i = 0; i < 3; i++)
                ask_free(a[i]);
}

TEST(a_batch_without_rows_has_empty_arrays) {
        struct ask *a = rig_append(1, "acme", "s1", 0, 0, "{}");
        const void *msgs[1] = { a->msg };
        const char *cell[64];

        params_batch(&params, OP_event_append, msgs, 1);
        assert_int_equal(array(0, 25, cell), 1);
        assert_int_equal(array(5, 23, cell), 0);
        assert_int_equal(array(11, 25, cell), 0);
        ask_free(a);
}

TEST(every_statement_gets_as_many_values_as_it_has_parameters) {
        for (unsigned op = 0; op < OP_COUNT; op++) {
                uint64_t msg[256];
                struct buf keep[64];
                struct ask *a;

                if (!plan_of((enum op)op)->sql)
                        continue;
                message_fill((enum op)op, msg, op % 2 ? LEAST : SOME, keep);
                a = rig_ask(1, (enum op)op, msg);
                if (op_desc((enum op)op)->mode == BATCH)
                        params_batch(&params, (enum op)op, &a->msg, 1);
                else
                        params_one(&params, (enum op)op, a->msg, a->bytes);
                assert_int_equal(params.n, plan_of((enum op)op)->n_params);
                ask_free(a);
                message_free((enum op)op, keep);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(one_message_is_one_value_per_parameter, setup, teardown),
                cmocka_unit_test_setup_teardown(an_empty_text_is_not_null, setup, teardown),
                cmocka_unit_test_setup_teardown(the_command_hash_is_of_the_request_not_of_its_id, setup, teardown),
                cmocka_unit_test_setup_teardown(a_batch_is_arrays_whose_rows_name_their_message, setup, teardown),
                cmocka_unit_test_setup_teardown(a_batch_without_rows_has_empty_arrays, setup, teardown),
                cmocka_unit_test_setup_teardown(every_statement_gets_as_many_values_as_it_has_parameters, setup,
                                                teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
