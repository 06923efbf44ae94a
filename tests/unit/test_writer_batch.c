/* test_writer_batch.c - a batch is bounded and in an order in which lanes do not wait for each other in a circle. */
#include "batch.h"
#include "writer_rig.h"

static struct asks queue;
static struct batch batch;

static int setup(void **state) {
        queue = (struct asks){ 0 };
        return rig_setup(state);
}

static int teardown(void **state) {
        for (struct ask *a; (a = asks_take(&queue));)
                ask_free(a);
        batch_free(&batch);
        return rig_teardown(state);
}

static void state_of(uint64_t id, const char *account, const char *session) {
        struct op_session_state m = { 0 };

        OP_SET(session_state, &m, account_id, slice_of(account));
        OP_SET(session_state, &m, actor_id, SLICE("u"));
        OP_SET(session_state, &m, actor_role, SLICE("owner"));
        OP_SET(session_state, &m, command_id, SLICE("c"));
        OP_SET(session_state, &m, session_id, slice_of(session));
        OP_SET(session_state, &m, status, SLICE("active"));
        asks_add(&queue, rig_ask(id, OP_session_state, &m));
}

TEST(set_based_ops_lead_then_by_account_and_session_as_they_came) {
        static const uint64_t want[] = { 6, 3, 4, 2, 5, 1, 7 };
        struct op_presence of_anybody = { 0 };

        OP_SET(presence, &of_anybody, seen, SLICE("{\"here\":[[\"a\",\"s1\",\"u\"]]}"));
        batch_init(&batch, 100);
        asks_add(&queue, rig_ask(7, OP_presence, &of_anybody));
        state_of(1, "b", "s1");
        state_of(2, "a", "s2");
        asks_add(&queue, rig_append(3, "b", "s1", 0, 1, "{}"));
        state_of(4, "a", "s1");
        state_of(5, "a", "s2");
        asks_add(&queue, rig_append(6, "a", "s9", 0, 1, "{}"));
        batch_fill(&batch, &queue);
        assert_int_equal(batch.n, COUNT(want));
        for (unsigned i = 0; i < batch.n; i++)
                assert_int_equal(batch.asks[i]->from.id, want[i]);
}

TEST(a_batch_takes_no_more_than_its_bounds_and_always_something) {
        static char big[60000];

        memset(big, ' ', sizeof big - 1);
        big[0] = '{';
        big[sizeof big - 2] = '}';
        batch_init(&batch, 7);
        for (unsigned i = 0; i < 9; i++)
                asks_add(&queue, rig_append(i, "a", "s1", 0, 1, "{}"));
        batch_fill(&batch, &queue);
        assert_int_equal(batch.n, 7);
        assert_int_equal(queue.n, 2);
        batch_free(&batch);

        batch_init(&batch, 100);
        for (unsigned i = 0; i < 9; i++)
                asks_add(&queue, rig_append(i, "a", "s1", 0, 900, "{}"));
        batch_fill(&batch, &queue);
        assert_int_equal(batch.n, 7);
        assert_int_equal(batch.rows, 2 + 5 * 900);
        batch_free(&batch);
        while (queue.head)
                ask_free(asks_take(&queue));

        batch_init(&batch, 100);
        for (unsigned i = 0; i < 9; i++)
                asks_add(&queue, rig_append(i, "a", "s1", 0, 30, big));
        batch_fill(&batch, &queue);
        assert_int_equal(batch.n, 4);
        assert_true(batch.bytes <= BATCH_BYTES_MAX);
}

TEST(a_session_has_one_lane_whoever_speaks_of_it) {
        struct op_provider_event m = { 0 };
        struct ask *a = rig_append(1, "a", "call-7", 0, 2, "{}"), *b;
        char hash[32] = { 0 };

        OP_SET(provider_event, &m, provider_event_id, SLICE("EV_1"));
        OP_SET(provider_event, &m, event, SLICE("room_started"));
        OP_SET(provider_event, &m, body_hash, ((struct slice){ hash, 32 }));
        OP_SET(provider_event, &m, api_key, SLICE("key"));
        OP_SET(provider_event, &m, received, 1);
        OP_SET(provider_event, &m, created_at_ms, 1);
        OP_SET(provider_event, &m, room_name, SLICE("lk_room_call-7"));
        OP_SET(provider_event, &m, detail, SLICE("{}"));
        b = rig_ask(2, OP_provider_event, &m);
        batch_init(&batch, 1);
        state_of(3, "other", "call-7");
        assert_int_equal(a->hash, b->hash);
        assert_int_equal(a->hash, queue.head->hash);
        assert_slice(b->session, "call-7");
        ask_free(a);
        ask_free(b);
}

TEST(what_is_answered_leaves_a_rewound_batch_and_the_rest_stays_in_order) {
        batch_init(&batch, 10);
        for (unsigned i = 0; i < 4; i++)
                asks_add(&queue, rig_append(i, "a", "s1", 0, 2, "{}"));
        batch_fill(&batch, &queue);
        ask_free(batch.asks[1]);
        batch.asks[1] = NULL;
        batch_rewind(&batch);
        assert_int_equal(batch.n, 3);
        assert_int_equal(batch.rows, 6);
        assert_int_equal(batch.asks[1]->from.id, 2);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(set_based_ops_lead_then_by_account_and_session_as_they_came, setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(a_batch_takes_no_more_than_its_bounds_and_always_something, setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(a_session_has_one_lane_whoever_speaks_of_it, setup, teardown),
                cmocka_unit_test_setup_teardown(what_is_answered_leaves_a_rewound_batch_and_the_rest_stays_in_order,
                                                setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
