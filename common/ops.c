/* ops.c - the rows of ops.def as descriptors, and what can be asked of them. */
#include "ops.h"

#include <sodium.h>
#include <stdlib.h>

#include "status.h"

#define F(f, k, need, a, b, words, rec) { #f, k, need, offsetof(T, f), a, b, words, rec },

#define ACTOR(f)              F(f, K_ACTOR, REQ, 1, 128, NULL, OP_NONE)
#define COMMAND(f)            F(f, K_COMMAND, REQ, 1, 128, NULL, OP_NONE)
#define ID(need, f)           F(f, K_ID, need, 1, 100, NULL, OP_NONE)
#define STR(need, f, a, b)    F(f, K_STR, need, a, b, NULL, OP_NONE)
#define ENUM(need, f, words)  F(f, K_ENUM, need, 1, 64, words, OP_NONE)
#define JSON(need, f, b)      F(f, K_JSON, need, 2, b, NULL, OP_NONE)
#define VALUE(need, f, b)     F(f, K_VALUE, need, 1, b, NULL, OP_NONE)
#define BLOB(need, f, a, b)   F(f, K_BLOB, need, a, b, NULL, OP_NONE)
#define INT(need, f, a, b)    F(f, K_INT, need, a, b, NULL, OP_NONE)
#define CLAMP(need, f, a, b)  F(f, K_CLAMP, need, a, b, NULL, OP_NONE)
#define BOOL(need, f)         F(f, K_BOOL, need, 0, 1, NULL, OP_NONE)
#define ROWS(need, f, rec, b) F(f, K_ROWS, need, 0, b, NULL, OP_##rec)
#define OP(name_, from_, to_, mode_, reply_, fields_)                                                                \
        static const struct opdesc *desc_##name_(void) {                                                             \
                typedef struct op_##name_ T;                                                                         \
                static const struct field f[] = { fields_ };                                                         \
                static const struct opdesc d = { #name_,      from_,     to_, mode_,                                 \
                                                 OP_##reply_, sizeof(T), f,   sizeof f / sizeof f[0] };              \
                _Static_assert(sizeof f / sizeof f[0] <= 64, "one presence bit for each field");                     \
                return &d;                                                                                           \
        }
#include "ops.def"

const struct opdesc *op_desc(enum op op) {
        switch (op) {
#define OP(name, ...)                                                                                                \
        case OP_##name:                                                                                              \
                return desc_##name();
#include "ops.def"
        case OP_NONE:
                break;
        }
        abort(); /* who reads a number from outside compares it with OP_COUNT first */
}

enum op op_by_name(const char *name) {
        for (unsigned op = 0; op < OP_COUNT; op++)
                if (strcmp(op_desc((enum op)op)->name, name) == 0)
                        return (enum op)op;
        return OP_NONE;
}

int op_field(const struct opdesc *d, const char *name) {
        for (size_t i = 0; i < d->n; i++)
                if (strcmp(d->fields[i].name, name) == 0)
                        return (int)i;
        return -1;
}

/* Every message begins with its presence bits. */
static void mark(void *msg, int field) {
        *(uint64_t *)msg |= UINT64_C(1) << field;
}

bool op_has(const void *msg, int field) {
        return (*(const uint64_t *)msg >> field & 1) != 0;
}

void op_set_slice(const struct opdesc *d, int field, void *msg, struct slice v) {
        memcpy((char *)msg + d->fields[field].offset, &v, sizeof v);
        mark(msg, field);
}

void op_set_int(const struct opdesc *d, int field, void *msg, int64_t v) {
        char *to = (char *)msg + d->fields[field].offset;
        bool b = v != 0;

        if (d->fields[field].kind == K_BOOL)
                memcpy(to, &b, sizeof b);
        else
                memcpy(to, &v, sizeof v);
        mark(msg, field);
}

struct slice op_get_slice(const struct opdesc *d, int field, const void *msg) {
        struct slice v;

        memcpy(&v, (const char *)msg + d->fields[field].offset, sizeof v);
        return v;
}

int64_t op_get_int(const struct opdesc *d, int field, const void *msg) {
        const char *from = (const char *)msg + d->fields[field].offset;
        int64_t v;
        bool b;

        if (d->fields[field].kind == K_BOOL) {
                memcpy(&b, from, sizeof b);
                return b;
        }
        memcpy(&v, from, sizeof v);
        return v;
}

static void hash_text(crypto_generichash_state *st, const char *s) {
        crypto_generichash_update(st, (const unsigned char *)(s ? s : ""), s ? strlen(s) + 1 : 1);
}

static void hash_int(crypto_generichash_state *st, int64_t v) {
        unsigned char bytes[8];

        put_le64(bytes, (uint64_t)v);
        crypto_generichash_update(st, bytes, sizeof bytes);
}

static void hash_op(crypto_generichash_state *st, const struct opdesc *d) {
        hash_text(st, d->name);
        hash_int(st, (int64_t)d->from);
        hash_int(st, (int64_t)d->to);
        hash_int(st, (int64_t)d->mode);
        hash_int(st, (int64_t)d->reply);
        hash_int(st, (int64_t)d->n);
        for (size_t i = 0; i < d->n; i++) {
                const struct field *f = &d->fields[i];

                hash_text(st, f->name);
                hash_int(st, (int64_t)f->kind);
                hash_int(st, (int64_t)f->need);
                hash_int(st, f->min);
                hash_int(st, f->max);
                hash_text(st, f->words);
                hash_int(st, (int64_t)f->rec);
        }
}

void op_schema_hash(unsigned char out[32]) {
        static const char *const daemons[] = {
#define DAEMON(id, name, user, socket, what) #id, #name, user, socket,
#include "../policy/daemons.def"
        };
        crypto_generichash_state st;

        crypto_generichash_init(&st, NULL, 0, 32);
        for (unsigned op = 0; op < OP_COUNT; op++)
                hash_op(&st, op_desc((enum op)op));
        for (unsigned s = 0; s < STATUS_COUNT; s++) {
                const struct status_row *row = status_row((enum status)s);

                hash_text(&st, row->name);
                hash_text(&st, row->sqlstate);
                hash_text(&st, row->text);
                hash_int(&st, row->http);
                hash_int(&st, (int64_t)row->retry);
        }
        for (size_t i = 0; i < sizeof daemons / sizeof daemons[0]; i++)
                hash_text(&st, daemons[i]);
        crypto_generichash_final(&st, out, 32);
}
