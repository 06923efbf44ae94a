/* test_channel - what is asked is answered once, in order, across lost connections and within bounds. */
#include "peer_rig.h"

#include <sys/wait.h>

/* As in the real house: the frontend listens and asks, the writer dials and answers. */
static struct side *frontend, *writer;

static void pair_up(void) {
        side_up(frontend);
        side_listen(frontend);
        side_up(writer);
        side_dial(writer, FRONTEND, 1);
        until(frontend->ups == 1 && writer->ups == 1);
}

static int setup(void **state) {
        (void)state;
        rig_start();
        frontend = side_new(FRONTEND, 1);
        writer = side_new(WRITER, 1);
        writer->echo = true;
        return 0;
}

static int teardown(void **state) {
        (void)state;
        side_free(frontend);
        side_free(writer);
        rig_stop();
        return 0;
}

TEST(a_call_is_answered) {
        struct heard h = { 0 };
        pair_up();
        assert_int_equal(ask(frontend, "call-1", 5000, &h), STATUS_OK);
        assert_int_equal(h.n, 0);
        until(h.n == 1);
        assert_int_equal(h.status, STATUS_OK);
        assert_string_equal(h.body, "call-1");
        assert_true(hub_idle(frontend->hub));
        assert_true(hub_idle(writer->hub));
}

TEST(a_refusal_carries_its_status_and_detail) {
        struct heard h = { 0 };
        pair_up();
        writer->echo = false;
        assert_int_equal(ask(frontend, "call-1", 5000, &h), STATUS_OK);
        until(writer->requests == 1);
        channel_reply(&writer->held[0], STATUS_SESSION_NOT_FOUND, SLICE("gone"), (struct slice){ 0 });
        until(h.n == 1);
        assert_int_equal(h.status, STATUS_SESSION_NOT_FOUND);
}

TEST(messages_of_one_turn_share_one_frame) {
        struct heard h = { 0 };
        pair_up();
        for (int i = 0; i < 100; i++)
                assert_int_equal(ask(frontend, "call-1", 5000, &h), STATUS_OK);
        until(h.n == 100);
        assert_int_equal(writer->frames, 1);
}

TEST(ten_thousand_calls_arrive_in_order_and_each_finds_its_own_answer) {
        static struct heard h[10000];
        char session[32];
        memset(h, 0, sizeof h);
        writer->echo = false;
        pair_up();
        for (unsigned i = 0; i < 10000; i++) {
                (void)snprintf(session, sizeof session, "call-%u", i);
                assert_int_equal(ask(frontend, session, 60000, &h[i]), STATUS_OK);
        }
        until(writer->requests == 10000);
        for (unsigned i = 10000; i-- > 0;) {
                (void)snprintf(session, sizeof session, "answer-%u", i);
                assert_int_equal(writer->held[i].id, i + 1);
                channel_reply(&writer->held[i], STATUS_OK, (struct slice){ 0 }, slice_of(session));
        }
        until(hub_idle(frontend->hub));
        for (unsigned i = 0; i < 10000; i++) {
                (void)snprintf(session, sizeof session, "answer-%u", i);
                assert_int_equal(h[i].n, 1);
                assert_string_equal(h[i].body, session);
        }
}

TEST(unanswered_calls_are_sent_again_in_order_with_the_same_bytes) {
        static struct heard h[100];
        uint32_t before[100];
        memset(h, 0, sizeof h);
        writer->echo = false;
        pair_up();
        for (unsigned i = 0; i < 100; i++)
                assert_int_equal(ask(frontend, i % 2 != 0 ? "odd" : "even", 60000, &h[i]), STATUS_OK);
        until(writer->requests == 100);
        for (unsigned i = 0; i < 10; i++) /* ten are answered before it dies */
                channel_reply(&writer->held[i], STATUS_OK, (struct slice){ 0 }, (struct slice){ 0 });
        until(h[9].n == 1);
        memcpy(before, writer->bytes_hash, sizeof before);
        side_down(writer);
        until(frontend->downs == 1);
        writer->requests = 0;
        writer->echo = true;
        side_up(writer);
        side_dial(writer, FRONTEND, 1);
        until(hub_idle(frontend->hub));
        assert_int_equal(writer->requests, 90);
        for (unsigned i = 0; i < 90; i++) {
                assert_int_equal(writer->held[i].id, 11 + i);
                assert_int_equal(writer->bytes_hash[i], before[10 + i]);
        }
        for (unsigned i = 0; i < 100; i++)
                assert_int_equal(h[i].n, 1);
}

TEST(calls_made_while_the_peer_is_away_wait_for_it) {
        struct heard h = { 0 };
        pair_up();
        side_down(writer);
        until(frontend->downs == 1);
        assert_int_equal(ask(frontend, "call-1", 60000, &h), STATUS_OK);
        side_up(writer);
        side_dial(writer, FRONTEND, 1);
        until(h.n == 1);
        assert_int_equal(h.status, STATUS_OK);
}

