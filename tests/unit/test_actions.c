/* test_actions.c - an action that the AI carries out: one document or none, one end, whoever asks how often. */
#include "fake_turns.h"

#include "action.h"

#define RUN(kind, type)                                                                                              \
        "{\"ok\":true,\"state\":\"run\",\"actionId\":\"a1\",\"actionType\":\"" type "\",\"kind\":\"" kind            \
        "\",\"arguments\":{\"instructions\":\"short\"},\"summary\":\"A CV\",\"version\":1,\"deliverable\":null,"     \
        "\"history\":[{\"role\":\"user\",\"content\":\"I build firmware\"}],\"tokensLeft\":null}"
#define GOOD                                                                                                         \
        "{\"title\":\"Ann's CV\",\"data\":{\"name\":\"Ann\",\"email\":\"ann@example.com\",\"summary\":\"Builds.\","  \
        "\"experience\":[{\"title\":\"Engineer\",\"company\":\"Works\"}],\"skills\":[\"C\"],\"extra\":7}}"

static struct actions *actions;
static unsigned ids;

static int start(void **state) {
        (void)state;
        fake_start();
        ids = 100;
        actions = actions_new(fake_loop, NULL, fake_writer, "run_one", turns_places(fake_turns));
        return 0;
}

static int stop(void **state) {
        (void)state;
        actions_free(actions);
        fake_stop();
        return 0;
}

static void pass(int64_t ms) {
        fake_pass(ms);
        for (struct action *a = actions->first; a; a = a->next)
                if (ev_is_active(&a->timer)) {
                        ev_timer_stop(fake_loop, &a->timer);
                        ev_feed_event(fake_loop, &a->timer, EV_TIMER);
                }
        fake_settle();
}

static unsigned ask_as(const char *who, const char *action) {
        struct op_action_run m = { 0 };
        struct request r = { .from = fake_front, .op = OP_action_run, .id = ++ids, .msg = &m };
        OP_SET(action_run, &m, account_id, SLICE("acme"));
        OP_SET(action_run, &m, actor_id, slice_of(who));
        OP_SET(action_run, &m, actor_role, SLICE("member"));
        OP_SET(action_run, &m, command_id, SLICE("c"));
        OP_SET(action_run, &m, session_id, SLICE("s1"));
        OP_SET(action_run, &m, action_id, slice_of(action));
        actions_run(actions, &r);
        return ids;
}

static unsigned ask(const char *action) {
        return ask_as("ann", action);
}

static void deliver(struct gateway_ask *a, const char *function, const char *arguments) {
        struct gateway_call call = { slice_of(function), slice_of(arguments) };
        fake_end_calls(a, &call, 1);
}

static const struct op_action_end *ending(void) {
        return fake_next(OP_action_end)->msg;
}

#define assert_said(buf_, text)                                                                                      \
        do {                                                                                                         \
                struct slice have_ = buf_view(&(buf_));                                                              \
                if (have_.n == 0 || !memmem(have_.p, have_.n, text, strlen(text)))                                   \
                        fail_msg("no %s in %.*s", text, SLICE_FMT(have_));                                           \
        } while (0)

TEST(a_document_is_made_checked_rendered_and_stored) {
        unsigned id = ask("a1");
        const struct op_action_begin *begin = fake_next(OP_action_begin)->msg;
        assert_slice(begin->runner, "run_one");
        fake_says(OP_action_begin, STATUS_OK, RUN("cv", "cv.generate"));
        assert_said(fake_asks->body, "\"tool_choice\":{\"type\":\"function\",\"name\":\"deliver_cv\"}");
        assert_said(fake_asks->body, "I build firmware");
        deliver(fake_asks, "deliver_cv", GOOD);
        assert_slice(ending()->outcome, "completed");
        assert_slice(ending()->title, "Ann's CV");
        assert_slice(ending()->markdown,
                     "# Ann\n\nann@example.com\n\nBuilds.\n\n## Experience\n\n- Engineer\n  Works\n\n"
                     "## Skills\n\n- C\n");
        assert_non_null(memmem(ending()->data.p, ending()->data.n, "\"extra\":7", 9));
        assert_int_equal(ending()->input_tokens, 100);
        fake_says(OP_action_end, STATUS_OK, "{\"ok\":true}");
        assert_int_equal(fake_replies[id].status, STATUS_OK);
        assert_null(actions->first);
        assert_int_equal(fake_stats[STAT_turns_running], 0);
}

