/* test_chat.c - a streamed turn: which frames a client hears, and in which order. */
#include "chat_rig.h"

/* ---- frames ---- */

TEST(a_turn_is_told_while_it_arrives) {
        const struct op_turn_run *m;

        ask(&c, HI);
        m = fake_calls->msg;
        assert_true(m->stream);
        assert_slice(m->command_id, "k1");
        assert_int_equal(fake_calls->ms, 58000);
        assert_int_equal(c.code, 200);
        assert_string_equal(c.type, "text/event-stream; charset=utf-8");
        assert_hears(&c, READY);
        say("status", -1, NULL, "{\"type\":\"thinking\",\"message\":\"...\"}");
        assert_hears(&c, FRAME("status", "{\"type\":\"thinking\",\"message\":\"...\"}"));
        say("speaker.change", -1, NULL, "{\"speaker\":\"antonio\"}");
        assert_hears(&c, FRAME("speaker.change", "{\"speaker\":\"antonio\"}"));
        delta("Hel");
        assert_hears(&c, DELTA("Hel", "Hel"));
        delta("lo \\\"you\\\"");
        assert_hears(&c, DELTA("lo \\\\\\\"you\\\\\\\"", "Hello \\\\\\\"you\\\\\\\""));
        say("deliverable.cv", -1, NULL, "{\"deliverableId\":\"d1\"}");
        assert_hears(&c, FRAME("deliverable.cv", "{\"deliverableId\":\"d1\"}"));
        fake_answer_next(
                STATUS_OK, "",
                ANSWER("Hello \\\\\\\"you\\\\\\\"",
                       "[{\"type\":\"speaker.change\",\"payload\":{\"speaker\":"
                       "\"antonio\"}},{\"type\":\"deliverable.cv\",\"payload\":{ \"deliverableId\" : \"d1\"}}]"));
        assert_true(c.ended);
        assert_hears(&c, TEXT_DONE("Hello \\\\\\\"you\\\\\\\"") DONE);
        assert_int_equal(lefts, 0);
}

TEST(the_conversation_is_named_from_the_first_frame_on_where_the_client_knows_it) {
        ask(&c, "{\"conversationId\":\"conv_7\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}");
        assert_hears(&c, FRAME("status",
                               "{\"type\":\"ready\",\"message\":\"Starting...\",\"conversationId\":\"conv_7\"}"));
        fake_answer_next(STATUS_CONVERSATION_NOT_FOUND, "", "");
        assert_non_null(strstr(hears(&c), "{\"ok\":false,\"conversationId\":\"conv_7\"}"));
}

TEST(a_turn_that_is_over_is_told_whole_with_its_events) {
        ask(&c, HI);
        assert_hears(&c, READY);
        fake_answer_next(STATUS_OK, "",
                         ANSWER("All of it", "[{\"type\":\"mode.activate\",\"payload\":{\"mode\":\"cv\"}},"
                                             "{\"type\":\"done\",\"payload\":{}},{\"type\":\"x\"},7]"));
        assert_hears(&c, DELTA("All of it", "All of it") FRAME("mode.activate", "{\"mode\":\"cv\"}")
                                 TEXT_DONE("All of it") DONE);
        assert_true(c.ended);
}

TEST(a_message_has_the_id_it_is_stored_under) {
        ask(&c, HI);
        say("status", -1, NULL, "{\"type\":\"thinking\",\"messageId\":\"m_1\",\"conversationId\":\"conv_9\"}");
        delta("x");
        assert_non_null(strstr(hears(&c), "\"messageId\":\"m_1\""));
        say("status", -1, NULL, "{\"type\":\"thinking\",\"messageId\":\"m_2\"}"); /* not under way */
        buf_clear(&c.body);
        delta("y");
        assert_non_null(strstr(hears(&c), "\"messageId\":\"m_1\""));
        fake_answer_next(STATUS_AI_FAILED, "", "");
        assert_non_null(strstr(hears(&c), "{\"ok\":false,\"conversationId\":\"conv_9\"}"));
        ask(&c, HI);
        fake_answer_next(STATUS_OK, "", "{\"ok\":true,\"messageId\":\"m_1\",\"text\":\"x\"}");
        assert_int_equal(times(hears(&c), "\"messageId\":\"m_1\""), 2);
}

