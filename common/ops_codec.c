/* ops_codec.c - one checker, one encoder and one decoder for every row of ops.def. */
#include <assert.h>

#include "json_check.h"
#include "ops.h"

/* Room for a row of any RECORD; the preprocessor knows the largest. */
union any {
        uint64_t present;
#define OP(name, ...) struct op_##name name;
#include "ops.def"
};

static bool is_int(enum kind k) {
        return k == K_INT || k == K_CLAMP || k == K_BOOL;
}

static bool printable(struct slice s) {
        for (uint32_t i = 0; i < s.n; i++)
                if (s.p[i] < 0x20 || s.p[i] > 0x7e)
                        return false;
        return true;
}

static bool one_of(struct slice s, const char *words) {
        for (const char *from = words, *to;; from = to + 1) {
                to = strchrnul(from, '|');
                if (slice_eq(s, (struct slice){ from, (uint32_t)(to - from) }))
                        return true;
                if (!*to)
                        return false;
        }
}

static bool slice_ok(const struct field *f, struct slice s) {
        if (f->kind == K_ROWS)
                return op_rows_count(s) <= f->max && (s.n == 0 || s.n >= 4);
        if (s.n < f->min || s.n > f->max)
                return false;
        switch (f->kind) {
        case K_ACTOR:
        case K_COMMAND:
                return printable(s);
        case K_ID:
                return text_id(s);
        case K_STR:
                return (s.n == 0 || !memchr(s.p, 0, s.n)) && text_utf8(s);
        case K_ENUM:
                return one_of(s, f->words);
        case K_JSON:
                return json_check_object(s);
        case K_VALUE:
                return json_check_value(s);
        case K_BLOB:
                return true;
        case K_INT:
        case K_CLAMP:
        case K_BOOL:
        case K_ROWS:
                break;
        }
        return false;
}

static bool int_ok(const struct field *f, int64_t v) {
        return v >= f->min && v <= f->max;
}

bool op_check_field(const struct opdesc *d, int field, const void *msg) {
        const struct field *f = &d->fields[field];

        return is_int(f->kind) ? int_ok(f, op_get_int(d, field, msg)) : slice_ok(f, op_get_slice(d, field, msg));
}

int op_check(enum op op, const void *msg) {
        const struct opdesc *d = op_desc(op);

        for (int i = 0; i < (int)d->n; i++)
                if (op_has(msg, i) ? !op_check_field(d, i, msg) : d->fields[i].need == REQ)
                        return i + 1;
        return 0;
}

static uint64_t unknown_bits(const struct opdesc *d, uint64_t present) {
        return d->n < 64 ? present >> d->n : 0;
}

void op_encode(enum op op, const void *msg, struct buf *out) {
        const struct opdesc *d = op_desc(op);
        size_t from = out->n;
        uint64_t present = *(const uint64_t *)msg;

        assert(op_check(op, msg) == 0 && !unknown_bits(d, present));
        buf_le64(out, present);
        for (int i = 0; i < (int)d->n; i++) {
                const struct field *f = &d->fields[i];

                if (!op_has(msg, i))
                        continue;
                if (f->kind == K_BOOL) {
                        buf_char(out, (char)op_get_int(d, i, msg));
                } else if (is_int(f->kind)) {
                        buf_le64(out, (uint64_t)op_get_int(d, i, msg));
                } else {
                        struct slice s = op_get_slice(d, i, msg);

                        buf_le32(out, s.n);
                        buf_slice(out, s);
                }
        }
        if (out->n - from > OP_BYTES_MAX) { /* the peer would cut us off, and again at every repeat */
                out->n = from;
                out->over = true;
        }
}

/* What is left to read of one message. */
struct reader {
        const char *p;
        size_t n;
};

static const char *take(struct reader *r, size_t n) {
        const char *p = r->p;

        if (r->n < n)
                return NULL;
        r->p += n;
        r->n -= n;
        return p;
}

static bool read_int(struct reader *r, const struct opdesc *d, int i, void *msg) {
        const struct field *f = &d->fields[i];
        const char *p = take(r, f->kind == K_BOOL ? 1 : 8);

        if (!p)
                return false;

        int64_t v = f->kind == K_BOOL ? (unsigned char)*p : (int64_t)get_le64(p);

        if (!int_ok(f, v))
                return false;
        op_set_int(d, i, msg, v);
        return true;
}

static bool read_slice(struct reader *r, const struct opdesc *d, int i, void *msg) {
        const struct field *f = &d->fields[i];
        const char *length = take(r, 4), *p;

        if (!length || !(p = take(r, get_le32(length))))
                return false;

        struct slice s = { p, get_le32(length) };

        if (!slice_ok(f, s) || (f->kind == K_ROWS && op_rows_check(s, f->rec, (uint32_t)f->max) != 0))
                return false;
        op_set_slice(d, i, msg, s);
        return true;
}

static bool read_message(struct reader *r, const struct opdesc *d, void *msg) {
        const char *bits = take(r, 8);
        uint64_t present = bits ? get_le64(bits) : 0;

        if (!bits || unknown_bits(d, present))
                return false;
        for (int i = 0; i < (int)d->n; i++) {
                if (!(present >> i & 1)) {
                        if (d->fields[i].need == REQ)
                                return false;
                } else if (!(is_int(d->fields[i].kind) ? read_int(r, d, i, msg) : read_slice(r, d, i, msg))) {
                        return false;
                }
        }
        return r->n == 0;
}

int op_decode(enum op op, struct slice bytes, void *msg) {
        const struct opdesc *d = op_desc(op);
        struct reader r = { bytes.p, bytes.n };

        memset(msg, 0, d->size);
        if (bytes.n <= OP_BYTES_MAX && read_message(&r, d, msg))
                return 0;
        memset(msg, 0, d->size);
        return -1;
}

void op_rows_add(struct buf *rows, enum op rec, const void *msg) {
        if (rows->n == 0)
                buf_le32(rows, 0);

        size_t at = rows->n;

        buf_le32(rows, 0);
        op_encode(rec, msg, rows);
        if (rows->over)
                return;
        put_le32(rows->p + at, (uint32_t)(rows->n - at - 4));
        put_le32(rows->p, get_le32(rows->p) + 1);
}

uint32_t op_rows_count(struct slice rows) {
        return rows.n < 4 ? 0 : get_le32(rows.p);
}

bool op_rows_next(struct slice rows, enum op rec, size_t *at, void *msg) {
        size_t from = *at ? *at : 4;

        if (rows.n < from || rows.n - from < 4)
                return false;

        struct slice row = { rows.p + from + 4, get_le32(rows.p + from) };

        if (rows.n - from - 4 < row.n || op_decode(rec, row, msg) != 0)
                return false;
        *at = from + 4 + row.n;
        return true;
}

int op_rows_check(struct slice bytes, enum op rec, uint32_t max) {
        uint32_t seen = 0;
        union any row;
        size_t at = 0;

        if (bytes.n == 0) /* what a sender has who added no row */
                return 0;
        if (bytes.n < 4 || op_rows_count(bytes) > max)
                return -1;
        while (op_rows_next(bytes, rec, &at, &row))
                seen++;
        return seen == op_rows_count(bytes) && (at ? at : 4) == bytes.n ? 0 : -1;
}
