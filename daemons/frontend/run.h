/* run.h - consecutive events of one stream, ready to be sent: any tail of them is one piece of memory. */
#pragma once

#include "buf.h"

/* Appends one event as its clients read it. */
typedef void run_format(struct buf *out, uint64_t sequence, struct slice event);

struct run {
        uint64_t first; /* sequence of the oldest; means nothing while n is 0 */
        uint32_t n, room;
        uint32_t *ends; /* where each event's bytes end */
        struct buf bytes;
        size_t max;
        run_format *format;
};

/* max: bytes it holds at most; the oldest give way */
void run_init(struct run *r, size_t max, run_format *format);
void run_free(struct run *r); /* leaves it empty and usable */

/* An event already held is left as it is; one that does not follow the last starts the run anew. False: out of
 * memory or too large, and the run is empty. */
bool run_add(struct run *r, uint64_t sequence, struct slice event);

uint64_t run_last(const struct run *r);                 /* 0 while empty */
bool run_follows(const struct run *r, uint64_t cursor); /* does it hold the event after cursor? */
/* The events after cursor: whole ones, up to max bytes but at least one. Only if run_follows(). */
struct slice run_after(const struct run *r, uint64_t cursor, size_t max, uint64_t *ret_last);
