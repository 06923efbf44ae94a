/* inject - makes a system call inside a running process, as an attacker who owns its memory would.
 *
 *   inject PID ATTACK      ATTACK names a row below; fd 3 is taken for a passed listening socket
 *   inject --list
 *
 * Exit status 0: the wall held (the kernel killed the process, or refused the call before it began). 1: the call ran.
 * 2: the attack could not be made. x86-64; needs the right to trace the process. The process does not survive.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define STACK (~0UL) /* an argument that stands for the address of the bytes in `memory` */

struct attack {
        const char *name;
        long call;
        unsigned long args[6];
        const char *memory; /* 16 bytes put on the process' stack */
        const char *what;
        int deny; /* the errno of its DENY row, if the policy has one */
};

/* sockaddr_in of 127.0.0.1:9 and of family AF_UNSPEC; a unix path; all little-endian. */
#define IN4    "\2\0\0\11\177\0\0\1\0\0\0\0\0\0\0"
#define UNSPEC "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
#define SHELL  "/bin/sh\0\0\0\0\0\0\0\0"

static const struct attack attacks[] = {
        { "socket-inet", SYS_socket, { AF_INET, SOCK_STREAM, 0 }, UNSPEC, "open an internet socket", 0 },
        { "socket-unix", SYS_socket, { AF_UNIX, SOCK_STREAM, 0 }, UNSPEC, "open a unix socket", 0 },
        { "listener-reset",
          SYS_connect,
          { 3, STACK, 16 },
          UNSPEC,
          "reset a passed listener with connect(AF_UNSPEC)",
          0 },
        { "listener-dial", SYS_connect, { 3, STACK, 16 }, IN4, "dial out on a passed listener", 0 },
        { "sendto-address", SYS_sendto, { 3, STACK, 1, 0, STACK, 16 }, IN4, "send to an address", 0 },
        { "sendmsg", SYS_sendmsg, { 3, STACK, 0 }, UNSPEC, "send a message with an address or descriptors", 0 },
        { "bind", SYS_bind, { 3, STACK, 16 }, IN4, "bind another address", 0 },
        { "listen", SYS_listen, { 3, 1 }, UNSPEC, "listen", 0 },
        { "io_uring", SYS_io_uring_setup, { 1, STACK }, UNSPEC, "have the kernel dial through io_uring", 0 },
        { "execve", SYS_execve, { STACK, 0, 0 }, SHELL, "run a program", 0 },
        { "ptrace", SYS_ptrace, { 0, 0, 0, 0 }, UNSPEC, "trace another process", 0 },
        { "open-write",
          SYS_openat,
          { (unsigned long)-100, STACK, 0x41, 0600 },
          "/run/x\0\0\0\0\0\0\0\0\0",
          "create a file",
          ENOENT },
        { "mprotect-exec", SYS_mprotect, { STACK, 4096, 7 }, UNSPEC, "make memory executable", 0 },
};
#define N (sizeof attacks / sizeof attacks[0])

static int unable(const char *what) {
        fprintf(stderr, "inject: %s: %s\n", what, strerror(errno));
        return 2;
}

/* Puts the attack's bytes on the stack and a system call at the instruction pointer. */
static int arm(pid_t pid, const struct attack *a, struct user_regs_struct *r) {
        unsigned long at = (r->rsp - 4096) & ~0xfffUL, text;
        unsigned long *to[6] = { (unsigned long *)&r->rdi, (unsigned long *)&r->rsi, (unsigned long *)&r->rdx,
                                 (unsigned long *)&r->r10, (unsigned long *)&r->r8,  (unsigned long *)&r->r9 };

        for (size_t i = 0; i < 16; i += 8) {
                unsigned long word;

                memcpy(&word, a->memory + i, 8);
                if (ptrace(PTRACE_POKEDATA, pid, (void *)(at + i), (void *)word) < 0)
                        return unable("write its stack");
        }
        errno = 0;
        text = (unsigned long)ptrace(PTRACE_PEEKTEXT, pid, (void *)r->rip, NULL);
        if (errno || ptrace(PTRACE_POKETEXT, pid, (void *)r->rip, (void *)((text & ~0xffffUL) | 0x050f)) < 0)
                return unable("write its code");
        for (size_t i = 0; i < 6; i++)
                *to[i] = a->args[i] == STACK ? at : a->args[i];
        r->rax = (unsigned long)a->call;
        r->orig_rax = (unsigned long)-1;
        return ptrace(PTRACE_SETREGS, pid, NULL, r) < 0 ? unable("set its registers") : 0;
}

static int attack(pid_t pid, const struct attack *a) {
        struct user_regs_struct r;
        int st;

        if (ptrace(PTRACE_ATTACH, pid, NULL, NULL) < 0 || waitpid(pid, &st, 0) != pid)
                return unable("attach");
        if (ptrace(PTRACE_GETREGS, pid, NULL, &r) < 0)
                return unable("read its registers");
        if (arm(pid, a, &r) != 0)
                return 2;
        if (ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) < 0 || waitpid(pid, &st, 0) != pid)
                return unable("step");
        if (WIFSIGNALED(st)) {
                printf("%s: killed by %s\n", a->name, strsignal(WTERMSIG(st)));
                return WTERMSIG(st) == SIGSYS ? 0 : 2;
        }
        if (ptrace(PTRACE_GETREGS, pid, NULL, &r) < 0)
                return unable("read its registers");

        long result = (long)r.rax;

        printf("%s: answered %ld (%s)\n", a->name, result, result < 0 ? strerror((int)-result) : "success");
        kill(pid, SIGKILL);
        ptrace(PTRACE_DETACH, pid, NULL, NULL);
        return result == -EPERM || result == -ENOSYS || (a->deny && result == -a->deny) ? 0 : 1;
}

int main(int argc, char **argv) {
        if (argc == 2 && strcmp(argv[1], "--list") == 0) {
                for (size_t i = 0; i < N; i++)
                        printf("%s\t%s\n", attacks[i].name, attacks[i].what);
                return 0;
        }
        for (size_t i = 0; argc == 3 && i < N; i++)
                if (strcmp(attacks[i].name, argv[2]) == 0)
                        return attack((pid_t)strtol(argv[1], NULL, 10), &attacks[i]);
        fprintf(stderr, "usage: inject PID ATTACK | inject --list\n");
        return 2;
}
