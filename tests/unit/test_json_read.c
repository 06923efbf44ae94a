/* test_json_read.c - values are found, read as what they are and as nothing else, and have one canonical text. */
#include "json.h"
#include "unit.h"

static struct arena arena;

static int setup(void **state __attribute__((unused))) {
        arena_init(&arena, 8u << 20);
        return 0;
}

static int teardown(void **state __attribute__((unused))) {
        arena_free(&arena);
        return 0;
}

static struct json parse(const char *text) {
        struct json v;
        const char *why;
        size_t at;

        if (json_parse(slice_of(text), &arena, &v, &why, &at) != 0)
                fail_msg("%s: %s at %zu", text, why, at);
        return v;
}

TEST(types_are_told_apart) {
        static const struct {
                const char *text;
                enum json_type type;
        } rows[] = { { "{}", JSON_OBJECT },   { "[]", JSON_ARRAY },  { " \"x\" ", JSON_STRING },
                     { " -1 ", JSON_NUMBER }, { "true", JSON_TRUE }, { "false", JSON_FALSE },
                     { "null", JSON_NULL } };

        for (size_t i = 0; i < COUNT(rows); i++) {
                struct json alone = parse(rows[i].text), list, member;
                struct slice key;
                char text[32];
                uint32_t it = 0;

                (void)snprintf(text, sizeof text, "[0,%s,0]", rows[i].text);
                list = parse(text);
                assert_true(json_next(list, &it, &key, &member));
                assert_true(json_next(list, &it, &key, &member));
                assert_int_equal(json_type(alone), rows[i].type);
                assert_int_equal(json_type(member), rows[i].type);
        }
}

TEST(absent_is_refused_by_every_reader) {
        struct json none = { NULL, 0 };
        struct json object = parse("{\"a\":1}");
        struct slice s;
        int64_t n;
        bool b;
        uint32_t it = 0;

        assert_int_equal(json_type(json_get(object, "b")), JSON_NONE);
        assert_int_equal(json_type(json_get(parse("[1]"), "a")), JSON_NONE);
        assert_int_equal(json_type(json_get(parse("\"a\""), "a")), JSON_NONE);
        assert_int_equal(json_type(json_get(none, "a")), JSON_NONE);
        assert_int_equal(json_count(none), 0);
        assert_int_equal(json_count(parse("3")), 0);
        assert_false(json_next(none, &it, &s, &object));
        assert_false(json_str(none, &s));
        assert_false(json_int(none, &n));
        assert_false(json_int_trunc(none, &n));
        assert_false(json_bool(none, &b));
        assert_int_equal(json_raw(none).n, 0);
}

TEST(readers_take_their_own_type_only) {
        struct json o = parse("{\"s\":\"1\",\"i\":7,\"f\":7.5,\"e\":1e3,\"z\":1.0,\"t\":true,\"n\":null,\"big\":"
                              "9223372036854775808,"
                              "\"neg\":-9223372036854775808,\"o\":{},\"a\":[]}");
        struct slice s;
        int64_t n;
        bool b;

        assert_true(json_str(json_get(o, "s"), &s));
        assert_slice(s, "1");
        assert_false(json_int(json_get(o, "s"), &n));
        assert_true(json_int(json_get(o, "i"), &n));
        assert_true(n == 7);
        assert_false(json_int(json_get(o, "f"), &n));
        assert_false(json_int(json_get(o, "e"), &n));
        assert_false(json_int(json_get(o, "z"), &n));
        assert_false(json_int(json_get(o, "big"), &n));
        assert_true(json_int(json_get(o, "neg"), &n));
        assert_true(n == INT64_MIN);
        assert_true(json_int_trunc(json_get(o, "f"), &n));
        assert_true(n == 7);
        assert_true(json_int_trunc(json_get(o, "e"), &n));
        assert_true(n == 1000);
        assert_true(json_int_trunc(json_get(o, "big"), &n));
        assert_true(n == INT64_MAX);
        assert_false(json_int_trunc(json_get(o, "t"), &n));
        assert_true(json_bool(json_get(o, "t"), &b));
        assert_true(b);
        assert_false(json_bool(json_get(o, "i"), &b));
        assert_false(json_bool(json_get(o, "n"), &b));
        assert_false(json_str(json_get(o, "n"), &s));
        assert_int_equal(json_count(o), 11);
}

TEST(members_are_found_in_objects_of_any_size) {
        struct buf b;

        buf_init(&b, 1u << 20);
        for (unsigned n = 1; n <= 300; n = n < 20 ? n + 1 : n * 3) {
                struct json o;

                buf_clear(&b);
                buf_char(&b, '{');
                for (unsigned i = 0; i < n; i++)
                        buf_fmt(&b, "%s\"%s%u\":[{\"x\":%u}]", i ? "," : "", i % 3 ? "\\u006b" : "k", i * 37 % 301,
                                i);
                buf_str(&b, "}");
                buf_char(&b, 0);
                o = parse(b.p);
                assert_int_equal(json_count(o), n);
                for (unsigned i = 0; i < n; i++) {
                        char key[16];
                        struct json list, first;
                        struct slice none;
                        uint32_t it = 0;
                        int64_t x;

                        (void)snprintf(key, sizeof key, "k%u", i * 37 % 301);
                        list = json_get(o, key);
                        assert_true(json_next(list, &it, &none, &first));
                        assert_true(json_int(json_get(first, "x"), &x));
                        assert_int_equal(x, i);
                }
                assert_int_equal(json_type(json_get(o, "k301")), JSON_NONE);
                assert_int_equal(json_type(json_get(o, "")), JSON_NONE);
        }
        buf_free(&b);
}

