/* test_mint.c - room tokens: LiveKit's claims exactly, granted by the writer first, nothing of them the caller's choice. */
#include "mint.h"

#include "grant.h"

#include <sodium.h>

#include "fake_channel.h"
#include "jwt_vectors.h"

#define NOW INT64_C(1800000000)
#define GRANT(agents)                                                                                                \
        "{\"ok\":true,\"room\":\"lk_room_s1\",\"identity\":\"lk_part_0123456789abcdef\",\"name\":\"Ana\","           \
        "\"metadata\":\"{\\\"sessionId\\\":\\\"s1\\\"}\",\"agents\":" agents ",\"session\":{\"sessionId\":\"s1\"}}"
#define GRANTED GRANT("[]")

static struct webhook webhook;
static struct arena arena;

static int64_t fixed_clock(void) {
        return NOW * 1000000;
}

static int setup(void **state) {
        const char *line = LIVEKIT_KEY " " LIVEKIT_SECRET "\nAPIold old-secret-0123456789abcdefghijklmnop\n";
        struct secret file = { .n = strlen(line) };
        char why[160];

        file.p = sodium_malloc(file.n);
        memcpy(file.p, line, file.n);
        text_clock = fixed_clock;
        arena_init(&arena, 1u << 20);
        return fake_setup(state) || livekit_keys_parse(file, &webhook.keys, why);
}

static int teardown(void **state) {
        livekit_keys_free(&webhook.keys);
        arena_free(&arena);
        return fake_teardown(state);
}

TEST(claims_are_livekits_in_livekits_order) {
        struct mint m = { .api_key = SLICE("APIk"),
                          .identity = SLICE("id"),
                          .name = SLICE("A \"B\""),
                          .room = SLICE("r"),
                          .now = 100,
                          .ttl = 60,
                          .can_subscribe = true };
        struct buf out;

        buf_init(&out, 4096);
        mint_claims(&m, &out);
        assert_slice(buf_view(&out),
                     "{\"iss\":\"APIk\",\"sub\":\"id\",\"nbf\":100,\"iat\":100,\"exp\":160,\"name\":\"A \\\"B\\\"\","
                     "\"video\":{\"room\":\"r\",\"roomJoin\":true,\"canPublish\":false,\"canSubscribe\":true,"
                     "\"canPublishData\":false}}");
        buf_clear(&out);
        m.metadata = SLICE("{\"a\":1}");
        m.agent = SLICE("screener");
        m.agent_metadata = SLICE("{\"campaign\":7}");
        mint_claims(&m, &out);
        assert_slice(
                buf_view(&out),
                "{\"iss\":\"APIk\",\"sub\":\"id\",\"nbf\":100,\"iat\":100,\"exp\":160,\"name\":\"A \\\"B\\\"\","
                "\"metadata\":\"{\\\"a\\\":1}\",\"video\":{\"room\":\"r\",\"roomJoin\":true,\"canPublish\":false,"
                "\"canSubscribe\":true,\"canPublishData\":false},\"roomConfig\":{\"agents\":[{\"agentName\":"
                "\"screener\","
                "\"metadata\":\"{\\\"campaign\\\":7}\"}]}}");
        buf_free(&out);
}

static struct op_token_mint mint_request(void) {
        struct op_token_mint m = { 0 };

        OP_SET(token_mint, &m, account_id, SLICE("acme"));
        OP_SET(token_mint, &m, actor_id, SLICE("user-1"));
        OP_SET(token_mint, &m, actor_role, SLICE("member"));
        OP_SET(token_mint, &m, command_id, SLICE("cmd-1"));
        OP_SET(token_mint, &m, session_id, SLICE("s1"));
        return m;
}

static struct op_token_standard standard_request(void) {
        struct op_token_standard m = { 0 };

        OP_SET(token_standard, &m, account_id, SLICE("acme"));
        OP_SET(token_standard, &m, actor_id, SLICE("user-1"));
        OP_SET(token_standard, &m, actor_role, SLICE("member"));
        OP_SET(token_standard, &m, command_id, SLICE("cmd-1"));
        OP_SET(token_standard, &m, session_id, SLICE("s1"));
        return m;
}

static void granted_op(struct op_token_grant *g) {
        assert_int_equal(writer.op, OP_token_grant);
        assert_int_equal(op_decode(OP_token_grant, buf_view(&writer.bytes), g), 0);
}

static struct json parsed(struct slice text) {
        struct json v = { 0 };
        const char *why;
        size_t at;

        assert_int_equal(json_parse(text, &arena, &v, &why, &at), 0);
        return v;
}

static struct slice text_at(struct json obj, const char *key) {
        struct slice s = { 0 };

        assert_true(json_str(json_get(obj, key), &s));
        return s;
}

