/* test_translate.c - what LiveKit says, in every dialect it may speak, becomes one message; its secrets stay behind. */
#include "translate.h"

#include "jwt_vectors.h"
#include "redact.h"
#include "unit.h"

#define RECEIVED INT64_C(1800000000123456)

static struct arena arena;
static struct slice held;
static struct op_provider_event e;
static char why[160];
static const struct webhook_verified verified = { .api_key = { "APIkey", 6 }, .body_hash = { 0xab, 0xcd } };

static int setup(void **state) {
        (void)state;
        arena_init(&arena, 16u << 20);
        return 0;
}

static int teardown(void **state) {
        (void)state;
        arena_free(&arena);
        exact_free(held);
        held = (struct slice){ 0 };
        return 0;
}

static enum status run(const char *body) {
        enum status s;

        exact_free(held);
        held = exact(slice_of(body)); /* the message borrows it */
        s = translate(held, &verified, RECEIVED, &arena, &e, why);
        if (s == STATUS_OK)
                assert_int_equal(op_check(OP_provider_event, &e), 0);
        return s;
}

#define assert_ok(body)                                                                                              \
        do {                                                                                                         \
                enum status s_ = run(body);                                                                          \
                if (s_ != STATUS_OK)                                                                                 \
                        fail_msg("refused: %s", why);                                                                \
        } while (0)

TEST(livekits_own_event_is_understood) {
        assert_ok(LIVEKIT_BODY);
        assert_slice(e.provider_event_id, "EV_vector01");
        assert_slice(e.event, "participant_left");
        assert_slice(e.api_key, "APIkey");
        assert_slice(e.room_name, "call-c1");
        assert_slice(e.room_sid, "RM_v1");
        assert_slice(e.participant_sid, "PA_v1");
        assert_slice(e.participant_identity, "cand-42");
        assert_slice(e.participant_kind, "STANDARD");
        assert_slice(e.disconnect_reason, "CLIENT_INITIATED");
        assert_int_equal(e.created_at_ms, INT64_C(1700000100000));
        assert_int_equal(e.joined_at_ms, INT64_C(1700000001000));
        assert_int_equal(e.received, RECEIVED);
        assert_memory_equal(e.body_hash.p, verified.body_hash, 32);
}

TEST(both_dialects_mean_the_same) {
        const char *bodies[] = {
                "{\"event\":\"participant_left\",\"id\":\"EV_1\",\"createdAt\":\"1700000000\",\"room\":{\"name\":"
                "\"r\",\"sid\":\"RM\"},"
                "\"participant\":{\"sid\":\"PA\",\"identity\":\"i\",\"joinedAtMs\":\"1700000000250\",\"kind\":"
                "\"AGENT\","
                "\"disconnectReason\":\"SIGNAL_CLOSE\"}}",
                "{\"event\":\"participant_left\",\"id\":\"EV_1\",\"created_at\":1700000000,\"room\":{\"name\":\"r\","
                "\"sid\":\"RM\"},"
                "\"participant\":{\"sid\":\"PA\",\"identity\":\"i\",\"joined_at_ms\":1700000000250,\"kind\":4,"
                "\"disconnect_reason\":9}}",
        };

        for (size_t i = 0; i < COUNT(bodies); i++) {
                assert_ok(bodies[i]);
                assert_slice(e.event, "participant_left");
                assert_slice(e.participant_kind, "AGENT");
                assert_slice(e.disconnect_reason, "SIGNAL_CLOSE");
                assert_int_equal(e.created_at_ms, INT64_C(1700000000000));
                assert_int_equal(e.joined_at_ms, INT64_C(1700000000250));
        }
}

TEST(what_is_left_out_is_the_default) {
        assert_ok("{\"event\":\"room_started\",\"id\":\"EV_1\",\"room\":{\"name\":\"r\"},\"participant\":null}");
        assert_false(OP_HAS(provider_event, &e, participant_sid));
        assert_false(OP_HAS(provider_event, &e, participant_kind));
        assert_false(OP_HAS(provider_event, &e, disconnect_reason));
        assert_false(OP_HAS(provider_event, &e, joined_at_ms));
        assert_false(OP_HAS(provider_event, &e, room_sid));
        assert_int_equal(e.created_at_ms, RECEIVED / 1000);
        assert_ok("{\"event\":\"participant_left\",\"id\":\"EV_1\",\"participant\":{}}");
        assert_slice(e.participant_kind, "STANDARD");
        assert_false(OP_HAS(provider_event, &e, disconnect_reason));
        assert_false(OP_HAS(provider_event, &e, room_name));
}

