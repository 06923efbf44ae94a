/* sse.h - text/event-stream (WHATWG HTML 9.2) as bytes, and what a client's headers ask of it. */
#pragma once

#include "buf.h"

/* Line ends inside data become spaces: in JSON they can only be white space, in the format they would end the field. */
void sse_event(struct buf *out, uint64_t id, struct slice data); /* without a name: EventSource.onmessage */
void sse_named(struct buf *out, const char *event, struct slice data);
void sse_retry(struct buf *out, unsigned ms);

/* Does Accept ask for text/event-stream by name, with a quality above 0? */
bool sse_accepted(struct slice accept);

/* A Last-Event-ID we sent: a decimal sequence. */
bool sse_cursor(struct slice last_event_id, uint64_t *ret);
