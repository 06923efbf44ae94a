/* test_fanout.c - what a listener may rely on from the day it comes to the day it goes. */
#include "fanout.h"
#include "fanout_world.h"
#include "settings.h"
#include "stats.h"

TEST(hears_what_was_and_what_comes) {
        struct listener_client c;

        commit(1, 450);
        client_join(&c, 1, "ann", 0, NULL);
        settle(&c, 1);
        assert_heard(&c, 450);
        assert_string_equal(c.http.type, "text/event-stream");
        commit(1, 3);
        settle(&c, 1);
        assert_heard(&c, 453);
        assert_int_equal(fake_count(OP_event_read), 0);
        assert_int_equal(c.events, 453);
        assert_int_equal(c.resets, 0);
        client_free(&c);
}

TEST(resumes_after_its_cursor_and_the_browsers_own_is_newer) {
        struct listener_client c, d;

        commit(1, 20);
        client_join(&c, 1, "ann", 15, NULL);
        client_join(&d, 1, "ann", 3, "18");
        settle(&c, 1);
        settle(&d, 1);
        assert_int_equal(c.events, 5);
        assert_int_equal(d.events, 2);
        client_free(&c);
        client_free(&d);
}

TEST(nothing_missed_is_a_success_and_no_reset) {
        struct listener_client c;

        commit(1, 7);
        client_join(&c, 1, "ann", 0, "7");
        settle(&c, 1);
        assert_heard(&c, 7);
        assert_int_equal(c.events + c.resets, 0);
        client_free(&c);
}

TEST(a_cursor_nobody_gave_is_reset_with_its_reason) {
        static const struct {
                const char *last, *reason;
        } rows[] = { { "8", "cursor_ahead" },
                     { "-1", "cursor_invalid" },
                     { "abc", "cursor_invalid" },
                     { "007", "cursor_invalid" },
                     { "99999999999999999999999", "cursor_invalid" } };

        commit(1, 7);
        for (size_t i = 0; i < COUNT(rows); i++) {
                struct listener_client c;

                client_join(&c, 1, "ann", 0, rows[i].last);
                settle(&c, 1);
                assert_int_equal(c.resets, 1);
                assert_string_equal(c.reset, rows[i].reason);
                assert_heard(&c, 7);
                client_free(&c);
        }
        assert_int_equal(fake_stats[STAT_stream_resets], COUNT(rows));
}

/* The answer to the open is under way while events are committed: they are in no page read before, and published to
 * nobody. */
TEST(nothing_is_lost_between_replay_and_live) {
        struct listener_client c;

        commit(1, 5);
        client_join(&c, 1, "ann", 0, NULL);
        execute(fake_calls);
        commit(1, 1); /* after the snapshot, before the subscription */
        deliver(fake_calls);
        commit(1, 1); /* published before the first page is read */
        (void)deliver_pub(world.pubs);
        execute(fake_calls);
        commit(1, 1); /* published between the page's snapshot and its arrival */
        (void)deliver_pub(world.pubs);
        deliver(fake_calls);
        settle(&c, 1);
        assert_heard(&c, 8);
        commit(1, 1);
        settle(&c, 1);
        assert_heard(&c, 9);
        client_free(&c);
}

TEST(what_nobody_published_while_the_open_was_answered_is_found_without_a_hint) {
        struct listener_client c;

        commit(1, 5);
        client_join(&c, 1, "ann", 5, NULL);
        execute(fake_calls);
        commit_unpublished(1, 1);
        settle(&c, 1);
        assert_heard(&c, 6);
        writer_restart();
        execute(fake_calls);
        commit_unpublished(1, 1);
        settle(&c, 1);
        assert_heard(&c, 7);
        client_free(&c);
}

TEST(what_is_published_while_the_open_is_answered_does_not_undo_it) {
        struct listener_client c;

        world.sessions[1].subscribed = true; /* the writer is ahead of its answer */
        client_join(&c, 1, "ann", 0, NULL);
        commit(1, 1);
        (void)deliver_pub(world.pubs);
        assert_int_equal(world.sessions[1].closes, 0);
        settle(&c, 1);
        assert_heard(&c, 1);
        client_free(&c);
}

