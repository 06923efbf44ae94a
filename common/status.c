/* status.c - the rows of status.def, by number, name and SQLSTATE. */
#include "status.h"

static const struct status_row rows[] = {
#define STATUS(name, http, sqlstate, retry, text) { #name, sqlstate, text, http, retry },
#include "status.def"
};

const struct status_row *status_row(enum status s) {
        return &rows[(unsigned)s < STATUS_COUNT ? s : STATUS_INTERNAL];
}

enum status status_by_name(struct slice name) {
        for (unsigned s = 0; s < STATUS_COUNT; s++)
                if (slice_is(name, rows[s].name))
                        return (enum status)s;
        return STATUS_COUNT;
}

enum status status_by_sqlstate(const char *sqlstate) {
        for (unsigned s = 0; s < STATUS_COUNT; s++)
                if (rows[s].sqlstate[0] && slice_is(slice_of(sqlstate), rows[s].sqlstate))
                        return (enum status)s;
        return STATUS_COUNT;
}