/* The claims of a token that LiveKit would accept now. */
static struct json claims_of(struct slice token) {
        struct json claims = { 0 };

        assert_int_equal(jwt_verify(token, &webhook.keys.key[0].verify, 1, NOW, 0, &arena, &claims), JWT_OK);
        return claims;
}

TEST(the_writer_is_asked_with_who_and_what) {
        struct op_token_mint m = mint_request();
        struct op_token_grant g = { 0 };

        OP_SET(token_mint, &m, participant_name, SLICE("Ana"));
        OP_SET(token_mint, &m, ttl_seconds, 120);
        OP_SET(token_mint, &m, agent_name, SLICE("screener"));
        ask_with(grant_mint, &webhook, OP_token_mint, &m);
        granted_op(&g);
        assert_slice(g.account_id, "acme");
        assert_slice(g.actor_id, "user-1");
        assert_slice(g.actor_role, "member");
        assert_slice(g.command_id, "cmd-1");
        assert_slice(g.session_id, "s1");
        assert_slice(g.participant_name, "Ana");
        assert_slice(g.livekit_url, "wss://livekit.test");
        assert_slice(g.agent_name, "screener");
        assert_int_equal(g.ttl_seconds, 120);
        assert_int_equal(reply.count, 0);
        writer_says(STATUS_SESSION_NOT_FOUND, "", "");
        assert_int_equal(reply.count, 1);
}

TEST(a_granted_token_joins_one_room_as_one_identity_for_the_time_asked) {
        struct op_token_mint m = mint_request();
        struct json body, transport, claims, video;
        int64_t exp, nbf;

        ask_with(grant_mint, &webhook, OP_token_mint, &m);
        writer_says(STATUS_OK, "", GRANTED);
        assert_int_equal(reply.status, STATUS_OK);
        body = parsed(buf_view(&reply.body));
        transport = json_get(body, "transport");
        assert_slice(text_at(transport, "provider"), "livekit");
        assert_slice(text_at(transport, "wsUrl"), "wss://livekit.test");
        assert_slice(text_at(transport, "roomName"), "lk_room_s1");
        assert_slice(text_at(transport, "participantIdentity"), "lk_part_0123456789abcdef");
        assert_slice(text_at(transport, "issuedAt"), "2027-01-15T08:00:00.000Z");
        assert_slice(json_raw(json_get(transport, "expiresInSeconds")), "300");
        assert_slice(json_raw(json_get(body, "session")), "{\"sessionId\":\"s1\"}");
        claims = claims_of(text_at(transport, "accessToken"));
        assert_slice(text_at(claims, "iss"), LIVEKIT_KEY);
        assert_slice(text_at(claims, "sub"), "lk_part_0123456789abcdef");
        assert_slice(text_at(claims, "name"), "Ana");
        assert_slice(text_at(claims, "metadata"), "{\"sessionId\":\"s1\"}");
        assert_true(json_int(json_get(claims, "exp"), &exp));
        assert_true(json_int(json_get(claims, "nbf"), &nbf));
        assert_int_equal(nbf, NOW);
        assert_int_equal(exp, NOW + 300);
        video = json_get(claims, "video");
        assert_slice(json_raw(video),
                     "{\"room\":\"lk_room_s1\",\"roomJoin\":true,\"canPublish\":true,\"canSubscribe\":true,"
                     "\"canPublishData\":true}");
        assert_int_equal(json_type(json_get(claims, "roomConfig")), JSON_NONE);
        assert_int_equal(tokens_counted, 1);
}

TEST(grants_can_be_asked_down_and_an_agent_asked_for) {
        struct op_token_mint m = mint_request();
        struct json claims;

        OP_SET(token_mint, &m, can_publish, false);
        OP_SET(token_mint, &m, can_subscribe, false);
        OP_SET(token_mint, &m, can_publish_data, false);
        OP_SET(token_mint, &m, agent_name, SLICE("screener"));
        OP_SET(token_mint, &m, agent_metadata, SLICE("{\"campaign\":7}"));
        ask_with(grant_mint, &webhook, OP_token_mint, &m);
        writer_says(STATUS_OK, "", GRANTED);
        claims = claims_of(text_at(json_get(parsed(buf_view(&reply.body)), "transport"), "accessToken"));
        assert_slice(json_raw(json_get(claims, "video")),
                     "{\"room\":\"lk_room_s1\",\"roomJoin\":true,\"canPublish\":false,\"canSubscribe\":false,"
                     "\"canPublishData\":false}");
        assert_slice(json_raw(json_get(claims, "roomConfig")),
                     "{\"agents\":[{\"agentName\":\"screener\",\"metadata\":\"{\\\"campaign\\\":7}\"}]}");
}

