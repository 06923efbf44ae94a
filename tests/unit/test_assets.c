/* test_assets.c - the pages and modules of this program, over real HTTP: whole, typed, revalidated, closed in. */
#include "frontend.h"
#include "http_rig.h"

#define ASSET(path, data, kind) { path, #data },
static const struct {
        const char *path, *data;
} rows[] = {
#include "assets.def"
};

static struct rig *rig;

static void handle(void *arg, struct http_request *r) {
        (void)arg;
        route_asset(NULL, r, NULL, NULL);
}

static int start(void **state) {
        (void)state;
        rig_settings("cors_origins = *\n");
        rig = rig_new(handle, NULL, HTTP_PLAIN);
        return 0;
}

static struct client *ask(const char *method, const char *path, const char *more) {
        struct client *c = client_new(rig);
        char text[1024];

        (void)snprintf(text, sizeof text, "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s\r\n", method, path,
                       more);
        client_say(rig, c, text);
        rig_until(rig, c, c->eof);
        return c;
}

static const char *body(const struct client *c) {
        const char *end = strstr(c->text, "\r\n\r\n");

        assert_non_null(end);
        return end + 4;
}

static void header(const struct client *c, const char *name, char value[static 256]) {
        char line[64];

        (void)snprintf(line, sizeof line, "\r\n%s: ", name);
        const char *p = strstr(c->text, line);

        value[0] = '\0';
        if (!p || p > body(c))
                return;
        p += strlen(line);
        (void)snprintf(value, 256, "%.*s", (int)strcspn(p, "\r"), p);
}

static void assert_header(const struct client *c, const char *name, const char *want) {
        char value[256];

        header(c, name, value);
        assert_string_equal(value, want);
}

static const char *type_of(const char *data) {
        return strstr(data, "_js")     ? "text/javascript; charset=utf-8"
               : strstr(data, "_css")  ? "text/css; charset=utf-8"
               : strstr(data, "_html") ? "text/html; charset=utf-8"
                                       : "image/svg+xml";
}

TEST(every_asset_is_served_whole_with_its_type_and_to_every_origin) {
        for (size_t i = 0; i < COUNT(rows); i++) {
                struct client *c = ask("GET", rows[i].path, "Origin: https://app.example\r\n");
                char length[256], tag[256];

                assert_int_equal(client_status(c), 200);
                header(c, "content-length", length);
                assert_int_equal(strlen(body(c)), atoi(length));
                assert_true(atoi(length) > 100);
                assert_header(c, "content-type", type_of(rows[i].data));
                assert_header(c, "access-control-allow-origin", "*");
                assert_header(c, "cache-control", "no-cache");
                assert_header(c, "x-content-type-options", "nosniff");
                header(c, "etag", tag);
                assert_int_equal(strlen(tag), 34);
                client_free(c);
        }
}

TEST(no_two_assets_share_a_tag) {
        char tags[COUNT(rows)][256];

        for (size_t i = 0; i < COUNT(rows); i++) {
                struct client *c = ask("GET", rows[i].path, "");

                header(c, "etag", tags[i]);
                client_free(c);
                for (size_t k = 0; k < i; k++)
                        assert_string_not_equal(tags[i], tags[k]);
        }
}

TEST(a_page_runs_nothing_and_is_framed_by_nobody_from_elsewhere) {
        struct client *c = ask("GET", "/console", "");
        char policy[256];

        header(c, "content-security-policy", policy);
        assert_non_null(strstr(policy, "default-src 'none'; script-src 'self'; "));
        assert_non_null(strstr(policy, "connect-src 'self'"));
        assert_non_null(strstr(policy, "frame-ancestors 'none'"));
        assert_null(strstr(policy, "unsafe"));
        assert_header(c, "x-frame-options", "DENY");
        /* What the policy would forbid is not in it either. */
        assert_null(strstr(body(c), "<style"));
        assert_null(strstr(body(c), " style="));
        assert_null(strstr(body(c), "http://"));
        assert_null(strstr(body(c), "https://"));
        client_free(c);
}

TEST(who_has_it_is_told_so_without_a_body) {
        static const char *const known[] = { "", "W/", "\"a\", \"b,c\" ," };
        static const char *const unknown[] = { "If-None-Match: \"0\"\r\n", "If-None-Match: \r\n",
                                               "If-None-Match: W/\r\n", "If-None-Match: ,,\r\n" };
        struct client *c = ask("GET", "/client/realtime.js", "");
        char tag[256];

        header(c, "etag", tag);
        client_free(c);
        for (size_t i = 0; i < COUNT(known); i++) {
                char more[300];

                (void)snprintf(more, sizeof more, "If-None-Match: %s%s\r\n", known[i], tag);
                c = ask("GET", "/client/realtime.js", more);
                assert_int_equal(client_status(c), 304);
                assert_string_equal(body(c), "");
                assert_header(c, "etag", tag);
                assert_header(c, "content-length", "");
                assert_header(c, "cache-control", "no-cache");
                client_free(c);
        }
        c = ask("GET", "/client/realtime.js", "If-None-Match: *\r\n");
        assert_int_equal(client_status(c), 304);
        client_free(c);
        for (size_t i = 0; i < COUNT(unknown); i++) {
                c = ask("GET", "/client/realtime.js", unknown[i]);
                assert_int_equal(client_status(c), 200);
                client_free(c);
        }
}

TEST(head_says_the_same_without_the_bytes) {
        struct client *get = ask("GET", "/client/session.js", ""), *head = ask("HEAD", "/client/session.js", "");
        char length[256], tag[256];

        header(get, "content-length", length);
        header(get, "etag", tag);
        assert_int_equal(client_status(head), 200);
        assert_header(head, "content-length", length);
        assert_header(head, "etag", tag);
        assert_string_equal(body(head), "");
        client_free(get);
        client_free(head);
}

TEST(other_names_are_not_found) {
        static const char *const paths[] = { "/client/",
                                             "/client/realtime",
                                             "/client/realtime.js/",
                                             "/console/",
                                             "/client/..%2fconsole",
                                             "/client/%72ealtime.js",
                                             "/client/console.html" };

        for (size_t i = 0; i < COUNT(paths); i++) {
                struct client *c = ask("GET", paths[i], "");

                assert_int_equal(client_status(c), 404);
                assert_non_null(strstr(body(c), "\"code\":\"NOT_FOUND\""));
                assert_header(c, "cache-control", "no-store");
                client_free(c);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_asset_is_served_whole_with_its_type_and_to_every_origin),
                cmocka_unit_test(no_two_assets_share_a_tag),
                cmocka_unit_test(a_page_runs_nothing_and_is_framed_by_nobody_from_elsewhere),
                cmocka_unit_test(who_has_it_is_told_so_without_a_body),
                cmocka_unit_test(head_says_the_same_without_the_bytes),
                cmocka_unit_test(other_names_are_not_found),
        };

        return cmocka_run_group_tests(tests, start, NULL);
}
