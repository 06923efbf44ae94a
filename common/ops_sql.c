/* ops_sql.c - the only SQL that C spells: one call per row, with named arguments. */
#include <stdio.h>

#include "ops.h"

#define PARAMS 64

static const char *type_of(enum kind k, bool array) {
        static const char *const types[][2] = {
                [K_ACTOR] = { "text", "text[]" },      [K_COMMAND] = { "text", "text[]" },
                [K_ID] = { "text", "text[]" },         [K_STR] = { "text", "text[]" },
                [K_ENUM] = { "text", "text[]" },       [K_JSON] = { "json", "json[]" },
                [K_VALUE] = { "json", "json[]" },      [K_BLOB] = { "bytea", "bytea[]" },
                [K_INT] = { "bigint", "bigint[]" },    [K_CLAMP] = { "bigint", "bigint[]" },
                [K_BOOL] = { "boolean", "boolean[]" }, [K_ROWS] = { NULL, NULL },
        };

        return types[k][array];
}

struct call {
        struct buf *sql;
        const char **types;
        int n;
};

/* Quoted: a field may be called like a word of SQL (limit). */
static void param(struct call *c, const char *prefix, const char *name, const char *type) {
        if (c->n < PARAMS) {
                if (c->types)
                        c->types[c->n] = type;
                buf_fmt(c->sql, "%s\"%s%s%s\" => $%d::%s", c->n ? ", " : "", prefix ? prefix : "", prefix ? "_" : "",
                        name, c->n + 1, type);
        }
        c->n++;
}

static void rows(struct call *c, const struct field *f, bool batch) {
        const struct opdesc *rec = op_desc(f->rec);

        if (batch)
                param(c, f->name, "op", "int[]");
        for (size_t i = 0; i < rec->n; i++)
                param(c, f->name, rec->fields[i].name, type_of(rec->fields[i].kind, true));
}

int op_sql(enum op op, struct buf *sql, const char *types[static 64], int *n_types) {
        const struct opdesc *d = op_desc(op);
        struct call c = { sql, types, 0 };
        bool batch = d->mode == BATCH, command = false;

        if (d->mode != READ && d->mode != WRITE && d->mode != LISTEN && !batch)
                return -1;
        buf_fmt(sql, "SELECT * FROM api.%s(", d->name);
        for (size_t i = 0; i < d->n; i++) {
                const struct field *f = &d->fields[i];

                command = command || f->kind == K_COMMAND;
                if (f->kind == K_ROWS)
                        rows(&c, f, batch);
                else
                        param(&c, NULL, f->name, type_of(f->kind, batch));
        }
        if (command)
                param(&c, NULL, "command_hash", type_of(K_BLOB, batch));
        buf_char(sql, ')');
        if (n_types)
                *n_types = c.n;
        return c.n <= PARAMS && !sql->over ? 0 : -1;
}
