/* errors.h - what a SQLSTATE asks of us, and what the client hears; never what the database said. */
#pragma once

#include <libpq-fe.h>

#include "ask.h"

/* What is kept of an error: nothing that could hold a value. */
struct failure {
        char sqlstate[6];
        char where[120]; /* the function and line, or the constraint, for the journal */
};
void errors_of(const PGresult *res, struct failure *ret);

enum errors_what {
        ERRORS_FINAL,    /* it would fail again */
        ERRORS_AGAIN,    /* chance: serialization failure, deadlock, lock timeout, somebody else's insert */
        ERRORS_RECONNECT /* this connection is no good for it: statements out of date, a standby */
};
enum errors_what errors_what(const char *sqlstate);
/* How the op ends that failed alone; writes the journal line if it is not a refusal of ours. */
enum status errors_status(const struct ask *a, const struct failure *f);
