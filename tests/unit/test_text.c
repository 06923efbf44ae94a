/* test_text.c - the promises of text.h. */
#include "unit.h"

TEST(slices_compare_by_bytes_and_length) {
        assert_true(slice_eq(SLICE("abc"), SLICE("abc")));
        assert_false(slice_eq(SLICE("abc"), SLICE("abd")));
        assert_false(slice_eq(SLICE("abc"), SLICE("ab")));
        assert_true(slice_eq(slice_of(NULL), SLICE("")));
        assert_true(slice_is(SLICE("x"), "x"));
        assert_false(slice_is(SLICE("x\0y"), "x"));
        assert_true(slice_is_nocase(SLICE("Content-TYPE"), "content-type"));
        assert_false(slice_is_nocase(SLICE("[a"), "{a")); /* only letters have cases */
        assert_true(slice_eq_secret(SLICE("abc"), SLICE("abc")));
        assert_false(slice_eq_secret(SLICE("abc"), SLICE("abx")));
        assert_false(slice_eq_secret(SLICE("abc"), SLICE("abcd")));
        assert_true(slice_eq_secret(slice_of(NULL), SLICE("")));
}

TEST(trim_takes_blanks_from_both_ends) {
        assert_slice(slice_trim(SLICE(" \t a b\t ")), "a b");
        assert_slice(slice_trim(SLICE(" \t ")), "");
        assert_slice(slice_trim(slice_of(NULL)), "");
}

TEST(copy_is_whole_or_not_at_all) {
        char to[4] = "old";

        assert_false(slice_copy(SLICE("four"), to, sizeof to));
        assert_string_equal(to, "old");
        assert_false(slice_copy(SLICE("a\0b"), to, sizeof to));
        assert_string_equal(to, "old");
        assert_true(slice_copy(SLICE("new"), to, sizeof to));
        assert_string_equal(to, "new");
        assert_true(slice_copy(slice_of(NULL), to, sizeof to));
        assert_string_equal(to, "");
        assert_false(slice_copy(SLICE(""), to, 0));
}

TEST(utf8_is_rfc_3629) {
        const struct slice good[] = {
                SLICE(""),
                SLICE("plain ascii, longer than eight"),
                SLICE("\xc2\x80"),
                SLICE("\xdf\xbf"),
                SLICE("\xe0\xa0\x80"),
                SLICE("\xed\x9f\xbf"),
                SLICE("\xee\x80\x80"),
                SLICE("\xef\xbf\xbf"),
                SLICE("\xf0\x90\x80\x80"),
                SLICE("\xf4\x8f\xbf\xbf"),
                SLICE("12345678\xe2\x82\xac and after"),
                SLICE("nul \0 is a character"),
        };
        const struct slice bad[] = {
                SLICE("\x80"),
                SLICE("\xbf"),
                SLICE("\xc0\x80"),
                SLICE("\xc1\xbf"),
                SLICE("\xc2"),
                SLICE("\xc2\x41"),
                SLICE("\xe0\x9f\xbf"),
                SLICE("\xe2\x82"),
                SLICE("\xe2\x82\x41"),
                SLICE("\xed\xa0\x80"),
                SLICE("\xed\xbf\xbf"),
                SLICE("\xf0\x8f\xbf\xbf"),
                SLICE("\xf0\x90\x80"),
                SLICE("\xf4\x90\x80\x80"),
                SLICE("\xf5\x80\x80\x80"),
                SLICE("\xff"),
                SLICE("\xfe"),
                SLICE("12345678\x80"),
                SLICE("1234567\x80"),
                SLICE("\xf0\x90\x80\x41"),
                SLICE("\xe2\x28\xa1"),
        };

        for (size_t i = 0; i < COUNT(good); i++) {
                struct slice s = exact(good[i]);

                assert_true(text_utf8(s));
                exact_free(s);
        }
        for (size_t i = 0; i < COUNT(bad); i++) {
                struct slice s = exact(bad[i]);

                assert_false(text_utf8(s));
                exact_free(s);
        }
}