TEST(a_document_that_is_no_good_is_asked_for_once_more_then_it_failed) {
        unsigned id = ask("a1");
        fake_says(OP_action_begin, STATUS_OK, RUN("cv", "cv.generate"));
        deliver(fake_asks, "deliver_cv", "{\"title\":\"x\",\"data\":{\"name\":\"Ann\"}}");
        assert_int_equal(fake_waiting(OP_action_end), 0);
        assert_said(fake_asks->next->body, "data.summary is missing");
        deliver(fake_asks->next, "deliver_outreach", GOOD);
        assert_slice(ending()->outcome, "failed");
        assert_slice(ending()->code, "ACTION_EXECUTION_FAILED");
        assert_int_equal(ending()->input_tokens, 200);
        fake_says(OP_action_end, STATUS_ACTION_EXECUTION_FAILED, "{\"a\":1}");
        assert_int_equal(fake_replies[id].status, STATUS_ACTION_EXECUTION_FAILED);
        assert_slice(buf_view(&fake_replies[id].body), "{\"a\":1}");
}

TEST(late_in_its_time_there_is_no_second_try) {
        ask("a1");
        fake_says(OP_action_begin, STATUS_OK, RUN("cv", "cv.generate"));
        pass(20000);
        fake_says(OP_action_begin, STATUS_OK, RUN("cv", "cv.generate"));
        fake_end(fake_asks, STATUS_OK);
        assert_null(fake_asks->next);
        assert_slice(ending()->outcome, "failed");
}

TEST(a_gateway_that_fails_ends_it_with_its_code) {
        ask("a1");
        fake_says(OP_action_begin, STATUS_OK, RUN("interview", "interview.generate"));
        fake_end(fake_asks, STATUS_AI_TIMEOUT);
        assert_slice(ending()->code, "AI_TIMEOUT");
}

TEST(the_lease_is_renewed_and_a_lost_one_stores_nothing) {
        ask("a1");
        fake_says(OP_action_begin, STATUS_OK, RUN("cv", "cv.generate"));
        pass(5000);
        fake_says(OP_action_begin, STATUS_OK, RUN("cv", "cv.generate"));
        assert_int_equal(fake_running(), 1);
        pass(5000);
        deliver(fake_asks, "deliver_cv", GOOD); /* while the lease is being renewed */
        assert_int_equal(fake_waiting(OP_action_end), 0);
        fake_says(OP_action_begin, STATUS_OK, RUN("cv", "cv.generate"));
        assert_slice(ending()->outcome, "completed");
        fake_says(OP_action_end, STATUS_ACTION_STATE, "");
        assert_null(actions->first);
        ask("a2");
        fake_says(OP_action_begin, STATUS_OK, RUN("cv", "cv.generate"));
        pass(5000);
        fake_says(OP_action_begin, STATUS_OK, "{\"ok\":true,\"state\":\"wait\"}");
        assert_int_equal(fake_running(), 0);
        assert_slice(ending()->outcome, "failed");
}

TEST(the_same_action_again_joins_and_one_that_ended_is_answered) {
        unsigned a = ask("a1"), b = ask("a1");
        assert_int_equal(fake_waiting(OP_action_begin), 1);
        fake_says(OP_action_begin, STATUS_OK,
                  "{\"ok\":true,\"state\":\"done\",\"status\":\"OK\",\"message\":null,\"answer\":{\"ok\":true}}");
        assert_int_equal(fake_replies[a].n + fake_replies[b].n, 2);
        assert_slice(buf_view(&fake_replies[b].body), "{\"ok\":true}");
}

TEST(another_of_its_people_joins_and_the_model_is_asked_once) {
        unsigned a = ask("a1"), b = ask_as("boss", "a1");
        fake_says(OP_action_begin, STATUS_OK, RUN("cv", "cv.generate"));
        assert_int_equal(fake_waiting(OP_action_begin), 0);
        deliver(fake_asks, "deliver_cv", GOOD);
        fake_says(OP_action_end, STATUS_OK, "{\"ok\":true}");
        assert_int_equal(fake_replies[a].n, 1);
        assert_int_equal(fake_replies[b].n, 1);
}

