/* run.c - consecutive events in the bytes of one format. */
#include "run.h"

#include <stdlib.h>

#define EVENT_OVERHEAD 64u /* what a format puts around an event */

void run_init(struct run *r, size_t max, run_format *format) {
        *r = (struct run){ .max = max, .format = format };
        buf_init(&r->bytes, max);
}

void run_free(struct run *r) {
        free(r->ends);
        buf_free(&r->bytes);
        run_init(r, r->max, r->format);
}

static void run_clear(struct run *r) {
        r->n = 0;
        buf_clear(&r->bytes);
}

/* Forgets the older half, again and again, until `need` more bytes fit. */
static void run_shrink(struct run *r, size_t need) {
        while (r->n && r->bytes.n + need > r->max) {
                uint32_t drop = (r->n + 1) / 2, cut = r->ends[drop - 1];

                buf_drop(&r->bytes, cut);
                r->n -= drop;
                r->first += drop;
                for (uint32_t i = 0; i < r->n; i++)
                        r->ends[i] = r->ends[i + drop] - cut;
        }
}

static bool run_room(struct run *r) {
        uint32_t room = r->room ? r->room * 2 : 16;
        uint32_t *ends;

        if (r->n < r->room)
                return true;
        ends = realloc(r->ends, room * sizeof *ends);
        if (!ends)
                return false;
        r->ends = ends;
        r->room = room;
        return true;
}

bool run_add(struct run *r, uint64_t sequence, struct slice event) {
        if (r->n && sequence <= run_last(r))
                return true;
        if (r->n && sequence != run_last(r) + 1)
                run_clear(r);
        run_shrink(r, event.n + EVENT_OVERHEAD);
        if (!run_room(r)) {
                run_clear(r);
                return false;
        }
        if (r->n == 0)
                r->first = sequence;
        r->format(&r->bytes, sequence, event);
        if (r->bytes.over) {
                run_free(r);
                return false;
        }
        r->ends[r->n++] = (uint32_t)r->bytes.n;
        return true;
}

uint64_t run_last(const struct run *r) {
        return r->n ? r->first + r->n - 1 : 0;
}

bool run_follows(const struct run *r, uint64_t cursor) {
        return r->n && cursor + 1 >= r->first && cursor < run_last(r);
}

struct slice run_after(const struct run *r, uint64_t cursor, size_t max, uint64_t *ret_last) {
        uint32_t from = (uint32_t)(cursor + 1 - r->first), low = from + 1, high = r->n;
        uint32_t start = from ? r->ends[from - 1] : 0;

        /* low: how many are certain to fit, counted from the run's first event. */
        while (low < high) {
                uint32_t middle = low + (high - low + 1) / 2;

                if (r->ends[middle - 1] - start <= max)
                        low = middle;
                else
                        high = middle - 1;
        }
        *ret_last = r->first + low - 1;
        return (struct slice){ r->bytes.p + start, r->ends[low - 1] - start };
}
