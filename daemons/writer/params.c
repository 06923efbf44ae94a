/* params.c - PostgreSQL's binary formats: big-endian numbers, raw text, and one-dimensional arrays. */
#include "params.h"

#include <sodium.h>

#include "plan.h"

enum { OID_BOOL = 16, OID_BYTEA = 17, OID_INT8 = 20, OID_INT4 = 23, OID_TEXT = 25, OID_JSON = 114 };
#define ARRAY_HEADER 20u

static void put_be32(unsigned char *p, uint32_t v) {
        for (int i = 0; i < 4; i++)
                p[i] = (unsigned char)(v >> (24 - 8 * i));
}

static void put_be64(unsigned char *p, uint64_t v) {
        put_be32(p, (uint32_t)(v >> 32));
        put_be32(p + 4, (uint32_t)v);
}

static uint32_t oid_of(enum kind k) {
        if (k == K_INT || k == K_CLAMP)
                return OID_INT8;
        if (k == K_BOOL)
                return OID_BOOL;
        if (k == K_BLOB)
                return OID_BYTEA;
        return k == K_JSON || k == K_VALUE ? OID_JSON : OID_TEXT;
}

static bool is_number(enum kind k) {
        return k == K_INT || k == K_CLAMP || k == K_BOOL;
}

/* A number in its binary form; the bytes it takes. */
static uint32_t number_put(enum kind k, int64_t v, unsigned char to[static 8]) {
        if (k == K_BOOL) {
                to[0] = v != 0;
                return 1;
        }
        put_be64(to, (uint64_t)v);
        return 8;
}

/* ---- one value per parameter ---- */

static void set(struct params *p, const void *value, uint32_t n) {
        p->value[p->n] = n ? value : ""; /* NULL would be SQL's NULL */
        p->length[p->n++] = (int)n;
}

static void set_null(struct params *p) {
        p->value[p->n] = NULL;
        p->length[p->n++] = 0;
}

static void set_field(struct params *p, const struct opdesc *d, int i, const void *msg) {
        enum kind k = d->fields[i].kind;

        if (!op_has(msg, i)) {
                set_null(p);
        } else if (is_number(k)) {
                unsigned char *to = p->number[p->n];

                set(p, to, number_put(k, op_get_int(d, i, msg), to));
        } else {
                struct slice s = op_get_slice(d, i, msg);

                set(p, s.p, s.n);
        }
}

/* ---- one array per parameter ---- */

static void column_start(struct params *p, int c, uint32_t oid) {
        unsigned char header[ARRAY_HEADER] = { 0 };

        buf_clear(&p->column[c]);
        p->count[c] = 0;
        put_be32(header + 8, oid);
        buf_add(&p->column[c], header, sizeof header);
}

static void column_add(struct params *p, int c, const void *value, uint32_t n) {
        char *to = buf_room(&p->column[c], 4 + (size_t)n);

        p->count[c]++;
        if (!to)
                return;
        put_be32((unsigned char *)to, n);
        if (n)
                memcpy(to + 4, value, n);
        p->column[c].n += 4 + (size_t)n;
}

static void column_null(struct params *p, int c) {
        static const unsigned char null[4] = { 0xff, 0xff, 0xff, 0xff };

        p->count[c]++;
        buf_add(&p->column[c], null, sizeof null);
        if (!p->column[c].over)
                put_be32((unsigned char *)p->column[c].p + 4, 1); /* has NULLs */
}

static void column_field(struct params *p, int c, const struct opdesc *d, int i, const void *msg) {
        enum kind k = d->fields[i].kind;

        if (!op_has(msg, i)) {
                column_null(p, c);
        } else if (is_number(k)) {
                unsigned char v[8];

                column_add(p, c, v, number_put(k, op_get_int(d, i, msg), v));
        } else {
                struct slice s = op_get_slice(d, i, msg);

                column_add(p, c, s.p, s.n);
        }
}

/* An empty array has no dimensions at all. */
static void column_end(struct params *p, int c) {
        struct buf *b = &p->column[c];
        unsigned char *h = (unsigned char *)b->p;

        if (b->over || !h) {
                p->over = true;
                set_null(p);
                return;
        }
        put_be32(h, p->count[c] ? 1 : 0);
        put_be32(h + 12, p->count[c]);
        put_be32(h + 16, 1);
        set(p, h, p->count[c] ? (uint32_t)b->n : 12);
}

