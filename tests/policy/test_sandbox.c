/* test_sandbox - under each daemon's own policy, what it must never do kills it; what libraries merely try fails. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sodium.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cred.h"
#include "sandbox.h"

enum { RUNS = 0, DIES = -1 }; /* or the errno it fails with */

/* Arguments that stand for something that exists at run time only. */
enum { LISTENER = -2000, STREAM, OTHER_END, WORD, NOWHERE, UNSPEC, HOSTNAME, SELF, PARENT };

struct probe {
        const char *what;
        long call, arg[6];
        int frontend, webhook, writer, issuer, ctl, reconcile, openclaw;
};

#define EVERYWHERE(result) result, result, result, result, result, result, result
#define NEVER_BUT_OPENCLAW DIES, DIES, DIES, DIES, DIES, DIES, RUNS
#define ANONYMOUS          (MAP_PRIVATE | MAP_ANONYMOUS)

/* clang-format off */
static const struct probe probes[] = {
        /* what daemons live on */
        { "send on a connection", SYS_sendto, { STREAM, WORD, 1, MSG_NOSIGNAL }, EVERYWHERE(RUNS) },
        { "receive on a connection", SYS_recvfrom, { OTHER_END, WORD, 1, MSG_DONTWAIT }, EVERYWHERE(RUNS) },
        { "map memory", SYS_mmap, { 0, 4096, PROT_READ | PROT_WRITE, ANONYMOUS, -1 }, EVERYWHERE(RUNS) },
        { "accept", SYS_accept4, { LISTENER, 0, 0, SOCK_CLOEXEC }, RUNS, DIES, RUNS, RUNS, DIES, DIES, DIES },
        /* the ways out */
        { "internet socket", SYS_socket, { AF_INET, SOCK_STREAM }, NEVER_BUT_OPENCLAW },
        { "internet socket, version 6", SYS_socket, { AF_INET6, SOCK_STREAM }, NEVER_BUT_OPENCLAW },
        { "packet socket", SYS_socket, { AF_PACKET, SOCK_RAW }, EVERYWHERE(DIES) },
        { "netlink socket", SYS_socket, { AF_NETLINK, SOCK_RAW }, EVERYWHERE(DIES) },
        { "unix socket", SYS_socket, { AF_UNIX, SOCK_STREAM }, DIES, RUNS, RUNS, DIES, RUNS, RUNS, RUNS },
        { "pair of sockets", SYS_socketpair, { AF_UNIX, SOCK_STREAM, 0, WORD }, EVERYWHERE(DIES) },
        { "reset a passed listener", SYS_connect, { LISTENER, UNSPEC, sizeof(struct sockaddr) },
          DIES, RUNS, RUNS, DIES, RUNS, RUNS, RUNS },
        { "connect", SYS_connect, { STREAM, NOWHERE, sizeof(struct sockaddr_un) },
          DIES, RUNS, RUNS, DIES, RUNS, RUNS, RUNS },
        { "bind", SYS_bind, { STREAM, NOWHERE, sizeof(struct sockaddr_un) }, EVERYWHERE(DIES) },
        { "listen", SYS_listen, { LISTENER, 1 }, EVERYWHERE(DIES) },
        { "send to an address", SYS_sendto, { STREAM, WORD, 1, 0, NOWHERE, sizeof(struct sockaddr_un) },
          EVERYWHERE(DIES) },
        { "sendmsg", SYS_sendmsg, { STREAM, WORD }, EVERYWHERE(DIES) },
        { "sendmmsg", SYS_sendmmsg, { STREAM, WORD, 0 }, EVERYWHERE(DIES) },
        { "receive descriptors", SYS_recvmsg, { STREAM, WORD }, EVERYWHERE(DIES) },
        { "io_uring, set up", SYS_io_uring_setup, { 1, WORD }, EVERYWHERE(DIES) },
        { "io_uring, enter", SYS_io_uring_enter, { -1 }, EVERYWHERE(DIES) },
        { "kernel aio", SYS_io_setup, { 1, WORD }, EVERYWHERE(DIES) },
        /* other programs and processes */
        { "run a program", SYS_execve, { HOSTNAME }, EVERYWHERE(DIES) },
        { "run a program by descriptor", SYS_execveat, { -1, HOSTNAME }, EVERYWHERE(DIES) },
        { "fork", SYS_clone, { SIGCHLD }, EVERYWHERE(DIES) },
        { "clone3", SYS_clone3, { 0, 0 }, EVERYWHERE(DIES) },
        { "trace a process", SYS_ptrace, { 0 }, EVERYWHERE(DIES) },
        { "read a process' memory", SYS_process_vm_readv, { SELF }, EVERYWHERE(DIES) },
        { "write a process' memory", SYS_process_vm_writev, { SELF }, EVERYWHERE(DIES) },
        { "signal another process", SYS_kill, { PARENT, 0 }, EVERYWHERE(DIES) },
        { "watch another process", SYS_pidfd_open, { PARENT }, EVERYWHERE(DIES) },
        { "take its descriptors", SYS_pidfd_getfd, { -1, 0 }, EVERYWHERE(DIES) },
        /* files */
        { "open a file", SYS_openat, { AT_FDCWD, HOSTNAME, O_RDONLY }, EVERYWHERE(ENOENT) },
        { "create a file", SYS_openat, { AT_FDCWD, NOWHERE, O_WRONLY | O_CREAT, 0600 }, EVERYWHERE(ENOENT) },
        { "look at a file", SYS_newfstatat, { AT_FDCWD, HOSTNAME, 0 }, EVERYWHERE(ENOENT) },
        { "open, the old call", SYS_open, { HOSTNAME, O_RDONLY }, EVERYWHERE(DIES) },
        { "open by handle", SYS_open_by_handle_at, { -1 }, EVERYWHERE(DIES) },
        { "openat2", SYS_openat2, { AT_FDCWD, HOSTNAME }, EVERYWHERE(DIES) },
        { "delete a file", SYS_unlinkat, { AT_FDCWD, NOWHERE }, EVERYWHERE(DIES) },
        { "rename a file", SYS_renameat2, { AT_FDCWD, NOWHERE, AT_FDCWD, NOWHERE }, EVERYWHERE(DIES) },
        { "make a directory", SYS_mkdirat, { AT_FDCWD, NOWHERE, 0700 }, EVERYWHERE(DIES) },
        { "change a mode", SYS_fchmodat, { AT_FDCWD, NOWHERE, 0700 }, EVERYWHERE(DIES) },
        /* the kernel */
        { "mount", SYS_mount, { 0 }, EVERYWHERE(DIES) },
        { "unshare", SYS_unshare, { 0 }, EVERYWHERE(DIES) },
        { "enter a namespace", SYS_setns, { -1 }, EVERYWHERE(DIES) },
        { "become another user", SYS_setuid, { 0 }, EVERYWHERE(DIES) },
        { "bpf", SYS_bpf, { 0 }, EVERYWHERE(DIES) },
        { "keys", SYS_keyctl, { 0 }, EVERYWHERE(DIES) },
        { "userfaultfd", SYS_userfaultfd, { 0 }, EVERYWHERE(DIES) },
        { "anonymous file", SYS_memfd_create, { WORD }, EVERYWHERE(DIES) },
        { "limits", SYS_prlimit64, { 0, RLIMIT_CORE }, EVERYWHERE(DIES) },
        { "core dumps on again", SYS_prctl, { PR_SET_DUMPABLE, 1 }, EVERYWHERE(EPERM) },
        { "type into a terminal", SYS_ioctl, { STREAM, TIOCSTI, WORD }, EVERYWHERE(DIES) },
        { "poll", SYS_poll, { 0, 0, 0 }, DIES, DIES, RUNS, DIES, DIES, DIES, RUNS },
        /* code */
        { "executable memory", SYS_mmap, { 0, 4096, PROT_READ | PROT_EXEC, ANONYMOUS, -1 }, EVERYWHERE(DIES) },
        { "make memory executable", SYS_mprotect, { 0, 0, PROT_READ | PROT_EXEC }, EVERYWHERE(DIES) },
        { "make memory executable by key", SYS_pkey_mprotect, { 0, 0, PROT_EXEC, -1 }, EVERYWHERE(DIES) },
};
/* clang-format on */

