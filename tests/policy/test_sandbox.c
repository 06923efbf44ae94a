/* test_sandbox - under each daemon's own policy, what it must never do kills it, and what libraries merely try fails. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox.h"

enum { RUNS = 0, DIES = -1 }; /* or the errno it fails with */

static int listener = -1, stream[2] = { -1, -1 };

/* Raw calls: nothing of glibc's stands between the probe and the filter. */
#define sys(...) (syscall(__VA_ARGS__) < 0 ? errno : 0)

static const struct sockaddr unspec = { .sa_family = AF_UNSPEC };
static const struct sockaddr_un nowhere = { .sun_family = AF_UNIX, .sun_path = "/nowhere/at/all" };
static char word[16] = "probe";

static int try_socket_inet(void) {
        return sys(SYS_socket, AF_INET, SOCK_STREAM, 0);
}
static int try_socket_inet6(void) {
        return sys(SYS_socket, AF_INET6, SOCK_STREAM, 0);
}
static int try_socket_packet(void) {
        return sys(SYS_socket, AF_PACKET, SOCK_RAW, 0);
}
static int try_socket_netlink(void) {
        return sys(SYS_socket, AF_NETLINK, SOCK_RAW, 0);
}
static int try_socket_unix(void) {
        return sys(SYS_socket, AF_UNIX, SOCK_STREAM, 0);
}
static int try_socketpair(void) {
        return sys(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, stream);
}
static int try_listener_reset(void) {
        return sys(SYS_connect, listener, &unspec, sizeof unspec);
}
static int try_connect(void) {
        return sys(SYS_connect, stream[0], &nowhere, sizeof nowhere) == ENOENT ? 0 : -1;
}
static int try_bind(void) {
        return sys(SYS_bind, stream[0], &nowhere, sizeof nowhere);
}
static int try_listen(void) {
        return sys(SYS_listen, listener, 1);
}
static int try_accept(void) {
        return sys(SYS_accept4, listener, NULL, NULL, SOCK_CLOEXEC) == EAGAIN ? 0 : -1;
}
static int try_send(void) {
        return sys(SYS_sendto, stream[0], word, 1, MSG_NOSIGNAL, NULL, 0);
}
static int try_send_address(void) {
        return sys(SYS_sendto, stream[0], word, 1, 0, &nowhere, sizeof nowhere);
}
static int try_recv(void) {
        return sys(SYS_recvfrom, stream[1], word, 1, MSG_DONTWAIT, NULL, NULL) == EAGAIN ? 0 : -1;
}
static int try_sendmsg(void) {
        return sys(SYS_sendmsg, stream[0], &(struct msghdr){ 0 }, 0);
}
static int try_sendmmsg(void) {
        return sys(SYS_sendmmsg, stream[0], NULL, 0, 0);
}
static int try_recvmsg(void) {
        return sys(SYS_recvmsg, stream[0], NULL, 0);
}
static int try_io_uring_setup(void) {
        return sys(SYS_io_uring_setup, 1, NULL);
}
static int try_io_uring_enter(void) {
        return sys(SYS_io_uring_enter, -1, 0, 0, 0, NULL, 0);
}
static int try_io_setup(void) {
        return sys(SYS_io_setup, 1, word);
}
static int try_execve(void) {
        return sys(SYS_execve, "/bin/true", NULL, NULL);
}
static int try_execveat(void) {
        return sys(SYS_execveat, -1, "/bin/true", NULL, NULL, 0);
}
static int try_fork(void) {
        return sys(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
}
static int try_clone3(void) {
        return sys(SYS_clone3, NULL, 0);
}
static int try_ptrace(void) {
        return sys(SYS_ptrace, 0, 0, NULL, NULL);
}
static int try_vm_write(void) {
        return sys(SYS_process_vm_writev, getpid(), NULL, 0, NULL, 0, 0);
}
static int try_open_read(void) {
        return sys(SYS_openat, AT_FDCWD, "/etc/hostname", O_RDONLY);
}
static int try_open_write(void) {
        return sys(SYS_openat, AT_FDCWD, "/tmp/x", O_WRONLY | O_CREAT, 0600);
}
static int try_open_handle(void) {
        return sys(SYS_open_by_handle_at, -1, NULL, 0);
}
static int try_openat2(void) {
        return sys(SYS_openat2, AT_FDCWD, "/etc/hostname", NULL, 0);
}
static int try_unlink(void) {
        return sys(SYS_unlinkat, AT_FDCWD, "/nowhere", 0);
}
static int try_rename(void) {
        return sys(SYS_renameat2, AT_FDCWD, "/nowhere", AT_FDCWD, "/nowhere2", 0);
}
static int try_mkdir(void) {
        return sys(SYS_mkdirat, AT_FDCWD, "/nowhere/x", 0700);
}
static int try_chmod(void) {
        return sys(SYS_fchmodat, AT_FDCWD, "/nowhere", 0700);
}
static int try_mount(void) {
        return sys(SYS_mount, NULL, NULL, NULL, 0, NULL);
}
static int try_unshare(void) {
        return sys(SYS_unshare, 0);
}
static int try_setns(void) {
        return sys(SYS_setns, -1, 0);
}
static int try_setuid(void) {
        return sys(SYS_setuid, getuid());
}
static int try_bpf(void) {
        return sys(SYS_bpf, 0, NULL, 0);
}
static int try_keyctl(void) {
        return sys(SYS_keyctl, 0);
}
static int try_userfaultfd(void) {
        return sys(SYS_userfaultfd, 0);
}
static int try_memfd(void) {
        return sys(SYS_memfd_create, "x", 0);
}
static int try_kill(void) {
        return sys(SYS_kill, getppid(), 0);
}
static int try_pidfd(void) {
        return sys(SYS_pidfd_open, getppid(), 0);
}
static int try_prlimit(void) {
        return sys(SYS_prlimit64, 0, RLIMIT_CORE, NULL, NULL);
}
static int try_dumpable(void) {
        return sys(SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0);
}
static int try_ioctl(void) {
        return sys(SYS_ioctl, stream[0], TIOCSTI, word);
}
static int try_exec_map(void) {
        return sys(SYS_mmap, NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}
static int try_exec_protect(void) {
        return sys(SYS_mprotect, word, 0, PROT_READ | PROT_EXEC);
}
static int try_exec_protect_key(void) {
        return sys(SYS_pkey_mprotect, word, 0, PROT_EXEC, -1);
}
static int try_map(void) {
        return sys(SYS_mmap, NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}
static int try_stat(void) {
        return sys(SYS_newfstatat, AT_FDCWD, "/etc/hostname", NULL, 0);
}
static int try_poll(void) {
        return sys(SYS_poll, NULL, 0, 0);
}
static int try_i386_exit(void) {
#ifdef __x86_64__
        long r;
        __asm__ volatile("int $0x80" : "=a"(r) : "a"(20L /* i386: getpid */) : "memory");
        return r < 0 ? (int)-r : 0;
#else
        return raise(SIGSYS); /* another architecture has no second table of calls */
#endif
}

struct probe {
        const char *what;
        int (*try)(void);
        int frontend, webhook, writer, issuer, ctl;
};

#define EVERYWHERE(result) result, result, result, result, result
static const struct probe probes[] = {
        /* what daemons live on */
        { "send on a connection", try_send, EVERYWHERE(RUNS) },
        { "receive on a connection", try_recv, EVERYWHERE(RUNS) },
        { "map memory", try_map, EVERYWHERE(RUNS) },
        { "accept", try_accept, RUNS, DIES, RUNS, RUNS, DIES },
        /* the ways out */
        { "internet socket", try_socket_inet, EVERYWHERE(DIES) },
        { "internet socket, version 6", try_socket_inet6, EVERYWHERE(DIES) },
        { "packet socket", try_socket_packet, EVERYWHERE(DIES) },
        { "netlink socket", try_socket_netlink, EVERYWHERE(DIES) },
        { "unix socket", try_socket_unix, DIES, RUNS, RUNS, DIES, RUNS },
        { "pair of sockets", try_socketpair, EVERYWHERE(DIES) },
        { "reset a passed listener", try_listener_reset, DIES, RUNS, RUNS, DIES, RUNS },
        { "connect", try_connect, DIES, RUNS, RUNS, DIES, RUNS },
        { "bind", try_bind, EVERYWHERE(DIES) },
        { "listen", try_listen, EVERYWHERE(DIES) },
        { "send to an address", try_send_address, EVERYWHERE(DIES) },
        { "sendmsg", try_sendmsg, EVERYWHERE(DIES) },
        { "sendmmsg", try_sendmmsg, EVERYWHERE(DIES) },
        { "receive descriptors", try_recvmsg, EVERYWHERE(DIES) },
        { "io_uring, set up", try_io_uring_setup, EVERYWHERE(DIES) },
        { "io_uring, enter", try_io_uring_enter, EVERYWHERE(DIES) },
        { "kernel aio", try_io_setup, EVERYWHERE(DIES) },
        /* other programs and processes */
        { "run a program", try_execve, EVERYWHERE(DIES) },
        { "run a program by descriptor", try_execveat, EVERYWHERE(DIES) },
        { "fork", try_fork, EVERYWHERE(DIES) },
        { "clone3", try_clone3, EVERYWHERE(DIES) },
        { "trace a process", try_ptrace, EVERYWHERE(DIES) },
        { "write into a process", try_vm_write, EVERYWHERE(DIES) },
        { "signal another process", try_kill, EVERYWHERE(DIES) },
        { "watch another process", try_pidfd, EVERYWHERE(DIES) },
        /* files */
        { "open a file", try_open_read, EVERYWHERE(ENOENT) },
        { "create a file", try_open_write, EVERYWHERE(ENOENT) },
        { "look at a file", try_stat, EVERYWHERE(ENOENT) },
        { "open by handle", try_open_handle, EVERYWHERE(DIES) },
        { "openat2", try_openat2, EVERYWHERE(DIES) },
        { "delete a file", try_unlink, EVERYWHERE(DIES) },
        { "rename a file", try_rename, EVERYWHERE(DIES) },
        { "make a directory", try_mkdir, EVERYWHERE(DIES) },
        { "change a mode", try_chmod, EVERYWHERE(DIES) },
        /* the kernel */
        { "mount", try_mount, EVERYWHERE(DIES) },
        { "unshare", try_unshare, EVERYWHERE(DIES) },
        { "enter a namespace", try_setns, EVERYWHERE(DIES) },
        { "become another user", try_setuid, EVERYWHERE(DIES) },
        { "bpf", try_bpf, EVERYWHERE(DIES) },
        { "keys", try_keyctl, EVERYWHERE(DIES) },
        { "userfaultfd", try_userfaultfd, EVERYWHERE(DIES) },
        { "anonymous file", try_memfd, EVERYWHERE(DIES) },
        { "limits", try_prlimit, EVERYWHERE(DIES) },
        { "core dumps on again", try_dumpable, EVERYWHERE(EPERM) },
        { "type into a terminal", try_ioctl, EVERYWHERE(DIES) },
        { "poll", try_poll, DIES, DIES, RUNS, DIES, DIES },
        { "calls by i386 numbers", try_i386_exit, EVERYWHERE(DIES) },
        /* code */
        { "executable memory", try_exec_map, EVERYWHERE(DIES) },
        { "make memory executable", try_exec_protect, EVERYWHERE(DIES) },
        { "make memory executable by key", try_exec_protect_key, EVERYWHERE(DIES) },
};

/* Fresh for every probe: some of them would spoil a shared listener, as a shared public one would be. */
static void open_sockets(void) {
        struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (listener < 0 || bind(listener, (const struct sockaddr *)&at, sizeof at) < 0 || listen(listener, 8) < 0 ||
            socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, stream) < 0)
                _exit(99);
}

/* What became of a process that enters the daemon's sandbox and tries. */
static int outcome(enum daemon_id id, int (*try)(void)) {
        int status;
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                const struct rlimit no_core = { 0, 0 };
                (void)setrlimit(RLIMIT_CORE, &no_core);
                open_sockets();
                sandbox_enter(id, false);
                (void)syscall(SYS_exit_group, try() & 0xff);
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
                const int want[] = { probes[i].frontend, probes[i].webhook, probes[i].writer, probes[i].issuer,
                                     probes[i].ctl };
                int got = outcome(id, probes[i].try);
                if (got == want[column])
                        continue;
                print_error("%s: %s, wanted %s\n", probes[i].what,
                            got == DIES   ? "died"
                            : got == RUNS ? "ran"
                                          : strerror(got),
                            want[column] == DIES   ? "death"
                            : want[column] == RUNS ? "it to run"
                                                   : strerror(want[column]));
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
                (void)syscall(SYS_exit_group, try_connect());
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
                cmocka_unit_test(the_sandbox_sets_no_new_privs),
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
