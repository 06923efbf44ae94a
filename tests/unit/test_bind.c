/* test_bind.c - requests become messages by the row alone; what the row does not know is refused by name. */
#include "bind.h"
#include "unit.h"

static struct arena arena;
static struct bind b;
static uint64_t msg[128];

static int setup(void **state __attribute__((unused))) {
        arena_init(&arena, 4u << 20);
        return 0;
}

static int teardown(void **state __attribute__((unused))) {
        arena_free(&arena);
        return 0;
}

static void begin(enum op op) {
        arena_reset(&arena);
        memset(msg, 0, sizeof msg);
        assert_true(op_desc(op)->size <= sizeof msg);
        b = (struct bind){ .op = op, .msg = msg, .arena = &arena, .self = SLICE("u1") };
}

static enum status body(enum op op, const char *text) {
        begin(op);
        return bind_body(&b, slice_of(text));
}

static enum status query(enum op op, const char *text) {
        begin(op);
        return bind_query(&b, slice_of(text));
}

static struct slice text_of(const char *field) {
        const struct opdesc *d = op_desc(b.op);

        assert_true(op_has(msg, op_field(d, field)));
        return op_get_slice(d, op_field(d, field), msg);
}

static int64_t int_of(const char *field) {
        const struct opdesc *d = op_desc(b.op);

        assert_true(op_has(msg, op_field(d, field)));
        return op_get_int(d, op_field(d, field), msg);
}

static bool has(const char *field) {
        return op_has(msg, op_field(op_desc(b.op), field));
}

TEST(names_are_camel_case) {
        char to[64];

        bind_camel("session_id", to);
        assert_string_equal(to, "sessionId");
        bind_camel("reconnect_window_ms", to);
        assert_string_equal(to, "reconnectWindowMs");
        bind_camel("limit", to);
        assert_string_equal(to, "limit");
        bind_camel("a_very_long_name_that_is_longer_than_the_sixty_three_bytes_there_are", to);
        assert_true(strlen(to) < 64);
}

TEST(a_body_fills_its_fields) {
        assert_int_equal(body(OP_session_create,
                              "{\"sessionId\":\"s-1\",\"provider\":\"livekit\",\"reconnectWindowMs\":20000,"
                              "\"metadata\":{\"b\":[1, 2],\"a\":\"\\u00e9\"},\"userId\":\"u1\"}"),
                         STATUS_OK);
        assert_slice(text_of("session_id"), "s-1");
        assert_slice(text_of("provider"), "livekit");
        assert_int_equal(int_of("reconnect_window_ms"), 20000);
        assert_slice(text_of("metadata"), "{\"a\":\"\xc3\xa9\",\"b\":[1,2]}");
        assert_false(has("correlation_id"));
}

TEST(an_empty_body_is_an_empty_object) {
        assert_int_equal(body(OP_session_create, ""), STATUS_OK);
        assert_int_equal(body(OP_session_create, "{}"), STATUS_OK);
        assert_true(msg[0] == 0);
}

TEST(null_is_absent) {
        assert_int_equal(body(OP_session_create, "{\"sessionId\":null,\"metadata\":null,\"reconnectWindowMs\":null,"
                                                 "\"userId\":null}"),
                         STATUS_OK);
        assert_true(msg[0] == 0);
}

TEST(what_is_not_json_is_named_so) {
        assert_int_equal(body(OP_session_create, "{\"a\":"), STATUS_INVALID_JSON);
        assert_non_null(strstr(b.why, "byte 5"));
        assert_int_equal(body(OP_session_create, "{\"provider\":\"a\",\"provider\":\"b\"}"), STATUS_INVALID_JSON);
        assert_non_null(strstr(b.why, "duplicate key"));
        assert_int_equal(body(OP_session_create, "[]"), STATUS_INVALID_REQUEST);
        assert_int_equal(body(OP_session_create, "null"), STATUS_INVALID_REQUEST);
        assert_int_equal(body(OP_session_create, "\"{}\""), STATUS_INVALID_REQUEST);
}

