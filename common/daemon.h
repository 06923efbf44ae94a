/* daemon.h - the order of every daemon's life, written once. */
#pragma once

#include <ev.h>

#include "channel.h"

/*
 * arguments -> log -> settings -> credentials -> sockets by name -> open() -> sandbox -> connect() -> READY
 *   -> loop with watchdog -> SIGTERM: drain() until it is done or 10 s passed -> exit 0
 *
 *     --config FILE    default /etc/lifeos/gateway.conf
 *     --runtime DIR    where peers' sockets are, default /run/lifeos
 *     --instance N     which of several, default 1
 *     --sandbox=trap   debug builds only: name the offending call instead of dying silently
 *     --version, --help
 */
struct daemon {
        struct ev_loop *loop;
        struct cred_ring ring;
        struct hub *hub;
        const char *runtime;
        uint8_t instance;
        void *state; /* the daemon's own */
};

struct daemon_def {
        enum daemon_id id;
        const struct channel_events *events; /* of its hub; arg is the struct daemon */
        struct channel_limits limits;
        void (*open)(struct daemon *d); /* before the sandbox: open what later cannot be opened; die() on failure */
        void (*connect)(struct daemon *d); /* inside the sandbox: dial peers, start timers */
        bool (*drain)(struct daemon *d);   /* called repeatedly after SIGTERM; true when done. May be NULL */
        unsigned idle_exit_seconds;        /* socket-activated helpers leave when nobody asks; 0: never */
        bool one_shot;                     /* ends by itself, with daemon_leave(); reports no statistics */
};

int daemon_main(const struct daemon_def *def, int argc, char **argv);

/* Listening sockets passed by the service manager (sd_listen_fds), by FileDescriptorName. Fills up to max
 * non-blocking, close-on-exec fds and returns their number. Sockets named "peer" were already given to the hub. */
int daemon_sockets(const char *name, int *fds, int max);
/* False makes readiness wait; the reason is shown in `systemctl status`. READY=1 goes out once, at the first true. */
void daemon_ready(struct daemon *d, bool ready, const char *status);
/* The work is done, or could not be: the loop ends, and daemon_main() returns EXIT_SUCCESS or EXIT_FAILURE. */
void daemon_leave(struct daemon *d, bool done);
/* Path of a peer's socket below the runtime directory, from policy/daemons.def. */
void daemon_peer_path(const struct daemon *d, enum daemon_id kind, uint8_t instance, char to[static 108]);