TEST(ids_have_letters_digits_and_four_signs) {
        assert_true(text_id(SLICE("aZ09_.:-")));
        assert_false(text_id(SLICE("")));
        for (int c = 0; c < 256; c++) {
                char one = (char)c;
                bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
                          c == '.' || c == ':' || c == '-';

                assert_int_equal(text_id((struct slice){ &one, 1 }), ok);
        }
}

TEST(integers_have_one_spelling) {
        static const struct {
                const char *text;
                int64_t v;
        } good[] = {
                { "0", 0 },
                { "7", 7 },
                { "-1", -1 },
                { "1000", 1000 },
                { "9223372036854775807", INT64_MAX },
                { "-9223372036854775808", INT64_MIN },
        };
        static const char *const bad[] = { "",
                                           "-",
                                           "+1",
                                           "01",
                                           "-0",
                                           "00",
                                           " 1",
                                           "1 ",
                                           "1.0",
                                           "1e3",
                                           "0x1",
                                           "--1",
                                           "1-",
                                           "9223372036854775808",
                                           "-9223372036854775809",
                                           "99999999999999999999999999" };
        int64_t v;

        for (size_t i = 0; i < COUNT(good); i++) {
                v = 5;
                assert_true(text_int(slice_of(good[i].text), &v));
                assert_true(v == good[i].v);
        }
        for (size_t i = 0; i < COUNT(bad); i++) {
                v = 5;
                assert_false(text_int(slice_of(bad[i]), &v));
                assert_true(v == 5);
        }
}

TEST(numbers_truncate_toward_zero_and_saturate) {
        static const struct {
                const char *text;
                int64_t v;
        } good[] = {
                { "12.7", 12 },
                { "-12.7", -12 },
                { "0.99", 0 },
                { "-0.99", 0 },
                { "-0", 0 },
                { "1e3", 1000 },
                { "1.25E+2", 125 },
                { "1.259e2", 125 },
                { "125e-2", 1 },
                { "1e-400", 0 },
                { "0e999999999999999999999", 0 },
                { "0.0000001e7", 1 },
                { "0.00e400", 0 },
                { "9223372036854775807", INT64_MAX },
                { "9223372036854775808", INT64_MAX },
                { "1e400", INT64_MAX },
                { "-1e400", INT64_MIN },
                { "-9223372036854775808", INT64_MIN },
                { "-9223372036854775809", INT64_MIN },
                { "1e99999999999999999999999999", INT64_MAX },
                { "1e-99999999999999999999999999", 0 },
        };
        static const char *const bad[] = { "",   "-",     ".5",  "5.",  "01",   "1e",    "1e+", "+1", "1 ",
                                           " 1", "1.2.3", "inf", "NaN", "0x10", "1e1.5", "--1", "1,5" };
        int64_t v;

        for (size_t i = 0; i < COUNT(good); i++) {
                assert_true(text_number_trunc(slice_of(good[i].text), &v));
                if (v != good[i].v)
                        fail_msg("%s became %lld", good[i].text, (long long)v);
        }
        for (size_t i = 0; i < COUNT(bad); i++)
                assert_false(text_number_trunc(slice_of(bad[i]), &v));
}

TEST(hex_round_trips_and_wants_exact_lengths) {
        unsigned char bytes[4] = { 0x00, 0x9f, 0xa0, 0xff }, back[4];
        char text[9];

        text_hex(bytes, sizeof bytes, text);
        assert_string_equal(text, "009fa0ff");
        assert_true(text_unhex(SLICE("009FA0fF"), back, 4));
        assert_memory_equal(bytes, back, 4);
        assert_false(text_unhex(SLICE("009fa0"), back, 4));
        assert_false(text_unhex(SLICE("009fa0ff00"), back, 4));
        assert_false(text_unhex(SLICE("009fa0fg"), back, 4));
        assert_memory_equal(bytes, back, 4);
}

