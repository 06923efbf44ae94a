/* test_events_bind.c - envelopes: six keys and two aliases in, one stored spelling out. */
#include "event_vectors.h"
#include "events.h"
#include "unit.h"

#define NOW     INT64_C(1795247280123456) /* 2026-11-21T07:48:00.123456Z */
#define PAYLOAD "\"payload\":{\"callId\":\"c1\"}"
#define TYPE    "\"type\":\"call.connecting\""
#define SESSION "\"sessionId\":\"s1\""

static struct arena arena;
static struct op_event_in in;
static char why[160];

static int setup(void **state __attribute__((unused))) {
        arena_init(&arena, 8u << 20);
        return 0;
}

static int teardown(void **state __attribute__((unused))) {
        arena_free(&arena);
        return 0;
}

static enum status bind_as(enum event_who who, const char *text) {
        struct json v;
        const char *reason;
        size_t at;

        if (json_parse(slice_of(text), &arena, &v, &reason, &at) != 0)
                fail_msg("%s: %s", text, reason);
        memset(&in, 0, sizeof in);
        memset(why, 'x', sizeof why - 1);
        return event_bind(v, who, NOW, SLICE("evt_fallback"), &arena, &in, why);
}

static void taken(const char *text) {
        if (bind_as(SERVICE, text) != STATUS_OK)
                fail_msg("%s: %s", text, why);
        assert_int_equal(op_check(OP_event_in, &in), 0);
}

static void refused(const char *text, const char *names) {
        if (bind_as(SERVICE, text) != STATUS_INVALID_REALTIME_EVENT)
                fail_msg("%s: taken", text);
        if (!strstr(why, names))
                fail_msg("%s: %s", text, why);
        assert_true(in.present == 0);
}

TEST(a_full_envelope_becomes_a_row) {
        taken("{\"eventId\":\"e1\",\"sessionId\":\"s1\",\"ts\":\"2026-11-21T07:48:00.5Z\",\"type\":\"call."
              "connecting\","
              "\"payload\":{\"z\":[1, 2],\"callId\":\"c1\"},\"schemaVersion\":\"1.0\"}");
        assert_slice(in.event_id, "e1");
        assert_slice(in.session_id, "s1");
        assert_slice(in.type, "call.connecting");
        assert_slice(in.payload, "{\"callId\":\"c1\",\"z\":[1,2]}");
        assert_true(in.ts == INT64_C(1795247280500000));
        assert_true(in.ts_given);
}

TEST(what_is_absent_or_null_has_a_default) {
        taken("{" SESSION "," TYPE "," PAYLOAD "}");
        assert_slice(in.event_id, "evt_fallback");
        assert_true(in.ts == NOW);
        assert_false(in.ts_given);
        taken("{\"eventId\":null,\"ts\":null,\"timestamp\":null,\"schemaVersion\":null,\"version\":null," SESSION
              "," TYPE "," PAYLOAD "}");
        assert_slice(in.event_id, "evt_fallback");
        assert_false(in.ts_given);
}

TEST(aliases_say_the_same) {
        taken("{\"timestamp\":\"2026-11-21T07:48:00Z\",\"version\":\"1.0\"," SESSION "," TYPE "," PAYLOAD "}");
        assert_true(in.ts == INT64_C(1795247280000000));
        assert_true(in.ts_given);
        taken("{\"ts\":\"2026-11-21T07:48:00Z\",\"timestamp\":\"2026-11-21T08:48:00+01:00\"," SESSION "," TYPE
              "," PAYLOAD "}");
        refused("{\"ts\":\"2026-11-21T07:48:00Z\",\"timestamp\":\"2026-11-21T07:48:01Z\"," SESSION "," TYPE
                "," PAYLOAD "}",
                "timestamp");
        refused("{\"ts\":\"2026-11-21T07:48:00Z\",\"timestamp\":7," SESSION "," TYPE "," PAYLOAD "}", "timestamp");
        refused("{\"schemaVersion\":\"1.0\",\"version\":\"2.0\"," SESSION "," TYPE "," PAYLOAD "}", "schemaVersion");
}

