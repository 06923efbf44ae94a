/* test_socket.c - what is said on a socket: every message, every mistake, every end. */
#include "fanout.h"
#include "settings.h"
#include "socket_world.h"
#include "stats.h"

static struct socket_client c;

static void subscribe(struct socket_client *to, unsigned s) {
        say(to, "{'op':'subscribe','sessionId':'s%u'}", s);
        settle_sockets(to, 1);
}

static void assert_closed(unsigned code, const char *reason) {
        assert_null(c.ws.ws);
        assert_int_equal(c.ws.close_code, code);
        assert_string_equal(c.ws.close_reason, reason);
        assert_int_equal(fake_stats[STAT_sockets_open], 0);
        assert_int_equal(fanout_listeners(fake_fanout), 0);
}

TEST(a_subscription_hears_what_was_and_what_comes) {
        commit(1, 450);
        socket_join(&c, "ann");
        subscribe(&c, 1);
        assert_said(&c, "{\"op\":\"subscribed\",\"sessionId\":\"s1\",\"fromSequence\":0,\"latestSequence\":450,"
                        "\"status\":\"active\"}");
        commit(1, 3);
        settle_sockets(&c, 1);
        assert_int_equal(c.heard[1], 453);
        assert_int_equal(c.events, 453);
        assert_int_equal(fake_stats[STAT_sockets_open], 1);
        assert_int_equal(fake_stats[STAT_streams_open], 1);
        assert_int_equal(fake_stats[STAT_streams_behind], 0);
        socket_leave(&c);
        assert_int_equal(fake_stats[STAT_sockets_open] + fake_stats[STAT_streams_open], 0);
        assert_string_equal(fake_word, "lost");
}

TEST(it_begins_where_the_client_says_or_its_consumer_was) {
        commit(1, 20);
        world.sessions[1].checkpoint = 12;
        socket_join(&c, "ann");
        say(&c, "{'op':'subscribe','sessionId':'s1','afterSequence':15,'lastAckSequence':3}");
        settle_sockets(&c, 1);
        assert_said(&c, "\"fromSequence\":15");
        say(&c, "{'op':'unsubscribe','sessionId':'s1'}");
        assert_said(&c, "{\"op\":\"unsubscribed\",\"sessionId\":\"s1\",\"reason\":\"client\"}");
        say(&c, "{'op':'subscribe','sessionId':'s1','lastAckSequence':18,'consumerId':'phone'}");
        settle_sockets(&c, 1);
        assert_said(&c, "\"fromSequence\":18");
        say(&c, "{'op':'unsubscribe','sessionId':'s1'}");
        (void)next_said(&c);
        say(&c, "{'op':'subscribe','sessionId':'s1','consumerId':'phone'}");
        settle_sockets(&c, 1);
        assert_said(&c, "\"fromSequence\":12");
        say(&c, "{'op':'unsubscribe','sessionId':'s1'}");
        (void)next_said(&c);
        say(&c, "{'op':'subscribe','sessionId':'s1','afterSequence':21}");
        settle_sockets(&c, 1);
        assert_said(&c, "\"op\":\"subscribed\"");
        assert_said(&c, "{\"op\":\"reset\",\"sessionId\":\"s1\",\"reason\":\"cursor_ahead\",\"fromSequence\":0,"
                        "\"latestSequence\":20}");
        assert_int_equal(c.heard[1], 20);
        socket_leave(&c);
}

TEST(acknowledgements_are_collected_while_one_is_on_its_way) {
        commit(1, 30);
        socket_join(&c, "ann");
        subscribe(&c, 1);
        (void)next_said(&c);
        for (unsigned i = 1; i <= 30; i++)
                say(&c, "{'op':'ack','sessionId':'s1','sequence':%u}", i);
        assert_int_equal(fake_count(OP_checkpoint), 1);
        settle_sockets(&c, 1);
        assert_said(&c, "{\"op\":\"acked\",\"sessionId\":\"s1\",\"sequence\":1}");
        assert_said(&c, "{\"op\":\"acked\",\"sessionId\":\"s1\",\"sequence\":30}");
        assert_nothing_said(&c);
        assert_int_equal(world.checkpoints, 2);
        assert_string_equal(world.sessions[1].consumer, "ann");
        say(&c, "{'op':'ack','sessionId':'s1','sequence':31}");
        settle_sockets(&c, 1);
        assert_said(&c, "\"code\":\"CURSOR_AHEAD\"");
        /* What waits is stored although nobody will hear of it. */
        commit(1, 2);
        say(&c, "{'op':'ack','sessionId':'s1','sequence':31}");
        say(&c, "{'op':'ack','sessionId':'s1','sequence':32}");
        socket_leave(&c);
        settle_sockets(NULL, 0);
        assert_int_equal(world.sessions[1].checkpoint, 32);
}

