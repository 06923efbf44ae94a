/* watch.h - a stream that is being opened must not miss what is committed between its read and its subscription. */
#pragma once

#include "ask.h"

/* The LISTEN asks on their way to the database and back, by session. */
struct watch;
struct watch *watch_new(void);
void watch_free(struct watch *w);
void watch_add(struct watch *w, struct ask *a);
void watch_remove(struct watch *w, struct ask *a);
bool watch_any(const struct watch *w);
/* Something was committed to this stream. */
void watch_note(struct watch *w, struct slice account, struct slice session, int64_t head);
/* The highest head noted for this stream since the ask was added; 0: none. */
int64_t watch_seen(const struct ask *a, struct slice account);
