/* test_call.c - a request becomes exactly one op of its actor, and is answered exactly once. */
#include "bind.h"
#include "call.h"
#include "fake_front.h"

static const struct actor ann = { { "acme", 4 }, { "ann", 3 }, { "member", 6 }, false, 0 };
static struct fake_client c;

static int set_up(void **state) {
        (void)state;
        fake_reset();
        return 0;
}

static int tear_down(void **state) {
        (void)state;
        fake_client_free(&c);
        fake_reset();
        return 0;
}

static void ask(const char *route, const char *path, const char *query, const char *body, const char *key) {
        fake_client_free(&c);
        fake_request(&c, query, slice_of(body));
        c.r.path = slice_of(path);
        if (key)
                fake_header(&c, "idempotency-key", key);
        fake_route(route)->handler(NULL, &c.r, fake_route(route), &ann);
}

TEST(actor_and_path_and_body_make_the_message) {
        const struct op_session_state *m;

        ask("updateCallSession", "call_1", "", "{\"status\":\"active\",\"userId\":\"ann\",\"error\":null}", "key 1");
        assert_non_null(fake_calls);
        assert_int_equal(fake_calls->op, OP_session_state);
        m = fake_calls->msg;
        assert_slice(m->account_id, "acme");
        assert_slice(m->actor_id, "ann");
        assert_slice(m->actor_role, "member");
        assert_slice(m->session_id, "call_1");
        assert_slice(m->status, "active");
        assert_slice(m->command_id, "key 1");
        assert_false(OP_HAS(session_state, m, error));
        fake_answer_next(STATUS_OK, "", "{\"ok\":true,\"x\":1}");
        assert_int_equal(c.code, 200);
        assert_slice(buf_view(&c.body), "{\"ok\":true,\"x\":1}");
        assert_string_equal(c.type, "application/json; charset=utf-8");
}

TEST(nobody_names_another_object_than_the_path_does_or_another_actor) {
        static const char *const bodies[] = {
                "{\"status\":\"active\",\"sessionId\":\"other\"}",
                "{\"status\":\"active\",\"accountId\":\"other\"}",
                "{\"status\":\"active\",\"actorId\":\"other\"}",
                "{\"status\":\"active\",\"actorRole\":\"owner\"}",
                "{\"status\":\"active\",\"commandId\":\"x\"}",
                "{\"status\":\"active\",\"whatever\":1}",
                "{\"status\":\"dancing\"}",
                "{}",
                "[]",
                "{\"status\":7}",
        };

        for (size_t i = 0; i < COUNT(bodies); i++) {
                ask("updateCallSession", "call_1", "", bodies[i], NULL);
                assert_int_equal(c.status, STATUS_INVALID_REQUEST);
                assert_true(c.detail[0]);
        }
        ask("updateCallSession", "call_1", "sessionId=other", "{\"status\":\"active\"}", NULL);
        assert_int_equal(c.status, STATUS_INVALID_REQUEST);
        ask("updateCallSession", "call_1", "", "{\"status\":\"active\",\"userId\":\"bob\"}", NULL);
        assert_int_equal(c.status, STATUS_CROSS_USER_FORBIDDEN);
        ask("updateCallSession", "call_1", "", "{\"status\":", NULL);
        assert_int_equal(c.status, STATUS_INVALID_JSON);
        assert_null(fake_calls);
}

TEST(queries_and_escaped_paths_bind_like_bodies) {
        const struct op_event_replay *m;

        ask("sessionEvents", "a%2Db", "afterSequence=7&limit=9999&diagnostics=true", "", NULL);
        m = fake_calls->msg;
        assert_slice(m->session_id, "a-b");
        assert_int_equal(m->after_sequence, 7);
        assert_int_equal(m->limit, 500);
        assert_true(m->diagnostics);
        fake_answer_next(STATUS_SESSION_NOT_FOUND, "", "");
        assert_int_equal(c.status, STATUS_SESSION_NOT_FOUND);
        ask("sessionEvents", "a%2Fb", "", "", NULL);
        assert_int_equal(c.status, STATUS_INVALID_REQUEST);
        assert_null(fake_calls);
}

