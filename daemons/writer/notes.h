/* notes.h - what other appliances are to be told of our commits: per stream its newest head, bounded, and its spelling. */
#pragma once

#include "ops.h"

#define NOTES_MAX    1024u
#define NOTICES_MAX  16u   /* NOTIFYs at once; what does not fit into them becomes "look at everything" */
#define NOTICE_BYTES 7900u /* PostgreSQL takes less than 8000 */

struct notes;
struct notes *notes_new(void);
void notes_free(struct notes *n);

/* While nobody is there to be told, nothing is noted. At first: wanted. */
void notes_want(struct notes *n, bool wanted);
bool notes_wanted(const struct notes *n);
void notes_add(struct notes *n, struct slice account, struct slice session, int64_t head);
/* Something was committed, nobody knows what: others look at everything. Noted also if nobody is known. */
void notes_all(struct notes *n);
bool notes_any(const struct notes *n);
/* Everything noted, as ROWS of node_payload, and forgets it. Returns how many. */
unsigned notes_take(struct notes *n, const char *node, struct buf *rows);

/* A notice that came in: who sent it; then what it says, from *at on (0 at first). */
struct notice {
        bool all; /* look at everything; else: */
        struct slice account, session;
        int64_t head;
};
bool notice_from(struct slice payload, struct slice *node, size_t *at);
/* 1, 0 at the end, -1 if the rest is none of ours. */
int notice_next(struct slice payload, size_t *at, struct notice *ret);
