/* ask.h - one question to a daemon, from dialling its socket to the answer. */
#pragma once

#include "ctl.h"
#include "ops.h"

/* Asks and waits; afterwards this process can open nothing any more. CTL_DONE with the answer's JSON in body (may be
 * NULL), or CTL_FAILED after having said why. */
int ask(const struct ctl *ctl, enum daemon_id kind, enum op op, const void *msg, struct buf *body);
/* The same, and each answer is given to next: true means it has changed msg and asks again, on the same line. */
typedef bool ask_next_fn(void *arg, struct slice body);
int ask_on(const struct ctl *ctl, enum daemon_id kind, enum op op, const void *msg, ask_next_fn *next, void *arg);
/* Does this daemon accept us? Says nothing; why gets the reason if not. */
bool ask_up(const struct ctl *ctl, enum daemon_id kind, char why[static 256]);
