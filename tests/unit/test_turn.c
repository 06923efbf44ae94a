/* test_turn.c - a turn is asked once, answered once, and its runner hears when nobody waits for it any more. */
#include "fake_front.h"

#include "waiting.h"

static const struct actor ann = { { "acme", 4 }, { "ann", 3 }, { "member", 6 }, false, 0 },
                          bob = { { "acme", 4 }, { "bob", 3 }, { "member", 6 }, false, 0 };
static struct fake_client c, d;
static unsigned lefts;
static char left_command[129], left_actor[129];

static void cast(enum op op, const void *msg) {
        const struct op_turn_left *m = msg;

        assert_int_equal(op, OP_turn_left);
        assert_slice(m->account_id, "acme");
        assert_true(slice_copy(m->actor_id, left_actor, sizeof left_actor));
        assert_true(slice_copy(m->command_id, left_command, sizeof left_command));
        lefts++;
}

static int set_up(void **state) {
        (void)state;
        fake_reset();
        fake_waiting = waiting_new(NULL);
        fake_cast = cast;
        lefts = 0;
        return 0;
}

static int tear_down(void **state) {
        (void)state;
        fake_client_free(&c);
        fake_client_free(&d);
        waiting_free(fake_waiting);
        fake_waiting = NULL;
        fake_reset();
        return 0;
}

static void ask(struct fake_client *who, const char *route, const struct actor *a, const char *path, const char *body,
                const char *key) {
        fake_client_free(who);
        fake_request(who, "", slice_of(body));
        who->r.path = slice_of(path);
        if (key)
                fake_header(who, "idempotency-key", key);
        fake_route(route)->handler(NULL, &who->r, fake_route(route), a);
}

static void call(const char *body) {
        ask(&c, "executeCallTurn", &ann, "call_1", body, "k1");
}

static void chat(const char *body) {
        ask(&c, "chatTurn", &ann, "", body, "k1");
}

static void assert_refused(const char *why) {
        assert_int_equal(c.status, STATUS_INVALID_REQUEST);
        assert_string_equal(c.detail, why);
        assert_null(fake_calls);
}

/* ---- what is asked ---- */

TEST(a_call_turn_is_of_the_paths_call_whatever_older_clients_add) {
        const struct op_turn_run *m;

        call("{\"userId\":\"ann\",\"sessionId\":\"call_1\",\"conversationId\":\"other\",\"text\":\"hi\",\"turnId\":"
             "\"t1\","
             "\"captureAtMs\":7,\"voiceMode\":{\"a\":1},\"persona\":\"antonio\",\"messages\":[]}");
        m = fake_calls->msg;
        assert_int_equal(fake_calls->op, OP_turn_run);
        assert_slice(m->account_id, "acme");
        assert_slice(m->actor_id, "ann");
        assert_slice(m->actor_role, "member");
        assert_slice(m->command_id, "k1");
        assert_slice(m->session_id, "call_1");
        assert_false(OP_HAS(turn_run, m, conversation_id));
        assert_slice(m->text, "hi");
        assert_slice(m->turn_id, "t1");
        assert_int_equal(m->capture_at_ms, 7);
        assert_false(m->stream);
        assert_int_equal(fake_calls->ms, 58000);
        assert_true(c.waits == 58.);
        assert_true(c.leaves);
        fake_answer_next(STATUS_OK, "", "{\"ok\":true,\"text\":{}}");
        assert_int_equal(c.code, 200);
        assert_slice(buf_view(&c.body), "{\"ok\":true,\"text\":{}}");
        assert_string_equal(c.type, "application/json; charset=utf-8");
        assert_int_equal(lefts, 0);
}

