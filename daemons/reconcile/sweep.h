/* sweep.h - asks the writer whose deadline has come and has each of them looked at, until nobody is left. */
#pragma once

#include "channel.h"

/*
 * Everything is decided in the database, call by call; a sweep that is cut short, or done twice, does no harm. At most
 * SWEEP_IN_FLIGHT calls are asked for at a time, so that a sweep after a long night leaves the writer room for clients.
 */
#define SWEEP_IN_FLIGHT 32u
#define SWEEP_PAGE      1000u

struct sweep_counts {
        unsigned kept, retried, ended, refused;
};

/* Called once, at the end. failed: OK; or why the writer would not say who is due. */
typedef void sweep_done_fn(void *arg, const struct sweep_counts *counts, enum status failed);

struct sweep;
/* The deadlines are the settings of these names. */
struct sweep *sweep_new(sweep_done_fn *done, void *arg);
void sweep_start(struct sweep *s, struct channel *writer);
/* What was done so far; for a sweep that is cut short. */
const struct sweep_counts *sweep_counts(const struct sweep *s);
void sweep_free(struct sweep *s);
