/* presence.h - the writer learns which people follow their sessions live, so that a call knows its user is there. */
#pragma once

#include <stdbool.h>

/*
 * Every PRESENCE_SECONDS one row for each person and stream that is followed here, spread over that time; and at once,
 * collected for PRESENCE_DELAY, who has left. A report that is lost is made good by the next one: the writer only
 * ever extends a deadline by them, which ends by itself.
 */
#define PRESENCE_SECONDS 5
#define PRESENCE_DELAY   0.2
#define PRESENCE_BYTES   65536u
#define PRESENCE_ASKING  8u /* reports on their way at most; beyond, what is here waits for its next turn */

struct fanout;
struct pass;
struct presence;

struct presence *presence_new(struct fanout *fo);
void presence_free(struct presence *p);
void presence_left(const struct pass *gone); /* the last listener of this actor left this stream */
void presence_tick(struct presence *p);      /* once a second */