TEST(an_answer_to_a_connection_that_died_goes_nowhere) {
        struct heard h = { 0 };
        writer->echo = false;
        pair_up();
        assert_int_equal(ask(frontend, "call-1", 60000, &h), STATUS_OK);
        until(writer->requests == 1);
        struct request old = writer->held[0];
        side_down(frontend); /* another process takes its place; it never asked */
        until(writer->downs == 1);
        side_up(frontend);
        side_listen(frontend);
        until(writer->ups == 2);
        channel_reply(&old, STATUS_OK, (struct slice){ 0 }, SLICE("{}"));
        settle();
        assert_int_equal(writer->downs, 1); /* an answer to nothing would have ended the connection */
        assert_int_equal(h.n, 0);
}

TEST(a_timeout_answers_once_and_the_late_answer_is_swallowed) {
        struct heard h = { 0 };
        writer->echo = false;
        pair_up();
        assert_int_equal(ask(frontend, "call-1", 60, &h), STATUS_OK);
        until(h.n == 1);
        assert_int_equal(h.status, STATUS_WRITER_UNAVAILABLE);
        assert_int_equal(writer->requests, 1);
        channel_reply(&writer->held[0], STATUS_OK, (struct slice){ 0 }, SLICE("{}"));
        settle();
        assert_int_equal(h.n, 1);
        assert_int_equal(frontend->downs, 0);
        assert_true(hub_idle(frontend->hub));
}

TEST(a_call_that_timed_out_is_not_sent_again) {
        struct heard h = { 0 };
        writer->echo = false;
        pair_up();
        assert_int_equal(ask(frontend, "call-1", 60, &h), STATUS_OK);
        until(h.n == 1);
        side_down(writer);
        until(frontend->downs == 1);
        writer->requests = 0;
        side_up(writer);
        side_dial(writer, FRONTEND, 1);
        until(writer->ups == 2);
        settle();
        assert_int_equal(writer->requests, 0);
}

TEST(a_peer_that_never_comes_times_out) {
        struct heard h = { 0 };
        struct op_session_get m = ask_for("call-1");
        side_up(frontend);
        struct channel *c = hub_dial(frontend->hub, WRITER, 1, "/nowhere/at/all.sock");
        assert_int_equal(channel_call(c, OP_session_get, &m, 120, hear, &h), STATUS_OK);
        until(h.n == 1);
        assert_int_equal(h.status, STATUS_WRITER_UNAVAILABLE);
        assert_true(hub_idle(frontend->hub));
}

TEST(a_forgotten_call_runs_but_nobody_is_told) {
        struct heard h = { 0 }, other = { 0 };
        writer->echo = false;
        pair_up();
        assert_int_equal(ask(frontend, "call-1", 60000, &h), STATUS_OK);
        assert_int_equal(ask(frontend, "call-2", 60000, &other), STATUS_OK);
        channel_forget(hub_find(frontend->hub, WRITER, 0), &h);
        until(writer->requests == 2);
        for (int i = 0; i < 2; i++)
                channel_reply(&writer->held[i], STATUS_OK, (struct slice){ 0 }, (struct slice){ 0 });
        until(other.n == 1);
        assert_int_equal(h.n, 0);
        assert_int_equal(frontend->downs, 0);
}

TEST(more_unanswered_calls_than_allowed_are_busy) {
        struct heard h = { 0 };
        frontend->limits.pending = 10;
        writer->echo = false;
        pair_up();
        for (int i = 0; i < 10; i++)
                assert_int_equal(ask(frontend, "call-1", 60000, &h), STATUS_OK);
        assert_int_equal(ask(frontend, "call-1", 60000, &h), STATUS_BUSY);
        until(writer->requests == 10);
        channel_reply(&writer->held[0], STATUS_OK, (struct slice){ 0 }, (struct slice){ 0 });
        until(h.n == 1);
        assert_int_equal(ask(frontend, "call-1", 60000, &h), STATUS_OK);
}

TEST(more_queued_bytes_than_allowed_are_busy) {
        struct heard h = { 0 };
        struct op_stream_close m = { 0 };
        frontend->limits.queue_bytes = 1000;
        pair_up();
        struct channel *c = hub_find(frontend->hub, WRITER, 0);
        unsigned n = 0;
        while (n < 1000 && ask(frontend, "call-1", 60000, &h) == STATUS_OK)
                n++;
        assert_in_range(n, 5, 100);
        OP_SET(stream_close, &m, account_id, SLICE("acme"));
        OP_SET(stream_close, &m, session_id, SLICE("call-1"));
        assert_false(channel_cast(c, OP_stream_close, &m));
        until(h.n == n);
        assert_true(channel_cast(c, OP_stream_close, &m));
        until(writer->casts == 1);
}

