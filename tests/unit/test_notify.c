/* test_notify - the service manager hears us through one socket that was connected early. */
#include "unit.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "notify.h"

/* In a process of its own each: the module connects once. Prints go to the socket at `path`. */
static void in_child(const char *path, void (*act)(void)) {
        int status;
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                (void)setenv("NOTIFY_SOCKET", path, 1);
                act();
                _exit(getenv("NOTIFY_SOCKET") != NULL);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
}

static void say_ready(void) {
        notify_open();
        notify_send("READY=1\nSTATUS=%s", "serving");
}

static void hears(const char *path) {
        struct sockaddr_un at = { .sun_family = AF_UNIX };
        char got[600];
        int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
        size_t n = strlen(path);
        memcpy(at.sun_path, path, n);
        if (path[0] == '@')
                at.sun_path[0] = '\0';
        assert_true(bind(fd, (const struct sockaddr *)&at, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)) ==
                    0);
        in_child(path, say_ready);
        ssize_t len = recv(fd, got, sizeof got - 1, MSG_DONTWAIT);
        assert_true(len > 0);
        got[len] = '\0';
        assert_string_equal(got, "READY=1\nSTATUS=serving");
        (void)close(fd);
        if (path[0] == '/')
                (void)unlink(path);
}

TEST(a_socket_in_the_file_system) {
        char path[64];
        (void)snprintf(path, sizeof path, "/tmp/lifeos-notify-%d", (int)getpid());
        hears(path);
}

TEST(a_socket_in_the_abstract_namespace) {
        char path[64];
        (void)snprintf(path, sizeof path, "@lifeos-notify-%d", (int)getpid());
        hears(path);
}

static void say_to_nobody(void) {
        notify_open();
        notify_send("READY=1");
        (void)unsetenv("NOTIFY_SOCKET"); /* kept where it is no address at all */
}

TEST(addresses_that_are_none_are_survived) {
        static char long_path[300] = "/";
        memset(long_path + 1, 'x', sizeof long_path - 2);
        in_child("", say_to_nobody);
        in_child("/", say_to_nobody);
        in_child("relative", say_to_nobody);
        in_child("vsock:2:1234", say_to_nobody);
        in_child("/nowhere/at/all", say_to_nobody);
        in_child(long_path, say_to_nobody);
}

TEST(the_watchdog_is_fed_at_half_its_time) {
        char pid[16];
        (void)unsetenv("WATCHDOG_PID");
        (void)unsetenv("WATCHDOG_USEC");
        assert_true(notify_watchdog() < 1e-9);
        (void)setenv("WATCHDOG_USEC", "30000000", 1);
        assert_true(notify_watchdog() > 14.9 && notify_watchdog() < 15.1);
        (void)setenv("WATCHDOG_PID", "1", 1);
        assert_true(notify_watchdog() < 1e-9);
        (void)snprintf(pid, sizeof pid, "%d", (int)getpid());
        (void)setenv("WATCHDOG_PID", pid, 1);
        assert_true(notify_watchdog() > 14.9);
        (void)setenv("WATCHDOG_USEC", "soon", 1);
        assert_true(notify_watchdog() < 1e-9);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_socket_in_the_file_system),
                cmocka_unit_test(a_socket_in_the_abstract_namespace),
                cmocka_unit_test(addresses_that_are_none_are_survived),
                cmocka_unit_test(the_watchdog_is_fed_at_half_its_time),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
