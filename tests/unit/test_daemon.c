/* test_daemon - a real daemon's life, from its arguments to its exit status, as the service manager sees it. */
#include "peer_rig.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>

#include "daemon.h"
#include "log.h"

static char dir[64], notify_path[108], config_path[108];
static int manager = -1;
static pid_t pid;

/* ---- the daemon under test: an issuer that answers everything with {} ---- */

static bool wait_for_go, never_done;
static enum { STAYS, LEAVES_DONE, LEAVES_FAILED, LEAVES_AT_ONCE } leaving;
static unsigned drains;
static ev_timer go;

static void request(void *arg, struct request *r) {
        (void)arg;
        channel_reply(r, STATUS_OK, (struct slice){ 0 }, SLICE("{}"));
}

static void on_go(struct ev_loop *l, ev_timer *w, int revents) {
        (void)l;
        (void)revents;
        daemon_ready(w->data, true, "has what it waited for");
}

static void on_leave(struct ev_loop *l, ev_timer *w, int revents) {
        (void)l;
        (void)revents;
        daemon_leave(w->data, leaving != LEAVES_FAILED);
}

static void d_open(struct daemon *d) {
        int fds[4];
        if (d->hub == NULL || d->ring.sign.p == NULL || daemon_sockets("http", fds, 4) != 1 ||
            daemon_sockets("none", fds, 4) != 0 || (fcntl(fds[0], F_GETFL) & O_NONBLOCK) == 0 ||
            (fcntl(fds[0], F_GETFD) & FD_CLOEXEC) == 0)
                die("open() comes before what it needs");
}

static void d_connect(struct daemon *d) {
        char path[108];
        daemon_peer_path(d, FRONTEND, 2, path);
        if (strncmp(path, dir, strlen(dir)) != 0 || strcmp(path + strlen(dir), "/frontend/2.sock") != 0)
                die("wrong path %s", path);
        if (leaving == LEAVES_AT_ONCE)
                daemon_leave(d, true);
        if (leaving != STAYS) {
                ev_timer_init(&go, on_leave, 0.05, 0.);
                go.data = d;
                ev_timer_start(d->loop, &go);
        }
        if (!wait_for_go)
                return;
        daemon_ready(d, false, "waits for something");
        ev_timer_init(&go, on_go, 0.2, 0.);
        go.data = d;
        ev_timer_start(d->loop, &go);
}

static bool d_drain(struct daemon *d) {
        (void)d;
        return ++drains >= 3 && !never_done;
}

static const struct channel_events events = { .request = request };
static struct daemon_def def = { .id = ISSUER,
                                 .events = &events,
                                 .limits = { 1 << 20, 100 },
                                 .open = d_open,
                                 .connect = d_connect,
                                 .drain = d_drain };

/* ---- its world ---- */

static void put(const char *name, const char *text) {
        char path[200];
        (void)snprintf(path, sizeof path, "%s/%s", dir, name);
        FILE *f = fopen(path, "w");
        assert_non_null(f);
        assert_true(fputs(text, f) >= 0);
        assert_int_equal(fclose(f), 0);
}

static void put_keys(void) {
        char line[200], hex[65];
        text_hex(rig_seed[ISSUER], 32, hex);
        put("peer-key", hex);
        text_hex(rig_public[CTL], 32, hex);
        (void)snprintf(line, sizeof line, "ctl %u %s\n", (unsigned)getuid(), hex);
        put("peers", line);
}

static int setup(void **state) {
        struct sockaddr_un at = { .sun_family = AF_UNIX };
        (void)state;
        rig_start();
        memcpy(dir, rig_dir, sizeof dir);
        wait_for_go = never_done = false;
        def.idle_exit_seconds = 0;
        def.one_shot = false;
        leaving = STAYS;
        put_keys();
        put("conf", "# nothing set\n");
        (void)snprintf(config_path, sizeof config_path, "%s/conf", dir);
        (void)snprintf(notify_path, sizeof notify_path, "%s/notify", dir);
        memcpy(at.sun_path, notify_path, sizeof notify_path);
        manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        return bind(manager, (const struct sockaddr *)&at, sizeof at);
}

static int teardown(void **state) {
        static const char *const names[] = { "peer-key", "peers", "conf", "notify" };
        char path[200];
        (void)state;
        for (size_t i = 0; i < COUNT(names); i++) {
                (void)snprintf(path, sizeof path, "%s/%s", dir, names[i]);
                (void)unlink(path);
        }
        (void)close(manager);
        rig_stop();
        return 0;
}

static int listen_at(enum daemon_id kind) {
        struct sockaddr_un to = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        rig_path(to.sun_path, kind);
        (void)unlink(to.sun_path);
        assert_true(fd >= 0 && bind(fd, (const struct sockaddr *)&to, sizeof to) == 0 && listen(fd, 8) == 0);
        return fd;
}

/* As systemd would: sockets from 3 on, their names, the credentials, the notify socket. */
static void start(void) {
        char self[16], runtime[] = "--runtime", config[] = "--config", program[] = "lifeos-issuer";
        int peer = listen_at(ISSUER), http = listen_at(FRONTEND);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                int high = fcntl(peer, F_DUPFD, 20), high2 = fcntl(http, F_DUPFD, 20);
                (void)dup2(high, 3);
                (void)dup2(high2, 4);
                (void)snprintf(self, sizeof self, "%d", (int)getpid());
                (void)setenv("LISTEN_PID", self, 1);
                (void)setenv("LISTEN_FDS", "2", 1);
                (void)setenv("LISTEN_FDNAMES", "peer:http", 1);
                (void)setenv("CREDENTIALS_DIRECTORY", dir, 1);
                (void)setenv("NOTIFY_SOCKET", notify_path, 1);
                (void)setenv("WATCHDOG_USEC", "100000", 1);
                char *argv[] = { program, config, config_path, runtime, dir, NULL };
                exit(daemon_main(&def, 5, argv));
        }
        (void)close(peer);
        (void)close(http);
}