/* The columns of one ROWS field from column c on: its rows, each led by its message's number if `op` is not -1. */
static void spread(struct params *p, int c, const struct field *f, struct slice rows, int op) {
        const struct opdesc *rec = op_desc(f->rec);
        union plan_row row;
        size_t at = 0;

        while (op_rows_next(rows, f->rec, &at, &row)) {
                int to = c;

                if (op >= 0) {
                        unsigned char v[4];

                        put_be32(v, (uint32_t)op);
                        column_add(p, to++, v, sizeof v);
                }
                for (size_t i = 0; i < rec->n; i++)
                        column_field(p, to++, rec, (int)i, &row);
        }
}

static int spread_start(struct params *p, int c, const struct field *f, bool numbered) {
        const struct opdesc *rec = op_desc(f->rec);

        if (numbered)
                column_start(p, c++, OID_INT4);
        for (size_t i = 0; i < rec->n; i++)
                column_start(p, c++, oid_of(rec->fields[i].kind));
        return c;
}

static int width(const struct field *f, bool numbered) {
        return f->kind == K_ROWS ? (int)op_desc(f->rec)->n + numbered : 1;
}

void params_one(struct params *p, enum op op, const void *msg, struct slice bytes) {
        const struct plan *plan = plan_of(op);
        const struct opdesc *d = plan->desc;

        p->n = 0;
        p->over = false;
        for (size_t i = 0; i < d->n; i++) {
                const struct field *f = &d->fields[i];

                if (f->kind != K_ROWS) {
                        set_field(p, d, (int)i, msg);
                        continue;
                }

                int end = spread_start(p, p->n, f, false);

                if (op_has(msg, (int)i))
                        spread(p, p->n, f, op_get_slice(d, (int)i, msg), -1);
                while (p->n < end)
                        column_end(p, p->n);
        }
        if (plan->command >= 0) {
                params_command_hash(op, msg, bytes, p->hash);
                set(p, p->hash, sizeof p->hash);
        }
}

void params_batch(struct params *p, enum op op, const void *const *msgs, uint32_t n) {
        const struct opdesc *d = op_desc(op);
        int end = 0;

        for (size_t i = 0; i < d->n; i++) {
                const struct field *f = &d->fields[i];

                if (f->kind == K_ROWS)
                        end = spread_start(p, end, f, true);
                else
                        column_start(p, end++, oid_of(f->kind));
        }
        for (uint32_t k = 0; k < n; k++) {
                int c = 0;

                for (size_t i = 0; i < d->n; i++) {
                        const struct field *f = &d->fields[i];

                        if (f->kind != K_ROWS)
                                column_field(p, c, d, (int)i, msgs[k]);
                        else if (op_has(msgs[k], (int)i))
                                spread(p, c, f, op_get_slice(d, (int)i, msgs[k]), (int)k);
                        c += width(f, true);
                }
        }
        p->n = 0;
        p->over = false;
        while (p->n < end)
                column_end(p, p->n);
}

void params_command_hash(enum op op, const void *msg, struct slice bytes, unsigned char out[32]) {
        const struct plan *plan = plan_of(op);
        const char *name = plan->desc->name;
        struct slice command = op_get_slice(plan->desc, plan->command, msg);
        size_t before = (size_t)(command.p - bytes.p), after = before + command.n;
        crypto_generichash_state st;

        crypto_generichash_init(&st, NULL, 0, 32);
        crypto_generichash_update(&st, (const unsigned char *)name, strlen(name) + 1);
        crypto_generichash_update(&st, (const unsigned char *)bytes.p, before);
        crypto_generichash_update(&st, (const unsigned char *)bytes.p + after, bytes.n - after);
        crypto_generichash_final(&st, out, 32);
}

void params_init(struct params *p) {
        *p = (struct params){ 0 };
        for (int i = 0; i < PARAMS_MAX; i++) {
                p->format[i] = 1;
                buf_init(&p->column[i], PARAMS_COLUMN_MAX);
        }
}

void params_free(struct params *p) {
        for (int i = 0; i < PARAMS_MAX; i++)
                buf_free(&p->column[i]);
}