TEST(every_actor_has_a_checkpoint_of_his_own) {
        static const char *const actors[] = { "auth0|ann", "auth0|bob", "auth0|ann" };
        char names[COUNT(actors)][101];

        commit(1, 3);
        for (unsigned i = 0; i < COUNT(actors); i++) {
                socket_join(&c, actors[i]);
                subscribe(&c, 1);
                (void)next_said(&c);
                say(&c, "{'op':'ack','sessionId':'s1','sequence':%u}", i + 1);
                settle_sockets(&c, 1);
                assert_said(&c, "{\"op\":\"acked\"");
                memcpy(names[i], world.sessions[1].consumer, sizeof names[i]);
                assert_int_equal(strlen(names[i]), strlen("actor_") + 32);
                socket_leave(&c);
        }
        assert_string_not_equal(names[0], names[1]);
        assert_string_equal(names[0], names[2]);
}

TEST(nothing_heard_is_acknowledged_without_a_word_to_anybody) {
        commit(1, 3);
        socket_join(&c, "ann");
        subscribe(&c, 1);
        (void)next_said(&c);
        say(&c, "{'op':'ack','sessionId':'s1','sequence':0}");
        assert_said(&c, "{\"op\":\"acked\",\"sessionId\":\"s1\",\"sequence\":0}");
        assert_int_equal(fake_count(OP_checkpoint), 0);
        socket_leave(&c);
}

TEST(an_actors_acknowledgements_take_turns_on_all_his_sockets) {
        static struct socket_client many[3], other;

        for (unsigned k = 0; k < COUNT(many); k++) {
                socket_join(&many[k], "ann");
                for (unsigned s = 1; s < SESSIONS; s++) {
                        if (k == 0)
                                commit(s, 9);
                        subscribe(&many[k], s);
                }
        }
        socket_join(&other, "bob");
        subscribe(&other, 1);
        for (unsigned k = 0; k < COUNT(many); k++)
                for (unsigned s = 1; s < SESSIONS; s++)
                        say(&many[k], "{'op':'ack','sessionId':'s%u','sequence':%u}", s, k + 3);
        assert_int_equal(fake_count(OP_checkpoint), SOCKET_ACKS);
        say(&other, "{'op':'ack','sessionId':'s1','sequence':1}");
        assert_int_equal(fake_count(OP_checkpoint), SOCKET_ACKS + 1);
        say(&many[2], "{'op':'unsubscribe','sessionId':'s1'}"); /* while it waits: stored nevertheless */
        assert_int_equal(fake_count(OP_checkpoint), SOCKET_ACKS + 2);
        socket_leave(&many[0]);
        settle_sockets(&many[1], 2);
        settle_sockets(&other, 1);
        assert_int_equal(world.checkpoints, COUNT(many) * (SESSIONS - 1) + 1);
        for (unsigned s = 1; s < SESSIONS; s++)
                assert_int_equal(world.sessions[s].checkpoint, 5);
        socket_leave(&many[1]);
        socket_leave(&many[2]);
        socket_leave(&other);
}

TEST(what_is_stored_is_acknowledged_again_without_a_word_to_the_writer) {
        commit(1, 9);
        socket_join(&c, "ann");
        subscribe(&c, 1);
        (void)next_said(&c);
        say(&c, "{'op':'ack','sessionId':'s1','sequence':7}");
        settle_sockets(&c, 1);
        assert_said(&c, "\"sequence\":7}");
        say(&c, "{'op':'ack','sessionId':'s1','sequence':7}");
        say(&c, "{'op':'ack','sessionId':'s1','sequence':2}");
        assert_int_equal(fake_count(OP_checkpoint), 0);
        assert_said(&c, "\"sequence\":7}");
        assert_said(&c, "\"sequence\":2}");
        socket_leave(&c);
}

