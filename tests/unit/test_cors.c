/* test_cors.c - a browser hears of us what the setting says, and no origin is reflected that nobody listed. */
#include "cors.h"
#include "unit.h"

static char text[8192];

static const char *response(const char *setting, const char *origin) {
        struct cors c;
        struct buf out;
        assert_true(cors_init(&c, setting));
        buf_init(&out, sizeof text - 1);
        cors_response(&c, slice_of(origin), &out);
        assert_true(slice_copy(buf_view(&out), text, sizeof text));
        buf_free(&out);
        return text;
}

static const char *preflight(const char *setting, const char *origin, const char *asked) {
        struct cors c;
        struct buf out;
        assert_true(cors_init(&c, setting));
        buf_init(&out, sizeof text - 1);
        cors_preflight(&c, slice_of(origin), slice_of(asked), "GET, OPTIONS", &out);
        assert_true(slice_copy(buf_view(&out), text, sizeof text));
        buf_free(&out);
        return text;
}

TEST(a_star_allows_all_and_reflects_nothing) {
        assert_non_null(strstr(response("*", "https://evil.example"), "access-control-allow-origin: *\r\n"));
        assert_null(strstr(text, "evil"));
        assert_non_null(strstr(text, "vary: Origin\r\n"));
        assert_non_null(strstr(text, "access-control-expose-headers: x-request-id, x-trace-id, retry-after\r\n"));
}

TEST(a_list_answers_its_members_only) {
        const char *list = " https://a.example  https://b.example:8443 ";
        assert_non_null(
                strstr(response(list, "https://a.example"), "access-control-allow-origin: https://a.example\r\n"));
        assert_non_null(strstr(response(list, "https://b.example:8443"), "https://b.example:8443\r\n"));
        static const char *const others[] = { "https://b.example",
                                              "https://a.example.evil",
                                              "https://a.exampl",
                                              "HTTPS://A.EXAMPLE",
                                              "null",
                                              "",
                                              "https://a.example https://b.example" };
        for (size_t i = 0; i < COUNT(others); i++) {
                assert_null(strstr(response(list, others[i]), "access-control"));
                assert_string_equal(text, "vary: Origin\r\n");
        }
        assert_null(strstr(response("", "https://a.example"), "access-control"));
}

TEST(a_preflight_names_methods_headers_and_how_long) {
        assert_non_null(
                strstr(preflight("*", "https://a.example", ""), "access-control-allow-methods: GET, OPTIONS\r\n"));
        assert_non_null(strstr(text, "access-control-allow-headers: authorization, content-type, idempotency-key, "
                                     "last-event-id, x-trace-id, accept\r\n"));
        assert_non_null(strstr(text, "access-control-max-age: 600\r\n"));
        assert_null(strstr(preflight("https://b.example", "https://a.example", ""), "access-control"));
}

TEST(asked_headers_are_added_if_they_are_tokens) {
        assert_non_null(strstr(preflight("*", "x", "X-One, authorization ,x-two"), "accept, X-One, x-two\r\n"));
        assert_non_null(strstr(preflight("*", "x", "bad name, a\"b, (c), ,ok,"), "accept, ok\r\n"));
        char many[4096] = "";
        for (unsigned i = 0; i < 500; i++)
                strcat(many, "a-b-c,");
        preflight("*", "x", many);
        assert_true(strlen(text) < 1024);
}

TEST(too_many_origins_are_an_error) {
        char many[4096] = "";
        struct cors c;
        for (unsigned i = 0; i < CORS_ORIGINS_MAX; i++)
                strcat(many, "https://a.example ");
        assert_true(cors_init(&c, many));
        strcat(many, "https://b.example");
        assert_false(cors_init(&c, many));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_star_allows_all_and_reflects_nothing),
                cmocka_unit_test(a_list_answers_its_members_only),
                cmocka_unit_test(a_preflight_names_methods_headers_and_how_long),
                cmocka_unit_test(asked_headers_are_added_if_they_are_tokens),
                cmocka_unit_test(too_many_origins_are_an_error),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
