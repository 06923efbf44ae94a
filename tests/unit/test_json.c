/* test_json.c - what json_parse takes is JSON, exactly once; everything else is refused with a reason and a place. */
#include "json.h"

#include <stdio.h>

#include "json_cases.h"
#include "json_check.h"
#include "unit.h"

static struct arena arena;
static struct json doc;
static const char *why;
static size_t at;

static int setup(void **state __attribute__((unused))) {
        arena_init(&arena, 8u << 20);
        return 0;
}

static int teardown(void **state __attribute__((unused))) {
        arena_free(&arena);
        return 0;
}

/* Parses a copy of exactly the text's bytes, and forgets it. */
static int parse(struct slice text) {
        struct slice copy = exact(text);
        int result = json_parse(copy, &arena, &doc, &why, &at);

        exact_free(copy);
        arena_reset(&arena);
        return result;
}

TEST(json_is_taken) {
        for (size_t i = 0; i < COUNT(json_good); i++) {
                struct slice s = { json_good[i].p, json_good[i].n };

                if (parse(s) != 0)
                        fail_msg("%.*s: %s at %zu", SLICE_FMT(s), why, at);
        }
}

TEST(everything_else_is_refused) {
        for (size_t i = 0; i < COUNT(json_bad); i++) {
                struct slice s = { json_bad[i].p, json_bad[i].n };

                why = NULL;
                if (parse(s) == 0)
                        fail_msg("%.*s: taken", SLICE_FMT(s));
                assert_non_null(why);
                assert_true(at <= s.n);
        }
}

TEST(every_truncation_of_a_container_is_refused) {
        static const char text[] = "{\"a\":[1,2.5e3,\"\\ud834\\udd1e\xe2\x82\xac\",{\"b\":null}],\"c\":true}";

        assert_int_equal(parse(slice_of(text)), 0);
        for (uint32_t n = 0; n < sizeof text - 1; n++)
                assert_int_equal(parse((struct slice){ text, n }), -1);
}

TEST(refusals_say_what_and_where) {
        static const struct {
                const char *text, *why;
                size_t at;
        } rows[] = {
                { "[1,]", "not a JSON value", 3 },
                { "[01]", "malformed number", 2 },
                { "[\"a\\q\"]", "unknown escape", 3 },
                { "[\"\\u0000\"]", "U+0000", 2 },
                { "[\"x\\udc00\"]", "lone surrogate", 3 },
                { "[\"\\u00g0\"]", "\\u needs four hex digits", 2 },
                { "[\"a\tb\"]", "raw control character in a string", 3 },
                { "[\"\xff\"]", "invalid UTF-8", 2 },
                { "{\"a\":1,\"b\":2,\"a\":3}", "duplicate key", 17 },
                { "{\"a\" 1}", "a colon is missing", 5 },
                { "{a:1}", "a key must be a string", 1 },
                { "[1 2]", "a comma or closing bracket is missing", 3 },
                { "[] x", "something follows the document", 3 },
                { "[1", "the text ends early", 2 },
                { "[\"abc", "unterminated string", 5 },
        };

        for (size_t i = 0; i < COUNT(rows); i++) {
                assert_int_equal(parse(slice_of(rows[i].text)), -1);
                assert_string_equal(why, rows[i].why);
                if (at != rows[i].at)
                        fail_msg("%s: at %zu, want %zu", rows[i].text, at, rows[i].at);
        }
}

static struct slice nested(char open, char close, uint32_t depth, char *to) {
        memset(to, open, depth);
        memset(to + depth, close, depth);
        return (struct slice){ to, 2 * depth };
}

TEST(depth_ends_at_its_bound) {
        static char text[1 << 18];

        assert_int_equal(parse(nested('[', ']', JSON_DEPTH, text)), 0);
        assert_int_equal(parse(nested('[', ']', JSON_DEPTH + 1, text)), -1);
        assert_string_equal(why, "nested too deeply");
        assert_int_equal(parse(nested('[', ']', sizeof text / 2, text)), -1);
        memset(text, '[', sizeof text);
        assert_int_equal(parse((struct slice){ text, sizeof text }), -1);
}

/* [0,0,...] with n elements. */
static struct slice zeros(uint32_t n, char *to) {
        to[0] = '[';
        for (uint32_t i = 0; i < n; i++)
                to[1 + 2 * i] = '0', to[2 + 2 * i] = i + 1 < n ? ',' : ']';
        return (struct slice){ to, 2 * n + 1 };
}