TEST(a_session_is_resumed_before_it_is_followed) {
        commit(1, 5);
        socket_join(&c, "ann");
        say(&c, "{'op':'subscribe','sessionId':'s1','resumeToken':'t0','lastAckSequence':2}");
        assert_int_equal(fake_count(OP_session_reconnect), 1);
        assert_int_equal(fake_count(OP_stream_open), 0);
        settle_sockets(&c, 1);
        assert_said(&c, "\"fromSequence\":2,\"latestSequence\":5,\"status\":\"active\",\"resumeToken\":\"t1\"}");
        assert_int_equal(c.heard[1], 5);
        say(&c, "{'op':'subscribe','sessionId':'s2','resumeToken':'secret'}");
        settle_sockets(&c, 1);
        assert_said(&c, "{\"op\":\"error\",\"code\":\"INVALID_RESUME_TOKEN\"");
        for (unsigned i = 0; i < c.n_said; i++)
                assert_null(strstr(c.said[i], "secret"));
        say(&c, "{'op':'subscribe','sessionId':'s2','resumeToken':'t0'}");
        socket_leave(&c); /* while it is on its way */
        settle_sockets(NULL, 0);
        assert_int_equal(fanout_listeners(fake_fanout), 0);
}

TEST(refusals_name_the_message_and_the_session_and_the_socket_stays) {
        world.sessions[2].refuses = STATUS_SESSION_NOT_FOUND;
        socket_join(&c, "ann");
        subscribe(&c, 2);
        assert_said(&c, "{\"op\":\"error\",\"code\":\"SESSION_NOT_FOUND\",\"message\":\"no such session\","
                        "\"retryable\":false,\"for\":\"subscribe\",\"sessionId\":\"s2\"}");
        fake_channel_up(fake_writer, true);
        fake_full = true;
        subscribe(&c, 1);
        assert_said(&c, "\"code\":\"BUSY\"");
        fake_full = false;
        subscribe(&c, 1);
        assert_said(&c, "\"op\":\"subscribed\"");
        subscribe(&c, 1);
        assert_said(&c, "\"code\":\"INVALID_REQUEST\",\"message\":\"this socket follows this session already\"");
        say(&c, "{'op':'unsubscribe','sessionId':'s3'}");
        assert_said(&c, "\"for\":\"unsubscribe\",\"sessionId\":\"s3\"");
        say(&c, "{'op':'ack','sessionId':'s3','sequence':1}");
        assert_said(&c, "\"for\":\"ack\",\"sessionId\":\"s3\"");
        fake_limited = true;
        subscribe(&c, 3);
        assert_said(&c, "\"code\":\"RATE_LIMITED\"");
        socket_leave(&c);
}

TEST(subscriptions_are_bounded_per_socket_actor_and_account) {
        fake_settings[SETTING_socket_subscriptions_max] = 2;
        socket_join(&c, "ann");
        for (unsigned s = 0; s < 3; s++)
                subscribe(&c, s);
        assert_said(&c, "subscribed");
        assert_said(&c, "subscribed");
        assert_said(&c, "\"code\":\"TOO_MANY_SUBSCRIPTIONS\"");
        fake_settings[SETTING_socket_subscriptions_max] = 100;
        fake_settings[SETTING_streams_per_actor] = 2;
        subscribe(&c, 3);
        assert_said(&c, "\"code\":\"TOO_MANY_STREAMS\"");
        fake_settings[SETTING_streams_per_actor] = 100;
        fake_settings[SETTING_streams_per_account] = 2;
        subscribe(&c, 3);
        assert_said(&c, "\"code\":\"TOO_MANY_STREAMS\"");
        say(&c, "{'op':'unsubscribe','sessionId':'s0'}");
        (void)next_said(&c);
        subscribe(&c, 3);
        assert_said(&c, "subscribed");
        socket_leave(&c);
}