TEST(enums_of_tomorrow_do_not_stop_the_event) {
        assert_ok("{\"event\":\"never_heard_of\",\"participant\":{\"kind\":99,\"disconnectReason\":\"NEW_REASON_17\"}"
                  "}");
        assert_false(OP_HAS(provider_event, &e, participant_kind));
        assert_slice(e.disconnect_reason, "NEW_REASON_17");
        assert_ok(
                "{\"event\":\"x\",\"participant\":{\"kind\":\"<script>\",\"disconnectReason\":\"UNKNOWN_REASON\"}}");
        assert_slice(e.participant_kind, "STANDARD");
        assert_false(OP_HAS(provider_event, &e, disconnect_reason));
        assert_ok("{\"event\":\"x\",\"participant\":{\"kind\":-1,\"disconnectReason\":0},\"unknown\":{\"deep\":[1,{}]"
                  "}}");
        assert_false(OP_HAS(provider_event, &e, disconnect_reason));
}

TEST(rooms_are_found_where_each_event_carries_them) {
        assert_ok("{\"event\":\"egress_ended\",\"egressInfo\":{\"roomId\":\"RM_1\",\"roomName\":\"r1\"}}");
        assert_slice(e.room_name, "r1");
        assert_slice(e.room_sid, "RM_1");
        assert_ok("{\"event\":\"ingress_started\",\"ingress_info\":{\"room_name\":\"r2\",\"stream_key\":\"hush\"}}");
        assert_slice(e.room_name, "r2");
        assert_null(strstr(e.detail.p, "hush"));
        assert_ok("{\"event\":\"agent_job_started\",\"job\":{\"room\":{\"sid\":\"RM_3\",\"name\":\"r3\"}}}");
        assert_slice(e.room_name, "r3");
}

TEST(an_event_without_a_usable_id_is_named_by_its_hash) {
        const char *ids[] = { "", ",\"id\":\"\"", ",\"id\":null", ",\"id\":7", ",\"id\":\"white space\"" };
        char body[128];

        for (size_t i = 0; i < COUNT(ids); i++) {
                snprintf(body, sizeof body, "{\"event\":\"x\"%s}", ids[i]);
                assert_ok(body);
                assert_slice(e.provider_event_id,
                             "EVH_abcd000000000000000000000000000000000000000000000000000000000000");
        }
}

TEST(secrets_never_leave_this_process) {
        const char *hidden[] = { "turnPassword", "turn_password", "streamKey",   "stream_key",
                                 "secret",       "accessKey",     "sessionToken" };
        char body[512];

        for (size_t i = 0; i < COUNT(hidden); i++) {
                snprintf(body, sizeof body,
                         "{\"event\":\"x\",\"%s\":\"hush\",\"room\":{\"name\":\"r\",\"%s\":\"hush\"},\"list\":[{\"%"
                         "s\":{\"a\":\"hush\"}}]}",
                         hidden[i], hidden[i], hidden[i]);
                assert_ok(body);
                assert_slice(e.detail, "{\"event\":\"x\",\"room\":{\"name\":\"r\"},\"list\":[{}]}");
        }
        assert_ok("{\"event\":\"x\",\"room\":{\"\\u0074urnPassword\":\"hush\"}}"); /* however it is spelled */
        assert_slice(e.detail, "{\"event\":\"x\",\"room\":{}}");
}

TEST(the_detail_is_the_body_without_spaces) {
        assert_ok(" {\n\"event\" : \"x\", \"n\": -1.5e3 , \"b\":[true,false,null,\"\\u00e9\\n\"], "
                  "\"big\":\"9007199254740993\"} ");
        assert_slice(e.detail, "{\"event\":\"x\",\"n\":-1.5e3,\"b\":[true,false,null,\"\xc3\xa9\\n\"],\"big\":"
                               "\"9007199254740993\"}");
}

TEST(a_body_too_large_to_keep_leaves_who_where_and_when) {
        const char *head = "{\"event\":\"participant_left\",\"id\":\"EV_1\",\"createdAt\":\"1700000000\",\"room\":{"
                           "\"name\":\"r\"},"
                           "\"participant\":{\"sid\":\"PA\",\"metadata\":\"";
        size_t pad = 70000, n = strlen(head);
        char *body = malloc(n + pad + 4);

        assert_non_null(body);
        memcpy(body, head, n);
        memset(body + n, 'm', pad);
        memcpy(body + n + pad, "\"}}", 4);
        assert_ok(body);
        free(body);
        assert_slice(e.room_name, "r");
        assert_slice(e.participant_sid, "PA");
        assert_slice(e.detail,
                     "{\"event\":\"participant_left\",\"id\":\"EV_1\",\"createdAtMs\":1700000000000,"
                     "\"room\":{\"sid\":\"\",\"name\":\"r\"},\"participant\":{\"sid\":\"PA\",\"identity\":\"\","
                     "\"kind\":\"STANDARD\",\"disconnectReason\":\"\"},\"reduced\":true,\"bodyBytes\":70126}");
}

