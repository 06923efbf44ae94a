/* sandbox.h - the system calls a daemon may make, from policy/<daemon>.def; everything else ends it. */
#pragma once

#include "ops.h"

/*
 * Rows:  ALLOW(call, "reason")                        always
 *        ALLOW_IF(call, arg, op, value, "reason")     only with this argument (op: EQ, NE, MASKED_EQ value=mask)
 *        DENY(call, errno, "reason")                  fails with errno; for what libraries merely try
 * Anything without a row: SECCOMP_RET_KILL_PROCESS (with trap: SIGSYS handler names the call, then exit 1).
 * Sanitizer builds install nothing. Irrevocable; sets no_new_privs.
 */
void sandbox_enter(enum daemon_id id, bool trap);