TEST(a_call_turn_names_no_other_call_and_no_other_user) {
        call("{\"sessionId\":\"call_2\",\"text\":\"hi\"}");
        assert_refused("sessionId is given twice");
        call("{\"sessionId\":7,\"text\":\"hi\"}");
        assert_refused("sessionId is given twice");
        call("{\"userId\":\"bob\",\"text\":\"hi\"}");
        assert_int_equal(c.status, STATUS_CROSS_USER_FORBIDDEN);
        call("{\"sessionId\":null,\"conversationId\":null,\"text\":\"hi\"}");
        assert_slice(((const struct op_turn_run *)fake_calls->msg)->session_id, "call_1");
        fake_answer_next(STATUS_OK, "", "{}");
        ask(&c, "updateCallSession", &ann, "call_1", "{\"sessionId\":\"call_1\",\"status\":\"active\"}", NULL);
        assert_refused("sessionId is given twice");
}

TEST(a_turn_without_words_is_none) {
        call("{}");
        assert_refused("text is required");
        call("{\"text\":\" \\t\\r\\n \",\"messages\":[]}");
        assert_refused("text is required");
        chat("{}");
        assert_refused("text or messages is required");
        chat("{\"text\":\" \"}");
        assert_refused("text is required");
        chat("{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}");
        assert_int_equal(fake_count(OP_turn_run), 1);
}

TEST(a_chat_turn_is_of_no_call) {
        const struct op_turn_run *m;

        chat("{\"sessionId\":\"call_1\",\"text\":\"hi\"}");
        assert_refused("sessionId is of calls: POST /v1/call/sessions/:sessionId/turn");
        ask(&c, "chatStream", &ann, "", "{\"sessionId\":\"call_1\",\"text\":\"hi\"}", NULL);
        assert_refused("sessionId is of calls: POST /v1/call/sessions/:sessionId/turn");
        chat("{\"conversationId\":\"conv_1\",\"text\":\"hi\",\"stream\":true,\"cvData\":[1]}");
        m = fake_calls->msg;
        assert_slice(m->conversation_id, "conv_1");
        assert_false(OP_HAS(turn_run, m, session_id));
        assert_false(m->stream);
}

TEST(a_turn_that_fails_keeps_its_status_words_and_body) {
        call("{\"text\":\"hi\"}");
        fake_answer_next(STATUS_AI_TIMEOUT, "no first word", "{\"turnId\":\"t1\"}");
        assert_int_equal(c.code, 504);
        assert_string_equal(c.detail, "no first word");
        assert_slice(buf_view(&c.body), "{\"turnId\":\"t1\"}");
        assert_int_equal(lefts, 0);
}

/* ---- who is not there ---- */

TEST(while_openclaw_is_away_nobody_waits_for_it) {
        fake_channel_up(fake_openclaw, false);
        call("{\"text\":\"hi\"}");
        assert_int_equal(c.status, STATUS_OPENCLAW_UNAVAILABLE);
        assert_int_equal(c.retry_after, 1);
        fake_openclaw = NULL;
        chat("{\"text\":\"hi\"}");
        assert_int_equal(c.status, STATUS_OPENCLAW_UNAVAILABLE);
        assert_null(fake_calls);
        assert_int_equal(lefts, 0);
}

TEST(what_could_not_be_asked_was_not_left) {
        fake_full = true;
        call("{\"text\":\"hi\"}");
        assert_int_equal(c.status, STATUS_BUSY);
        assert_int_equal(lefts, 0);
}

TEST(the_runner_hears_that_the_client_left) {
        call("{\"text\":\"hi\"}");
        fake_leave(&c);
        assert_int_equal(lefts, 1);
        assert_string_equal(left_command, "k1");
        assert_string_equal(left_actor, "ann");
        assert_int_equal(fake_count(OP_turn_run), 0);
        fake_answer_next(STATUS_TURN_CANCELLED, "", "");
}

TEST(of_several_who_wait_for_one_turn_only_the_last_leaves_it) {
        call("{\"text\":\"hi\"}");
        ask(&d, "executeCallTurn", &ann, "call_1", "{\"text\":\"hi\"}", "k1");
        fake_leave(&c);
        assert_int_equal(lefts, 0);
        fake_leave(&d);
        assert_int_equal(lefts, 1);
        call("{\"text\":\"hi\"}");
        ask(&d, "executeCallTurn", &bob, "call_1", "{\"text\":\"hi\"}", "k1"); /* his key is another */
        fake_leave(&d);
        assert_int_equal(lefts, 2);
        assert_string_equal(left_actor, "bob");
}