/* RFC 4648 section 10. */
TEST(base64_is_rfc_4648) {
        static const struct {
                const char *bytes, *url, *standard;
        } row[] = {
                { "", "", "" },
                { "f", "Zg", "Zg==" },
                { "fo", "Zm8", "Zm8=" },
                { "foo", "Zm9v", "Zm9v" },
                { "foob", "Zm9vYg", "Zm9vYg==" },
                { "fooba", "Zm9vYmE", "Zm9vYmE=" },
                { "foobar", "Zm9vYmFy", "Zm9vYmFy" },
                { "\xfb\xff\xbf", "-_-_", "+/+/" },
        };
        char text[16], back[16];

        for (size_t i = 0; i < COUNT(row); i++) {
                size_t n = strlen(row[i].bytes), got;

                got = text_base64url(row[i].bytes, n, text);
                assert_slice(((struct slice){ text, (uint32_t)got }), row[i].url);
                assert_true(got <= text_base64_size(n));
                got = text_base64(row[i].bytes, n, text);
                assert_slice(((struct slice){ text, (uint32_t)got }), row[i].standard);
                assert_int_equal(text_unbase64url(slice_of(row[i].url), back, sizeof back), n);
                assert_memory_equal(back, row[i].bytes, n);
                assert_int_equal(text_unbase64(slice_of(row[i].standard), back, sizeof back), n);
                assert_memory_equal(back, row[i].bytes, n);
        }
}

TEST(base64_has_one_text_for_each_value) {
        static const char *const bad_url[] = { "Z", "Zh", "Zm9", "Zg==", "Zm9v\n", " Zg", "Z g", "+/+/", "Zm9vY" };
        static const char *const bad_standard[] = { "Zg",   "Zg=",  "Zg===", "Zh==",     "Zm9=", "=",
                                                    "====", "Z===", "-_-_",  "Zg==Zg==", "Zm9v=" };
        char back[16];

        for (size_t i = 0; i < COUNT(bad_url); i++)
                assert_int_equal(text_unbase64url(slice_of(bad_url[i]), back, sizeof back), -1);
        for (size_t i = 0; i < COUNT(bad_standard); i++)
                assert_int_equal(text_unbase64(slice_of(bad_standard[i]), back, sizeof back), -1);
        assert_int_equal(text_unbase64url(SLICE("Zm9vYmFy"), back, 5), -1);
        assert_int_equal(text_unbase64url(SLICE("Zm9vYmFy"), back, 6), 6);
}

TEST(times_are_rfc_3339) {
        static const struct {
                const char *text;
                int64_t micros;
        } good[] = {
                { "1970-01-01T00:00:00Z", 0 },
                { "1970-01-01T00:00:00.000001Z", 1 },
                { "1970-01-01T01:00:00+01:00", 0 },
                { "1969-12-31T23:00:00-01:00", -1 }, /* year 1969: refused below */
                { "1970-01-01T00:00:00-00:01", 60000000 },
                { "2000-02-29T12:34:56.789Z", INT64_C(951827696789000) },
                { "2024-12-31T23:59:59.9999999Z", INT64_C(1735689599999999) },
                { "2016-12-31T23:59:60Z", INT64_C(1483228800000000) },
                { "2016-12-31T18:59:60.5-05:00", INT64_C(1483228800500000) },
                { "2026-11-21T07:48:00.123456789+00:00", INT64_C(1795247280123456) },
                { "9999-12-31T23:59:59.999Z", MILLIS_MAX * 1000 },
                { "9999-12-31T23:59:59.999999Z", MICROS_MAX },
        };
        int64_t v;

        for (size_t i = 0; i < COUNT(good); i++) {
                bool ok = text_time(slice_of(good[i].text), &v);

                assert_int_equal(ok, good[i].micros >= 0);
                if (ok && v != good[i].micros)
                        fail_msg("%s became %lld", good[i].text, (long long)v);
        }
}

