/* test_socket_share.c - sessions that share a socket, and sockets that share a session: nobody starves, nobody waits. */
#include "fanout.h"
#include "settings.h"
#include "socket_world.h"
#include "stats.h"

static void subscribe_all(struct socket_client *c, unsigned n) {
        for (unsigned s = 0; s < n; s++)
                say(c, "{'op':'subscribe','sessionId':'s%u'}", s);
}

TEST(sessions_that_catch_up_take_turns_and_read_one_page_at_a_time) {
        struct socket_client c;

        world.pad = 1000;
        for (unsigned s = 0; s < SESSIONS; s++)
                commit(s, 400);
        socket_join(&c, "ann");
        c.pace = 0;
        subscribe_all(&c, SESSIONS);
        settle_sockets(&c, 1);
        for (unsigned round = 0; round < 400; round++) {
                uint64_t least = UINT64_MAX, most = 0;

                (void)fake_socket_take(&c.ws, 64u << 10);
                for (unsigned s = 0; s < SESSIONS; s++) {
                        least = c.heard[s] < least ? c.heard[s] : least;
                        most = c.heard[s] > most ? c.heard[s] : most;
                }
                assert_true(most - least <= 260); /* a turn is FANOUT_QUEUE, and what was on its way */
                assert_true(fake_count(OP_event_read) <= 1);
                assert_true(ws_queued(c.ws.ws) <= 3 * (size_t)FANOUT_QUEUE);
                settle_sockets(&c, 1);
        }
        for (unsigned s = 0; s < SESSIONS; s++)
                assert_int_equal(c.heard[s], 400);
        socket_leave(&c);
}

TEST(one_session_that_catches_up_does_not_hold_the_others_back) {
        struct socket_client c;

        world.pad = 2000;
        socket_join(&c, "ann");
        say(&c, "{'op':'subscribe','sessionId':'s2'}");
        settle_sockets(&c, 1);
        commit(1, 2000);
        say(&c, "{'op':'subscribe','sessionId':'s1'}");
        c.pace = 30000;
        for (unsigned i = 1; i <= 20; i++) {
                commit(2, 1);
                for (unsigned k = 0; k < 40 && c.heard[2] < i; k++) {
                        while (deliver_pub(world.pubs))
                                ;
                        if (fake_calls)
                                deliver(fake_calls);
                        (void)fake_socket_take(&c.ws, c.pace);
                }
                assert_int_equal(c.heard[2], i);
        }
        assert_true(c.heard[1] < 2000);
        settle_sockets(&c, 1);
        assert_int_equal(c.heard[1], 2000);
        socket_leave(&c);
}

TEST(one_who_reads_nothing_harms_only_himself) {
        static struct socket_client c[200];
        struct socket_client *eve = &c[100];

        world.pad = 2000;
        for (unsigned i = 0; i < COUNT(c); i++) {
                socket_join(&c[i], &c[i] == eve ? "eve" : "ann");
                subscribe_all(&c[i], 2);
        }
        settle_sockets(c, COUNT(c));
        eve->pace = 0;
        for (unsigned i = 0; i < 40; i++) {
                commit(0, 3);
                commit(1, 3);
                settle_sockets(c, COUNT(c));
        }
        for (unsigned i = 0; i < COUNT(c); i++)
                assert_int_equal(c[i].heard[0] + c[i].heard[1], &c[i] == eve ? 0 : 240);
        assert_true(ws_queued(eve->ws.ws) <= 3 * (size_t)FANOUT_QUEUE);
        assert_int_equal(fake_count(OP_event_read), 0);
        assert_true(world.sessions[0].reads < 4); /* none for her */
        assert_true(fake_stats[STAT_streams_behind] == 2);
        fake_settings[SETTING_sse_stall_seconds] = 0;
        tick();
        assert_null(eve->ws.ws);
        assert_int_equal(eve->ws.close_code, WS_SLOW);
        assert_int_equal(fake_stats[STAT_streams_behind], 0);
        assert_int_equal(fake_stats[STAT_sockets_open], 199);
        for (unsigned i = 0; i < COUNT(c); i++)
                socket_leave(&c[i]);
}

TEST(who_asks_and_takes_no_answers_is_slow) {
        struct socket_client c;

        socket_join(&c, "ann");
        c.pace = 0;
        for (unsigned i = 0; i < 4000; i++) {
                char id[101];

                memset(id, 'i', 100);
                id[100] = 0;
                say(&c, "{'op':'ping','id':'%s'}", id);
                if (c.ws.ws)
                        ((struct socket *)TAILQ_FIRST(&fake_fanout->outlets))->messages = 0;
        }
        assert_true(ws_queued(c.ws.ws) <= HTTP_STREAM_QUEUE);
        c.ws.take = NULL;
        tick();
        assert_int_equal(c.ws.close_code, WS_SLOW);
        socket_leave(&c);
}

TEST(subscriptions_survive_the_writer) {
        struct socket_client c;

        socket_join(&c, "ann");
        subscribe_all(&c, 3);
        settle_sockets(&c, 1);
        for (unsigned s = 0; s < 3; s++)
                commit(s, 3);
        settle_sockets(&c, 1);
        fake_channel_up(fake_writer, false);
        for (unsigned s = 0; s < 3; s++)
                commit_unpublished(s, 4);
        say(&c, "{'op':'subscribe','sessionId':'s4'}");
        writer_restart();
        settle_sockets(&c, 1);
        for (unsigned s = 0; s < 3; s++) {
                commit(s, 1);
                settle_sockets(&c, 1);
                assert_int_equal(c.heard[s], 8);
        }
        socket_leave(&c);
}

TEST(responses_and_sockets_hear_the_same_session) {
        struct listener_client sse;
        struct socket_client c;

        client_join(&sse, 1, "ann", 0, NULL);
        settle(&sse, 1);
        commit(1, 10);
        settle(&sse, 1);
        assert_int_equal(fake_fanout->listeners, 1);
        socket_join(&c, "ann");
        say(&c, "{'op':'subscribe','sessionId':'s1','afterSequence':4}");
        settle_sockets(&c, 1);
        commit(1, 5);
        settle(&sse, 1);
        settle_sockets(&c, 1);
        assert_heard(&sse, 15);
        assert_int_equal(c.heard[1], 15);
        assert_int_equal(c.events, 11);
        client_free(&sse);
        commit(1, 5);
        settle_sockets(&c, 1);
        assert_int_equal(c.heard[1], 20);
        client_join(&sse, 1, "ann", 0, NULL); /* the format nobody listened in is not kept up, and not sent stale */
        settle(&sse, 1);
        commit(1, 1);
        settle(&sse, 1);
        assert_heard(&sse, 21);
        client_free(&sse);
        socket_leave(&c);
}

#define T(name) cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                T(sessions_that_catch_up_take_turns_and_read_one_page_at_a_time),
                T(one_session_that_catches_up_does_not_hold_the_others_back),
                T(one_who_reads_nothing_harms_only_himself),
                T(who_asks_and_takes_no_answers_is_slow),
                T(subscriptions_survive_the_writer),
                T(responses_and_sockets_hear_the_same_session),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