TEST(walks_visit_everything_once_in_order) {
        struct json o = parse("{\"a\":[1,[2,[3]],{}],\"b\\n\":{\"c\":{}},\"d\":\"e\"}"), v, inner;
        struct slice key, none;
        uint32_t it = 0, in = 0;
        int64_t n;

        assert_true(json_next(o, &it, &key, &v));
        assert_slice(key, "a");
        assert_int_equal(json_count(v), 3);
        assert_true(json_next(v, &in, &none, &inner));
        assert_int_equal(none.n, 0);
        assert_true(json_int(inner, &n));
        assert_true(json_next(v, &in, &none, &inner));
        assert_slice(json_raw(inner), "[2,[3]]");
        assert_true(json_next(v, &in, &none, &inner));
        assert_slice(json_raw(inner), "{}");
        assert_false(json_next(v, &in, &none, &inner));
        assert_true(json_next(o, &it, &key, &v));
        assert_slice(key, "b\n");
        assert_slice(json_raw(v), "{\"c\":{}}");
        assert_true(json_next(o, &it, &key, &v));
        assert_slice(key, "d");
        assert_slice(json_raw(v), "\"e\"");
        assert_false(json_next(o, &it, &key, &v));
        assert_false(json_next(o, &it, &key, &v));
        in = 0;
        assert_false(json_next(parse("{}"), &in, &key, &v));
        in = 0;
        assert_false(json_next(parse("[]"), &in, &key, &v));
        in = 0;
        assert_false(json_next(parse("\"text\""), &in, &key, &v));
}

TEST(strings_are_unescaped) {
        static const struct {
                const char *json, *text;
        } rows[] = {
                { "\"\"", "" },
                { "\"plain\"", "plain" },
                { "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t" },
                { "\"\\u0041\\u007f\\u0080\\u07ff\\u0800\\uffff\"", "A\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf" },
                { "\"\\ud800\\udc00\\uDBFF\\uDFFF\"", "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf" },
                { "\"x\\u00E9y\"", "x\xc3\xa9y" },
                { "\"\\\\u0041\"", "\\u0041" },
        };
        struct slice s;

        for (size_t i = 0; i < COUNT(rows); i++) {
                assert_true(json_str(parse(rows[i].json), &s));
                assert_slice(s, rows[i].text);
        }
}

TEST(canonical_text_is_one_per_meaning) {
        static const struct {
                const char *json, *canonical;
        } rows[] = {
                { " { } ", "{}" },
                { "[ 1 , [ ] , { } ]", "[1,[],{}]" },
                { "{\"b\":1,\"a\":2}", "{\"a\":2,\"b\":1}" },
                { "{\"b\":{\"d\":1,\"c\":2},\"a\":[{\"y\":1,\"x\":2}]}",
                  "{\"a\":[{\"x\":2,\"y\":1}],\"b\":{\"c\":2,\"d\":1}}" },
                { "{\"aa\":1,\"a\":2,\"B\":3,\"\":4}", "{\"\":4,\"B\":3,\"a\":2,\"aa\":1}" },
                { "{\"\xc3\xa9\":1,\"z\":2,\"\\u0061\":3}", "{\"a\":3,\"z\":2,\"\xc3\xa9\":1}" },
                { "\"\\u0041\\/\\u00e9\\ud834\\udd1e\"", "\"A/\xc3\xa9\xf0\x9d\x84\x9e\"" },
                { "\"\\u000a\\u0008\\u001F\\u007f\\u0022\\u005c\"", "\"\\n\\b\\u001f\x7f\\\"\\\\\"" },
                { "[1.0,1E+5,-0,0.50,10000000000000000000000]", "[1.0,1E+5,-0,0.50,10000000000000000000000]" },
                { "[true,false,null,\"\"]", "[true,false,null,\"\"]" },
                { "\"a b\"", "\"a b\"" },
                { "{\"j\":1,\"i\":2,\"h\":3,\"g\":4,\"f\":5,\"e\":6,\"d\":7,\"c\":8,\"\\u0062\":9,\"a\":0}",
                  "{\"a\":0,\"b\":9,\"c\":8,\"d\":7,\"e\":6,\"f\":5,\"g\":4,\"h\":3,\"i\":2,\"j\":1}" },
                { "{\"\\n\":1}", "{\"\\n\":1}" },
        };

        for (size_t i = 0; i < COUNT(rows); i++) {
                struct buf a, b;

                buf_init(&a, 65536);
                buf_init(&b, 65536);
                json_canonical(parse(rows[i].json), &a);
                assert_slice(buf_view(&a), rows[i].canonical);
                json_canonical(parse(rows[i].canonical), &b);
                assert_true(slice_eq(buf_view(&a), buf_view(&b)));
                buf_free(&a);
                buf_free(&b);
        }
}

TEST(canonical_text_keeps_to_its_bound) {
        struct json v = parse("{ \"a\" : [ 1, 2 ] }"); /* {"a":[1,2]} */
        struct slice s = { NULL, 0 };

        assert_false(json_canonical_in(v, &arena, 10, &s));
        assert_int_equal(s.n, 0);
        assert_true(json_canonical_in(v, &arena, 11, &s));
        assert_slice(s, "{\"a\":[1,2]}");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(types_are_told_apart),
                cmocka_unit_test(absent_is_refused_by_every_reader),
                cmocka_unit_test(readers_take_their_own_type_only),
                cmocka_unit_test(members_are_found_in_objects_of_any_size),
                cmocka_unit_test(walks_visit_everything_once_in_order),
                cmocka_unit_test(strings_are_unescaped),
                cmocka_unit_test(canonical_text_is_one_per_meaning),
                cmocka_unit_test(canonical_text_keeps_to_its_bound),
        };

        return cmocka_run_group_tests(tests, setup, teardown);
}