TEST(a_process_that_stops_gives_turns_time_and_then_says_where_to_ask) {
        call("{\"text\":\"hi\"}");
        ask(&d, "executeCallTurn", &ann, "call_1", "{\"text\":\"ho\"}", "k2");
        waiting_drain(NULL, false);
        assert_false(c.answered);
        fake_answer_next(STATUS_OK, "", "{\"ok\":true}");
        assert_int_equal(c.code, 200);
        waiting_drain(NULL, true);
        assert_int_equal(d.status, STATUS_OPENCLAW_UNAVAILABLE);
        assert_string_equal(d.detail, WAITER_WHY);
        assert_int_equal(lefts, 0); /* the turn goes on */
        assert_int_equal(fake_count(OP_turn_run), 0);
        call("{\"text\":\"hi\"}");
        assert_int_equal(c.status, STATUS_OPENCLAW_UNAVAILABLE);
        fake_answer_next(STATUS_OK, "", "{}");
}

static unsigned events_heard;

static void hear(struct waiter *w, const struct op_turn_event *m) {
        (void)m;
        assert_string_equal(w->command, "k9");
        events_heard++;
}

TEST(as_many_wait_as_may) {
        struct waiter *all = calloc(WAITING_MAX, sizeof *all);
        static const struct waiter_events quiet = { .event = hear };
        struct op_turn_event e = { 0 };
        struct op_turn_run m = { 0 };
        char key[16];

        assert_non_null(all);
        for (unsigned i = 0; i < WAITING_MAX; i++) {
                (void)snprintf(key, sizeof key, "k%u", i);
                OP_SET(turn_run, &m, account_id, SLICE("acme"));
                OP_SET(turn_run, &m, actor_id, SLICE("ann"));
                OP_SET(turn_run, &m, command_id, slice_of(key));
                assert_int_equal(waiter_join(NULL, &all[i], &m, &quiet), STATUS_OK);
        }
        OP_SET(turn_event, &e, account_id, SLICE("acme"));
        OP_SET(turn_event, &e, actor_id, SLICE("ann"));
        OP_SET(turn_event, &e, command_id, SLICE("k9"));
        OP_SET(turn_event, &e, type, SLICE("status"));
        events_heard = 0;
        waiting_event(NULL, &e);
        assert_int_equal(events_heard, 1);
        call("{\"text\":\"hi\"}");
        assert_int_equal(c.status, STATUS_BUSY);
        waiter_leave(NULL, &all[7], true);
        assert_string_equal(left_command, "k7");
        call("{\"text\":\"hi\"}");
        assert_int_equal(fake_count(OP_turn_run), 1);
        fake_answer_next(STATUS_OK, "", "{}");
        for (unsigned i = 0; i < WAITING_MAX; i++)
                if (i != 7)
                        waiter_leave(NULL, &all[i], false);
        free(all);
        assert_int_equal(lefts, 1);
}

TEST(an_event_of_a_turn_nobody_waits_for_is_nothing) {
        struct op_turn_event e = { 0 };

        OP_SET(turn_event, &e, account_id, SLICE("acme"));
        OP_SET(turn_event, &e, actor_id, SLICE("ann"));
        OP_SET(turn_event, &e, command_id, SLICE("k1"));
        OP_SET(turn_event, &e, type, SLICE("text.delta"));
        waiting_event(NULL, &e);
        call("{\"text\":\"hi\"}");
        waiting_event(NULL, &e); /* he waits for the end alone */
        waiting_down(NULL, fake_openclaw);
        waiting_tick(fake_waiting, INT64_MAX);
        assert_false(c.answered);
}

/* ---- actions ---- */

#define EXECUTE "{\"sessionId\":\"s1\",\"actionId\":\"a1\",\"actionType\":\"cv.generate\",\"payload\":{\"a\":1}}"
#define PENDING "{\"ok\":true,\"pending\":true,\"actionId\":\"a1\"}"