TEST(the_number_of_values_ends_at_its_bound) {
        static char text[2 * JSON_TOKENS + 16];

        assert_int_equal(parse(zeros(JSON_TOKENS - 1, text)), 0);
        assert_int_equal(parse(zeros(JSON_TOKENS, text)), -1);
        assert_string_equal(why, "too many values");
}

/* {"k000001":1,...}: n members, in an order that is not sorted; if `twice`, the last repeats the first. */
static void members(struct buf *b, uint32_t n, bool twice) {
        buf_clear(b);
        buf_char(b, '{');
        for (uint32_t i = 0; i < n; i++)
                buf_fmt(b, "%s\"k%06u\":1", i ? "," : "", twice && i == n - 1 ? 0 : i * 7919u % 65537u);
        buf_char(b, '}');
}

TEST(duplicates_are_found_in_objects_of_any_size) {
        struct buf b;

        buf_init(&b, 2u << 20);
        for (uint32_t n = 2; n <= 65535; n = n < 40 ? n + 1 : n * 5 / 2) {
                members(&b, n, false);
                if (parse(buf_view(&b)) != 0)
                        fail_msg("%u members: %s", n, why);
                members(&b, n, true);
                assert_int_equal(parse(buf_view(&b)), -1);
                assert_string_equal(why, "duplicate key");
        }
        buf_free(&b);
}

/* Quadratic work on 65535 members would take minutes; the bound is generous to slow machines and sanitizers. */
TEST(the_largest_object_is_read_in_no_time) {
        int64_t began;
        struct buf b;

        buf_init(&b, 2u << 20);
        members(&b, 65535, false);
        began = text_mono_micros();
        assert_int_equal(parse(buf_view(&b)), 0);
        assert_true(text_mono_micros() - began < 3000000);
        buf_free(&b);
}

TEST(an_arena_that_is_too_small_is_a_refusal) {
        static const char text[] = "{\"a\":1,\"b\":2,\"\\u0063\":3,\"d\":4,\"e\":5,\"f\":6,\"g\":7,\"h\":8,\"i\":9}";
        bool fitted = false;

        for (size_t max = 0; max < 2000; max += 16) {
                struct arena small;

                arena_init(&small, max);
                if (json_parse(SLICE(text), &small, &doc, &why, &at) == 0)
                        fitted = true;
                else
                        assert_string_equal(why, "too large");
                arena_free(&small);
        }
        assert_true(fitted);
}

TEST(the_object_check_agrees_with_the_parser) {
        for (size_t i = 0; i < COUNT(json_good); i++) {
                struct slice s = exact((struct slice){ json_good[i].p, json_good[i].n });

                assert_int_equal(json_check_object(s), s.p[0] == '{');
                exact_free(s);
        }
        for (size_t i = 0; i < COUNT(json_bad); i++) {
                struct slice s = exact((struct slice){ json_bad[i].p, json_bad[i].n });

                if (json_check_object(s)) { /* all it may miss */
                        assert_int_equal(parse(s), -1);
                        assert_string_equal(why, "duplicate key");
                }
                exact_free(s);
        }
}

TEST(a_mutated_text_is_never_read_past_its_end) {
        static const char text[] =
                "{\"key\":[1,-2.5e3,\"\\ud834\\udd1e\xe2\x82\xac\\n\",{\"b\":null}],\"c\":true,\"d\":\"\"}";
        uint64_t seed = 11;
        unsigned taken = 0;

        for (int round = 0; round < 20000; round++) {
                char copy[sizeof text];

                memcpy(copy, text, sizeof text);
                for (int k = 0; k < 2; k++)
                        copy[dice(&seed, sizeof text - 1)] = "\\\"{}[],:u09aeE+-.\x80\xff\n"[dice(&seed, 21)];
                taken += parse((struct slice){ copy, sizeof text - 1 }) == 0;
        }
        assert_true(taken > 0 && taken < 10000);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(json_is_taken),
                cmocka_unit_test(everything_else_is_refused),
                cmocka_unit_test(every_truncation_of_a_container_is_refused),
                cmocka_unit_test(refusals_say_what_and_where),
                cmocka_unit_test(depth_ends_at_its_bound),
                cmocka_unit_test(the_number_of_values_ends_at_its_bound),
                cmocka_unit_test(duplicates_are_found_in_objects_of_any_size),
                cmocka_unit_test(the_largest_object_is_read_in_no_time),
                cmocka_unit_test(an_arena_that_is_too_small_is_a_refusal),
                cmocka_unit_test(the_object_check_agrees_with_the_parser),
                cmocka_unit_test(a_mutated_text_is_never_read_past_its_end),
        };

        return cmocka_run_group_tests(tests, setup, teardown);
}
