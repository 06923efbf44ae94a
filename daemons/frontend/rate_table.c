/* rate_table.c - buckets by keyed hash: an ask or a charge reads eight entries, whatever strangers do. */
#include "rate_table.h"

#include <sodium.h>

#define MINUTE INT64_C(60000000000)

void rate_table_init(struct rate_table *t) {
        randombytes_buf(t->key, sizeof(t->key));
}

static uint64_t tag_of(const struct rate_table *t, const void *key, size_t n) {
        uint64_t tag;
        _Static_assert(sizeof(t->key) == crypto_shorthash_KEYBYTES && sizeof(tag) == crypto_shorthash_BYTES,
                       "SipHash");
        crypto_shorthash((unsigned char *)&tag, key, n, t->key);
        return tag ? tag : 1;
}

static size_t set_of(uint64_t tag) {
        return (size_t)(tag % (RATE_ENTRIES / RATE_WAYS)) * RATE_WAYS;
}

unsigned rate_ask(const struct rate_table *t, const void *key, size_t n, int64_t per_minute, int64_t now) {
        uint64_t tag = tag_of(t, key, n);
        const struct rate_entry *set = &t->entries[set_of(tag)];
        for (unsigned i = 0; i < RATE_WAYS; i++) {
                if (set[i].tag != tag || set[i].full <= now)
                        continue;
                int64_t late = set[i].full - now - (MINUTE - MINUTE / per_minute);
                return late > 0 ? (unsigned)((late + 999999999) / 1000000000) : 0;
        }
        return 0;
}

void rate_charge(struct rate_table *t, const void *key, size_t n, int64_t per_minute, int64_t now) {
        uint64_t tag = tag_of(t, key, n);
        struct rate_entry *set = &t->entries[set_of(tag)], *e = &set[0];
        for (unsigned i = 0; i < RATE_WAYS; i++) {
                if (set[i].tag == tag) {
                        e = &set[i];
                        break;
                }
                if (set[i].full < e->full)
                        e = &set[i];
        }
        int64_t from = e->tag == tag && e->full > now ? e->full : now;
        int64_t full = from + MINUTE / per_minute;
        *e = (struct rate_entry){ tag, full < now + 2 * MINUTE ? full : now + 2 * MINUTE };
}
