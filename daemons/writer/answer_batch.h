/* answer_batch.h - the rows of a set-based call, dealt out to the many asks it served. */
#pragma once

#include <libpq-fe.h>

#include "publish.h"

/* Memory that is reused from batch to batch. */
struct answer_batch {
        char *records;  /* the decoded rows */
        uint32_t *slot; /* of each row asked for: its record's number + 1, 0 if it has none */
        size_t records_cap, slot_cap;
        struct buf rows;
};

void answer_batch_init(struct answer_batch *b);
void answer_batch_free(struct answer_batch *b);
/* Publishes what is new, then answers every ask: all its rows, or the status of the row it was refused for. */
void answer_batch(struct answer_batch *b, struct publish *publish, struct ask *const *asks, uint32_t n,
                  const PGresult *res);
