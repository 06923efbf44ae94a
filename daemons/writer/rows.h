/* rows.h - PostgreSQL's binary results become records and replies; what does not fit its row is refused. */
#pragma once

#include <libpq-fe.h>

#include "ops.h"
#include "status.h"

/* Everything below borrows from the result. Columns are found by name, in any order. */

/* api.reply: how a JSON op ended. */
struct rows_reply {
        enum status status;
        struct slice detail, body, account, session;
        bool has_head;
        int64_t head;
};
/* 0, or -1 unless there is exactly one row and its status is one of ours. */
int rows_reply(const PGresult *res, struct rows_reply *ret);

/* A table of records, with or without a column `status` of its own. */
struct rows_map {
        enum op rec;
        int n;
        int column[64];
        int status;
};
void rows_map(const PGresult *res, enum op rec, struct rows_map *ret);
/* 0, or -1 when the row breaks its record. `msg` has room for one record. */
int rows_read(const struct rows_map *m, const PGresult *res, int row, void *msg);
/* The row's status column; STATUS_OK if the table has none; STATUS_COUNT if it is none of ours. */
enum status rows_status(const struct rows_map *m, const PGresult *res, int row);
