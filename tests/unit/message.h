/* message.h - messages made from rows: valid ones of every op, and encodings nobody checked. */
#pragma once

#include "ops.h"
#include "unit.h"

enum size { LEAST, SOME, MOST }; /* LEAST: required fields only, each as small as its row allows */

static char message_letters[OP_BYTES_MAX];

static inline void message_letters_fill(void) {
        if (!message_letters[0])
                memset(message_letters, 'a', sizeof message_letters);
}

static inline bool message_is_int(const struct field *f) {
        return f->kind == K_INT || f->kind == K_CLAMP || f->kind == K_BOOL;
}

static inline int64_t message_number(const struct field *f, enum size size) {
        return size == LEAST ? f->min : size == MOST ? f->max : f->min + (f->max - f->min) / 3;
}

static inline void message_rows(const struct field *f, enum size size, struct buf *rows);

/* Text that fits the field, or the empty slice for the least one. Kept alive by `keep`. */
static inline struct slice message_text(const struct field *f, enum size size, struct buf *keep) {
        int64_t n = size == LEAST ? f->min : size == MOST ? f->max : f->min + 5 < f->max ? f->min + 5 : f->max;
        size_t from = keep->n;

        switch (f->kind) {
        case K_ENUM:
                return (struct slice){ f->words, (uint32_t)strcspn(f->words, "|") };
        case K_JSON:
                if (n < 8)
                        return SLICE("{}");
                buf_fmt(keep, "{\"k\":\"%.*s\"}", (int)n - 8, message_letters);
                return (struct slice){ keep->p + from, (uint32_t)n };
        case K_VALUE:
                buf_fmt(keep, "\"%.*s\"", (int)(n < 3 ? 1 : n - 2), message_letters);
                return (struct slice){ keep->p + from, (uint32_t)(keep->n - from) };
        case K_ROWS:
                message_rows(f, size, keep);
                return buf_view(keep);
        case K_ACTOR:
        case K_COMMAND:
        case K_ID:
        case K_STR:
        case K_BLOB:
        case K_INT:
        case K_CLAMP:
        case K_BOOL:
                break;
        }
        return (struct slice){ message_letters, (uint32_t)n };
}

/* Fills msg; each field's bytes live in its own element of keep. */
static inline void message_fill(enum op op, void *msg, enum size size, struct buf keep[64]) {
        const struct opdesc *d = op_desc(op);

        message_letters_fill();
        memset(msg, 0, d->size);
        for (int i = 0; i < (int)d->n; i++) {
                const struct field *f = &d->fields[i];

                buf_init(&keep[i], OP_BYTES_MAX);
                if (f->need == OPT && size == LEAST)
                        continue;
                if (message_is_int(f))
                        op_set_int(d, i, msg, message_number(f, size));
                else
                        op_set_slice(d, i, msg, message_text(f, size, &keep[i]));
        }
}

static inline void message_free(enum op op, struct buf keep[64]) {
        for (size_t i = 0; i < op_desc(op)->n; i++)
                buf_free(&keep[i]);
}

static inline void message_rows(const struct field *f, enum size size, struct buf *rows) {
        struct buf keep[64];
        uint64_t row[128];

        assert_true(op_desc(f->rec)->size <= sizeof row);
        for (int i = 0; i < (size == LEAST ? 0 : 3); i++) {
                message_fill(f->rec, row, i == 1 ? LEAST : SOME, keep);
                op_rows_add(rows, f->rec, row);
                message_free(f->rec, keep);
        }
}

/* The wire format, spelled a second time and without any check, so that wrong messages can be spelled too. */
static inline void message_spell(enum op op, const void *msg, struct buf *out) {
        const struct opdesc *d = op_desc(op);

        buf_le64(out, *(const uint64_t *)msg);
        for (int i = 0; i < (int)d->n; i++) {
                if (!op_has(msg, i))
                        continue;
                if (d->fields[i].kind == K_BOOL) {
                        buf_char(out, (char)op_get_int(d, i, msg));
                } else if (message_is_int(&d->fields[i])) {
                        buf_le64(out, (uint64_t)op_get_int(d, i, msg));
                } else {
                        buf_le32(out, op_get_slice(d, i, msg).n);
                        buf_slice(out, op_get_slice(d, i, msg));
                }
        }
}