static int listener, stream[2];

/* Fresh for every probe: some of them would spoil a shared listener, as a shared public one would be. */
static void open_sockets(void) {
        struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (listener < 0 || bind(listener, (const struct sockaddr *)&at, sizeof at) < 0 || listen(listener, 8) < 0 ||
            socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, stream) < 0)
                _exit(99);
}

static long value(long arg) {
        static const struct sockaddr unspec = { .sa_family = AF_UNSPEC };
        static const struct sockaddr_un nowhere = { .sun_family = AF_UNIX, .sun_path = "/nowhere/at/all" };
        static char word[512] = "probe";
        switch (arg) {
        case LISTENER:
                return listener;
        case STREAM:
                return stream[0];
        case OTHER_END:
                return stream[1];
        case WORD:
                return (long)word;
        case NOWHERE:
                return (long)&nowhere;
        case UNSPEC:
                return (long)&unspec;
        case HOSTNAME:
                return (long)"/etc/hostname";
        case SELF:
                return getpid();
        case PARENT:
                return getppid();
        default:
                return arg;
        }
}

/* What becomes of a process that enters the daemon's sandbox and makes the call; nothing of glibc's is in between. */
static int outcome(enum daemon_id id, const struct probe *p) {
        int status;
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                const struct rlimit no_core = { 0, 0 };
                long a[6];
                (void)setrlimit(RLIMIT_CORE, &no_core);
                open_sockets();
                for (size_t i = 0; i < 6; i++)
                        a[i] = value(p->arg[i]);
                sandbox_enter(id, false);
                long r = syscall(p->call, a[0], a[1], a[2], a[3], a[4], a[5]);
                (void)syscall(SYS_exit_group, r < 0 ? errno : 0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
                return DIES;
        assert_true(WIFEXITED(status));
        return WEXITSTATUS(status);
}

static void walls_of(enum daemon_id id, size_t column) {
        unsigned wrong = 0;
        for (size_t i = 0; i < COUNT(probes); i++) {
                const struct probe *p = &probes[i];
                const int wants[] = {
                        p->frontend, p->webhook, p->writer, p->issuer, p->ctl, p->reconcile, p->openclaw
                };
                int want = wants[column], got = outcome(id, p);
                /* What may run may still fail for reasons of its own, but not because the policy says so. */
                if (got == want || (want == RUNS && got != DIES && got != EPERM && got != ENOSYS))
                        continue;
                print_error("%s: result %d, wanted %d (-1: killed, else errno)\n", p->what, got, want);
                wrong++;
        }
        assert_int_equal(wrong, 0);
}

TEST(the_frontend_reaches_nothing) {
        walls_of(FRONTEND, 0);
}
TEST(the_webhook_daemon_reaches_unix_sockets_only) {
        walls_of(WEBHOOK, 1);
}
TEST(the_writer_reaches_unix_sockets_only) {
        walls_of(WRITER, 2);
}
TEST(the_issuer_reaches_nothing) {
        walls_of(ISSUER, 3);
}
TEST(lifeosctl_reaches_unix_sockets_only) {
        walls_of(CTL, 4);
}
TEST(the_sweep_reaches_unix_sockets_only) {
        walls_of(RECONCILE, 5);
}
TEST(the_openclaw_daemon_dials_and_never_listens) {
        walls_of(OPENCLAW, 6);
}

static int by_value(const void *a, const void *b) {
        const int *x = a, *y = b;
        return (*x > *y) - (*x < *y);
}

/* What glibc and libsodium do behind ordinary calls: large blocks, a sort that asks for memory, locked pages. */
static void live(void) {
        const size_t n = 200000;
        int *list = malloc(n * sizeof *list);
        unsigned char *secret = sodium_malloc(64), public[32];
        char line[64];
        if (list == NULL || secret == NULL)
                _exit(1);
        for (size_t i = 0; i < n; i++)
                list[i] = (int)randombytes_uniform(1000000);
        qsort(list, n, sizeof *list, by_value);
        list = realloc(list, 20 * n * sizeof *list);
        free(list);
        (void)crypto_sign_keypair(public, secret);
        sodium_free(secret);
        (void)snprintf(line, sizeof line, "%lld %.3f", (long long)text_now_micros(), 1.5);
        (void)fprintf(stderr, "%s", "");
        (void)syscall(SYS_exit_group, 0);
}

TEST(what_libraries_live_on_runs_everywhere) {
        assert_true(sodium_init() >= 0);
        for (unsigned id = 1; id < DAEMON_COUNT; id++) {
                int status;
                pid_t pid = fork();
                assert_true(pid >= 0);
                if (pid == 0) {
                        sandbox_enter((enum daemon_id)id, false);
                        live();
                }
                assert_int_equal(waitpid(pid, &status, 0), pid);
                if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
                        fail_msg("%s ended with %#x", cred_kind_name((enum daemon_id)id), (unsigned)status);
        }
}

#ifdef __x86_64__
/* The kernel has a second table of calls with other numbers; a filter that forgot it would be no wall. */
TEST(calls_by_i386_numbers_die) {
        int status;
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                long r = 20; /* there: getpid */
                sandbox_enter(FRONTEND, false);
                __asm__ volatile("int $0x80" : "+a"(r) : : "memory");
                (void)syscall(SYS_exit_group, 0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status));
        assert_true(WTERMSIG(status) == SIGSYS || WTERMSIG(status) == SIGSEGV); /* or this kernel has none */
}
#endif

