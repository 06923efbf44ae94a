/* apply.h - brings a database to exactly one set of migrations, all of it or nothing, under a lock. */
#pragma once

#include <libpq-fe.h>

#include "files.h"

enum apply_result { APPLY_DONE, APPLY_UP_TO_DATE, APPLY_NEEDED, APPLY_REFUSED };

/* One transaction around everything: whoever else migrates waits for it, and a failure leaves the database as it was.
 * Refused, with a message: a landed file was edited, the database knows files that this set has not (it is newer), or
 * SQL failed. With check_only nothing is changed: UP_TO_DATE or NEEDED. Progress goes to stdout, a line a file. */
enum apply_result apply(PGconn *pg, const struct files *files, bool check_only, char why[static 512]);
