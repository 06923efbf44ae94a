/* test_writer_publish.c - listeners hear each committed event once and in order, or the head to read up to. */
#include "publish.h"
#include "writer_rig.h"

static struct ev_loop *loop;
static struct subs *subs;
static struct watch *watch;
static struct publish *publish;

static int setup(void **state) {
        loop = ev_loop_new(EVFLAG_AUTO);
        subs = subs_new(1000);
        watch = watch_new();
        publish = publish_new(loop, subs, watch);
        return rig_setup(state);
}

static int teardown(void **state) {
        publish_free(publish);
        watch_free(watch);
        subs_free(subs);
        ev_loop_destroy(loop);
        return rig_teardown(state);
}

/* Adds the event of row `row` of this request as stored with this sequence. */
static void stored(const struct ask *a, unsigned row, int64_t sequence) {
        const struct op_event_append *m = a->msg;
        struct op_event_out out = { 0 };
        struct op_event_in in;
        size_t at = 0, from = 0;

        for (unsigned i = 0; i <= row; i++) {
                from = at;
                assert_true(op_rows_next(m->events, OP_event_in, &at, &in));
        }
        OP_SET(event_out, &out, status, SLICE("OK"));
        OP_SET(event_out, &out, account_id, m->account_id);
        OP_SET(event_out, &out, sequence, sequence);
        OP_SET(event_out, &out, origin, SLICE("owner"));
        publish_add(publish, &in, &out, m->events, from);
}

static void assert_events(unsigned i, unsigned peer, const char *session, int64_t first, int64_t last) {
        assert_true(i < n_casts);
        assert_int_equal(casts[i].op, OP_event_publish);
        assert_ptr_equal(casts[i].to, peer_no(peer));
        assert_string_equal(casts[i].session, session);
        assert_int_equal(casts[i].first, first);
        assert_int_equal(casts[i].last, last);
}

static void assert_head(unsigned i, unsigned peer, const char *session, int64_t head) {
        assert_true(i < n_casts);
        assert_int_equal(casts[i].op, OP_stream_head);
        assert_ptr_equal(casts[i].to, peer_no(peer));
        assert_string_equal(casts[i].session, session);
        assert_int_equal(casts[i].head, head);
}

TEST(events_added_in_any_order_leave_in_stream_order_in_one_cast) {
        struct ask *one = rig_append(1, "a", "s1", 0, 3, "{}"), *two = rig_append(2, "a", "s2", 0, 1, "{}");

        subs_add(subs, peer_no(0), SLICE("a"), SLICE("s1"), 4);
        stored(one, 2, 7);
        stored(two, 0, 1); /* nobody listens */
        stored(one, 0, 5);
        stored(one, 1, 6);
        publish_send(publish);
        assert_int_equal(n_casts, 1);
        assert_events(0, 0, "s1", 5, 7);
        ask_free(one);
        ask_free(two);
}

TEST(a_gap_becomes_a_head_and_late_events_nothing) {
        struct ask *a = rig_append(1, "a", "s1", 0, 3, "{}");

        subs_add(subs, peer_no(0), SLICE("a"), SLICE("s1"), 4);
        stored(a, 2, 7); /* a faster lane */
        publish_send(publish);
        assert_head(0, 0, "s1", 7);
        stored(a, 0, 5);
        stored(a, 1, 6);
        publish_send(publish);
        assert_int_equal(n_casts, 1);
        stored(a, 0, 8);
        publish_send(publish);
        assert_events(1, 0, "s1", 8, 8);
        ask_free(a);
}

TEST(a_head_is_told_once_and_events_go_on_after_it) {
        struct ask *a = rig_append(1, "a", "s1", 0, 1, "{}");

        subs_add(subs, peer_no(0), SLICE("a"), SLICE("s1"), 0);
        publish_head(publish, SLICE("a"), SLICE("s1"), 2);
        publish_head(publish, SLICE("a"), SLICE("s1"), 2);
        publish_head(publish, SLICE("b"), SLICE("s1"), 9);
        stored(a, 0, 3);
        publish_send(publish);
        assert_int_equal(n_casts, 2);
        assert_head(0, 0, "s1", 2);
        assert_events(1, 0, "s1", 3, 3);
        ask_free(a);
}

