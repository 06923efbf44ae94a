/* test_hub - operators come and go, many at once; the others are found by kind and instance. */
#include "peer_rig.h"

static struct side *writer, *ctl[40];

static int setup(void **state) {
        (void)state;
        rig_start();
        writer = side_new(WRITER, 1);
        writer->echo = true;
        side_up(writer);
        side_listen(writer);
        return 0;
}

static int teardown(void **state) {
        (void)state;
        side_free(writer);
        rig_stop();
        return 0;
}

static struct side *operator_up(void) {
        struct side *s = side_new(CTL, 0);
        side_up(s);
        (void)side_dial(s, WRITER, 1);
        return s;
}

static enum status list_keys(struct side *s, struct heard *h) {
        struct op_key_list m = { 0 };
        return channel_call(hub_find(s->hub, WRITER, 1), OP_key_list, &m, 5000, hear, h);
}

TEST(operators_are_served_side_by_side) {
        struct heard h[10] = { 0 };
        for (int i = 0; i < 10; i++) {
                ctl[i] = operator_up();
                assert_int_equal(list_keys(ctl[i], &h[i]), STATUS_OK);
        }
        for (int i = 0; i < 10; i++)
                until(h[i].n == 1 && h[i].status == STATUS_OK);
        assert_int_equal(writer->ups, 10);
        assert_int_equal(writer->downs, 0);
        for (int i = 0; i < 10; i++)
                side_free(ctl[i]);
        until(writer->downs == 10);
        assert_null(hub_next(writer->hub, NULL));
}

TEST(too_many_operators_are_refused_and_the_first_stay) {
        const int n = 40;
        for (int i = 0; i < n; i++)
                ctl[i] = operator_up();
        until(writer->ups == 32);
        for (int i = 0; i < 20; i++)
                settle();
        assert_int_equal(writer->ups, 32);
        assert_int_equal(writer->downs, 0);
        for (int i = 0; i < n; i++)
                side_free(ctl[i]);
}

TEST(an_answer_to_an_operator_who_left_reaches_no_other) {
        struct heard first = { 0 }, second = { 0 };
        writer->echo = false;
        struct side *one = operator_up();
        assert_int_equal(list_keys(one, &first), STATUS_OK);
        until(writer->requests == 1);
        side_free(one);
        until(writer->downs == 1);
        struct side *two = operator_up(); /* its requests have the same ids, and its channel the same place */
        assert_int_equal(list_keys(two, &second), STATUS_OK);
        until(writer->requests == 2);
        assert_ptr_equal(writer->held[0].from, writer->held[1].from);
        channel_reply(&writer->held[0], STATUS_OK, (struct slice){ 0 }, SLICE("for the first"));
        settle();
        assert_int_equal(second.n, 0);
        channel_reply(&writer->held[1], STATUS_OK, (struct slice){ 0 }, SLICE("for the second"));
        until(second.n == 1);
        assert_string_equal(second.body, "for the second");
        assert_int_equal(first.n, 0);
        side_free(two);
}

TEST(channels_are_found_by_kind_and_lowest_connected_instance) {
        struct side *w2 = side_new(WEBHOOK, 2), *w3 = side_new(WEBHOOK, 3);
        assert_null(hub_find(writer->hub, WEBHOOK, 0));
        side_up(w3);
        (void)side_dial(w3, WRITER, 1);
        until(writer->ups == 1);
        assert_int_equal(channel_instance(hub_find(writer->hub, WEBHOOK, 0)), 3);
        side_up(w2);
        (void)side_dial(w2, WRITER, 1);
        until(writer->ups == 2);
        assert_int_equal(channel_instance(hub_find(writer->hub, WEBHOOK, 0)), 2);
        assert_int_equal(channel_instance(hub_next(writer->hub, NULL)), 2);
        side_free(w2);
        until(writer->downs == 1);
        assert_int_equal(channel_instance(hub_find(writer->hub, WEBHOOK, 0)), 3);
        assert_false(channel_up(hub_find(writer->hub, WEBHOOK, 2)));
        assert_null(hub_find(writer->hub, WEBHOOK, 1));
        channel_set_data(hub_find(writer->hub, WEBHOOK, 3), writer);
        assert_ptr_equal(channel_data(hub_find(writer->hub, WEBHOOK, 3)), writer);
        assert_int_equal(channel_kind(hub_find(writer->hub, WEBHOOK, 3)), WEBHOOK);
        side_free(w3);
}

TEST(a_daemon_that_starts_late_is_reached) {
        struct side *webhook = side_new(WEBHOOK, 1);
        side_down(writer);
        side_up(webhook);
        struct channel *c = side_dial(webhook, WRITER, 1);
        for (int i = 0; i < 10; i++)
                settle();
        assert_false(channel_up(c));
        side_up(writer);
        side_listen(writer);
        until(channel_up(c));
        side_free(webhook);
}

TEST(a_draining_daemon_accepts_nobody_new) {
        hub_drain(writer->hub);
        struct side *one = operator_up();
        for (int i = 0; i < 10; i++)
                settle();
        assert_int_equal(writer->ups, 0);
        side_free(one);
}

int main(void) {
        const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
                T(operators_are_served_side_by_side),
                T(too_many_operators_are_refused_and_the_first_stay),
                T(an_answer_to_an_operator_who_left_reaches_no_other),
                T(channels_are_found_by_kind_and_lowest_connected_instance),
                T(a_daemon_that_starts_late_is_reached),
                T(a_draining_daemon_accepts_nobody_new),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
