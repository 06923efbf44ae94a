/* ask.h - one question to a daemon, from dialling its socket to the answer. */
#pragma once

#include "ctl.h"
#include "ops.h"

/* Asks and waits; afterwards this process can open nothing any more. CTL_DONE with the answer's JSON in body (may be
 * NULL), or CTL_FAILED after having said why. */
int ask(const struct ctl *ctl, enum daemon_id kind, enum op op, const void *msg, struct buf *body);
/* Does this daemon accept us? Says nothing; why gets the reason if not. */
bool ask_up(const struct ctl *ctl, enum daemon_id kind, char why[static 256]);