TEST(every_command_has_an_id_of_the_client_or_a_fresh_one) {
        static char long_key[102];
        char first[64];

        ask("createCallSession", "", "", "", NULL);
        assert_true(slice_copy(((const struct op_session_create *)fake_calls->msg)->command_id, first, sizeof first));
        assert_memory_equal(first, "cmd_", 4);
        assert_int_equal(strlen(first), 36);
        fake_answer_next(STATUS_OK, "", "{}");
        ask("createCallSession", "", "", "", NULL);
        assert_false(slice_is(((const struct op_session_create *)fake_calls->msg)->command_id, first));
        fake_answer_next(STATUS_OK, "", "{}");
        memset(long_key, 'k', 101);
        ask("createCallSession", "", "", "", long_key);
        assert_int_equal(c.status, STATUS_INVALID_REQUEST);
        ask("createCallSession", "", "", "", "tab\there");
        assert_int_equal(c.status, STATUS_INVALID_REQUEST);
        ask("createCallSession", "", "", "", "n\xc3\xb6n");
        assert_int_equal(c.status, STATUS_INVALID_REQUEST);
        long_key[100] = 0;
        ask("createCallSession", "", "", "", long_key);
        assert_int_equal(fake_count(OP_session_create), 1);
}

TEST(livekits_own_endpoint_speaks_livekits_names_and_201) {
        const struct op_token_standard *m;

        ask("liveKitConnection", "call_1", "", "{\"room_name\":\"r\",\"participant_attributes\":{\"b\":\"2\"}}",
            NULL);
        m = fake_calls->msg;
        assert_slice(m->session_id, "call_1");
        assert_slice(m->room_name, "r");
        assert_slice(m->participant_attributes, "{\"b\":\"2\"}");
        assert_true(fake_calls->to == fake_webhook);
        fake_answer_next(STATUS_OK, "", "{\"server_url\":\"wss://x\"}");
        assert_int_equal(c.code, 201);
        ask("liveKitConnection", "call_1", "", "{\"roomName\":\"r\"}", NULL);
        assert_int_equal(c.status, STATUS_INVALID_REQUEST);
}

TEST(refusals_of_the_other_daemon_keep_their_status_and_words) {
        ask("getCallSession", "call_1", "", "", NULL);
        fake_answer_next(STATUS_FORBIDDEN, "viewers may not", "");
        assert_int_equal(c.code, 403);
        assert_string_equal(c.detail, "viewers may not");
        assert_int_equal(c.retry_after, 0);
        ask("getCallSession", "call_1", "", "", NULL);
        fake_answer_next(STATUS_WRITER_UNAVAILABLE, "", "");
        assert_int_equal(c.code, 503);
        assert_int_equal(c.retry_after, 1);
}

TEST(an_errors_body_goes_with_it) {
        ask("executeAction", "", "", "{\"sessionId\":\"s\",\"actionId\":\"a\",\"actionType\":\"t\"}", NULL);
        fake_answer_next(STATUS_SAFETY_BLOCKED, "why", "{\"blocked\":true}");
        assert_int_equal(c.status, STATUS_SAFETY_BLOCKED);
        assert_string_equal(c.detail, "why");
        assert_slice(buf_view(&c.body), "{\"blocked\":true}");
}

TEST(who_asks_the_ai_waits_longer) {
        ask("getCallSession", "call_1", "", "", NULL);
        assert_int_equal(fake_calls->ms, 15000);
        assert_true(c.waits == 15.);
        assert_false(c.leaves);
        fake_answer_next(STATUS_OK, "", "{}");
        assert_int_equal(call_patience(OP_turn_run), 58);
        assert_int_equal(call_patience(OP_action_run), 58);
        assert_int_equal(call_patience(OP_action_execute), 15);
        assert_int_equal(call_patience(OP_token_mint), 15);
}

