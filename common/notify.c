/* notify.c - sd_notify(3)'s protocol on our own connected socket. */
#include "notify.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "log.h"

/* libsystemd's sd_notify() makes and connects a socket for every message. The frontend may do neither once its filter
 * is in place, so the socket is made here, early, and kept; PID 1 holds the other end across its own re-execution. */
static int manager = -1;

void notify_open(void) {
        const char *path = getenv("NOTIFY_SOCKET");
        struct sockaddr_un to = { .sun_family = AF_UNIX };
        if (path == NULL || manager >= 0)
                return;
        size_t n = strlen(path);
        if ((path[0] != '/' && path[0] != '@') || n < 2 || n >= sizeof to.sun_path) {
                log_warn("NOTIFY_SOCKET is not a unix socket's address");
                return;
        }
        memcpy(to.sun_path, path, n);
        if (to.sun_path[0] == '@')
                to.sun_path[0] = '\0'; /* the abstract namespace */
        socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
        manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (manager < 0 || connect(manager, (const struct sockaddr *)&to, len) < 0) {
                log_warn("cannot reach the service manager: %s", strerror(errno));
                if (manager >= 0)
                        (void)close(manager);
                manager = -1;
        }
        (void)unsetenv("NOTIFY_SOCKET");
}

void notify_send(const char *fmt, ...) {
        char text[512];
        va_list ap;
        if (manager < 0)
                return;
        va_start(ap, fmt);
        int n = vsnprintf(text, sizeof text, fmt, ap);
        va_end(ap);
        if (n < 0)
                return;
        size_t len = (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;
        /* A manager that does not read must not stop us from serving; only readiness is worth waiting for. */
        int flags = MSG_NOSIGNAL | (strncmp(text, "READY", 5) == 0 ? 0 : MSG_DONTWAIT);
        if (send(manager, text, len, flags) < 0 && errno != EAGAIN && errno != EWOULDBLOCK)
                log_warn("the service manager did not take a message: %s", strerror(errno));
}

double notify_watchdog(void) {
        const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
        int64_t u, p;
        if (usec == NULL || !text_int(slice_of(usec), &u) || u <= 0)
                return 0;
        if (pid != NULL && (!text_int(slice_of(pid), &p) || p != getpid()))
                return 0;
        return (double)u / 2e6;
}
