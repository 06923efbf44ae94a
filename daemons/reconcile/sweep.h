/* sweep.h - asks the writer whose deadline has come and has each of them looked at, until nobody is left. */
#pragma once

#include "channel.h"

/*
 * First calls, then what is overdue in them: turns and actions that nobody finished, confirmations nobody gave.
 * Everything is decided in the database, one by one; a sweep that is cut short, or done twice, does no harm. At most
 * SWEEP_IN_FLIGHT are asked for at a time, so that a sweep after a long night leaves the writer room for clients.
 */
#define SWEEP_IN_FLIGHT 32u
#define SWEEP_PAGE      1000u

struct sweep_counts {
        unsigned kept, retried, ended, expired, refused;
};

/* Called once, at the end. failed: OK; or why the writer would not say who is due,
 * of a kind. */
typedef void sweep_done_fn(void *arg, const struct sweep_counts *counts, enum status failed);

struct sweep;
/* The deadlines are the settings of these names. */
struct sweep *sweep_new(sweep_done_fn *done, void *arg);
void sweep_start(struct sweep *s, struct channel *writer);
/* What was done so far; for a sweep that is cut short. */
const struct sweep_counts *sweep_counts(const struct sweep *s);
void sweep_free(struct sweep *s);