TEST(an_action_the_writer_did_is_answered_as_it_says) {
        ask(&c, "executeAction", &ann, "", EXECUTE, "k1");
        assert_int_equal(fake_calls->op, OP_action_execute);
        fake_answer_next(STATUS_OK, "", "{\"ok\":true,\"ack\":{\"pending\":true}}");
        assert_slice(buf_view(&c.body), "{\"ok\":true,\"ack\":{\"pending\":true}}");
        assert_null(fake_calls);
        ask(&c, "executeAction", &ann, "", EXECUTE, "k1");
        fake_answer_next(STATUS_SAFETY_BLOCKED, "", "{\"ok\":true,\"pending\":true}");
        assert_int_equal(c.code, 403);
        assert_null(fake_calls);
}

static void assert_run(const char *command) {
        const struct op_action_run *m = fake_calls->msg;

        assert_int_equal(fake_calls->op, OP_action_run);
        assert_slice(m->account_id, "acme");
        assert_slice(m->actor_id, "ann");
        assert_slice(m->actor_role, "member");
        assert_slice(m->session_id, "s1");
        assert_slice(m->action_id, "a1");
        assert_slice(m->command_id, command);
        assert_int_equal(fake_calls->ms, 58000);
        assert_true(c.waits == 58.);
        assert_false(c.leaves); /* it is done, whoever waits */
}

TEST(what_the_writer_leaves_pending_openclaw_does_before_the_answer) {
        ask(&c, "executeAction", &ann, "", EXECUTE, "k1");
        fake_answer_next(STATUS_OK, "", PENDING);
        assert_false(c.answered);
        assert_run("k1");
        fake_answer_next(STATUS_OK, "", "{\"ok\":true,\"result\":{}}");
        assert_slice(buf_view(&c.body), "{\"ok\":true,\"result\":{}}");
        ask(&c, "confirmAction", &ann, "", "{\"sessionId\":\"s1\",\"actionId\":\"a1\",\"confirmationToken\":\"x\"}",
            "k2");
        assert_int_equal(fake_calls->op, OP_action_confirm);
        fake_answer_next(STATUS_OK, "", PENDING);
        assert_run("k2");
        fake_answer_next(STATUS_ACTION_EXECUTION_FAILED, "", "{\"blocked\":false}");
        assert_int_equal(c.code, 502);
        assert_slice(buf_view(&c.body), "{\"blocked\":false}");
}

TEST(without_openclaw_a_pending_action_is_asked_for_again) {
        ask(&c, "executeAction", &ann, "", EXECUTE, "k1");
        fake_channel_up(fake_openclaw, false);
        fake_answer_next(STATUS_OK, "", PENDING);
        assert_int_equal(c.status, STATUS_OPENCLAW_UNAVAILABLE);
        assert_int_equal(c.retry_after, 1);
        assert_null(fake_calls);
        ask(&c, "executeAction", &ann, "", EXECUTE, "k1");
        fake_channel_up(fake_openclaw, true);
        fake_answer_next(STATUS_OK, "", PENDING);
        assert_run("k1");
        fake_leave(&c);
        assert_int_equal(fake_count(OP_action_run), 0);
        assert_int_equal(lefts, 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                T(a_call_turn_is_of_the_paths_call_whatever_older_clients_add),
                T(a_call_turn_names_no_other_call_and_no_other_user),
                T(a_turn_without_words_is_none),
                T(a_chat_turn_is_of_no_call),
                T(a_turn_that_fails_keeps_its_status_words_and_body),
                T(while_openclaw_is_away_nobody_waits_for_it),
                T(what_could_not_be_asked_was_not_left),
                T(the_runner_hears_that_the_client_left),
                T(of_several_who_wait_for_one_turn_only_the_last_leaves_it),
                T(a_process_that_stops_gives_turns_time_and_then_says_where_to_ask),
                T(as_many_wait_as_may),
                T(an_event_of_a_turn_nobody_waits_for_is_nothing),
                T(an_action_the_writer_did_is_answered_as_it_says),
                T(what_the_writer_leaves_pending_openclaw_does_before_the_answer),
                T(without_openclaw_a_pending_action_is_asked_for_again),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
