/* daemon.c - the order of every daemon's life. */
#include "daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include "conn.h"
#include "daemon_args.h"
#include "log.h"
#include "notify.h"
#include "sandbox.h"
#include "settings.h"
#include "stats.h"

#define DRAIN_SECONDS 10
#define DRAIN_POLL    0.02
#define SOCKETS_MAX   16

static struct {
        struct daemon daemon;
        const struct daemon_def *def;
        struct daemon_args args;
        int n_sockets;
        struct {
                int fd;
                char name[32];
        } sockets[SOCKETS_MAX];
        bool left, failed;           /* a one-shot: its work is over, and how */
        bool asked, ready, draining; /* asked: the daemon itself decides when it is ready */
        int64_t drain_until, busy_at;
        ev_signal term, intr;
        ev_timer watchdog, drain, idle;
} life;

static const char *const peer_sockets[DAEMON_COUNT] = {
#define DAEMON(id, name, user, socket, what) [id] = socket,
#include "../policy/daemons.def"
};

/* ---- what daemons ask for ---- */

int daemon_sockets(const char *name, int *fds, int max) {
        int n = 0;
        for (int i = 0; i < life.n_sockets && n < max; i++)
                if (strcmp(life.sockets[i].name, name) == 0)
                        fds[n++] = life.sockets[i].fd;
        return n;
}

void daemon_ready(struct daemon *d, bool ready, const char *status) {
        (void)d;
        life.asked = true;
        const char *text = status != NULL ? status : ready ? "ready" : "starting";
        if (life.draining)
                return;
        notify_send("%sSTATUS=%s", ready && !life.ready ? "READY=1\n" : "", text);
        if (ready && !life.ready)
                log_info("ready: %s", text);
        life.ready = life.ready || ready;
}

void daemon_leave(struct daemon *d, bool done) {
        life.left = true;
        life.failed = !done;
        ev_break(d->loop, EVBREAK_ALL);
}

/* The row's socket with %u replaced: a table's text is no format string for printf. */
void daemon_peer_path(const struct daemon *d, enum daemon_id kind, uint8_t instance, char to[static 108]) {
        const char *socket = (unsigned)kind < DAEMON_COUNT && peer_sockets[kind] != NULL ? peer_sockets[kind] : "";
        const char *number = strstr(socket, "%u");
        int n;
        if (socket[0] == '\0')
                die("%s has no socket to dial", cred_kind_name(kind));
        if (number != NULL)
                n = snprintf(to, 108, "%s/%.*s%u%s", d->runtime, (int)(number - socket), socket, (unsigned)instance,
                             number + 2);
        else
                n = snprintf(to, 108, "%s/%s", d->runtime, socket);
        if (n < 0 || n >= 108)
                die("the runtime directory's path is too long for sockets in it");
}

/* ---- start ---- */

static void harden_process(void) {
        const struct rlimit no_core = { 0, 0 };
        const struct sigaction ignore = { .sa_handler = SIG_IGN };
#ifndef LIFEOS_SANITIZED /* the leak check at exit must be able to look */
        if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
                die("PR_SET_DUMPABLE: %s", strerror(errno));
#endif
        if (setrlimit(RLIMIT_CORE, &no_core) < 0)
                die("RLIMIT_CORE: %s", strerror(errno));
        if (sigaction(SIGPIPE, &ignore, NULL) < 0)
                die("SIGPIPE: %s", strerror(errno));
        (void)umask(077);
        if (sodium_init() < 0)
                die("libsodium does not start");
        tzset(); /* reads its file now; later none can be opened */
}

static void take_sockets(void) {
        char **names = NULL;
        const char *count = getenv("LISTEN_FDS");
        if (count != NULL && strcmp(count, "0") == 0) /* libsystemd takes this for a mistake; it means none */
                return;
        int n = sd_listen_fds_with_names(1, &names);
        if (n < 0)
                die("sockets from the service manager: %s", strerror(-n));
        if (n > SOCKETS_MAX)
                die("the service manager passes %d sockets; at most %d are understood", n, SOCKETS_MAX);
        for (int i = 0; i < n; i++) {
                int fd = SD_LISTEN_FDS_START + i, flags = fcntl(fd, F_GETFL);
                if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
                        die("socket %d from the service manager: %s", fd, strerror(errno));
                if (sd_is_socket(fd, AF_UNSPEC, SOCK_STREAM, 1) <= 0)
                        die("descriptor %d from the service manager is no listening stream socket", fd);
                life.sockets[i].fd = fd;
                (void)snprintf(life.sockets[i].name, sizeof life.sockets[i].name, "%s", names[i]);
                free(names[i]);
        }
        free(names);
        life.n_sockets = n;
}

