/* test_jsonw.c - what is written reads back, with every comma and escape in its place. */
#include "arena.h"
#include "json.h"
#include "jsonw.h"
#include "unit.h"

TEST(commas_and_colons_are_placed) {
        struct jsonw w;
        struct buf b;

        buf_init(&b, 1000);
        jsonw_init(&w, &b);
        jsonw_object(&w);
        jsonw_key(&w, "empty");
        jsonw_object(&w);
        jsonw_end(&w, '}');
        jsonw_key(&w, "list");
        jsonw_array(&w);
        jsonw_int(&w, -1);
        jsonw_bool(&w, true);
        jsonw_bool(&w, false);
        jsonw_null(&w);
        jsonw_array(&w);
        jsonw_end(&w, ']');
        jsonw_str(&w, SLICE("s"));
        jsonw_raw(&w, SLICE("{\"r\":1}"));
        jsonw_end(&w, ']');
        jsonw_key_str(&w, "a", SLICE("x"));
        jsonw_key_cstr(&w, "b", NULL);
        jsonw_key_cstr(&w, "c", "y");
        jsonw_key_int(&w, "d", 5);
        jsonw_key_bool(&w, "e", true);
        jsonw_key_raw(&w, "f", SLICE("[]"));
        jsonw_end(&w, '}');
        assert_int_equal(w.depth, 0);
        assert_slice(buf_view(&b),
                     "{\"empty\":{},\"list\":[-1,true,false,null,[],\"s\",{\"r\":1}],\"a\":\"x\",\"b\":null,"
                     "\"c\":\"y\",\"d\":5,\"e\":true,\"f\":[]}");
        buf_free(&b);
}

TEST(escapes_are_the_fewest) {
        struct buf b;

        buf_init(&b, 1000);
        jsonw_quote(&b, SLICE("\" \\ \b \f \n \r \t \x01 \x1f \x7f / \xe2\x82\xac"));
        assert_slice(buf_view(&b), "\"\\\" \\\\ \\b \\f \\n \\r \\t \\u0001 \\u001f \x7f / \xe2\x82\xac\"");
        buf_clear(&b);
        jsonw_quote(&b, SLICE(""));
        assert_slice(buf_view(&b), "\"\"");
        buf_free(&b);
}

TEST(every_character_reads_back) {
        struct arena a;
        struct buf b;

        arena_init(&a, 1u << 20);
        buf_init(&b, 1000);
        for (int c = 1; c < 128; c++) {
                char text[3] = { 'a', (char)c, 'b' };
                struct json v;
                struct slice s;
                const char *why;
                size_t at;

                buf_clear(&b);
                jsonw_quote(&b, (struct slice){ text, 3 });
                assert_int_equal(json_parse(buf_view(&b), &a, &v, &why, &at), 0);
                assert_true(json_str(v, &s));
                assert_true(slice_eq(s, (struct slice){ text, 3 }));
        }
        buf_free(&b);
        arena_free(&a);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(commas_and_colons_are_placed),
                cmocka_unit_test(escapes_are_the_fewest),
                cmocka_unit_test(every_character_reads_back),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