TEST(a_tenants_only_agent_is_dispatched_unasked_one_of_several_is_not) {
        const struct {
                const char *body, *agents;
        } rows[] = {
                { GRANT("[\"screener\"]"), "{\"agents\":[{\"agentName\":\"screener\"}]}" },
                { GRANT("[\"screener\",\"closer\"]"), "" },
                { GRANT("[]"), "" },
                { GRANT("null"), "" },
        };
        struct op_token_mint m = mint_request();

        for (size_t i = 0; i < COUNT(rows); i++) {
                struct json claims;

                ask_with(grant_mint, &webhook, OP_token_mint, &m);
                writer_says(STATUS_OK, "", rows[i].body);
                claims = claims_of(text_at(json_get(parsed(buf_view(&reply.body)), "transport"), "accessToken"));
                assert_slice(json_raw(json_get(claims, "roomConfig")), rows[i].agents);
        }
}

TEST(what_the_writer_refuses_is_refused_in_its_words) {
        struct op_token_mint m = mint_request();

        ask_with(grant_mint, &webhook, OP_token_mint, &m);
        writer_says(STATUS_SESSION_ENDED, "it ended yesterday", "");
        assert_int_equal(reply.status, STATUS_SESSION_ENDED);
        assert_string_equal(reply.detail, "it ended yesterday");
        assert_int_equal(reply.body.n, 0);
        assert_int_equal(tokens_counted, 0);
}

TEST(a_grant_that_says_too_little_gives_no_token) {
        const char *bodies[] = {
                "",
                "{}",
                "{\"room\":\"r\",\"name\":\"n\",\"metadata\":\"\",\"session\":{}}",
                "{\"room\":\"r\",\"identity\":\"i\",\"name\":\"n\",\"metadata\":\"\"}",
                "{\"room\":1,\"identity\":\"i\",\"name\":\"n\",\"metadata\":\"\",\"session\":{}}",
                "{\"room\":\"r\",\"identity\":\"i\",\"name\":\"n\",\"metadata\":{},\"session\":{}}",
        };
        struct op_token_mint m = mint_request();

        for (size_t i = 0; i < COUNT(bodies); i++) {
                ask_with(grant_mint, &webhook, OP_token_mint, &m);
                writer_says(STATUS_OK, "", bodies[i]);
                assert_int_equal(reply.status, STATUS_INTERNAL);
        }
        assert_int_equal(tokens_counted, 0);
}

TEST(without_key_or_address_nobody_is_asked) {
        struct op_token_mint m = mint_request();
        struct livekit_keys keep = webhook.keys;

        fake_livekit_url = "";
        ask_with(grant_mint, &webhook, OP_token_mint, &m);
        assert_int_equal(reply.status, STATUS_LIVEKIT_UNAVAILABLE);
        fake_livekit_url = "wss://livekit.test";
        webhook.keys.n = 0;
        ask_with(grant_mint, &webhook, OP_token_mint, &m);
        webhook.keys = keep;
        assert_int_equal(reply.status, STATUS_LIVEKIT_UNAVAILABLE);
        assert_int_equal(reply.count, 2);
        assert_int_equal(writer.asked, 0);
}

TEST(a_writer_that_is_full_is_told_on) {
        struct op_token_mint m = mint_request();

        writer.busy = true;
        ask_with(grant_mint, &webhook, OP_token_mint, &m);
        assert_int_equal(reply.status, STATUS_BUSY);
}

TEST(the_standard_endpoint_answers_in_livekits_shape) {
        struct op_token_standard m = standard_request();
        struct op_token_grant g = { 0 };
        struct json body, claims;

        OP_SET(token_standard, &m, room_name, SLICE("lk_room_s1"));
        OP_SET(token_standard, &m, participant_identity, SLICE("lk_part_0123456789abcdef"));
        OP_SET(token_standard, &m, participant_name, SLICE("Ana"));
        OP_SET(token_standard, &m, participant_attributes, SLICE("{}"));
        OP_SET(token_standard, &m, room_config,
               SLICE("{\"agents\":[{\"agent_name\":\"screener\",\"metadata\":\"{\\\"x\\\":1}\"}]}"));
        ask_with(grant_standard, &webhook, OP_token_standard, &m);
        granted_op(&g);
        assert_slice(g.agent_name, "screener");
        writer_says(STATUS_OK, "", GRANTED);
        assert_int_equal(reply.status, STATUS_OK);
        body = parsed(buf_view(&reply.body));
        assert_int_equal(json_count(body), 2);
        assert_slice(text_at(body, "server_url"), "wss://livekit.test");
        claims = claims_of(text_at(body, "participant_token"));
        assert_slice(text_at(claims, "name"), "Ana");
        assert_slice(json_raw(json_get(claims, "roomConfig")),
                     "{\"agents\":[{\"agentName\":\"screener\",\"metadata\":\"{\\\"x\\\":1}\"}]}");
}

