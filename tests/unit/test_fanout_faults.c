/* test_fanout_faults.c - what goes wrong around a listener costs it time, never an event. */
#include "fanout.h"
#include "fanout_world.h"
#include "settings.h"
#include "stats.h"

TEST(a_page_asked_for_before_the_restart_proves_nothing_after_it) {
        struct listener_client c;

        commit(1, 1);
        client_join(&c, 1, "ann", 1, NULL);
        settle(&c, 1);
        publish_head(1, 2); /* not true: the page will be empty */
        writer_restart();
        assert_int_equal(fake_calls->op, OP_event_read);
        deliver(fake_calls);
        execute(fake_calls);
        commit_unpublished(1, 1);
        pause_over();
        settle(&c, 1);
        assert_heard(&c, 2);
        client_free(&c);
}

TEST(gaps_doubles_and_disorder_are_read_from_the_database) {
        struct listener_client c;

        client_join(&c, 1, "ann", 0, NULL);
        settle(&c, 1);
        commit_unpublished(1, 10);
        publish(1, 3, 1);
        publish(1, 1, 1);
        publish(1, 3, 1);
        publish(1, 9, 2);
        publish(1, 5, 3);
        settle(&c, 1);
        assert_heard(&c, 10);
        assert_int_equal(fake_stats[STAT_stream_catchups], 1);
        publish(1, 1, 10); /* all of it again */
        commit(1, 1);
        settle(&c, 1);
        assert_heard(&c, 11);
        client_free(&c);
}

TEST(another_nodes_events_are_read_when_their_head_is_told) {
        struct listener_client c;

        client_join(&c, 1, "ann", 0, NULL);
        settle(&c, 1);
        commit_unpublished(1, 700);
        publish_head(1, 700);
        settle(&c, 1);
        assert_heard(&c, 700);
        client_free(&c);
}

TEST(a_head_without_its_event_is_asked_for_again_after_a_pause) {
        struct listener_client c;

        client_join(&c, 1, "ann", 0, NULL);
        settle(&c, 1);
        publish_head(1, 1);
        settle(&c, 1);
        assert_int_equal(fake_count(OP_event_read), 0);
        commit_unpublished(1, 1);
        pause_over();
        settle(&c, 1);
        assert_heard(&c, 1);
        client_free(&c);
}

TEST(short_pages_are_not_the_end) {
        struct listener_client c;

        world.page = 3;
        commit(1, 100);
        client_join(&c, 1, "ann", 0, NULL);
        c.pace = 0;
        settle(&c, 1);
        assert_int_equal(world.sessions[1].reads, 35); /* all of it is queued before the client takes the first */
        c.pace = SIZE_MAX;
        settle(&c, 1);
        assert_heard(&c, 100);
        client_free(&c);
}

TEST(a_writer_that_restarts_costs_nothing_but_reading) {
        struct listener_client c;

        client_join(&c, 1, "ann", 0, NULL);
        settle(&c, 1);
        commit(1, 3);
        settle(&c, 1);
        fake_channel_up(fake_writer, false);
        commit_unpublished(1, 4);
        writer_restart();
        commit(1, 1); /* before anybody is let in again */
        settle(&c, 1);
        assert_heard(&c, 8);
        assert_int_equal(world.sessions[1].opens, 2);
        commit(1, 1);
        settle(&c, 1);
        assert_heard(&c, 9);
        client_free(&c);
}

TEST(who_lost_the_right_is_not_let_in_again) {
        struct listener_client c[2];

        client_join(&c[0], 1, "ann", 0, NULL);
        client_join(&c[1], 1, "bob", 0, NULL);
        settle(c, 2);
        world.sessions[1].refuses = STATUS_FORBIDDEN;
        world.sessions[1].refused_actor = "bob";
        writer_restart();
        deliver(fake_calls); /* ann's */
        commit(1, 5);
        (void)deliver_pub(world.pubs);
        execute(fake_calls); /* bob's waits */
        deliver(fake_calls->next);
        deliver(fake_calls->next);
        (void)fake_take(&c[1].http, SIZE_MAX);
        assert_int_equal(c[1].events, 0);
        settle(c, 2);
        assert_heard(&c[0], 5);
        assert_string_equal(c[1].closed, "revoked");
        assert_int_equal(c[1].events, 0);
        assert_true(c[1].http.ended);
        client_free(&c[0]);
        client_free(&c[1]);
}

TEST(a_database_that_went_back_is_told_as_a_reset) {
        struct listener_client c;

        client_join(&c, 1, "ann", 0, NULL);
        settle(&c, 1);
        commit(1, 9);
        settle(&c, 1);
        assert_heard(&c, 9);
        world.sessions[1].n = 4;
        writer_restart();
        settle(&c, 1);
        assert_int_equal(c.resets, 1);
        assert_string_equal(c.reset, "cursor_ahead");
        assert_heard(&c, 4);
        commit(1, 1);
        settle(&c, 1);
        assert_heard(&c, 5);
        client_free(&c);
}

