/* plan.c - the rows of ops.def, read the way the writer needs them. */
#include "plan.h"

#include <stdlib.h>

#include "log.h"
#include "params.h"

#define SQL_MAX 16384u

static struct plan plans[OP_COUNT];

static int rows_field(const struct opdesc *d) {
        int found = -1;

        for (size_t i = 0; i < d->n; i++) {
                if (d->fields[i].kind != K_ROWS)
                        continue;
                if (found >= 0)
                        die("ops.def: %s has two ROWS fields; a statement takes one", d->name);
                if (op_desc(d->fields[i].rec)->size > sizeof(union plan_row))
                        die("ops.def: a row of %s is over the limit", d->name);
                found = (int)i;
        }
        return found;
}

static void spell(struct plan *p, enum op op) {
        const char *types[64];
        struct buf sql;

        buf_init(&sql, SQL_MAX);
        if (op_sql(op, &sql, types, &p->n_params) < 0)
                die("ops.def: %s has no statement", p->desc->name);
        buf_char(&sql, '\0');
        if (sql.over || p->n_params > PARAMS_MAX)
                die("ops.def: the statement of %s is over the limit", p->desc->name);
        p->sql = sql.p; /* lives as long as the process */
}

static bool by_database(const struct opdesc *d) {
        return d->to == WRITER && (d->mode == READ || d->mode == WRITE || d->mode == BATCH || d->mode == LISTEN);
}

void plan_init(void) {
        for (int op = 0; op < OP_COUNT && !plans[op].desc; op++) {
                const struct opdesc *d = op_desc((enum op)op);
                struct plan *p = &plans[op];

                *p = (struct plan){ .desc = d, .command = -1 };
                p->session = op_field(d, "session_id");
                p->account = op_field(d, "account_id");
                p->room = op_field(d, "room_name");
                p->rows = rows_field(d);
                for (size_t i = 0; i < d->n; i++)
                        if (d->fields[i].kind == K_COMMAND)
                                p->command = (int)i;
                if (!by_database(d))
                        continue;
                if (d->mode == BATCH && (d->reply == OP_NONE || op_field(op_desc(d->reply), "status") < 0))
                        die("ops.def: BATCH %s needs a reply record with op, row and status", d->name);
                if (d->mode == BATCH && p->command >= 0)
                        die("ops.def: BATCH %s has a command id; its rows' ids must do", d->name);
                spell(p, (enum op)op);
        }
}

const struct plan *plan_of(enum op op) {
        return &plans[op];
}

bool plan_node(enum op op) {
        return plans[op].sql && plans[op].desc->from == WRITER;
}

bool plan_lane(enum op op) {
        enum mode m = plans[op].desc->mode;

        return plans[op].sql && (m == WRITE || m == BATCH);
}

bool plan_reader(enum op op) {
        enum mode m = plans[op].desc->mode;

        return plans[op].sql && (m == READ || m == LISTEN);
}