/* Each value, alone in a body of session_state or session_create, is refused with a message that names its field. */
TEST(values_of_another_type_or_out_of_bounds_are_refused) {
        static const struct {
                enum op op;
                const char *body, *names;
        } rows[] = {
                { OP_session_create, "{\"sessionId\":1}", "sessionId" },
                { OP_session_create, "{\"sessionId\":true}", "sessionId" },
                { OP_session_create, "{\"sessionId\":\"\"}", "sessionId" },
                { OP_session_create, "{\"sessionId\":\"a b\"}", "sessionId" },
                { OP_session_create, "{\"sessionId\":\"a/b\"}", "sessionId" },
                { OP_session_create, "{\"sessionId\":{}}", "sessionId" },
                { OP_session_create, "{\"provider\":\"\"}", "provider" },
                { OP_session_create, "{\"provider\":7}", "provider" },
                { OP_session_create, "{\"provider\":[\"x\"]}", "provider" },
                { OP_session_create, "{\"reconnectWindowMs\":\"20000\"}", "reconnectWindowMs" },
                { OP_session_create, "{\"reconnectWindowMs\":true}", "reconnectWindowMs" },
                { OP_session_create, "{\"reconnectWindowMs\":[]}", "reconnectWindowMs" },
                { OP_session_create, "{\"metadata\":\"{}\"}", "metadata" },
                { OP_session_create, "{\"metadata\":[]}", "metadata" },
                { OP_session_create, "{\"metadata\":1}", "metadata" },
                { OP_session_state, "{\"status\":\"Active\"}", "created|active|ended|failed" },
                { OP_session_state, "{\"status\":\"\"}", "status" },
                { OP_session_state, "{\"status\":\"created|active\"}", "status" },
                { OP_session_state, "{\"status\":1}", "status" },
                { OP_token_mint, "{\"canPublish\":1}", "canPublish" },
                { OP_token_mint, "{\"canPublish\":\"true\"}", "canPublish" },
                { OP_token_mint, "{\"canPublish\":\"\"}", "canPublish" },
        };

        for (size_t i = 0; i < COUNT(rows); i++) {
                if (body(rows[i].op, rows[i].body) != STATUS_INVALID_REQUEST || !strstr(b.why, rows[i].names))
                        fail_msg("%s: %s", rows[i].body, b.why);
        }
}

TEST(long_texts_are_refused) {
        struct buf text;

        buf_init(&text, 1u << 20);
        for (int n = 64; n <= 65; n++) {
                buf_clear(&text);
                buf_fmt(&text, "{\"provider\":\"%0*d\"}", n, 0);
                begin(OP_session_create);
                assert_int_equal(bind_body(&b, buf_view(&text)), n == 64 ? STATUS_OK : STATUS_INVALID_REQUEST);
        }
        for (int n = 4096 - 8; n <= 4096 - 7; n++) { /* {"k":""} is 8 bytes */
                buf_clear(&text);
                buf_fmt(&text, "{\"metadata\": {\"k\" : \"%0*d\"}}", n, 0);
                begin(OP_session_create);
                assert_int_equal(bind_body(&b, buf_view(&text)), n == 4088 ? STATUS_OK : STATUS_INVALID_REQUEST);
        }
        buf_free(&text);
}

TEST(clamped_numbers_are_clamped_never_refused) {
        static const struct {
                const char *number;
                int64_t v;
        } rows[] = { { "0", 10000 },       { "-5", 10000 },     { "10000", 10000 },
                     { "10000.9", 10000 }, { "2e4", 20000 },    { "599999.5", 599999 },
                     { "600001", 600000 }, { "1e300", 600000 }, { "-1e300", 10000 } };

        for (size_t i = 0; i < COUNT(rows); i++) {
                char text[64];

                (void)snprintf(text, sizeof text, "{\"reconnectWindowMs\":%s}", rows[i].number);
                assert_int_equal(body(OP_session_create, text), STATUS_OK);
                assert_int_equal(int_of("reconnect_window_ms"), rows[i].v);
        }
}

TEST(unknown_keys_are_refused_and_shown_only_if_harmless) {
        assert_int_equal(body(OP_session_create, "{\"nonesuch\":1}"), STATUS_INVALID_REQUEST);
        assert_string_equal(b.why, "unknown field nonesuch");
        assert_int_equal(body(OP_session_create, "{\"<script>\":1}"), STATUS_INVALID_REQUEST);
        assert_string_equal(b.why, "unknown field");
        assert_int_equal(body(OP_session_create, "{\"session_id\":\"a\"}"), STATUS_INVALID_REQUEST);
        assert_int_equal(body(OP_session_create, "{\"sessionid\":\"a\"}"), STATUS_INVALID_REQUEST);
        assert_int_equal(body(OP_session_create, "{\"nonesuch\":null}"), STATUS_INVALID_REQUEST);
        assert_int_equal(body(OP_session_create, "{\"\":1}"), STATUS_INVALID_REQUEST);
        assert_int_equal(query(OP_session_list, "nonesuch=1"), STATUS_INVALID_REQUEST);
        assert_int_equal(query(OP_session_list, "%3Cscript%3E=1"), STATUS_INVALID_REQUEST);
        assert_string_equal(b.why, "unknown field");
}