TEST(what_is_not_a_time_is_refused) {
        static const char *const bad[] = {
                "",
                "2026",
                "2026-11-21",
                "2026-11-21T07:48Z",
                "2026-11-21T07:48:00",
                "2026-11-21 07:48:00Z",
                "2026-11-21t07:48:00Z",
                "2026-11-21T07:48:00z",
                "2026-11-21T07:48:00.Z",
                "2026-11-21T07:48:00,5Z",
                "2026-13-01T00:00:00Z",
                "2026-00-01T00:00:00Z",
                "2026-02-29T00:00:00Z",
                "2100-02-29T00:00:00Z",
                "2026-04-31T00:00:00Z",
                "2026-01-00T00:00:00Z",
                "2026-01-01T24:00:00Z",
                "2026-01-01T00:60:00Z",
                "2026-01-01T00:00:61Z",
                "2026-01-01T12:00:60Z",
                "2026-01-01T00:00:00+24:00",
                "2026-01-01T00:00:00+1:00",
                "2026-01-01T00:00:00+0100",
                "2026-01-01T00:00:00+01:60",
                "2026-01-01T00:00:00+01",
                "2026-01-01T00:00:00ZZ",
                "1969-12-31T23:59:59Z",
                "1970-01-01T00:00:00+00:01",
                "9999-12-31T23:59:60Z",
                "9999-12-31T23:59:59-00:01",
                "10000-01-01T00:00:00Z",
                " 2026-01-01T00:00:00Z",
                "2026-01-01T00:00:00Z ",
                "-026-01-01T00:00:00Z",
                "2026-1-01T00:00:00Z",
                "2O26-01-01T00:00:00Z",
                "2026-01-01T00:00:00.5",
                "2026-01-01T00:00:00.5e3Z",
        };
        int64_t v = 42;

        for (size_t i = 0; i < COUNT(bad); i++) {
                struct slice s = exact(slice_of(bad[i]));

                if (text_time(s, &v))
                        fail_msg("%s was taken", bad[i]);
                exact_free(s);
        }
        assert_true(v == 42);
}

TEST(times_print_as_they_read) {
        uint64_t seed = 7;
        char text[28];
        int64_t v;

        assert_int_equal(text_time_put(0, text), 24);
        assert_string_equal(text, "1970-01-01T00:00:00.000Z");
        assert_int_equal(text_time_put(INT64_C(951827696789000), text), 24);
        assert_string_equal(text, "2000-02-29T12:34:56.789Z");
        assert_int_equal(text_time_put(INT64_C(951827696789001), text), 27);
        assert_string_equal(text, "2000-02-29T12:34:56.789001Z");
        text_time_put(MICROS_MAX, text);
        assert_string_equal(text, "9999-12-31T23:59:59.999999Z");
        for (int i = 0; i < 20000; i++) {
                int64_t want = ((int64_t)dice(&seed, 1u << 30) << 30 | dice(&seed, 1u << 30)) % (MICROS_MAX + 1);
                size_t n = text_time_put(want, text);

                assert_true(text_time((struct slice){ text, (uint32_t)n }, &v));
                assert_true(v == want);
        }
}

static int64_t noon(void) {
        return INT64_C(1795262400000000);
}

TEST(ids_carry_their_millisecond_and_differ) {
        int64_t (*real)(void) = text_clock;
        char a[64], b[64], want[18];

        text_clock = noon;
        text_new_id("sess", a);
        text_new_id("sess", b);
        text_clock = real;
        assert_int_equal(strlen(a), 5 + 32);
        assert_memory_equal(a, "sess_", 5);
        (void)snprintf(want, sizeof want, "%012llx", (unsigned long long)(noon() / 1000));
        assert_memory_equal(a + 5, want, 12);
        assert_memory_equal(a, b, 17);
        assert_string_not_equal(a, b);
        assert_true(text_id(slice_of(a)));
}

TEST(the_clocks_run) {
        int64_t real = text_now_micros(), mono = text_mono_micros();

        assert_true(real > INT64_C(1700000000000000));
        assert_true(text_mono_micros() >= mono);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(slices_compare_by_bytes_and_length),
                cmocka_unit_test(trim_takes_blanks_from_both_ends),
                cmocka_unit_test(copy_is_whole_or_not_at_all),
                cmocka_unit_test(utf8_is_rfc_3629),
                cmocka_unit_test(ids_have_letters_digits_and_four_signs),
                cmocka_unit_test(integers_have_one_spelling),
                cmocka_unit_test(numbers_truncate_toward_zero_and_saturate),
                cmocka_unit_test(hex_round_trips_and_wants_exact_lengths),
                cmocka_unit_test(base64_is_rfc_4648),
                cmocka_unit_test(base64_has_one_text_for_each_value),
                cmocka_unit_test(times_are_rfc_3339),
                cmocka_unit_test(what_is_not_a_time_is_refused),
                cmocka_unit_test(times_print_as_they_read),
                cmocka_unit_test(ids_carry_their_millisecond_and_differ),
                cmocka_unit_test(the_clocks_run),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