/* Without it, a set-user-id program would be a way around the filter. */
TEST(the_sandbox_sets_no_new_privs) {
        int status;
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                char line[64];
                int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
                FILE *f = fdopen(fd, "r");
                bool set = false;
                sandbox_enter(ISSUER, false);
                while (f != NULL && fgets(line, sizeof line, f) != NULL)
                        set = set || strncmp(line, "NoNewPrivs:\t1", 13) == 0;
                (void)syscall(SYS_exit_group, set ? 0 : 1);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

#ifndef NDEBUG
TEST(the_trap_names_the_call_and_exits) {
        int out[2], status;
        char said[256] = "";
        assert_int_equal(pipe2(out, O_CLOEXEC), 0);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                (void)dup2(out[1], STDERR_FILENO);
                sandbox_enter(FRONTEND, true);
                (void)syscall(SYS_exit_group, syscall(SYS_connect, -1, NULL, 0));
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), EXIT_FAILURE);
        assert_true(read(out[0], said, sizeof said - 1) > 0);
        assert_non_null(strstr(said, "connect"));
        assert_non_null(strstr(said, "frontend"));
        (void)close(out[0]);
        (void)close(out[1]);
}
#endif

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_frontend_reaches_nothing),
                cmocka_unit_test(the_webhook_daemon_reaches_unix_sockets_only),
                cmocka_unit_test(the_writer_reaches_unix_sockets_only),
                cmocka_unit_test(the_issuer_reaches_nothing),
                cmocka_unit_test(lifeosctl_reaches_unix_sockets_only),
                cmocka_unit_test(the_sweep_reaches_unix_sockets_only),
                cmocka_unit_test(the_openclaw_daemon_dials_and_never_listens),
                cmocka_unit_test(what_libraries_live_on_runs_everywhere),
                cmocka_unit_test(the_sandbox_sets_no_new_privs),
#ifdef __x86_64__
                cmocka_unit_test(calls_by_i386_numbers_die),
#endif
#ifndef NDEBUG
                cmocka_unit_test(the_trap_names_the_call_and_exits),
#endif
        };
#ifdef LIFEOS_SANITIZED
        (void)tests;
        (void)fputs("skipped: sanitizer builds have no sandbox\n", stderr);
        return 77;
#else
        return cmocka_run_group_tests(tests, NULL, NULL);
#endif
}