TEST(what_does_not_fit_into_a_cast_becomes_a_head) {
        static char big[60000];
        struct ask *a;

        memset(big, ' ', sizeof big - 1);
        big[0] = '{';
        big[sizeof big - 2] = '}';
        a = rig_append(1, "a", "s1", 0, 30, big);
        subs_add(subs, peer_no(0), SLICE("a"), SLICE("s1"), 0);
        for (unsigned again = 0; again < 2; again++)
                for (unsigned i = 0; i < 25; i++)
                        stored(a, i, 1 + i + 25 * again);
        publish_send(publish);
        assert_int_equal(n_casts, 1);
        assert_head(0, 0, "s1", 50);
        ask_free(a);
}

static bool run_until_casts(unsigned n) {
        for (unsigned i = 0; i < 500 && n_casts < n; i++)
                ev_run(loop, EVRUN_ONCE);
        return n_casts >= n;
}

TEST(a_listener_with_a_full_queue_is_owed_the_head) {
        struct ask *a = rig_append(1, "a", "s1", 0, 2, "{}");

        subs_add(subs, peer_no(0), SLICE("a"), SLICE("s1"), 0);
        subs_add(subs, peer_no(1), SLICE("a"), SLICE("s1"), 0);
        full = peer_no(0);
        stored(a, 0, 1);
        publish_send(publish);
        stored(a, 1, 2);
        publish_send(publish);
        assert_int_equal(n_casts, 2);
        assert_events(0, 1, "s1", 1, 1);
        assert_events(1, 1, "s1", 2, 2);
        ev_run(loop, EVRUN_ONCE);
        assert_int_equal(n_casts, 2);
        full = NULL;
        assert_true(run_until_casts(3));
        assert_head(2, 0, "s1", 2);
        stored(a, 0, 3);
        publish_send(publish);
        assert_int_equal(n_casts, 5);
        assert_int_equal(casts[3].first + casts[4].first, 6);
        ask_free(a);
}

static struct ask *opening(const char *account, const char *session) {
        struct op_stream_open m = { 0 };

        OP_SET(stream_open, &m, account_id, slice_of(account));
        OP_SET(stream_open, &m, actor_id, SLICE("u"));
        OP_SET(stream_open, &m, actor_role, SLICE("owner"));
        OP_SET(stream_open, &m, session_id, slice_of(session));
        return rig_ask(1, OP_stream_open, &m);
}

TEST(what_is_committed_while_a_stream_is_opened_is_seen) {
        struct ask *open = opening("*", "s1"), *other = opening("a", "s2"), *a = rig_append(2, "a", "s1", 0, 1, "{}");

        assert_false(publish_wanted(publish));
        watch_add(watch, open);
        watch_add(watch, other);
        assert_true(publish_wanted(publish));
        stored(a, 0, 5);
        publish_send(publish);
        publish_head(publish, SLICE("a"), SLICE("s1"), 4);
        assert_int_equal(watch_seen(open, SLICE("a")), 5);
        assert_int_equal(watch_seen(open, SLICE("b")), 0);
        assert_int_equal(watch_seen(other, SLICE("a")), 0);
        watch_remove(watch, open);
        watch_remove(watch, other);
        assert_false(publish_wanted(publish));
        ask_free(open);
        ask_free(other);
        ask_free(a);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(events_added_in_any_order_leave_in_stream_order_in_one_cast, setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(a_gap_becomes_a_head_and_late_events_nothing, setup, teardown),
                cmocka_unit_test_setup_teardown(a_head_is_told_once_and_events_go_on_after_it, setup, teardown),
                cmocka_unit_test_setup_teardown(what_does_not_fit_into_a_cast_becomes_a_head, setup, teardown),
                cmocka_unit_test_setup_teardown(a_listener_with_a_full_queue_is_owed_the_head, setup, teardown),
                cmocka_unit_test_setup_teardown(what_is_committed_while_a_stream_is_opened_is_seen, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
