/* notify.h - telling the service manager how we are (sd_notify(3)), over a socket connected before the sandbox. */
#pragma once

#include "text.h"

/* Connects to $NOTIFY_SOCKET, if there is one, and forgets the variable. */
void notify_open(void);
/* One datagram, e.g. "READY=1\nSTATUS=serving". Without a manager it goes nowhere. */
void notify_send(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* How often WATCHDOG=1 is due, in seconds: half of $WATCHDOG_USEC; 0 if nobody watches this process. */
double notify_watchdog(void);