TEST(refusals_end_in_the_error_shape_before_the_stream_begins) {
        static const enum status rows[] = { STATUS_SESSION_NOT_FOUND, STATUS_FORBIDDEN, STATUS_BUSY };

        for (size_t i = 0; i < COUNT(rows); i++) {
                struct listener_client c;

                world.sessions[1].refuses = rows[i];
                client_join(&c, 1, "ann", 0, NULL);
                settle(&c, 1);
                assert_int_equal(c.http.status, rows[i]);
                assert_null(c.http.out);
                assert_int_equal(c.http.retry_after, rows[i] == STATUS_BUSY);
                client_free(&c);
        }
        assert_int_equal(fanout_listeners(fake_fanout), 0);
}

TEST(an_actors_streams_are_bounded_those_on_their_way_included) {
        struct listener_client c[4];

        fake_settings[SETTING_streams_per_actor] = 2;
        client_join(&c[0], 1, "ann", 0, NULL);
        client_join(&c[1], 2, "ann", 0, NULL);
        client_join(&c[2], 3, "ann", 0, NULL);
        client_join(&c[3], 3, "bob", 0, NULL);
        settle(c, 4);
        assert_int_equal(c[2].http.status, STATUS_TOO_MANY_STREAMS);
        assert_heard(&c[3], 0);
        client_free(&c[2]);
        client_free(&c[0]);
        client_join(&c[2], 3, "ann", 0, NULL);
        settle(c + 1, 3);
        assert_heard(&c[2], 0);
        for (int i = 1; i < 4; i++)
                client_free(&c[i]);
}

TEST(a_client_that_leaves_early_leaves_nothing_behind) {
        struct listener_client c;

        client_join(&c, 1, "ann", 0, NULL);
        client_free(&c);
        settle(NULL, 0);
        assert_int_equal(fanout_listeners(fake_fanout), 0);
        assert_true(world.sessions[1].subscribed);
        commit(1, 1); /* nobody is here for it: the writer hears so */
        settle(NULL, 0);
        assert_false(world.sessions[1].subscribed);
}

TEST(a_thousand_come_back_for_the_price_of_a_page) {
        static struct listener_client c[1000];

        world.pad = 100;
        commit(1, 150);
        for (unsigned i = 0; i < COUNT(c); i++)
                client_join(&c[i], 1, "ann", 100 + i % 50, NULL);
        settle(c, COUNT(c));
        for (unsigned i = 0; i < COUNT(c); i++)
                assert_heard(&c[i], 150);
        assert_true(world.sessions[1].reads < 10);
        writer_restart();
        commit_unpublished(1, 3);
        settle(c, COUNT(c));
        assert_true(world.sessions[1].reads < 20);
        assert_int_equal(world.sessions[1].opens, 1001);
        for (unsigned i = 0; i < COUNT(c); i++)
                assert_heard(&c[i], 153);
        for (unsigned i = 0; i < COUNT(c); i++)
                client_free(&c[i]);
}

TEST(the_largest_event_passes) {
        struct listener_client c;

        world.pad = 131000;
        client_join(&c, 1, "ann", 0, NULL);
        settle(&c, 1);
        c.pace = 50000;
        commit(1, 6);
        settle(&c, 1);
        assert_heard(&c, 6);
        client_free(&c);
}

TEST(idle_listeners_hear_heartbeats_also_while_the_writer_is_away) {
        struct listener_client c;

        client_join(&c, 1, "ann", 0, NULL);
        settle(&c, 1);
        tick();
        settle(&c, 1);
        assert_int_equal(c.beats, 0);
        fake_settings[SETTING_sse_heartbeat_seconds] = 0;
        fake_channel_up(fake_writer, false);
        fanout_down(NULL, fake_writer);
        tick();
        settle(&c, 1);
        assert_int_equal(c.beats, 1);
        assert_heard(&c, 0);
        client_free(&c);
}

/* As if a while had passed without a publication or a farewell. */
static void age(void) {
        for (unsigned i = 0; i < FANOUT_BUCKETS; i++)
                for (struct stream *s = fake_fanout->table[i]; s; s = s->next)
                        s->used -= 60000000;
}