TEST(wrong_envelopes_are_refused_by_key) {
        refused("[]", "object");
        refused("null", "object");
        refused("{" TYPE "," PAYLOAD "}", "sessionId");
        refused("{\"sessionId\":\"a b\"," TYPE "," PAYLOAD "}", "sessionId");
        refused("{\"sessionId\":\"\"," TYPE "," PAYLOAD "}", "sessionId");
        refused("{\"sessionId\":7," TYPE "," PAYLOAD "}", "sessionId");
        refused("{\"eventId\":\"\"," SESSION "," TYPE "," PAYLOAD "}", "eventId");
        refused("{\"eventId\":\"a/b\"," SESSION "," TYPE "," PAYLOAD "}", "eventId");
        refused("{\"eventId\":[\"e\"]," SESSION "," TYPE "," PAYLOAD "}", "eventId");
        refused("{\"ts\":\"2026\"," SESSION "," TYPE "," PAYLOAD "}", "ts");
        refused("{\"ts\":1795247280000," SESSION "," TYPE "," PAYLOAD "}", "ts");
        refused("{\"ts\":\"\"," SESSION "," TYPE "," PAYLOAD "}", "ts");
        refused("{\"schemaVersion\":1.0," SESSION "," TYPE "," PAYLOAD "}", "schemaVersion");
        refused("{\"schemaVersion\":\"2.0\"," SESSION "," TYPE "," PAYLOAD "}", "schemaVersion");
        refused("{\"version\":\"1\"," SESSION "," TYPE "," PAYLOAD "}", "schemaVersion");
        refused("{" SESSION "," PAYLOAD "}", "type");
        refused("{\"type\":7," SESSION "," PAYLOAD "}", "type");
        refused("{\"type\":\"call.nonesuch\"," SESSION "," PAYLOAD "}", "unsupported event type");
        refused("{\"type\":\"\"," SESSION "," PAYLOAD "}", "unsupported event type");
        refused("{" SESSION "," TYPE "}", "payload");
        refused("{\"payload\":null," SESSION "," TYPE "}", "payload");
        refused("{\"payload\":\"{}\"," SESSION "," TYPE "}", "payload");
        refused("{\"payload\":{}," SESSION "," TYPE "}", "callId");
}

TEST(unknown_keys_are_named_as_far_as_they_are_harmless) {
        refused("{\"a\":1,\"b\":null," SESSION "," TYPE "," PAYLOAD "}", "unsupported envelope key(s): a, b");
        refused("{\"sequence\":1," SESSION "," TYPE "," PAYLOAD "}", "unsupported envelope key(s): sequence");
        refused("{\"event_id\":\"e\"," SESSION "," TYPE "," PAYLOAD "}", "event_id");
        refused("{\"<b>\":1," SESSION "," TYPE "," PAYLOAD "}", "unsupported envelope key(s):");
        assert_null(strchr(why, '<'));
        refused("{\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                "aaaaaaaaaaaaaaaaaaa"
                "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\":1,\"b\":2}",
                "unsupported envelope key(s): b");
}

TEST(an_owner_may_report_only_what_is_his) {
        assert_int_equal(bind_as(OWNER, "{" SESSION "," TYPE "," PAYLOAD "}"), STATUS_OK);
        for (size_t i = 0; i < COUNT(event_vectors); i++) {
                const struct event_vector *v = &event_vectors[i];
                bool his = event_type_who(event_type(slice_of(v->type))) == OWNER;
                struct buf text;

                buf_init(&text, 65536);
                buf_fmt(&text, "{" SESSION ",\"type\":\"%s\",\"payload\":%s}", v->type, v->good[0]);
                buf_char(&text, 0);
                assert_int_equal(bind_as(OWNER, text.p), his ? STATUS_OK : STATUS_FORBIDDEN);
                taken(text.p);
                buf_free(&text);
        }
        /* Whether the payload is right makes no difference to one who may not send it. */
        assert_int_equal(bind_as(OWNER, "{" SESSION ",\"type\":\"call.started\",\"payload\":{}}"), STATUS_FORBIDDEN);
}

