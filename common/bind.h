/* bind.h - a request becomes an op's message by the op's row alone: path, query and JSON body, nothing extra. */
#pragma once

#include "json.h"
#include "ops.h"
#include "status.h"

/* ACTOR and COMMAND fields are never bound here; a request key that names one is unknown. Names are the fields' in
 * camelCase, or as written when `snake` is set (LiveKit's own endpoint). JSON null means absent. Values must have
 * the field's type: no coercion except CLAMP (a number, or its decimal text in a query, truncated and clamped) and
 * query integers and booleans (true|false|1|0). */
struct bind {
        enum op op;
        void *msg; /* zeroed struct op_<name>; slices will point into request or arena */
        struct arena *arena;
        bool snake;
        bool agree;        /* a body may repeat an identifier of the path, if it says the same */
        struct slice self; /* the caller's user id: a body key userId must equal it, and is dropped */
        char why[160];     /* on failure: names the field and what it takes; never echoes a value */
};

enum status bind_path(struct bind *b, const char *name, struct slice value); /* percent-decodes */
enum status bind_query(struct bind *b, struct slice query); /* a=1&b=2, percent-encoded; duplicates refused */
enum status bind_body(struct bind *b, struct slice body);   /* empty body reads as {} */
/* Everything REQ is there and in bounds; call last. */
enum status bind_finish(struct bind *b);

/* session_id -> sessionId; to needs 64 bytes. */
void bind_camel(const char *name, char to[static 64]);
/* Percent-decoding into the arena; false on bad escapes, NUL or bad UTF-8. plus: '+' is a space (queries). */
bool bind_unescape(struct slice s, bool plus, struct arena *a, struct slice *ret);
