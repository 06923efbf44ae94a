/* batch.h - what one lane commits at once: asks in order, as few statements as can be, one Sync; or one Sync each. */
#pragma once

#include "errors.h"
#include "pg.h"

#define BATCH_BYTES_MAX (8u << 20)
#define BATCH_ROWS_MAX  5000u

/* One statement: asks[first .. first+n). */
struct call {
        enum op op;
        uint32_t first, n;
        PGresult *res; /* kept until the Sync's own result */
};

struct batch {
        struct ask **asks; /* NULL: answered */
        const void **msgs; /* scratch */
        uint32_t n, max;
        size_t bytes;
        uint32_t rows;
        struct call *calls;
        uint32_t n_calls;
        bool singles; /* every ask in a transaction of its own */
        bool sent;
        uint32_t at;   /* the call whose result comes next */
        uint32_t from; /* first call of the transaction that is coming in */
        bool failed;   /* that transaction */
        struct failure failure;
};

void batch_init(struct batch *b, uint32_t max);
void batch_free(struct batch *b);
/* Takes from the queue what fits and puts it in order. */
void batch_fill(struct batch *b, struct asks *from);
/* Queues all statements and Syncs on the connection; false: the connection is given up. */
bool batch_send(struct batch *b, struct pg *pg, struct params *params);
/* Takes in the result of the next statement (not a Sync's). */
void batch_result(struct batch *b, PGresult *res);
/* Forgets results and calls, so that what is unanswered can be sent again. */
void batch_rewind(struct batch *b);
