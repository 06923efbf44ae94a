/* test_settings.c - gateway.conf is taken whole or refused by line; what it does not say stands at its default. */
#include "settings.h"

#include <unistd.h>

#include "unit.h"

static char path[64], why[256];

static int setup(void **state __attribute__((unused))) {
        int fd;

        (void)snprintf(path, sizeof path, "/tmp/test_settings.XXXXXX");
        fd = mkstemp(path);
        if (fd < 0)
                return -1;
        return close(fd);
}

static int teardown(void **state __attribute__((unused))) {
        return unlink(path);
}

static int load(struct slice text) {
        FILE *f = fopen(path, "w");

        assert_non_null(f);
        assert_int_equal(fwrite(text.p, 1, text.n, f), text.n);
        assert_int_equal(fclose(f), 0);
        why[0] = 0;
        return settings_load(path, why);
}

static void refused(const char *text, const char *names) {
        if (load(slice_of(text)) != -1)
                fail_msg("%s: taken", text);
        if (!strstr(why, names))
                fail_msg("%s: %s", text, why);
}

TEST(a_missing_file_means_defaults) {
        assert_int_equal(settings_load("/tmp/there/is/no/such/file", why), 0);
        assert_int_equal(setting_int(SETTING_frontend_instances), 2);
        assert_string_equal(setting_text(SETTING_cors_origins), "*");
        assert_string_equal(setting_text(SETTING_public_url), "");
        assert_string_equal(setting_text(SETTING_frontend_instances), "");
}

TEST(lines_set_values) {
        assert_int_equal(
                load(SLICE("# comment\n\n  frontend_instances =  4\t# four\ncors_origins=https://a.example/#top x\r\n"
                           "public_url = \nidp_issuer = k=v # c")),
                -1); /* the carriage return */
        assert_int_equal(
                load(SLICE("# comment\n\n  frontend_instances =  4\t# four\ncors_origins=https://a.example/#top x\n"
                           "public_url = \nidp_issuer = k=v # c")),
                0);
        assert_int_equal(setting_int(SETTING_frontend_instances), 4);
        assert_string_equal(setting_text(SETTING_cors_origins), "https://a.example/#top x");
        assert_string_equal(setting_text(SETTING_public_url), "");
        assert_string_equal(setting_text(SETTING_idp_issuer), "k=v");
        assert_int_equal(setting_int(SETTING_batch_ops), 512);
}

TEST(loading_again_starts_from_the_defaults) {
        assert_int_equal(load(SLICE("frontend_instances = 4\njwt_issuer = me\n")), 0);
        assert_int_equal(load(SLICE("")), 0);
        assert_int_equal(setting_int(SETTING_frontend_instances), 2);
        assert_string_equal(setting_text(SETTING_jwt_issuer), "lifeos");
}

TEST(a_refused_file_changes_nothing) {
        assert_int_equal(load(SLICE("frontend_instances = 4\njwt_issuer = me\n")), 0);
        refused("frontend_instances = 5\njwt_issuer = you\nnonesuch = 1\n", "line 3");
        assert_int_equal(setting_int(SETTING_frontend_instances), 4);
        assert_string_equal(setting_text(SETTING_jwt_issuer), "me");
}

TEST(refusals_name_file_line_and_what_is_allowed) {
        refused("nonesuch = 1\n", "line 1");
        assert_non_null(strstr(why, path));
        refused("\n\nfrontend_instances = 0\n", "line 3: frontend_instances takes a number from 1 to 16");
        refused("frontend_instances = 17", "1 to 16");
        refused("frontend_instances = two", "1 to 16");
        refused("frontend_instances =", "1 to 16");
        refused("frontend_instances = 02", "1 to 16");
        refused("frontend_instances = 2 2", "1 to 16");
        refused("frontend_instances = 99999999999999999999", "1 to 16");
        refused("frontend_instances", "name = value");
        refused("= 2", "no setting");
        refused("Frontend_Instances = 2", "no setting");
        refused("frontend_instances = 2\nfrontend_instances = 2\n", "line 2: frontend_instances is set twice");
        refused("jwt_issuer = a\nbatch_ops = 1\njwt_issuer = a\n", "line 3");
        refused("jwt_issuer = caf\xe9\n", "jwt_issuer");
        refused("jwt_issuer = a\x01z\n", "jwt_issuer");
}

TEST(texts_keep_to_their_bound) {
        char text[512];

        (void)snprintf(text, sizeof text, "idp_account_claim = %064d\n", 0);
        assert_int_equal(load(slice_of(text)), 0);
        assert_int_equal(strlen(setting_text(SETTING_idp_account_claim)), 64);
        (void)snprintf(text, sizeof text, "idp_account_claim = %065d\n", 0);
        refused(text, "at most 64 bytes");
        assert_int_equal(load(((struct slice){ "jwt_issuer = a\0b\n", 17 })), -1);
}

TEST(what_cannot_be_read_is_refused) {
        struct buf text;

        assert_int_equal(settings_load("/", why), -1);
        buf_init(&text, 1u << 20);
        for (int i = 0; i < 40000; i++)
                buf_str(&text, "# comment\n");
        assert_int_equal(load(buf_view(&text)), -1);
        assert_non_null(strstr(why, "bytes"));
        buf_free(&text);
}

/* The printed example, with every commented-out setting switched on, must load and change nothing. */
TEST(the_example_is_a_valid_file_of_defaults) {
        int64_t before[SETTING_COUNT];
        char line[8192];
        FILE *out, *in;
        int saved;

        assert_int_equal(load(SLICE("")), 0);
        for (int i = 0; i < SETTING_COUNT; i++)
                before[i] = setting_int((enum setting)i);
        (void)fflush(stdout);
        saved = dup(1);
        assert_true(saved >= 0);
        assert_non_null(freopen(path, "w", stdout));
        settings_print_example();
        (void)fflush(stdout);
        assert_true(dup2(saved, 1) >= 0);
        (void)close(saved);

        struct buf text;
        int settings = 0;

        buf_init(&text, 1u << 20);
        in = fopen(path, "r");
        assert_non_null(in);
        while (fgets(line, sizeof line, in)) {
                bool setting = line[0] == '#' && line[1] != ' ';

                settings += setting;
                buf_str(&text, line + setting);
        }
        assert_int_equal(fclose(in), 0);
        assert_int_equal(settings, SETTING_COUNT);
        if (load(buf_view(&text)) != 0)
                fail_msg("%s", why);
        for (int i = 0; i < SETTING_COUNT; i++)
                assert_true(before[i] == setting_int((enum setting)i));
        assert_string_equal(setting_text(SETTING_cors_origins), "*");
        out = fopen(path, "w");
        assert_non_null(out);
        assert_int_equal(fclose(out), 0);
        buf_free(&text);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_missing_file_means_defaults),
                cmocka_unit_test(lines_set_values),
                cmocka_unit_test(loading_again_starts_from_the_defaults),
                cmocka_unit_test(a_refused_file_changes_nothing),
                cmocka_unit_test(refusals_name_file_line_and_what_is_allowed),
                cmocka_unit_test(texts_keep_to_their_bound),
                cmocka_unit_test(what_cannot_be_read_is_refused),
                cmocka_unit_test(the_example_is_a_valid_file_of_defaults),
        };

        return cmocka_run_group_tests(tests, setup, teardown);
}
