/* test_options.c - lifeosctl's command line: every option is known, has its value, and nothing is quietly ignored. */
#include "ctl.h"

#include "unit.h"

static const struct command command = { .words = "try", .args = "[--name N] [--flag] [THING]" };

static struct {
        const char *name, *thing;
        bool flag;
        int n;
} got;

/* The words of a line, as main() would get them; they stay writable until the next line. */
static int words(const char *line, char *argv[static 8]) {
        static char text[128];
        int n = 0;

        snprintf(text, sizeof text, "%s", line);
        for (char *rest = NULL, *word = strtok_r(text, " ", &rest); word && n < 8; word = strtok_r(NULL, " ", &rest))
                argv[n++] = word;
        return n;
}

static int run(const char *line) {
        const struct ctl ctl = { .command = &command };
        const struct option_row rows[] = { { "--name", &got.name, NULL }, { "--flag", NULL, &got.flag } };
        char *argv[8];
        int argc = words(line, argv);

        memset(&got, 0, sizeof got);
        return ctl_options(&ctl, argc, argv, rows, COUNT(rows), &got.thing, 1, &got.n);
}

TEST(options_and_arguments_come_in_any_order) {
        assert_int_equal(run("--name a x --flag"), CTL_DONE);
        assert_string_equal(got.name, "a");
        assert_string_equal(got.thing, "x");
        assert_true(got.flag);
        assert_int_equal(got.n, 1);
        assert_int_equal(run("x --name=a=b"), CTL_DONE);
        assert_string_equal(got.name, "a=b");
        assert_false(got.flag);
        assert_int_equal(run("--name="), CTL_DONE);
        assert_string_equal(got.name, "");
        assert_int_equal(got.n, 0);
        assert_int_equal(run("--name --flag"), CTL_DONE); /* a value may look like anything */
        assert_string_equal(got.name, "--flag");
        assert_false(got.flag);
}

TEST(what_is_not_understood_is_said_and_nothing_is_done) {
        assert_int_equal(run("--other"), CTL_USAGE);
        assert_int_equal(run("--nam a"), CTL_USAGE);
        assert_int_equal(run("--names a"), CTL_USAGE);
        assert_int_equal(run("--flag=yes"), CTL_USAGE);
        assert_int_equal(run("--name"), CTL_USAGE);
        assert_int_equal(run("x y"), CTL_USAGE);
        assert_int_equal(run("--"), CTL_USAGE);
}

TEST(options_of_every_command_are_taken_out_wherever_they_stand) {
        struct ctl ctl = { .runtime = "r", .keys = "k", .config = "c" };
        char *argv[8];
        int argc = words("--keys K token --runtime=R --user u", argv);

        assert_int_equal(ctl_global_options(&ctl, argc, argv), 3);
        assert_string_equal(ctl.keys, "K");
        assert_string_equal(ctl.runtime, "R");
        assert_string_equal(ctl.config, "c");
        assert_string_equal(argv[0], "token");
        assert_string_equal(argv[1], "--user");
        assert_string_equal(argv[2], "u");
        argc = words("token --config", argv);
        assert_int_equal(ctl_global_options(&ctl, argc, argv), -1);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(options_and_arguments_come_in_any_order),
                cmocka_unit_test(what_is_not_understood_is_said_and_nothing_is_done),
                cmocka_unit_test(options_of_every_command_are_taken_out_wherever_they_stand),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