TEST(bad_fields_are_refused_and_three_messages_that_are_none_end_it) {
        static const char *const fields[] = { "{'op':'subscribe'}",
                                              "{'op':'subscribe','sessionId':'s1','x':1}",
                                              "{'op':'ack','sessionId':'s1'}",
                                              "{'op':'ack','sessionId':'s1','sequence':-1}",
                                              "{'op':'ping','id':'a b'}",
                                              "{'op':'subscribe','sessionId':'s1','afterSequence':'1'}",
                                              "{'op':'unsubscribe','sessionId':''}" };

        socket_join(&c, "ann");
        for (size_t i = 0; i < COUNT(fields); i++) {
                say(&c, "%s", fields[i]);
                assert_said(&c, "\"code\":\"INVALID_REQUEST\"");
        }
        say(&c, "{'op':'ping'}");
        assert_said(&c, "{\"op\":\"pong\"}");
        say(&c, "{'op':'ping','id':'7'}");
        assert_said(&c, "{\"op\":\"pong\",\"id\":\"7\"}");
        say(&c, "{");
        assert_said(&c, "\"code\":\"INVALID_JSON\"");
        say(&c, "{'op':'dance'}");
        assert_said(&c, "op must be one of");
        say(&c, "[1]");
        assert_said(&c, "op must be one of");
        assert_closed(WS_UNKNOWN_OP, "three messages that are none");
        assert_string_equal(fake_word, "protocol");
        socket_leave(&c);
}

TEST(who_talks_without_end_is_closed) {
        socket_join(&c, "ann");
        for (unsigned i = 0; i < SOCKET_BURST + 100 && c.ws.ws; i++) {
                say(&c, "{'op':'ping'}");
                c.n_said = c.read = 0;
        }
        assert_closed(WS_POLICY, "too many messages");
        socket_leave(&c);
}

TEST(pings_are_sent_when_nothing_comes_and_must_be_answered) {
        socket_join(&c, "ann");
        tick();
        assert_int_equal(c.ws.pings, 0);
        fake_settings[SETTING_sse_heartbeat_seconds] = 0;
        tick();
        assert_int_equal(c.ws.pings, 1);
        tick();
        assert_int_equal(c.ws.pings, 1); /* one at a time */
        fake_settings[SETTING_sse_stall_seconds] = 0;
        tick();
        assert_closed(WS_SLOW, "slow");
        socket_leave(&c);
}

TEST(a_drain_says_so) {
        socket_join(&c, "ann");
        subscribe(&c, 1);
        fanout_drain(NULL);
        assert_closed(WS_GOING_AWAY, "shutdown");
        assert_string_equal(fake_word, "shutdown");
        socket_leave(&c);
}

static int64_t fixed_time;

static int64_t fixed_clock(void) {
        return fixed_time;
}

TEST(a_socket_does_not_outlive_its_token) {
        int64_t (*clock)(void) = text_clock;

        text_clock = fixed_clock;
        fixed_time = 1000000;
        client_until = 5000000;
        socket_join(&c, "ann");
        client_until = 0;
        subscribe(&c, 1);
        tick();
        assert_non_null(c.ws.ws);
        fixed_time = 5000000;
        tick();
        assert_closed(WS_IDENTITY, "expired");
        text_clock = clock;
        socket_leave(&c);
}

TEST(an_idle_socket_with_one_subscription_is_small) {
        size_t bytes = sizeof(struct socket) + sizeof(struct subscription) + sizeof(struct listener) +
                       sizeof(struct pass) + sizeof(struct who) + 128;

        assert_true(bytes + sizeof(struct stream) < 2048);
}

#define T(name) cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                T(a_subscription_hears_what_was_and_what_comes),
                T(it_begins_where_the_client_says_or_its_consumer_was),
                T(acknowledgements_are_collected_while_one_is_on_its_way),
                T(every_actor_has_a_checkpoint_of_his_own),
                T(nothing_heard_is_acknowledged_without_a_word_to_anybody),
                T(an_actors_acknowledgements_take_turns_on_all_his_sockets),
                T(what_is_stored_is_acknowledged_again_without_a_word_to_the_writer),
                T(a_session_is_resumed_before_it_is_followed),
                T(refusals_name_the_message_and_the_session_and_the_socket_stays),
                T(subscriptions_are_bounded_per_socket_actor_and_account),
                T(bad_fields_are_refused_and_three_messages_that_are_none_end_it),
                T(who_talks_without_end_is_closed),
                T(pings_are_sent_when_nothing_comes_and_must_be_answered),
                T(a_drain_says_so),
                T(a_socket_does_not_outlive_its_token),
                T(an_idle_socket_with_one_subscription_is_small),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