TEST(before_the_stream_errors_are_plain) {
        ask(&c, "{}");
        assert_int_equal(c.status, STATUS_INVALID_REQUEST);
        ask(&c, "{\"text\":7}");
        assert_int_equal(c.status, STATUS_INVALID_REQUEST);
        ask(&c, "{");
        assert_int_equal(c.status, STATUS_INVALID_JSON);
        fake_full = true;
        ask(&c, HI);
        assert_int_equal(c.status, STATUS_BUSY);
        fake_full = false;
        fake_channel_up(fake_openclaw, false);
        ask(&c, HI);
        assert_int_equal(c.status, STATUS_OPENCLAW_UNAVAILABLE);
        assert_int_equal(c.retry_after, 1);
        fake_openclaw = NULL;
        ask(&c, HI);
        assert_int_equal(c.status, STATUS_OPENCLAW_UNAVAILABLE);
        assert_null(fake_calls);
        assert_int_equal(lefts, 0);
}

#define ERROR(code, text, retry)                                                                                     \
        FRAME("error", "{\"ok\":false,\"code\":\"" code "\",\"message\":\"" text "\",\"retryable\":" retry           \
                       ",\"error\":\"" text "\",\"recoverable\":" retry ",\"requestId\":\"req_1\"}")

TEST(a_turn_that_fails_ends_with_error_and_done) {
        ask(&c, HI);
        delta("So far");
        assert_hears(&c, READY DELTA("So far", "So far"));
        fake_answer_next(STATUS_AI_CUT_OFF, "it broke off",
                         "{\"turnId\":\"turn_1\",\"conversationId\":\"conv_1\",\"text\":{\"content\":\"So far, so\","
                         "\"speaker\":\"both\"},\"events\":[{\"sequence\":3}]}");
        assert_hears(&c, DELTA(", so", "So far, so") ERROR("AI_CUT_OFF", "it broke off", "true")
                                 FRAME("done", "{\"ok\":false,\"conversationId\":\"conv_1\",\"turnId\":\"turn_1\"}"));
        assert_true(c.ended);
        ask(&c, HI);
        fake_answer_next(STATUS_TURN_CANCELLED, "", "");
        assert_hears(&c, READY ERROR("TURN_CANCELLED", "the turn was stopped; what was said so far is kept", "false")
                                 FRAME("done", "{\"ok\":false}"));
        ask(&c, HI);
        fake_answer_next(STATUS_OK, "", "{\"ok\":");
        assert_non_null(strstr(hears(&c), "\"code\":\"INTERNAL\""));
        assert_true(c.ended);
}

/* ---- more than once, too late, not at all ---- */

TEST(a_confirmation_is_asked_for_once) {
        const char *all;

        ask(&c, HI);
        say("confirm.required", -1, NULL, "{\"actionId\":\"a1\",\"message\":\"m\"}");
        say("confirm.required", -1, NULL, "{\"actionId\":\"a1\",\"message\":\"other words\"}");
        say("confirm.required", -1, NULL, "{\"actionId\":\"a2\",\"message\":\"m\"}");
        say("mode.activate", -1, NULL, "{\"mode\":\"cv\"}");
        say("mode.activate", -1, NULL, "{\"mode\":\"cv\"}"); /* this may well come twice */
        fake_answer_next(
                STATUS_OK, "",
                ANSWER("", "[{\"type\":\"confirm.required\",\"payload\":{\"message\":\"m\",\"actionId\":\"a1\"}},"
                           "{\"type\":\"mode.activate\",\"payload\":{\"mode\":\"cv\"}},"
                           "{\"type\":\"confirm.required\",\"payload\":{\"actionId\":\"a3\"}}]"));
        all = hears(&c);
        assert_int_equal(times(all, "event: confirm.required\n"), 3);
        assert_int_equal(times(all, "\"a1\""), 1);
        assert_int_equal(times(all, "event: mode.activate\n"), 2);
}

TEST(two_streams_of_one_turn_hear_the_same_even_if_one_came_late) {
        ask(&c, HI);
        say("text.delta", 0, "One ", NULL);
        ask(&d, HI);
        assert_true(((const struct op_turn_run *)fake_calls->msg)->stream);
        assert_false(((const struct op_turn_run *)fake_calls->next->msg)->stream);
        say("text.delta", 4, "two ", NULL);
        assert_hears(&c, READY DELTA("One ", "One ") DELTA("two ", "One two "));
        assert_hears(&d, READY DELTA("One ", "One ") DELTA("two ", "One two "));
        say("text.delta", 0, "One two three", NULL); /* told from the start again, for somebody */
        assert_hears(&c, DELTA("three", "One two three"));
        assert_hears(&d, DELTA("three", "One two three"));
        fake_leave(&c);
        assert_int_equal(lefts, 0);
        say("text.delta", 13, "!", NULL);
        assert_hears(&d, DELTA("!", "One two three!"));
        fake_answer_next(STATUS_OK, "", "{}"); /* nobody's */
        fake_answer_next(STATUS_OK, "", ANSWER("One two three!", "[]"));
        assert_hears(&d, TEXT_DONE("One two three!") DONE);
        assert_int_equal(lefts, 0);
}