/* Waits for a notification that contains the words; one that contains the others must not come before it. */
static void told_before(const char *words, const char *others) {
        int64_t end = text_mono_micros() + 10000000;
        while (text_mono_micros() < end) {
                char got[600];
                struct pollfd p = { .fd = manager, .events = POLLIN };
                if (poll(&p, 1, 100) != 1)
                        continue;
                ssize_t n = recv(manager, got, sizeof got - 1, 0);
                got[n > 0 ? n : 0] = '\0';
                if (strstr(got, words) != NULL)
                        return;
                if (others != NULL && strstr(got, others) != NULL)
                        fail_msg("told %s before %s", others, words);
        }
        fail_msg("never told %s", words);
}

static void told(const char *words) {
        told_before(words, NULL);
}

static int exit_status(void) {
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (WIFSIGNALED(status))
                fail_msg("killed by signal %d", WTERMSIG(status));
        return WEXITSTATUS(status);
}

static void stop_and_expect_success(void) {
        assert_int_equal(kill(pid, SIGTERM), 0);
        told("STOPPING=1");
        assert_int_equal(exit_status(), 0);
}

/* ---- promises ---- */

TEST(it_gets_ready_feeds_the_watchdog_and_stops) {
        start();
        told("READY=1");
        told("WATCHDOG=1");
        told("WATCHDOG=1");
        stop_and_expect_success();
}

TEST(it_serves_the_socket_named_peer) {
        struct side *ctl = side_new(CTL, 0);
        struct heard h = { 0 };
        struct op_token_issue m = { 0 };
        start();
        side_up(ctl);
        struct channel *c = side_dial(ctl, ISSUER, 1);
        OP_SET(token_issue, &m, user_id, SLICE("ann"));
        OP_SET(token_issue, &m, account_id, SLICE("acme"));
        OP_SET(token_issue, &m, role, SLICE("owner"));
        OP_SET(token_issue, &m, ttl_seconds, 60);
        assert_int_equal(channel_call(c, OP_token_issue, &m, 8000, hear, &h), STATUS_OK);
        until(h.n == 1);
        assert_int_equal(h.status, STATUS_OK);
        side_free(ctl);
        stop_and_expect_success();
}

TEST(readiness_waits_for_the_daemon_and_says_for_what) {
        wait_for_go = true;
        start();
        told_before("STATUS=waits for something", "READY=1");
        told("READY=1\nSTATUS=has what it waited for");
        stop_and_expect_success();
}

TEST(it_hides_its_memory_and_is_sandboxed) {
        char path[64], line[128];
        bool filtered = false, no_core = false;
        start();
        told("READY=1");
        (void)snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
        FILE *f = fopen(path, "r");
        while (f != NULL && fgets(line, sizeof line, f) != NULL)
                filtered = filtered || strcmp(line, "Seccomp:\t2\n") == 0;
        (void)snprintf(path, sizeof path, "/proc/%d/limits", (int)pid);
        FILE *g = fopen(path, "r");
        while (g != NULL && fgets(line, sizeof line, g) != NULL)
                no_core = no_core || (strncmp(line, "Max core file size", 18) == 0 && strstr(line, " 0  ") != NULL);
        if (f != NULL)
                (void)fclose(f);
        if (g != NULL)
                (void)fclose(g);
        assert_true(no_core || g == NULL); /* an undumpable process' limits are for root */
#ifndef LIFEOS_SANITIZED
        assert_true(filtered);
#endif
        stop_and_expect_success();
}

TEST(a_socket_activated_helper_leaves_when_nobody_asks) {
        def.idle_exit_seconds = 1;
        start();
        told("READY=1");
        assert_int_equal(exit_status(), 0);
}

TEST(a_one_shot_leaves_when_its_work_is_done_and_says_whether_it_could) {
        static const int wants[] = { [LEAVES_DONE] = 0, [LEAVES_FAILED] = 1, [LEAVES_AT_ONCE] = 0 };
        def.one_shot = true;
        for (leaving = LEAVES_DONE; leaving <= LEAVES_AT_ONCE; leaving++) {
                start();
                assert_int_equal(exit_status(), wants[leaving]);
        }
}

TEST(draining_ends_after_ten_seconds_at_the_latest) {
        int64_t began;
        never_done = true;
        start();
        told("READY=1");
        began = text_mono_micros();
        assert_int_equal(kill(pid, SIGTERM), 0);
        assert_int_equal(exit_status(), 0);
        assert_in_range((text_mono_micros() - began) / 1000, 9000, 14000);
}

TEST(a_wrong_setting_is_fatal) {
        put("conf", "no_such_setting = 1\n");
        start();
        assert_int_equal(exit_status(), 1);
}

TEST(missing_keys_are_fatal) {
        char path[200];
        (void)snprintf(path, sizeof path, "%s/peer-key", dir);
        (void)unlink(path);
        start();
        assert_int_equal(exit_status(), 1);
}

int main(void) {
        const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
                T(it_gets_ready_feeds_the_watchdog_and_stops),
                T(it_serves_the_socket_named_peer),
                T(readiness_waits_for_the_daemon_and_says_for_what),
                T(it_hides_its_memory_and_is_sandboxed),
                T(a_socket_activated_helper_leaves_when_nobody_asks),
                T(a_one_shot_leaves_when_its_work_is_done_and_says_whether_it_could),
                T(draining_ends_after_ten_seconds_at_the_latest),
                T(a_wrong_setting_is_fatal),
                T(missing_keys_are_fatal),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
