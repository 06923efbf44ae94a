/* ops.h - typed messages: struct, strict codec, checker and SQL call, all from the rows of ops.def. */
#pragma once

#include "buf.h"

enum daemon_id {
        NOBODY,
#define DAEMON(id, ...) id,
#include "../policy/daemons.def"
        DAEMON_COUNT,
        ANYBODY
};
enum mode { READ, WRITE, BATCH, LISTEN, CALL, CAST, RECORD };
enum need { OPT, REQ };
enum kind { K_ACTOR, K_COMMAND, K_ID, K_STR, K_ENUM, K_JSON, K_VALUE, K_BLOB, K_INT, K_CLAMP, K_BOOL, K_ROWS };

/* struct op_<name>: absent optional members are all-zero, see op_has(). Slices borrow. */
#define ACTOR(f)              struct slice f;
#define COMMAND(f)            struct slice f;
#define ID(need, f)           struct slice f;
#define STR(need, f, a, b)    struct slice f;
#define ENUM(need, f, words)  struct slice f;
#define JSON(need, f, b)      struct slice f;
#define VALUE(need, f, b)     struct slice f;
#define BLOB(need, f, a, b)   struct slice f;
#define INT(need, f, a, b)    int64_t f;
#define CLAMP(need, f, a, b)  int64_t f;
#define BOOL(need, f)         bool f;
#define ROWS(need, f, rec, b) struct slice f;
#define OP(name, from, to, mode, reply, fields)                                                                      \
        struct op_##name {                                                                                           \
                uint64_t present;                                                                                    \
                fields                                                                                               \
        };
#include "ops.def"

#define ACTOR(f)              char f;
#define COMMAND(f)            char f;
#define ID(need, f)           char f;
#define STR(need, f, a, b)    char f;
#define ENUM(need, f, words)  char f;
#define JSON(need, f, b)      char f;
#define VALUE(need, f, b)     char f;
#define BLOB(need, f, a, b)   char f;
#define INT(need, f, a, b)    char f;
#define CLAMP(need, f, a, b)  char f;
#define BOOL(need, f)         char f;
#define ROWS(need, f, rec, b) char f;
#define OP(name, from, to, mode, reply, fields)                                                                      \
        struct opi_##name {                                                                                          \
                fields                                                                                               \
        };
#include "ops.def"

enum op {
#define OP(name, ...) OP_##name,
#include "ops.def"
        OP_COUNT,
        OP_NONE = OP_COUNT
};

struct field {
        const char *name;
        enum kind kind;
        enum need need;
        size_t offset;
        int64_t min, max;  /* value for INT, CLAMP; byte count for texts; row count for ROWS */
        const char *words; /* ENUM */
        enum op rec;       /* ROWS */
};

struct opdesc {
        const char *name;
        enum daemon_id from, to;
        enum mode mode;
        enum op reply; /* OP_NONE: JSON */
        size_t size;   /* of struct op_<name> */
        const struct field *fields;
        size_t n;
};

/* The largest encoded message of any op, bytes. A peer that announces more is cut off. */
#define OP_BYTES_MAX (5u << 19)

const struct opdesc *op_desc(enum op op); /* op < OP_COUNT */
enum op op_by_name(const char *name);     /* OP_NONE if unknown */
/* BLAKE2b-256 over every row of ops.def, status.def and daemons.def: peers with another hash are refused. */
void op_schema_hash(unsigned char out[32]);

/* The field's number in its op, or -1. */
int op_field(const struct opdesc *d, const char *name);
/* Setting a member this way also marks it present. `msg` starts zeroed. */
void op_set_slice(const struct opdesc *d, int field, void *msg, struct slice v);
void op_set_int(const struct opdesc *d, int field, void *msg, int64_t v); /* INT, CLAMP and BOOL */
bool op_has(const void *msg, int field);
struct slice op_get_slice(const struct opdesc *d, int field, const void *msg);
int64_t op_get_int(const struct opdesc *d, int field, const void *msg);

/* By member name, checked at compile time: OP_SET(session_get, &msg, session_id, slice). The number of a member is
 * its offset in struct opi_<name>, which has one byte for each. */
#define OP_FIELD(name, f) ((int)offsetof(struct opi_##name, f))
#define OP_SET(name, m, f_, v)                                                                                       \
        do {                                                                                                         \
                (m)->f_ = (v);                                                                                       \
                (m)->present |= UINT64_C(1) << OP_FIELD(name, f_);                                                   \
        } while (0)
#define OP_HAS(name, m, f_) (((m)->present >> OP_FIELD(name, f_) & 1) != 0)

/* 0, or the number of the first field that breaks its row, counted from 1. ROWS are checked deeply by decode. */
int op_check(enum op op, const void *msg);
/* One field that is present. */
bool op_check_field(const struct opdesc *d, int field, const void *msg);

/* Appends the encoding to out; the message must pass op_check() (asserted). Over OP_BYTES_MAX it is left out and
 * out->over is set. */
void op_encode(enum op op, const void *msg, struct buf *out);

/* 0, or -1 for anything but one exact message. Slices point into bytes. Wire format: docs/PROTOCOL.md. */
int op_decode(enum op op, struct slice bytes, void *msg);

/* ROWS: append one row; walk rows (at starts at 0; false at the end). Rows of a decoded message are valid. */
void op_rows_add(struct buf *rows, enum op rec, const void *msg);
bool op_rows_next(struct slice rows, enum op rec, size_t *at, void *msg);
uint32_t op_rows_count(struct slice rows);
/* 0, or -1 unless bytes are exactly valid rows, at most max of them. */
int op_rows_check(struct slice bytes, enum op rec, uint32_t max);

/* The statement of a READ, WRITE, BATCH or LISTEN op, spelled from its row with named arguments, so that PREPARE
 * fails at start when a row and its function disagree; -1 for other modes. `types`, if given, gets the SQL type of
 * each parameter, n_types their number. ROWS spread over one array parameter per record field, named
 * <field>_<member>; in a BATCH every parameter is an array and each ROWS field is led by <field>_op int[]. */
int op_sql(enum op op, struct buf *sql, const char *types[static 64], int *n_types);
