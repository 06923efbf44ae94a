/* plan.h - what the writer knows of each op before the first one arrives: its statement, and where its keys are. */
#pragma once

#include "ops.h"

struct plan {
        const struct opdesc *desc;
        char *sql; /* NULL: PostgreSQL does not run this op */
        int n_params;
        int command; /* field numbers, -1 if the op has no such field */
        int session, account, room;
        int rows; /* the field that spreads over arrays; at most one per op */
};

/* Room for one row of any record that spreads over arrays or comes back as a result. */
union plan_row {
        max_align_t align;
        char bytes[1024];
};

/* Spells every statement once; die() if ops.def holds an op that this writer cannot run. */
void plan_init(void);
const struct plan *plan_of(enum op op);
/* Does PostgreSQL run this op, on a lane (WRITE, BATCH) or on the reader (READ, LISTEN)? */
bool plan_lane(enum op op);
bool plan_reader(enum op op);
/* Or do we ask it ourselves, on the connection that is about other appliances (WRITER to WRITER)? */
bool plan_node(enum op op);