TEST(one_who_reads_nothing_harms_only_himself) {
        static struct listener_client c[1000];

        world.pad = 2000;
        for (unsigned i = 0; i < COUNT(c); i++)
                client_join(&c[i], 1, i == 500 ? "eve" : "ann", 0, NULL);
        settle(c, COUNT(c));
        c[500].pace = 0;
        for (unsigned i = 0; i < 40; i++) {
                commit(1, 5);
                settle(c, COUNT(c));
        }
        for (unsigned i = 0; i < COUNT(c); i++)
                assert_heard(&c[i], i == 500 ? 0 : 200);
        assert_true(http_stream_queued(c[500].http.out) <= 3 * (size_t)FANOUT_QUEUE);
        commit_unpublished(1, 1);
        publish_head(1, 201);
        settle(c, COUNT(c));
        assert_int_equal(world.sessions[1].reads, 2); /* one when they came, one now; none for him */
        tick();
        assert_non_null(c[500].http.out);
        fake_settings[SETTING_sse_stall_seconds] = 0;
        tick();
        assert_null(c[500].http.out);
        assert_string_equal(c[500].closed, "slow");
        assert_int_equal(fake_stats[STAT_stream_stalled], 1);
        assert_int_equal(fanout_listeners(fake_fanout), 999);
        for (unsigned i = 0; i < COUNT(c); i++)
                client_free(&c[i]);
}

static int64_t fixed_time;

static int64_t fixed_clock(void) {
        return fixed_time;
}

TEST(a_stream_does_not_outlive_its_token) {
        struct listener_client c[3];
        int64_t (*clock)(void) = text_clock;

        text_clock = fixed_clock;
        fixed_time = 1000000;
        client_until = 5000000;
        client_join(&c[0], 1, "ann", 0, NULL);
        client_until = 9000000; /* the same actor with a newer token */
        client_join(&c[1], 1, "ann", 0, NULL);
        client_until = 0;
        client_join(&c[2], 1, "ann", 0, NULL);
        settle(c, 3);
        fixed_time = 4999999;
        tick();
        assert_non_null(c[0].http.out);
        fixed_time = 5000000;
        tick();
        (void)fake_take(&c[0].http, SIZE_MAX);
        assert_null(c[0].http.out);
        assert_string_equal(c[0].closed, "expired");
        commit(1, 2);
        settle(&c[1], 2);
        assert_heard(&c[1], 2);
        fixed_time = 9000000;
        tick();
        assert_null(c[1].http.out);
        assert_non_null(c[2].http.out);
        assert_int_equal(fanout_listeners(fake_fanout), 1);
        text_clock = clock;
        for (unsigned i = 0; i < COUNT(c); i++)
                client_free(&c[i]);
}

TEST(a_slow_reader_gets_all_of_it_in_the_end) {
        struct listener_client c;

        world.pad = 9000;
        client_join(&c, 1, "ann", 0, NULL);
        settle(&c, 1);
        c.pace = 1000;
        commit(1, 300);
        settle(&c, 1);
        assert_heard(&c, 300);
        client_free(&c);
}

TEST(a_busy_writer_is_asked_again_after_a_pause) {
        struct listener_client c;

        commit(1, 3);
        client_join(&c, 1, "ann", 0, NULL);
        deliver(fake_calls);
        fake_answer(fake_calls, STATUS_BUSY, "", (struct slice){ 0 });
        assert_null(fake_calls);
        fake_full = true;
        pause_over();
        assert_null(fake_calls);
        fake_full = false;
        pause_over();
        settle(&c, 1);
        assert_heard(&c, 3);
        client_free(&c);
}

TEST(a_stream_that_fails_does_not_make_the_others_wait) {
        struct listener_client c[2];

        commit(1, 3);
        commit(2, 3);
        client_join(&c[0], 1, "ann", 0, NULL);
        deliver(fake_calls);
        fake_answer(fake_calls, STATUS_INTERNAL, "", (struct slice){ 0 });
        client_join(&c[1], 2, "ann", 0, NULL);
        settle(c, 2);
        assert_heard(&c[1], 3);
        assert_heard(&c[0], 0);
        pause_over();
        settle(c, 2);
        assert_heard(&c[0], 3);
        client_free(&c[0]);
        client_free(&c[1]);
}

#define T(name) cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                T(a_page_asked_for_before_the_restart_proves_nothing_after_it),
                T(gaps_doubles_and_disorder_are_read_from_the_database),
                T(another_nodes_events_are_read_when_their_head_is_told),
                T(a_head_without_its_event_is_asked_for_again_after_a_pause),
                T(short_pages_are_not_the_end),
                T(a_writer_that_restarts_costs_nothing_but_reading),
                T(who_lost_the_right_is_not_let_in_again),
                T(a_database_that_went_back_is_told_as_a_reset),
                T(one_who_reads_nothing_harms_only_himself),
                T(a_stream_does_not_outlive_its_token),
                T(a_slow_reader_gets_all_of_it_in_the_end),
                T(a_busy_writer_is_asked_again_after_a_pause),
                T(a_stream_that_fails_does_not_make_the_others_wait),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
