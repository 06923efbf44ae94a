/* test_daemon_args - the command line: defaults, every option, and refusals that say why with status 2. */
#include "unit.h"

#include <getopt.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon_args.h"

#define ARGS(...) ((char *[]){ program, __VA_ARGS__ })

static char program[] = "lifeos-writer", version[] = "--version", help[] = "--help", config[] = "--config",
            file[] = "/tmp/x.conf", runtime[] = "--runtime=/tmp/run", instance[] = "--instance", three[] = "3",
            zero[] = "0", many[] = "65", junk[] = "--color", word[] = "word", trap[] = "--sandbox=trap",
            off[] = "--sandbox=off";

/* Parsing exits for some: in a process of its own. 100: it returned. */
static int ends_with(int argc, char **argv) {
        int status;
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                struct daemon_args a;
                optind = 0; /* getopt_long() starts over */
                assert_non_null(freopen("/dev/null", "w", stdout));
                assert_non_null(freopen("/dev/null", "w", stderr));
                daemon_args_parse(WRITER, argc, argv, &a);
                _exit(100);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        return WEXITSTATUS(status);
}

TEST(defaults_are_the_installed_places) {
        struct daemon_args a;
        optind = 0;
        daemon_args_parse(WRITER, 1, ARGS(NULL), &a);
        assert_string_equal(a.config, "/etc/lifeos/gateway.conf");
        assert_string_equal(a.runtime, "/run/lifeos");
        assert_int_equal(a.instance, 1);
        assert_false(a.trap);
}

TEST(every_option_is_taken) {
        struct daemon_args a;
        optind = 0;
        daemon_args_parse(WRITER, 6, ARGS(config, file, runtime, instance, three, NULL), &a);
        assert_string_equal(a.config, "/tmp/x.conf");
        assert_string_equal(a.runtime, "/tmp/run");
        assert_int_equal(a.instance, 3);
}

TEST(version_and_help_succeed) {
        assert_int_equal(ends_with(2, ARGS(version, NULL)), 0);
        assert_int_equal(ends_with(2, ARGS(help, NULL)), 0);
}

TEST(what_is_not_understood_is_refused) {
        assert_int_equal(ends_with(2, ARGS(junk, NULL)), 2);
        assert_int_equal(ends_with(2, ARGS(word, NULL)), 2);
        assert_int_equal(ends_with(2, ARGS(instance, NULL)), 2);
        assert_int_equal(ends_with(3, ARGS(instance, zero, NULL)), 2);
        assert_int_equal(ends_with(3, ARGS(instance, many, NULL)), 2);
        assert_int_equal(ends_with(3, ARGS(instance, word, NULL)), 2);
        assert_int_equal(ends_with(2, ARGS(off, NULL)), 2); /* there is no off */
}

TEST(the_trap_is_for_debug_builds) {
#ifdef NDEBUG
        assert_int_equal(ends_with(2, ARGS(trap, NULL)), 2);
#else
        assert_int_equal(ends_with(2, ARGS(trap, NULL)), 100);
#endif
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(defaults_are_the_installed_places),
                cmocka_unit_test(every_option_is_taken),
                cmocka_unit_test(version_and_help_succeed),
                cmocka_unit_test(what_is_not_understood_is_refused),
                cmocka_unit_test(the_trap_is_for_debug_builds),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
