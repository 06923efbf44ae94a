/* reports.h - the figures of every daemon in one place: what the others report, and our own. */
#pragma once

#include "reader.h"
#include "subs.h"

struct reports;
struct reports *reports_new(struct ev_loop *loop, struct subs *subs, struct reader *reader);
/* A stats_report arrived. */
void reports_take(struct reports *r, const struct request *q);
/* stats_read: the answer's body is the Prometheus text itself. */
void reports_answer(struct reports *r, const struct request *q);
