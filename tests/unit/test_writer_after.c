/* test_writer_after.c - who is told of what an answer brings about. */
#include "answer_rig.h"

static const char *const reply_names[] = { "status", "message", "body", "account_id", "session_id", "head" };

static PGresult *opened(int64_t head) {
        PGresult *res = rig_result(6, reply_names);

        rig_text(res, 0, "status", "OK");
        rig_text(res, 0, "message", NULL);
        rig_text(res, 0, "body", "{\"ok\":true}");
        rig_text(res, 0, "account_id", "a");
        rig_text(res, 0, "session_id", "s1");
        rig_int(res, 0, "head", head, 8);
        return res;
}

/* What the database answers about s1 of "a": a status, a body. */
static PGresult *about(const char *status, const char *body) {
        PGresult *res = opened(8);

        rig_text(res, 0, "status", status);
        rig_text(res, 0, "body", body);
        return res;
}

static struct ask *stopping(uint64_t id) {
        struct op_turn_stop m = { 0 };

        OP_SET(turn_stop, &m, account_id, SLICE("a"));
        OP_SET(turn_stop, &m, actor_id, SLICE("u"));
        OP_SET(turn_stop, &m, actor_role, SLICE("owner"));
        OP_SET(turn_stop, &m, command_id, SLICE("c"));
        OP_SET(turn_stop, &m, session_id, SLICE("s1"));
        return rig_ask(id, OP_turn_stop, &m);
}

static struct ask *beginning(uint64_t id) {
        struct op_turn_begin m = { 0 };

        OP_SET(turn_begin, &m, account_id, SLICE("a"));
        OP_SET(turn_begin, &m, actor_id, SLICE("u"));
        OP_SET(turn_begin, &m, actor_role, SLICE("owner"));
        OP_SET(turn_begin, &m, session_id, SLICE("s1"));
        OP_SET(turn_begin, &m, turn_id, SLICE("t2"));
        OP_SET(turn_begin, &m, text, SLICE("hello"));
        OP_SET(turn_begin, &m, persona, SLICE("both"));
        OP_SET(turn_begin, &m, received, 1);
        OP_SET(turn_begin, &m, runner, SLICE("r"));
        OP_SET(turn_begin, &m, lease_ms, 1000);
        OP_SET(turn_begin, &m, history, 1);
        OP_SET(turn_begin, &m, session_tokens, 0);
        OP_SET(turn_begin, &m, account_tokens, 0);
        return rig_ask(id, OP_turn_begin, &m);
}

static unsigned casts_after(struct ask *a, const char *status, const char *body) {
        PGresult *res = about(status, body);

        n_casts = 0;
        answer_call(answerer, &a, 1, res);
        PQclear(res);
        return n_casts;
}

TEST(a_stopped_turn_is_told_to_openclaw_and_to_nobody_else) {
        struct ask *stop = stopping(1), *begin = beginning(2);

        assert_int_equal(casts_after(stop, "OK", "{\"ok\":true,\"turnId\":\"t1\",\"stopped\":true}"), 1);
        assert_int_equal(casts[0].op, OP_turn_stopped);
        assert_ptr_equal(casts[0].to, peer_no(4));
        assert_string_equal(casts[0].account, "a");
        assert_string_equal(casts[0].session, "s1");
        assert_string_equal(casts[0].key, "t1");
        assert_int_equal(casts_after(begin, "OK",
                                     "{\"state\":\"wait\",\"turnId\":\"t2\",\"running\":\"t1\",\"stopped\":true}"),
                         1);
        assert_string_equal(casts[0].key, "t1");
        full = peer_no(4);
        assert_int_equal(casts_after(stop, "OK", "{\"turnId\":\"t1\",\"stopped\":true}"), 0);
        assert_int_equal(replies[1].count, 2); /* it asks before every word it stores */
        assert_null(restarted);
        ask_free(stop);
        ask_free(begin);
}

TEST(nobody_is_told_of_a_turn_that_was_not_stopped) {
        static const char *const bodies[] = {
                "{\"turnId\":\"t1\",\"stopped\":false}",
                "{\"turnId\":null,\"stopped\":true}",
                "{\"stopped\":true}",
                "{\"turnId\":\"t1\"}",
                "{\"turnId\":\"t1\",\"stopped\":\"true\"}",
                "[]",
                "{\"turnId\":\"t1\",\"stopped\":true",
        };
        struct ask *stop = stopping(1), *begin = beginning(2);

        for (size_t i = 0; i < COUNT(bodies); i++)
                assert_int_equal(casts_after(stop, "OK", bodies[i]), 0);
        assert_int_equal(casts_after(stop, "FORBIDDEN", "{\"turnId\":\"t1\",\"stopped\":true}"), 0);
        assert_int_equal(casts_after(begin, "OK", "{\"state\":\"run\",\"turnId\":\"t1\"}"), 0);
        ask_free(stop);
        ask_free(begin);
}

static struct ask *acting(uint64_t id) {
        struct op_action_confirm m = { 0 };

        OP_SET(action_confirm, &m, account_id, SLICE("a"));
        OP_SET(action_confirm, &m, actor_id, SLICE("u"));
        OP_SET(action_confirm, &m, actor_role, SLICE("owner"));
        OP_SET(action_confirm, &m, command_id, SLICE("c"));
        OP_SET(action_confirm, &m, session_id, SLICE("s1"));
        OP_SET(action_confirm, &m, action_id, SLICE("act"));
        OP_SET(action_confirm, &m, confirmation_token, SLICE("t"));
        return rig_ask(id, OP_action_confirm, &m);
}

TEST(requests_for_actions_are_counted_by_their_answer_and_not_while_they_are_pending) {
        struct ask *a = acting(1);

        counted_words[0] = 0;
        (void)casts_after(a, "OK", "{\"ok\":true,\"pending\":true,\"status\":\"confirmed\"}");
        assert_string_equal(counted_words, "");
        (void)casts_after(a, "OK", "{\"ok\":true,\"result\":{}}");
        (void)casts_after(a, "SAFETY_BLOCKED", "{}");
        (void)casts_after(a, "ACTION_EXECUTION_FAILED", "{}");
        (void)casts_after(a, "CONFIRMATION_EXPIRED", "{}");
        assert_string_equal(counted_words, "executed blocked failed refused ");
        ask_free(a);
}

TEST(a_refusal_with_a_body_is_passed_on_whole_and_what_it_wrote_is_told) {
        struct ask *a = beginning(1);
        PGresult *res = about("AI_TIMEOUT", "{\"turnId\":\"t1\",\"events\":[]}");

        subs_add(subs, peer_no(2), SLICE("a"), SLICE("s1"), 7);
        rig_text(res, 0, "message", "too late");
        answer_call(answerer, &a, 1, res);
        assert_int_equal(replies[1].status, STATUS_AI_TIMEOUT);
        assert_string_equal(replies[1].detail, "too late");
        assert_slice(buf_view(&replies[1].body), "{\"turnId\":\"t1\",\"events\":[]}");
        assert_int_equal(n_casts, 1);
        assert_int_equal(casts[0].head, 8);
        ask_free(a);
        PQclear(res);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(a_stopped_turn_is_told_to_openclaw_and_to_nobody_else, setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(
                        requests_for_actions_are_counted_by_their_answer_and_not_while_they_are_pending, setup,
                        teardown),
                cmocka_unit_test_setup_teardown(nobody_is_told_of_a_turn_that_was_not_stopped, setup, teardown),
                cmocka_unit_test_setup_teardown(a_refusal_with_a_body_is_passed_on_whole_and_what_it_wrote_is_told,
                                                setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