TEST(made_elsewhere_it_is_waited_for) {
        unsigned id = ask("a1");
        fake_says(OP_action_begin, STATUS_OK, "{\"ok\":true,\"state\":\"wait\"}");
        assert_int_equal(fake_stats[STAT_turns_running], 0);
        pass(100);
        fake_says(OP_action_begin, STATUS_OK, "{\"ok\":true,\"state\":\"wait\"}");
        pass(20000);
        assert_int_equal(fake_replies[id].status, STATUS_TURN_BUSY);
}

TEST(its_client_leaves_and_it_is_made_all_the_same) {
        ask("a1");
        fake_says(OP_action_begin, STATUS_OK, RUN("cv", "cv.generate"));
        actions_down(actions, fake_front);
        assert_int_equal(fake_running(), 1);
        deliver(fake_asks, "deliver_cv", GOOD);
        fake_says(OP_action_end, STATUS_OK, "{}");
        assert_null(actions->first);
}

TEST(turns_and_actions_share_their_places) {
        fake_settings[SETTING_openclaw_turns_max] = 1;
        actions_free(actions);
        turns_free(fake_turns);
        fake_turns = turns_new(fake_loop, NULL, fake_writer, "run_one");
        actions = actions_new(fake_loop, NULL, fake_writer, "run_one", turns_places(fake_turns));
        ask("a1");
        fake_turn("s2", "t1", "Hello", NULL);
        assert_int_equal(fake_waiting(OP_turn_begin), 0);
        fake_says(OP_action_begin, STATUS_ACTION_STATE, "");
        assert_int_equal(fake_waiting(OP_turn_begin), 1);
}

TEST(told_to_stop_it_may_finish_for_a_while) {
        unsigned id;
        ask("a1");
        fake_says(OP_action_begin, STATUS_OK, RUN("cv", "cv.generate"));
        assert_false(actions_drain(actions));
        id = ask("a2");
        assert_int_equal(fake_replies[id].status, STATUS_OPENCLAW_UNAVAILABLE);
        assert_int_equal(fake_running(), 1);
        fake_pass(8000);
        assert_false(actions_drain(actions));
        assert_slice(ending()->code, "ACTION_EXECUTION_FAILED");
        fake_says(OP_action_end, STATUS_ACTION_EXECUTION_FAILED, "{}");
        assert_true(actions_drain(actions));
}

TEST(the_end_is_repeated_while_the_writer_is_away) {
        unsigned id = ask("a1");
        fake_says(OP_action_begin, STATUS_OK, RUN("cv", "cv.generate"));
        deliver(fake_asks, "deliver_cv", GOOD);
        fake_says(OP_action_end, STATUS_DATABASE_UNAVAILABLE, "");
        pass(1000);
        assert_slice(ending()->outcome, "completed");
        fake_says(OP_action_end, STATUS_INTERNAL, "");
        assert_slice(ending()->outcome, "failed");
        fake_says(OP_action_end, STATUS_WRITER_UNAVAILABLE, "");
        pass(31000);
        fake_says(OP_action_end, STATUS_WRITER_UNAVAILABLE, "");
        assert_int_equal(fake_replies[id].status, STATUS_WRITER_UNAVAILABLE);
}

#define T(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void) {
        const struct CMUnitTest tests[] = {
                T(a_document_is_made_checked_rendered_and_stored),
                T(a_document_that_is_no_good_is_asked_for_once_more_then_it_failed),
                T(late_in_its_time_there_is_no_second_try),
                T(a_gateway_that_fails_ends_it_with_its_code),
                T(the_lease_is_renewed_and_a_lost_one_stores_nothing),
                T(the_same_action_again_joins_and_one_that_ended_is_answered),
                T(another_of_its_people_joins_and_the_model_is_asked_once),
                T(made_elsewhere_it_is_waited_for),
                T(its_client_leaves_and_it_is_made_all_the_same),
                T(turns_and_actions_share_their_places),
                T(told_to_stop_it_may_finish_for_a_while),
                T(the_end_is_repeated_while_the_writer_is_away),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
