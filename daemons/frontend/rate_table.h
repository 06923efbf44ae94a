/* rate_table.h - token buckets in a fixed table: who asks how often, forgotten when full, never growing. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * One bucket is one number: when it will be full again (GCRA). A limit of n a minute is a bucket of n tokens that
 * refills in a minute. The table is set-associative; a key that finds its set taken replaces the bucket closest to
 * full, so strangers who come in numbers can at most shorten each other's memory.
 */
#define RATE_ENTRIES 65536u
#define RATE_WAYS    8u

struct rate_entry {
        uint64_t tag; /* keyed hash of the key; 0: empty */
        int64_t full; /* monotonic nanoseconds */
};
struct rate_table {
        unsigned char key[16];
        struct rate_entry entries[RATE_ENTRIES];
};

void rate_table_init(struct rate_table *t);
/* Seconds until a token is there, 0 if one is. */
unsigned rate_ask(const struct rate_table *t, const void *key, size_t n, int64_t per_minute, int64_t now);
void rate_charge(struct rate_table *t, const void *key, size_t n, int64_t per_minute, int64_t now);