TEST(identity_and_command_cannot_be_bound) {
        static const char *const names[] = {
                "accountId", "actorId", "actorRole", "commandId", "account_id", "present"
        };

        for (size_t i = 0; i < COUNT(names); i++) {
                char text[64];

                (void)snprintf(text, sizeof text, "{\"%s\":\"root\"}", names[i]);
                assert_int_equal(body(OP_session_create, text), STATUS_INVALID_REQUEST);
                assert_true(msg[0] == 0);
                (void)snprintf(text, sizeof text, "%s=root", names[i]);
                assert_int_equal(query(OP_session_list, text), STATUS_INVALID_REQUEST);
                begin(OP_session_get);
                assert_int_equal(bind_path(&b, names[i], SLICE("root")), STATUS_INVALID_REQUEST);
                assert_true(msg[0] == 0);
        }
        assert_int_equal(body(OP_key_create, "{\"secretHash\":\"00000000000000000000000000000000\"}"),
                         STATUS_INVALID_REQUEST);
        assert_int_equal(body(OP_event_append, "{\"events\":\"\"}"), STATUS_INVALID_REQUEST);
}

TEST(a_user_id_may_only_agree) {
        assert_int_equal(body(OP_session_create, "{\"userId\":\"u1\"}"), STATUS_OK);
        assert_int_equal(body(OP_session_create, "{\"userId\":\"u2\"}"), STATUS_CROSS_USER_FORBIDDEN);
        assert_int_equal(body(OP_session_create, "{\"userId\":\"\"}"), STATUS_CROSS_USER_FORBIDDEN);
        assert_int_equal(body(OP_session_create, "{\"userId\":1}"), STATUS_INVALID_REQUEST);
        begin(OP_session_create);
        b.self = SLICE("");
        assert_int_equal(bind_body(&b, SLICE("{\"userId\":\"u1\"}")), STATUS_INVALID_REQUEST);
        /* Where the row has a field of that name, it is a field. */
        assert_int_equal(body(OP_token_issue, "{\"userId\":\"u2\"}"), STATUS_OK);
        assert_slice(text_of("user_id"), "u2");
}

TEST(snake_case_is_taken_where_it_is_asked_for) {
        begin(OP_token_standard);
        b.snake = true;
        assert_int_equal(bind_body(&b, SLICE("{\"room_name\":\"r\",\"participant_attributes\":{\"k\":\"v\"}}")),
                         STATUS_OK);
        assert_slice(text_of("room_name"), "r");
        begin(OP_token_standard);
        b.snake = true;
        assert_int_equal(bind_body(&b, SLICE("{\"roomName\":\"r\"}")), STATUS_INVALID_REQUEST);
        begin(OP_token_standard);
        b.snake = true;
        assert_int_equal(bind_body(&b, SLICE("{\"room_name\":5}")), STATUS_INVALID_REQUEST);
        assert_non_null(strstr(b.why, "room_name"));
}

TEST(a_query_fills_its_fields) {
        assert_int_equal(query(OP_event_replay,
                               "afterSequence=12&limit=9999&diagnostics=1&afterTs=2026-01-01T00%3A00%3A00%2B01:00"),
                         STATUS_OK);
        assert_int_equal(int_of("after_sequence"), 12);
        assert_int_equal(int_of("limit"), 500);
        assert_int_equal(int_of("diagnostics"), 1);
        assert_slice(text_of("after_ts"), "2026-01-01T00:00:00+01:00");
        assert_int_equal(query(OP_event_replay, "diagnostics=false&limit=12.7&&"), STATUS_OK);
        assert_int_equal(int_of("diagnostics"), 0);
        assert_int_equal(int_of("limit"), 12);
        assert_int_equal(query(OP_session_list, "cursor=a+b%2bc"), STATUS_OK);
        assert_slice(text_of("cursor"), "a b+c");
        assert_int_equal(query(OP_session_list, "%6Cimit=5"), STATUS_OK);
        assert_int_equal(int_of("limit"), 5);
        assert_int_equal(query(OP_session_list, ""), STATUS_OK);
}

TEST(a_bad_query_is_refused) {
        static const char *const bad[] = {
                "afterSequence=-1",
                "afterSequence=1.0",
                "afterSequence=",
                "afterSequence",
                "afterSequence=0x1",
                "limit=",
                "limit=ten",
                "limit=1%20",
                "diagnostics=yes",
                "diagnostics=",
                "diagnostics=TRUE",
                "afterTs=%",
                "afterTs=%4",
                "afterTs=%zz",
                "afterTs=%00",
                "afterTs=%ff",
                "afterTs=",
                "afterEventId=a%2Fb",
                "limit=1&limit=2",
                "limit=1&%6cimit=1",
                "=1",
                "limit=1&afterTs=%c3",
                "afterSequence=9223372036854775808",
                "userId=u1",
        };

        for (size_t i = 0; i < COUNT(bad); i++)
                if (query(OP_event_replay, bad[i]) != STATUS_INVALID_REQUEST || !b.why[0])
                        fail_msg("%s was taken", bad[i]);
}