TEST(a_payload_keeps_to_its_bound) {
        struct buf text;

        buf_init(&text, 1u << 20);
        for (int n = 65536 - 21; n <= 65536 - 20; n++) { /* {"callId":"c","k":""} is 21 bytes */
                buf_clear(&text);
                buf_fmt(&text, "{" SESSION "," TYPE ",\"payload\":{ \"callId\" : \"c\", \"k\": \"%0*d\"}}", n, 0);
                buf_char(&text, 0);
                assert_int_equal(bind_as(SERVICE, text.p),
                                 n == 65536 - 21 ? STATUS_OK : STATUS_INVALID_REALTIME_EVENT);
        }
        assert_non_null(strstr(why, "65536"));
        buf_free(&text);
}

TEST(without_a_fallback_the_event_needs_its_id) {
        struct json v;
        const char *reason;
        size_t at;

        assert_int_equal(json_parse(SLICE("{" SESSION "," TYPE "," PAYLOAD "}"), &arena, &v, &reason, &at), 0);
        assert_int_equal(event_bind(v, SERVICE, NOW, slice_of(NULL), &arena, &in, why),
                         STATUS_INVALID_REALTIME_EVENT);
        assert_non_null(strstr(why, "eventId"));
}

TEST(the_same_content_has_the_same_row) {
        struct op_event_in first;

        taken("{" SESSION "," TYPE
              ",\"eventId\":\"e\",\"payload\":{\"callId\":\"\\u0063\\/\",\"b\":{\"y\":1,\"x\":2}}}");
        first = in;
        taken("{\"payload\":{ \"b\" : {\"x\":2,\"y\":1},\"callId\":\"c/\"},\"eventId\":\"\\u0065\"," TYPE "," SESSION
              "}");
        assert_true(slice_eq(first.payload, in.payload));
        assert_true(slice_eq(first.event_id, in.event_id));
}

TEST(readers_get_one_spelling) {
        struct op_event_out out = { 0 };
        struct buf text;

        taken("{\"eventId\":\"e1\",\"ts\":\"2026-11-21T08:48:00.5+01:00\"," SESSION "," TYPE "," PAYLOAD "}");
        OP_SET(event_out, &out, sequence, 42);
        OP_SET(event_out, &out, ts, in.ts);
        OP_SET(event_out, &out, received, NOW);
        OP_SET(event_out, &out, recorded, NOW + 1000);
        OP_SET(event_out, &out, origin, SLICE("ingest"));
        buf_init(&text, 65536);
        event_json(&in, &out, &text);
        assert_slice(buf_view(&text),
                     "{\"eventId\":\"e1\",\"sequence\":42,\"sessionId\":\"s1\",\"ts\":\"2026-11-21T07:48:00.500Z\","
                     "\"timestamp\":\"2026-11-21T07:48:00.500Z\",\"type\":\"call.connecting\",\"payload\":{"
                     "\"callId\":\"c1\"},"
                     "\"schemaVersion\":\"1.0\",\"origin\":\"ingest\",\"receivedAt\":\"2026-11-21T07:48:00.123456Z\","
                     "\"recordedAt\":\"2026-11-21T07:48:00.124456Z\"}");
        buf_free(&text);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_full_envelope_becomes_a_row),
                cmocka_unit_test(what_is_absent_or_null_has_a_default),
                cmocka_unit_test(aliases_say_the_same),
                cmocka_unit_test(wrong_envelopes_are_refused_by_key),
                cmocka_unit_test(unknown_keys_are_named_as_far_as_they_are_harmless),
                cmocka_unit_test(an_owner_may_report_only_what_is_his),
                cmocka_unit_test(a_payload_keeps_to_its_bound),
                cmocka_unit_test(without_a_fallback_the_event_needs_its_id),
                cmocka_unit_test(the_same_content_has_the_same_row),
                cmocka_unit_test(readers_get_one_spelling),
        };

        return cmocka_run_group_tests(tests, setup, teardown);
}
