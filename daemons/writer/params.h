/* params.h - op messages become libpq's binary parameters by walking the op's row; there is no code per op. */
#pragma once

#include "ops.h"

#define PARAMS_MAX        64
#define PARAMS_COLUMN_MAX (32u << 20)

/* Reused from call to call. What params_one() points to borrows from the message. */
struct params {
        int n;
        bool over; /* a column did not fit: do not send */
        const char *value[PARAMS_MAX];
        int length[PARAMS_MAX];
        int format[PARAMS_MAX];
        unsigned char number[PARAMS_MAX][8];
        unsigned char hash[32];
        struct buf column[PARAMS_MAX];
        uint32_t count[PARAMS_MAX];
};

void params_init(struct params *p);
void params_free(struct params *p);
/* READ, LISTEN, WRITE: one message. `bytes` is its encoding, from which the command hash is taken. */
void params_one(struct params *p, enum op op, const void *msg, struct slice bytes);
/* BATCH: every parameter is an array over all messages; rows carry the number (from 0) of their message. */
void params_batch(struct params *p, enum op op, const void *const *msgs, uint32_t n);

/* BLAKE2b-256 over the op's name and its encoding without the command id: what makes a repeat the same request. */
void params_command_hash(enum op op, const void *msg, struct slice bytes, unsigned char out[32]);