TEST(another_room_or_identity_is_refused_after_the_writer_named_ours) {
        struct op_token_standard m = standard_request();

        OP_SET(token_standard, &m, room_name, SLICE("other"));
        ask_with(grant_standard, &webhook, OP_token_standard, &m);
        writer_says(STATUS_OK, "", GRANTED);
        assert_int_equal(reply.status, STATUS_LIVEKIT_FIELD_REFUSED);
        assert_non_null(strstr(reply.detail, "room_name"));
        m = standard_request();
        OP_SET(token_standard, &m, participant_identity, SLICE("boss"));
        ask_with(grant_standard, &webhook, OP_token_standard, &m);
        writer_says(STATUS_OK, "", GRANTED);
        assert_int_equal(reply.status, STATUS_LIVEKIT_FIELD_REFUSED);
        assert_non_null(strstr(reply.detail, "participant_identity"));
        assert_int_equal(tokens_counted, 0);
}

TEST(what_the_caller_may_not_choose_is_refused_by_name) {
        const struct {
                const char *metadata, *attributes, *config, *says;
        } bad[] = {
                { "m", NULL, NULL, "participant_metadata" },
                { NULL, "{\"a\":\"b\"}", NULL, "participant_attributes" },
                { NULL, NULL, "{\"max_participants\":3}", "room_config" },
                { NULL, NULL, "{\"agents\":[],\"metadata\":\"m\"}", "room_config" },
                { NULL, NULL, "{\"agents\":{}}", "agents" },
                { NULL, NULL, "{\"agents\":[{\"agent_name\":\"a\"},{\"agent_name\":\"b\"}]}", "at most one" },
                { NULL, NULL, "{\"agents\":[{\"agent_name\":\"a\",\"deployment\":\"d\"}]}", "agents" },
                { NULL, NULL, "{\"agents\":[{\"agent_name\":\"a\",\"agentName\":\"b\"}]}", "twice" },
                { NULL, NULL, "{\"agents\":[{\"agent_name\":7}]}", "texts" },
                { NULL, NULL, "{\"agents\":[{\"metadata\":\"m\"}]}", "agent_name" },
                { NULL, NULL, "{\"agents\":[\"a\"]}", "objects" },
        };

        for (size_t i = 0; i < COUNT(bad); i++) {
                struct op_token_standard m = standard_request();

                if (bad[i].metadata)
                        OP_SET(token_standard, &m, participant_metadata, slice_of(bad[i].metadata));
                if (bad[i].attributes)
                        OP_SET(token_standard, &m, participant_attributes, slice_of(bad[i].attributes));
                if (bad[i].config)
                        OP_SET(token_standard, &m, room_config, slice_of(bad[i].config));
                ask_with(grant_standard, &webhook, OP_token_standard, &m);
                assert_int_equal(reply.status, STATUS_LIVEKIT_FIELD_REFUSED);
                if (!strstr(reply.detail, bad[i].says))
                        fail_msg("row %zu: \"%s\" does not say \"%s\"", i, reply.detail, bad[i].says);
        }
        assert_int_equal(writer.asked, 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(claims_are_livekits_in_livekits_order),
                cmocka_unit_test_setup_teardown(the_writer_is_asked_with_who_and_what, setup, teardown),
                cmocka_unit_test_setup_teardown(a_granted_token_joins_one_room_as_one_identity_for_the_time_asked,
                                                setup, teardown),
                cmocka_unit_test_setup_teardown(grants_can_be_asked_down_and_an_agent_asked_for, setup, teardown),
                cmocka_unit_test_setup_teardown(a_tenants_only_agent_is_dispatched_unasked_one_of_several_is_not,
                                                setup, teardown),
                cmocka_unit_test_setup_teardown(what_the_writer_refuses_is_refused_in_its_words, setup, teardown),
                cmocka_unit_test_setup_teardown(a_grant_that_says_too_little_gives_no_token, setup, teardown),
                cmocka_unit_test_setup_teardown(without_key_or_address_nobody_is_asked, setup, teardown),
                cmocka_unit_test_setup_teardown(a_writer_that_is_full_is_told_on, setup, teardown),
                cmocka_unit_test_setup_teardown(the_standard_endpoint_answers_in_livekits_shape, setup, teardown),
                cmocka_unit_test_setup_teardown(another_room_or_identity_is_refused_after_the_writer_named_ours,
                                                setup, teardown),
                cmocka_unit_test_setup_teardown(what_the_caller_may_not_choose_is_refused_by_name, setup, teardown),
        };

        return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
