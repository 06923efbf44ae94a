/* sandbox.c - one seccomp filter from the rows of policy/<daemon>.def (libseccomp). */
#include "sandbox.h"

#include "cred.h"
#include "log.h"

#ifdef LIFEOS_SANITIZED

/* Sanitizers need calls that no daemon should have (ptrace for the leak check, for one). */
void sandbox_enter(enum daemon_id id, bool trap) {
        (void)trap;
        log_note("%s: a sanitizer build runs without its sandbox", cred_kind_name(id));
}

#else

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

struct rule {
        int call;
        enum { RULE_ALLOW, RULE_ALLOW_IF, RULE_DENY } what;
        int error;
        struct scmp_arg_cmp cmp;
};

/* MASKED_EQ: none of the value's bits may be set. */
#define ALLOW(call_, reason)        { .call = __SNR_##call_, .what = RULE_ALLOW },
#define DENY(call_, errno_, reason) { .call = __SNR_##call_, .what = RULE_DENY, .error = (errno_) },
#define ALLOW_IF(call_, arg_, op_, value_, reason)                                                                   \
        { .call = __SNR_##call_,                                                                                     \
          .what = RULE_ALLOW_IF,                                                                                     \
          .cmp = { .arg = (arg_), .op = SCMP_CMP_##op_, .datum_a = (scmp_datum_t)(value_) } },

static const struct rule frontend_rules[] = {
#include "../policy/frontend.def"
};
static const struct rule webhook_rules[] = {
#include "../policy/webhook.def"
};
static const struct rule writer_rules[] = {
#include "../policy/writer.def"
};
static const struct rule issuer_rules[] = {
#include "../policy/issuer.def"
};
static const struct rule ctl_rules[] = {
#include "../policy/ctl.def"
};
static const struct rule reconcile_rules[] = {
#include "../policy/reconcile.def"
};
static const struct rule openclaw_rules[] = {
#include "../policy/openclaw.def"
};
#define RULES(name)                                                                                                  \
        { name##_rules, sizeof name##_rules / sizeof name##_rules[0] }
static const struct {
        const struct rule *rule;
        size_t n;
} rules[DAEMON_COUNT] = {
#define DAEMON(id, name, user, socket, what) [id] = RULES(name),
#include "../policy/daemons.def"
};

#ifndef NDEBUG
#define CALLS_MAX 512
static char *call_names[CALLS_MAX]; /* filled before the filter: a handler may not ask libseccomp */
static const char *trapped = "";

static void say(const char *s) {
        ssize_t n = write(STDERR_FILENO, s, strlen(s));
        (void)n;
}

static void on_sigsys(int sig, siginfo_t *info, void *context) {
        char digits[12], *p = digits + sizeof digits - 1;
        int call = info->si_syscall;
        (void)sig;
        (void)context;
        *p = '\0';
        for (unsigned n = call < 0 ? 0 : (unsigned)call; p == digits + sizeof digits - 1 || n > 0; n /= 10)
                *--p = (char)('0' + n % 10);
        say("sandbox of ");
        say(trapped);
        say(": no row for system call ");
        say(call >= 0 && call < CALLS_MAX && call_names[call] != NULL ? call_names[call] : "?");
        say(" (");
        say(p);
        say(")\n");
        _exit(EXIT_FAILURE);
}

static void trap_open(enum daemon_id id) {
        struct sigaction sa = { .sa_sigaction = on_sigsys, .sa_flags = SA_SIGINFO };
        trapped = cred_kind_name(id);
        for (int call = 0; call < CALLS_MAX; call++)
                call_names[call] = seccomp_syscall_resolve_num_arch(seccomp_arch_native(), call);
        if (sigaction(SIGSYS, &sa, NULL) < 0)
                die("SIGSYS: %s", strerror(errno));
}
#endif

static void add(scmp_filter_ctx f, const struct rule *r, enum daemon_id id) {
        uint32_t action = r->what == RULE_DENY ? SCMP_ACT_ERRNO((uint32_t)r->error) : SCMP_ACT_ALLOW;
        int e = seccomp_rule_add_array(f, action, r->call, r->what == RULE_ALLOW_IF ? 1 : 0, &r->cmp);
        if (e < 0)
                die("sandbox of %s: row for call %d: %s", cred_kind_name(id), r->call, strerror(-e));
}

void sandbox_enter(enum daemon_id id, bool trap) {
        uint32_t otherwise = SCMP_ACT_KILL_PROCESS;
#ifndef NDEBUG
        if (trap) {
                trap_open(id);
                otherwise = SCMP_ACT_TRAP;
        }
#else
        (void)trap;
#endif
        if (id == NOBODY || id >= DAEMON_COUNT)
                die("no sandbox for daemon %u", (unsigned)id);
        scmp_filter_ctx f = seccomp_init(otherwise);
        if (f == NULL)
                die("sandbox of %s: out of memory", cred_kind_name(id));
        /* Calls by another architecture's numbers (i386, x32) bypass the rows: they always kill. A binary tree keeps
         * the filter's cost per call flat, however many rows there are. */
        if (seccomp_attr_set(f, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS) < 0 ||
            seccomp_attr_set(f, SCMP_FLTATR_CTL_OPTIMIZE, 2) < 0)
                die("sandbox of %s: libseccomp refuses its settings", cred_kind_name(id));
        for (size_t i = 0; i < rules[id].n; i++)
                add(f, &rules[id].rule[i], id);
        int e = seccomp_load(f); /* sets no_new_privs */
        seccomp_release(f);
        if (e < 0)
                die("sandbox of %s: %s", cred_kind_name(id), strerror(-e));
}

#endif
