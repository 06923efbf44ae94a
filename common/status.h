/* status.h - every way anything can end, from status.def. */
#pragma once

#include "text.h"

enum retry { FINAL, RETRYABLE };

enum status {
#define STATUS(name, http, sqlstate, retry, text) STATUS_##name,
#include "status.def"
        STATUS_COUNT
};

struct status_row {
        const char *name, *sqlstate, *text;
        int http;
        enum retry retry;
};

const struct status_row *status_row(enum status s);
/* STATUS_COUNT if no row has that name (or SQLSTATE). */
enum status status_by_name(struct slice name);
enum status status_by_sqlstate(const char *sqlstate);