TEST(a_stream_nobody_hears_is_left_but_not_at_once_and_not_while_somebody_comes) {
        struct listener_client c, d;

        client_join(&c, 1, "ann", 0, NULL);
        settle(&c, 1);
        age();
        tick();
        assert_int_equal(world.sessions[1].closes, 0);
        client_free(&c);
        tick();
        assert_int_equal(world.sessions[1].closes, 0);
        client_join(&d, 1, "ann", 0, NULL);
        age();
        tick();
        assert_int_equal(world.sessions[1].closes, 0);
        settle(&d, 1);
        client_free(&d);
        age();
        tick();
        assert_int_equal(world.sessions[1].closes, 1);
        assert_false(world.sessions[1].subscribed);
        client_join(&d, 1, "ann", 0, NULL);
        settle(&d, 1);
        commit(1, 2);
        settle(&d, 1);
        assert_heard(&d, 2);
        client_free(&d);
}

TEST(recent_events_are_counted_and_forgotten_when_nothing_comes) {
        struct listener_client c;

        world.pad = 1000;
        client_join(&c, 1, "ann", 0, NULL);
        settle(&c, 1);
        commit(1, 200); /* more than a client takes at once, and still no reason to read */
        settle(&c, 1);
        assert_true(fake_fanout->recent_bytes > 100000 && fake_fanout->recent_bytes < 2 * (size_t)FANOUT_RECENT);
        fake_fanout->recent_bytes += FANOUT_RECENT_ALL; /* others hold all there is */
        commit(1, 1);
        settle(&c, 1);
        assert_int_equal(fake_fanout->recent_bytes, FANOUT_RECENT_ALL);
        fake_fanout->recent_bytes = 0;
        commit(1, 1);
        settle(&c, 1);
        assert_true(fake_fanout->recent_bytes > 0);
        age();
        tick();
        assert_int_equal(fake_fanout->recent_bytes, 0);
        commit(1, 1);
        settle(&c, 1);
        assert_heard(&c, 203);
        assert_int_equal(fake_stats[STAT_stream_catchups], 0);
        client_free(&c);
}

TEST(a_drain_tells_everybody_why) {
        struct listener_client c;

        client_join(&c, 1, "ann", 0, NULL);
        settle(&c, 1);
        fanout_drain(NULL);
        assert_string_equal(c.closed, "shutdown");
        assert_true(c.http.ended);
        client_free(&c);
        client_join(&c, 1, "ann", 0, NULL);
        assert_int_equal(c.http.status, STATUS_BUSY);
        client_free(&c);
}

TEST(live_streams_take_no_query_but_their_cursor) {
        static const char *const rows[] = {
                "afterSequence=x", "afterSequence=-1", "limit=5", "access_token=t", "afterTs=2026-01-01T00:00:00Z",
                "accountId=other"
        };
        struct actor a = { SLICE("acme"), SLICE("ann"), SLICE("member"), false, 0 };

        for (size_t i = 0; i < COUNT(rows); i++) {
                struct fake_client c = { 0 };

                fake_request(&c, rows[i], (struct slice){ 0 });
                c.r.path = SLICE("s1");
                fake_header(&c, "accept", "text/event-stream");
                route_stream(NULL, &c.r, fake_route("sessionEvents"), &a);
                assert_int_equal(c.status, STATUS_INVALID_REQUEST);
                fake_client_free(&c);
        }
        assert_null(fake_calls);
}

#define T(name) cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                T(hears_what_was_and_what_comes),
                T(resumes_after_its_cursor_and_the_browsers_own_is_newer),
                T(nothing_missed_is_a_success_and_no_reset),
                T(a_cursor_nobody_gave_is_reset_with_its_reason),
                T(nothing_is_lost_between_replay_and_live),
                T(what_nobody_published_while_the_open_was_answered_is_found_without_a_hint),
                T(what_is_published_while_the_open_is_answered_does_not_undo_it),
                T(refusals_end_in_the_error_shape_before_the_stream_begins),
                T(an_actors_streams_are_bounded_those_on_their_way_included),
                T(a_client_that_leaves_early_leaves_nothing_behind),
                T(a_thousand_come_back_for_the_price_of_a_page),
                T(the_largest_event_passes),
                T(idle_listeners_hear_heartbeats_also_while_the_writer_is_away),
                T(a_stream_nobody_hears_is_left_but_not_at_once_and_not_while_somebody_comes),
                T(recent_events_are_counted_and_forgotten_when_nothing_comes),
                T(a_drain_tells_everybody_why),
                T(live_streams_take_no_query_but_their_cursor),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