TEST(when_nobody_can_be_asked_the_client_hears_whom_to_wait_for) {
        fake_full = true;
        ask("getCallSession", "call_1", "", "", NULL);
        assert_int_equal(c.status, STATUS_BUSY);
        assert_int_equal(c.retry_after, 1);
        fake_full = false;
        fake_writer = NULL;
        ask("getCallSession", "call_1", "", "", NULL);
        assert_int_equal(c.status, STATUS_WRITER_UNAVAILABLE);
        fake_webhook = NULL;
        ask("issueLiveKitToken", "call_1", "", "{}", NULL);
        assert_int_equal(c.status, STATUS_WEBHOOK_UNAVAILABLE);
        assert_int_equal(c.retry_after, 1);
}

TEST(a_client_that_leaves_is_not_answered) {
        ask("getCallSession", "call_1", "", "", NULL);
        fake_leave(&c);
        assert_int_equal(fake_count(OP_session_get), 0);
        fake_answer_next(STATUS_OK, "", "{}");
        assert_int_equal(c.code, 0);
}

/* ---- webhooks ---- */

static void hook(const char *authorization, struct slice body) {
        fake_client_free(&c);
        fake_request(&c, "", body);
        if (authorization)
                fake_header(&c, "authorization", authorization);
        fake_header(&c, "content-type", "application/webhook+json");
        route_webhook(NULL, &c.r, fake_route("liveKitWebhook"), NULL);
}

TEST(a_webhook_arrives_byte_for_byte) {
        static const char raw[] = { 0, 1, '{', ' ', '\xff', '\n' };
        const struct op_webhook_raw *m;

        hook("eyJ.x.y", (struct slice){ raw, sizeof raw });
        m = fake_calls->msg;
        assert_slice(m->authorization, "eyJ.x.y");
        assert_slice(m->content_type, "application/webhook+json");
        assert_true(slice_eq(m->body, (struct slice){ raw, sizeof raw }));
        assert_int_equal(m->received, c.r.received);
        fake_answer_next(STATUS_OK, "", "{\"ok\":true}");
        assert_int_equal(c.code, 200);
        assert_int_equal(c.body.n, 0);
        assert_int_equal(fake_charged, 0);
}

TEST(a_refused_webhook_costs_its_address_and_a_lost_one_is_asked_for_again) {
        hook(NULL, SLICE("{}"));
        fake_answer_next(STATUS_WEBHOOK_UNSIGNED, "", "");
        assert_int_equal(c.code, 401);
        assert_int_equal(fake_charged, 1);
        hook("x", SLICE("{}"));
        fake_answer_next(STATUS_DATABASE_UNAVAILABLE, "", "");
        assert_int_equal(c.code, 503);
        assert_int_equal(fake_charged, 1);
        hook("\xff", SLICE("{}"));
        assert_int_equal(c.status, STATUS_WEBHOOK_INVALID);
        assert_int_equal(fake_charged, 2);
        fake_limited = true;
        hook("x", SLICE("{}"));
        assert_int_equal(c.code, 503);
        assert_int_equal(c.retry_after, 7);
        assert_null(fake_calls);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                T(actor_and_path_and_body_make_the_message),
                T(nobody_names_another_object_than_the_path_does_or_another_actor),
                T(queries_and_escaped_paths_bind_like_bodies),
                T(every_command_has_an_id_of_the_client_or_a_fresh_one),
                T(livekits_own_endpoint_speaks_livekits_names_and_201),
                T(refusals_of_the_other_daemon_keep_their_status_and_words),
                T(an_errors_body_goes_with_it),
                T(who_asks_the_ai_waits_longer),
                T(when_nobody_can_be_asked_the_client_hears_whom_to_wait_for),
                T(a_client_that_leaves_is_not_answered),
                T(a_webhook_arrives_byte_for_byte),
                T(a_refused_webhook_costs_its_address_and_a_lost_one_is_asked_for_again),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