static void start_hub(struct daemon *d) {
        d->hub = hub_new(d->loop, &d->ring, life.def->id, d->instance, life.def->events, d, life.def->limits);
        for (int i = 0; i < life.n_sockets; i++) {
                if (strcmp(life.sockets[i].name, "peer") != 0)
                        continue;
                if (sd_is_socket(life.sockets[i].fd, AF_UNIX, SOCK_STREAM, 1) <= 0)
                        die("the socket named peer is no unix socket");
                hub_listen(d->hub, life.sockets[i].fd);
        }
}

/* ---- running ---- */

static void on_watchdog(struct ev_loop *loop, ev_timer *w, int revents) {
        (void)loop;
        (void)w;
        (void)revents;
        notify_send("WATCHDOG=1");
}

static void on_drain(struct ev_loop *loop, ev_timer *w, int revents) {
        struct daemon *d = &life.daemon;
        bool late = text_mono_micros() >= life.drain_until;
        bool done = life.def->drain == NULL || life.def->drain(d);
        (void)w;
        (void)revents;
        hub_flush(d->hub);
        if (late)
                log_warn("not everything was answered within %d s of being told to stop", DRAIN_SECONDS);
        if (late || (done && hub_idle(d->hub)))
                ev_break(loop, EVBREAK_ALL);
}

static void on_stop(struct ev_loop *loop, ev_signal *w, int revents) {
        (void)w;
        (void)revents;
        if (life.draining)
                return;
        notify_send("STOPPING=1\nSTATUS=finishing what was begun");
        log_info("told to stop; finishing what was begun");
        life.draining = true;
        life.drain_until = text_mono_micros() + DRAIN_SECONDS * INT64_C(1000000);
        hub_drain(life.daemon.hub);
        ev_timer_init(&life.drain, on_drain, 0., DRAIN_POLL);
        ev_timer_start(loop, &life.drain);
}

static void on_idle(struct ev_loop *loop, ev_timer *w, int revents) {
        int64_t now = text_mono_micros();
        (void)w;
        (void)revents;
        if (life.draining)
                return;
        if (hub_connections(life.daemon.hub) > 0)
                life.busy_at = now;
        /* A peer that comes at this very moment finds the socket in the service manager's hands: it starts us again. */
        if (now - life.busy_at >= (int64_t)life.def->idle_exit_seconds * 1000000) {
                log_info("nobody asked for %u s; leaving", life.def->idle_exit_seconds);
                ev_break(loop, EVBREAK_ALL);
        }
}

static void start_watchers(struct ev_loop *loop) {
        double watchdog = notify_watchdog();
        ev_signal_init(&life.term, on_stop, SIGTERM);
        ev_signal_init(&life.intr, on_stop, SIGINT);
        ev_signal_start(loop, &life.term);
        ev_signal_start(loop, &life.intr);
        if (watchdog > 0) {
                ev_timer_init(&life.watchdog, on_watchdog, watchdog, watchdog);
                ev_timer_start(loop, &life.watchdog);
        }
        if (life.def->idle_exit_seconds > 0) {
                life.busy_at = text_mono_micros();
                ev_timer_init(&life.idle, on_idle, 1., 1.);
                ev_timer_start(loop, &life.idle);
        }
}

static void prepare(int argc, char **argv) {
        struct daemon *d = &life.daemon;
        char program[48], why[256];
        harden_process();
        daemon_args_parse(life.def->id, argc, argv, &life.args);
        (void)snprintf(program, sizeof program, "lifeos-%s", cred_kind_name(life.def->id));
        log_open(program);
        notify_open();
        if (settings_load(life.args.config, why) < 0)
                die("%s", why);
        if (cred_ring_load(&d->ring, why) < 0)
                die("%s", why);
        d->runtime = life.args.runtime;
        d->instance = life.args.instance;
        /* epoll and nothing cleverer: io_uring and Linux' aio have no rows in any policy. */
        d->loop = ev_default_loop(EVBACKEND_EPOLL | EVFLAG_NOENV);
        if (d->loop == NULL)
                die("libev does not start");
        start_watchers(d->loop);
        ev_run(d->loop, EVRUN_NOWAIT); /* one turn without peers: what libev makes late, it makes now */
        take_sockets();
        start_hub(d);
}

int daemon_main(const struct daemon_def *def, int argc, char **argv) {
        struct daemon *d = &life.daemon;
        life.def = def;
        prepare(argc, argv);
        if (def->open != NULL)
                def->open(d);
        sandbox_enter(def->id, life.args.trap);
        if (def->connect != NULL)
                def->connect(d);
        if (def->id != WRITER && !def->one_shot)
                stats_start(d->loop, d->hub);
        if (!life.asked && !def->one_shot)
                daemon_ready(d, true, NULL);
        if (!life.left)
                ev_run(d->loop, 0);
        hub_free(d->hub);
        secret_wipe(&d->ring.sign);
        if (!def->one_shot)
                log_info("stopped");
        return life.failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
