/* publish.h - what was committed, told to those who listen: events in stream order, or the head to read up to. */
#pragma once

#include <ev.h>

#include "notes.h"
#include "subs.h"
#include "watch.h"

struct publish;
struct publish *publish_new(struct ev_loop *loop, struct subs *subs, struct watch *watch);
void publish_free(struct publish *p);

/* What is committed here is also noted there, for other appliances. */
void publish_notes(struct publish *p, struct notes *notes);

/* We committed to this stream: it has events up to head. */
void publish_head(struct publish *p, struct slice account, struct slice session, int64_t head);
/* The same, found or heard of; true if listeners had to be told. */
bool publish_told(struct publish *p, struct slice account, struct slice session, int64_t head);

/* A listener was added to a stream that had moved on since it was read: tell it the head. */
void publish_missed(struct publish *p, const struct channel *c, struct slice account, struct slice session);

/* Is there anyone to tell at all? */
bool publish_wanted(const struct publish *p);
/* The new events of a batch: any order, any streams; add each, then send. Everything added stays borrowed until
 * publish_send(). `rows` and `at` say where the event_in stands: op_rows_next() from there gives it. */
void publish_add(struct publish *p, const struct op_event_in *in, const struct op_event_out *out, struct slice rows,
                 size_t at);
void publish_send(struct publish *p);
