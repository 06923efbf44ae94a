/* deliver.h - the function the model delivers with, and whether what it delivered is what was asked for. */
#pragma once

#include "json.h"
#include "jsonw.h"

#define DELIVER_TITLE_MAX    256u
#define DELIVER_MARKDOWN_MAX (512u << 10)

/* cv, interview or outreach to its function's name; NULL: no such kind. */
const char *deliver_function(struct slice kind);
/* The request's tools: only this function. */
void deliver_put_tool(struct jsonw *w, struct slice kind);

struct delivered {
        struct slice title, markdown; /* may be empty */
        struct json data;
};
/* The function's arguments. False: *why says what is wrong, for the log and the next try. */
bool deliver_read(struct slice kind, struct json arguments, struct delivered *ret, char why[static 160]);