TEST(what_was_missed_comes_with_the_end) {
        ask(&c, HI);
        say("text.delta", 4, "two", NULL);
        assert_hears(&c, READY);
        say("text.delta", 0, "One", NULL);
        say("text.delta", 1, "--", NULL); /* nobody's words */
        assert_hears(&c, DELTA("One", "One"));
        fake_answer_next(STATUS_OK, "", ANSWER("One two", "[]"));
        assert_hears(&c, DELTA(" two", "One two") TEXT_DONE("One two") DONE);
}

TEST(an_answer_that_begins_anew_replaces_the_first_one) {
        ask(&c, HI);
        say("text.delta", 0, "Good morn", NULL);
        waiting_down(NULL, fake_writer); /* not its runner */
        waiting_down(NULL, fake_openclaw);
        say("text.delta", 0, "Hello", NULL);
        assert_hears(&c, READY DELTA("Good morn", "Good morn") FRAME(
                                 "status", "{\"type\":\"loading\",\"message\":\"The assistant is restarting; your "
                                           "turn goes on.\"}") DELTA("Hello", "Hello"));
        fake_answer_next(STATUS_OK, "", ANSWER("Other words", "[]"));
        assert_hears(&c, DELTA("Other words", "Other words") TEXT_DONE("Other words") DONE);
        ask(&c, HI);
        delta("Good morn");
        waiting_down(NULL, fake_openclaw);
        delta("Good "); /* the first words of the next attempt, which happen to be the same */
        delta("evening");
        assert_non_null(strstr(hears(&c), "\"fullText\":\"Good evening\""));
        fake_answer_next(STATUS_OK, "", ANSWER("Good evening", "[]"));
        assert_non_null(strstr(hears(&c), TEXT_DONE("Good evening")));
}

TEST(the_runner_hears_that_the_last_client_left) {
        ask(&c, HI);
        ask(&d, HI);
        fake_leave(&c);
        assert_int_equal(lefts, 0);
        delta("x");
        fake_leave(&d);
        assert_int_equal(lefts, 1);
        assert_int_equal(fake_count(OP_turn_run), 0);
        delta("y");
        ask(&c, HI);
        say("status", -1, NULL, "{}");
        fake_answer(fake_calls->next->next, STATUS_OK, "", slice_of(ANSWER("", "[]")));
        assert_true(c.ended);
        assert_int_equal(lefts, 1);
}

TEST(a_process_that_stops_says_where_to_ask_again) {
        ask(&c, HI);
        delta("So");
        waiting_drain(NULL, false);
        assert_true(c.ended);
        assert_hears(&c, READY DELTA("So", "So") ERROR("OPENCLAW_UNAVAILABLE", WAITER_WHY, "true")
                                 FRAME("done", "{\"ok\":false}"));
        assert_int_equal(lefts, 0); /* the turn goes on */
        assert_int_equal(fake_count(OP_turn_run), 0);
        ask(&c, HI);
        assert_int_equal(c.status, STATUS_OPENCLAW_UNAVAILABLE);
}

TEST(names_that_are_no_event_do_not_reach_the_stream) {
        ask(&c, HI);
        assert_hears(&c, READY);
        say("x\nevent: y", -1, NULL, "{}");
        say("done", -1, NULL, "{\"ok\":true}");
        say("error", -1, NULL, "{}");
        say("text.done", -1, NULL, "{}");
        say("mode.activate", -1, NULL, "[1]");
        say("mode.activate", -1, NULL, NULL);
        say("text.delta", -1, NULL, NULL);
        say("text.delta", -1, "", NULL);
        assert_hears(&c, "");
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                T(a_turn_is_told_while_it_arrives),
                T(the_conversation_is_named_from_the_first_frame_on_where_the_client_knows_it),
                T(a_turn_that_is_over_is_told_whole_with_its_events),
                T(a_message_has_the_id_it_is_stored_under),
                T(before_the_stream_errors_are_plain),
                T(a_turn_that_fails_ends_with_error_and_done),
                T(a_confirmation_is_asked_for_once),
                T(two_streams_of_one_turn_hear_the_same_even_if_one_came_late),
                T(what_was_missed_comes_with_the_end),
                T(an_answer_that_begins_anew_replaces_the_first_one),
                T(the_runner_hears_that_the_last_client_left),
                T(a_process_that_stops_says_where_to_ask_again),
                T(names_that_are_no_event_do_not_reach_the_stream),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
