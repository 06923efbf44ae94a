/* test_events.c - the 24 types, each holding its payload against its rules. */
#include "events.h"

#include "event_vectors.h"
#include "unit.h"

static struct arena arena;
static char why[160];

static int setup(void **state __attribute__((unused))) {
        arena_init(&arena, 8u << 20);
        return 0;
}

static int teardown(void **state __attribute__((unused))) {
        arena_free(&arena);
        return 0;
}

static int check(const char *type, struct slice payload) {
        int row = event_type(slice_of(type));
        struct json v;
        const char *reason;
        size_t at;

        if (row < 0)
                fail_msg("%s is no type", type);
        if (json_parse(payload, &arena, &v, &reason, &at) != 0)
                fail_msg("%.*s: %s", SLICE_FMT(payload), reason);
        why[0] = 0;
        return event_payload_check(row, v, why);
}

TEST(the_types_are_these_25) {
        assert_int_equal(COUNT(event_vectors), 25);
        assert_int_equal(event_type_count(), 25);
        for (size_t i = 0; i < COUNT(event_vectors); i++) {
                int row = event_type(slice_of(event_vectors[i].type));

                assert_true(row >= 0);
                assert_string_equal(event_type_name(row), event_vectors[i].type);
                for (size_t k = 0; k < i; k++)
                        assert_string_not_equal(event_vectors[k].type, event_vectors[i].type);
        }
        assert_int_equal(event_type(SLICE("call.")), -1);
        assert_int_equal(event_type(SLICE("")), -1);
        assert_int_equal(event_type(SLICE("Call.started")), -1);
        assert_int_equal(event_type(SLICE("call.started ")), -1);
}

TEST(good_payloads_are_taken) {
        for (size_t i = 0; i < COUNT(event_vectors); i++) {
                const struct event_vector *v = &event_vectors[i];

                assert_non_null(v->good[0]);
                for (size_t k = 0; k < COUNT(v->good) && v->good[k]; k++)
                        if (check(v->type, slice_of(v->good[k])) != 0)
                                fail_msg("%s %s: %s", v->type, v->good[k], why);
                arena_reset(&arena);
        }
}

TEST(bad_payloads_are_refused_with_a_reason) {
        for (size_t i = 0; i < COUNT(event_vectors); i++) {
                const struct event_vector *v = &event_vectors[i];

                assert_non_null(v->bad[2]);
                for (size_t k = 0; k < COUNT(v->bad) && v->bad[k]; k++)
                        if (check(v->type, slice_of(v->bad[k])) == 0 || !why[0])
                                fail_msg("%s %s: taken", v->type, v->bad[k]);
                arena_reset(&arena);
        }
}

/* The payload again, with one key's value replaced; NULL leaves the key out. False if it has no such key. */
static bool replaced(const char *payload, struct slice key, const char *value, struct buf *out) {
        struct json o, v;
        struct slice k;
        const char *reason, *comma = "";
        size_t at;
        bool found = false;

        assert_int_equal(json_parse(slice_of(payload), &arena, &o, &reason, &at), 0);
        buf_clear(out);
        buf_char(out, '{');
        for (uint32_t it = 0; json_next(o, &it, &k, &v);) {
                bool this = slice_eq(k, key);
                struct slice text = this ? slice_of(value) : json_raw(v);

                found = found || this;
                if (this && !value)
                        continue;
                buf_fmt(out, "%s\"%.*s\":%.*s", comma, SLICE_FMT(k), SLICE_FMT(text));
                comma = ",";
        }
        buf_char(out, '}');
        return found;
}

TEST(required_keys_are_neither_absent_nor_null_nor_blank) {
        static const char *const values[] = { NULL, "null", "\"\"", "\"  \"", "\"\\t\\n\"", "[]", "{}" };
        struct buf text;

        buf_init(&text, 65536);
        for (size_t i = 0; i < COUNT(event_vectors); i++) {
                const struct event_vector *v = &event_vectors[i];

                for (const char *at = v->required; *at; at += strcspn(at, " "), at += *at == ' ') {
                        struct slice key = { at, (uint32_t)strcspn(at, " ") };
                        char name[64];

                        assert_true(slice_copy(key, name, sizeof name));
                        for (size_t k = 0; k < COUNT(values); k++) {
                                assert_true(replaced(v->good[0], key, values[k], &text));
                                if (check(v->type, buf_view(&text)) == 0)
                                        fail_msg("%s %.*s: taken", v->type, SLICE_FMT(buf_view(&text)));
                                if (!strstr(why, name))
                                        fail_msg("%s without %s: %s", v->type, name, why);
                        }
                }
                arena_reset(&arena);
        }
        buf_free(&text);
}

TEST(a_payload_is_an_object) {
        static const char *const bad[] = { "[]", "null", "\"{}\"", "1", "true" };

        for (size_t i = 0; i < COUNT(bad); i++) {
                assert_int_equal(check("call.connecting", slice_of(bad[i])), -1);
                assert_string_equal(why, "payload must be an object");
        }
        assert_int_equal(event_payload_check(0, (struct json){ NULL, 0 }, why), -1);
}

TEST(blank_is_what_trim_takes_away) {
        static const char *const blank[] = { "\\u0020", "\\u0009", "\\u000a", "\\u000b", "\\u000c", "\\u000d",
                                             "\\u00a0", "\\u1680", "\\u2000", "\\u2005", "\\u200a", "\\u2028",
                                             "\\u2029", "\\u202f", "\\u205f", "\\u3000", "\\ufeff" };
        static const char *const shown[] = { "\\u0001", "\\u001f", "\\u007f", "\\u0085", "\\u00ad",       "\\u180e",
                                             "\\u200b", "\\u2030", "\\u2060", "x",       "\\ud83d\\ude00" };
        char text[80];

        for (size_t i = 0; i < COUNT(blank); i++) {
                (void)snprintf(text, sizeof text, "{\"callId\":\"%s%s\"}", blank[i], blank[i]);
                if (check("call.connecting", slice_of(text)) == 0)
                        fail_msg("%s is blank", blank[i]);
        }
        for (size_t i = 0; i < COUNT(shown); i++) {
                (void)snprintf(text, sizeof text, "{\"callId\":\"\\u00a0%s \"}", shown[i]);
                if (check("call.connecting", slice_of(text)) != 0)
                        fail_msg("%s is not blank", shown[i]);
        }
}

TEST(what_decides_money_or_calls_is_for_services) {
        static const char *const service[] = { "call.started",
                                               "call.connected",
                                               "call.ended",
                                               "call.terminal_failure",
                                               "safety.blocked",
                                               "safety.approved",
                                               "action.executed",
                                               "action.failed",
                                               "billing.usage.recorded",
                                               "billing.adjustment.created",
                                               "usage.tick",
                                               "usage.warning",
                                               "usage.stopped" };

        for (size_t i = 0; i < COUNT(service); i++)
                assert_int_equal(event_type_who(event_type(slice_of(service[i]))), SERVICE);
        assert_int_equal(event_type_who(event_type(SLICE("transcript.final"))), OWNER);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_types_are_these_25),
                cmocka_unit_test(good_payloads_are_taken),
                cmocka_unit_test(bad_payloads_are_refused_with_a_reason),
                cmocka_unit_test(required_keys_are_neither_absent_nor_null_nor_blank),
                cmocka_unit_test(a_payload_is_an_object),
                cmocka_unit_test(blank_is_what_trim_takes_away),
                cmocka_unit_test(what_decides_money_or_calls_is_for_services),
        };

        return cmocka_run_group_tests(tests, setup, teardown);
}
