/* sse.h - a stream of server-sent events cut into their data, however its bytes arrive. */
#pragma once

#include "buf.h"

/* The HTML standard's event stream: lines end in \n, \r\n or \r; data lines of one event are joined by \n; comments,
 * other fields and events without data mean nothing here. Data is never copied twice, whatever the chunks. */
struct sse {
        struct buf data;
        char name[8];  /* of the field whose line this is */
        uint8_t named; /* its length so far; over 7: a field that means nothing */
        enum { SSE_NAME, SSE_SPACE, SSE_DATA, SSE_SKIP } at;
        bool cr;      /* the last byte was \r: a \n now belongs to it */
        bool some;    /* the event has a data line */
        uint8_t mark; /* bytes of a byte order mark seen, at the very beginning */
        bool begun;
};

/* data is valid during the call. False: no more of them. */
typedef bool sse_fn(void *arg, struct slice data);

void sse_init(struct sse *s, size_t max); /* max: bytes of one event's data */
void sse_free(struct sse *s);
/* False if fn said so, or an event is over max (then s->data.over). An event cut off by the end is none. */
bool sse_feed(struct sse *s, struct slice bytes, sse_fn *fn, void *arg);