TEST(a_path_parameter_is_decoded_once) {
        begin(OP_session_get);
        assert_int_equal(bind_path(&b, "sessionId", SLICE("a%2Db")), STATUS_OK);
        assert_slice(text_of("session_id"), "a-b");
        begin(OP_session_get);
        assert_int_equal(bind_path(&b, "sessionId", SLICE("a%252Db")), STATUS_INVALID_REQUEST);
        begin(OP_session_get);
        assert_int_equal(bind_path(&b, "sessionId", SLICE("a+b")), STATUS_INVALID_REQUEST);
        begin(OP_session_get);
        assert_int_equal(bind_path(&b, "sessionId", SLICE("%20")), STATUS_INVALID_REQUEST);
        begin(OP_session_get);
        assert_int_equal(bind_path(&b, "sessionId", SLICE("%f")), STATUS_INVALID_REQUEST);
        assert_non_null(strstr(b.why, "sessionId"));
        begin(OP_session_get);
        assert_int_equal(bind_path(&b, "nonesuch", SLICE("a")), STATUS_INVALID_REQUEST);
}

TEST(a_field_is_given_once_wherever_it_stands) {
        begin(OP_session_state);
        assert_int_equal(bind_path(&b, "sessionId", SLICE("s1")), STATUS_OK);
        assert_int_equal(bind_body(&b, SLICE("{\"sessionId\":\"s2\"}")), STATUS_INVALID_REQUEST);
        assert_string_equal(b.why, "sessionId is given twice");
        assert_slice(text_of("session_id"), "s1");
}

TEST(finishing_asks_for_what_is_missing) {
        begin(OP_session_state);
        op_set_slice(op_desc(b.op), OP_FIELD(session_state, account_id), msg, SLICE("acc"));
        op_set_slice(op_desc(b.op), OP_FIELD(session_state, actor_id), msg, SLICE("u1"));
        op_set_slice(op_desc(b.op), OP_FIELD(session_state, actor_role), msg, SLICE("owner"));
        op_set_slice(op_desc(b.op), OP_FIELD(session_state, command_id), msg, SLICE("c1"));
        assert_int_equal(bind_path(&b, "sessionId", SLICE("s1")), STATUS_OK);
        assert_int_equal(bind_finish(&b), STATUS_INVALID_REQUEST);
        assert_string_equal(b.why, "status is required");
        assert_int_equal(bind_body(&b, SLICE("{\"status\":\"active\"}")), STATUS_OK);
        assert_int_equal(bind_finish(&b), STATUS_OK);
        assert_int_equal(op_check(b.op, msg), 0);
}

TEST(values_are_never_echoed) {
        static const char *const bodies[] = { "{\"sessionId\":\"sup er-secret\"}",
                                              "{\"provider\":[\"sup er-secret\"]}", "{\"userId\":\"sup er-secret\"}",
                                              "{\"sup er-secret\":1}" };

        for (size_t i = 0; i < COUNT(bodies); i++) {
                assert_int_not_equal(body(OP_session_create, bodies[i]), STATUS_OK);
                assert_null(strstr(b.why, "secret"));
        }
        assert_int_not_equal(query(OP_session_list, "cursor=%ffsecret"), STATUS_OK);
        assert_null(strstr(b.why, "secret"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(names_are_camel_case),
                cmocka_unit_test(a_body_fills_its_fields),
                cmocka_unit_test(an_empty_body_is_an_empty_object),
                cmocka_unit_test(null_is_absent),
                cmocka_unit_test(what_is_not_json_is_named_so),
                cmocka_unit_test(values_of_another_type_or_out_of_bounds_are_refused),
                cmocka_unit_test(long_texts_are_refused),
                cmocka_unit_test(clamped_numbers_are_clamped_never_refused),
                cmocka_unit_test(unknown_keys_are_refused_and_shown_only_if_harmless),
                cmocka_unit_test(identity_and_command_cannot_be_bound),
                cmocka_unit_test(a_user_id_may_only_agree),
                cmocka_unit_test(snake_case_is_taken_where_it_is_asked_for),
                cmocka_unit_test(a_query_fills_its_fields),
                cmocka_unit_test(a_bad_query_is_refused),
                cmocka_unit_test(a_path_parameter_is_decoded_once),
                cmocka_unit_test(a_field_is_given_once_wherever_it_stands),
                cmocka_unit_test(finishing_asks_for_what_is_missing),
                cmocka_unit_test(values_are_never_echoed),
        };

        return cmocka_run_group_tests(tests, setup, teardown);
}