TEST(casts_are_refused_while_the_peer_is_away) {
        struct op_stream_close m = { 0 };
        OP_SET(stream_close, &m, account_id, SLICE("acme"));
        OP_SET(stream_close, &m, session_id, SLICE("call-1"));
        pair_up();
        struct channel *c = hub_find(frontend->hub, WRITER, 0);
        side_down(writer);
        until(frontend->downs == 1);
        assert_false(channel_up(c));
        assert_false(channel_cast(c, OP_stream_close, &m));
}

TEST(messages_of_megabytes_cross_in_pieces) {
        static char big[1u << 20];
        struct op_stats_report m = { 0 };
        struct heard h = { 0 };
        memset(big, 'x', sizeof big);
        writer->echo = false;
        pair_up();
        OP_SET(stats_report, &m, values, ((struct slice){ big, 262144 }));
        for (int i = 0; i < 24; i++) /* 6 MiB: two frames, and more than a socket takes at once */
                assert_true(channel_cast(hub_find(frontend->hub, WRITER, 0), OP_stats_report, &m));
        assert_int_equal(ask(frontend, "behind", 60000, &h), STATUS_OK);
        until(writer->requests == 1);
        assert_int_equal(writer->casts, 24);
        assert_in_range(writer->frames, 2, 10);
        channel_reply(&writer->held[0], STATUS_OK, (struct slice){ 0 }, (struct slice){ big, sizeof big });
        until(h.n == 1);
        assert_int_equal(h.status, STATUS_OK);
}

TEST(an_answer_longer_than_a_message_becomes_an_error) {
        struct heard h = { 0 };
        char *huge = calloc(1, FRAME_PAYLOAD_MAX);
        writer->echo = false;
        pair_up();
        assert_int_equal(ask(frontend, "call-1", 60000, &h), STATUS_OK);
        until(writer->requests == 1);
        channel_reply(&writer->held[0], STATUS_OK, (struct slice){ 0 }, (struct slice){ huge, FRAME_PAYLOAD_MAX });
        until(h.n == 1);
        assert_int_equal(h.status, STATUS_INTERNAL);
        free(huge);
}

TEST(a_newer_connection_of_the_same_daemon_replaces_the_old) {
        struct heard h = { 0 };
        struct side *again = side_new(WRITER, 1);
        again->echo = true;
        writer->echo = false;
        pair_up();
        assert_int_equal(ask(frontend, "call-1", 60000, &h), STATUS_OK);
        until(writer->requests == 1);
        side_up(again);
        side_dial(again, FRONTEND, 1);
        until(h.n == 1); /* what the old one still owed, the new one answers */
        assert_true(frontend->downs >= 1);
        side_free(again);
}

TEST(a_draining_daemon_leaves_requests_to_its_successor) {
        struct heard h = { 0 };
        pair_up();
        hub_drain(writer->hub);
        assert_int_equal(ask(frontend, "call-1", 60000, &h), STATUS_OK);
        settle();
        assert_int_equal(h.n, 0);
        assert_true(hub_idle(writer->hub));
        side_down(writer);
        until(frontend->downs == 1);
        side_up(writer);
        side_dial(writer, FRONTEND, 1);
        until(h.n == 1);
        assert_int_equal(h.status, STATUS_OK);
}

/* Our own mistake ends us before it reaches the wire. */
TEST(what_the_table_forbids_cannot_be_sent) {
        int status;
        pair_up();
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                struct op_token_issue m = { 0 }; /* CTL to ISSUER */
                (void)channel_call(hub_find(frontend->hub, WRITER, 0), OP_token_issue, &m, 1000, hear, NULL);
                _exit(99);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), EXIT_FAILURE);
}

int main(void) {
        const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
                T(a_call_is_answered),
                T(a_refusal_carries_its_status_and_detail),
                T(messages_of_one_turn_share_one_frame),
                T(ten_thousand_calls_arrive_in_order_and_each_finds_its_own_answer),
                T(unanswered_calls_are_sent_again_in_order_with_the_same_bytes),
                T(calls_made_while_the_peer_is_away_wait_for_it),
                T(an_answer_to_a_connection_that_died_goes_nowhere),
                T(a_timeout_answers_once_and_the_late_answer_is_swallowed),
                T(a_call_that_timed_out_is_not_sent_again),
                T(a_peer_that_never_comes_times_out),
                T(a_forgotten_call_runs_but_nobody_is_told),
                T(more_unanswered_calls_than_allowed_are_busy),
                T(more_queued_bytes_than_allowed_are_busy),
                T(casts_are_refused_while_the_peer_is_away),
                T(messages_of_megabytes_cross_in_pieces),
                T(an_answer_longer_than_a_message_becomes_an_error),
                T(a_newer_connection_of_the_same_daemon_replaces_the_old),
                T(what_the_table_forbids_cannot_be_sent),
                T(a_draining_daemon_leaves_requests_to_its_successor),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