TEST(the_largest_body_a_frontend_hands_on_is_understood) {
        const char *head =
                "{\"event\":\"participant_left\",\"id\":\"EV_1\",\"participant\":{\"sid\":\"PA\",\"tracks\":[";
        size_t n = strlen(head);
        char *body = malloc((1u << 20) + 1);

        assert_non_null(body);
        memcpy(body, head, n);
        for (int i = 0; i < 60000; i++) /* many values ... */
                n += (size_t)sprintf(body + n, "\"\\n\",");
        body[n++] = '"';
        while (n + 16 < 1u << 20) /* ... and one long text that has to be unescaped */
                n += (size_t)sprintf(body + n, "\\u00e9");
        strcpy(body + n, "\"]}}");
        assert_ok(body);
        free(body);
        assert_slice(e.participant_sid, "PA");
        assert_non_null(strstr(e.detail.p, "\"reduced\":true"));
}

TEST(nobody_hides_his_leaving_behind_a_nul) {
        assert_ok("{\"event\":\"participant_left\",\"id\":\"EV_1\",\"room\":{\"name\":\"r\"},"
                  "\"participant\":{\"sid\":\"PA\",\"tracks\":[{\"name\":\"a\\u0000b\\\\u0000\\\\\\u0000\"}]}}");
        assert_slice(e.participant_sid, "PA");
        assert_non_null(strstr(e.detail.p, "a\xef\xbf\xbd"
                                           "b\\\\u0000\\\\\xef\xbf\xbd"));
}

TEST(what_is_no_livekit_event_is_refused_with_the_reason) {
        const struct {
                const char *body, *says;
        } bad[] = {
                { "", "" },
                { "[]", "no object" },
                { "\"event\"", "no object" },
                { "{", "" },
                { "{}", "event" },
                { "{\"event\":\"\"}", "event" },
                { "{\"event\":7}", "event" },
                { "{\"event\":\"0123456789012345678901234567890123456789012345678901234567890123X\"}", "event" },
                { "{\"event\":\"x\",\"event\":\"y\"}", "duplicate" },
                { "{\"event\":\"x\"} {}", "" },
                { "{\"event\":\"x\",\"room\":\"r\"}", "room" },
                { "{\"event\":\"x\",\"room\":{\"name\":{}}}", "name" },
                { "{\"event\":\"x\",\"room\":{\"sid\":"
                  "\"0123456789012345678901234567890123456789012345678901234567890123X\"}}",
                  "sid" },
                { "{\"event\":\"x\",\"participant\":[]}", "participant" },
                { "{\"event\":\"x\",\"participant\":{\"identity\":1}}", "identity" },
                { "{\"event\":\"x\",\"participant\":{\"kind\":{}}}", "kind" },
                { "{\"event\":\"x\",\"participant\":{\"joinedAtMs\":\"soon\"}}", "joinedAtMs" },
                { "{\"event\":\"x\",\"participant\":{\"joinedAt\":-5}}", "joinedAt" },
                { "{\"event\":\"x\",\"createdAt\":\"99999999999999\"}", "createdAt" },
                { "{\"event\":\"x\",\"createdAt\":1.5}", "createdAt" },
        };

        for (size_t i = 0; i < COUNT(bad); i++) {
                why[0] = 0;
                assert_int_equal(run(bad[i].body), STATUS_WEBHOOK_INVALID);
                if (!strstr(why, bad[i].says))
                        fail_msg("row %zu: \"%s\" does not say \"%s\"", i, why, bad[i].says);
        }
}

TEST(a_livekit_of_tomorrow_or_a_cut_body_never_crosses_a_bound) {
        const char *body = LIVEKIT_BODY;
        char text[512];

        for (size_t n = 0; n < strlen(body); n++) {
                memcpy(text, body, n);
                text[n] = 0;
                assert_int_equal(run(text), STATUS_WEBHOOK_INVALID);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(livekits_own_event_is_understood, setup, teardown),
                cmocka_unit_test_setup_teardown(both_dialects_mean_the_same, setup, teardown),
                cmocka_unit_test_setup_teardown(what_is_left_out_is_the_default, setup, teardown),
                cmocka_unit_test_setup_teardown(enums_of_tomorrow_do_not_stop_the_event, setup, teardown),
                cmocka_unit_test_setup_teardown(rooms_are_found_where_each_event_carries_them, setup, teardown),
                cmocka_unit_test_setup_teardown(an_event_without_a_usable_id_is_named_by_its_hash, setup, teardown),
                cmocka_unit_test_setup_teardown(secrets_never_leave_this_process, setup, teardown),
                cmocka_unit_test_setup_teardown(the_detail_is_the_body_without_spaces, setup, teardown),
                cmocka_unit_test_setup_teardown(a_body_too_large_to_keep_leaves_who_where_and_when, setup, teardown),
                cmocka_unit_test_setup_teardown(the_largest_body_a_frontend_hands_on_is_understood, setup, teardown),
                cmocka_unit_test_setup_teardown(nobody_hides_his_leaving_behind_a_nul, setup, teardown),
                cmocka_unit_test_setup_teardown(what_is_no_livekit_event_is_refused_with_the_reason, setup, teardown),
                cmocka_unit_test_setup_teardown(a_livekit_of_tomorrow_or_a_cut_body_never_crosses_a_bound, setup,
                                                teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
