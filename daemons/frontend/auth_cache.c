/* auth_cache.c - a set-associative table: a lookup reads eight entries, a stranger's tokens displace at most eight. */
#include "auth_cache.h"

#include <sodium.h>
#include <stdlib.h>

struct auth_cache {
        unsigned char key[32];
        struct auth_entry entries[AUTH_CACHE_ENTRIES];
};

struct auth_cache *auth_cache_new(void) {
        struct auth_cache *c = calloc(1, sizeof(*c));
        if (c)
                randombytes_buf(c->key, sizeof(c->key));
        return c;
}

void auth_cache_free(struct auth_cache *c) {
        free(c);
}

void auth_cache_digest(const struct auth_cache *c, struct slice token, unsigned char out[32]) {
        crypto_generichash(out, 32, (const unsigned char *)token.p, token.n, c->key, sizeof(c->key));
}

static size_t set_of(const unsigned char digest[32]) {
        uint32_t word;
        memcpy(&word, digest, sizeof(word));
        return (size_t)(word % (AUTH_CACHE_ENTRIES / AUTH_CACHE_WAYS)) * AUTH_CACHE_WAYS;
}

const struct auth_entry *auth_cache_get(const struct auth_cache *c, const unsigned char digest[32], int64_t now) {
        const struct auth_entry *set = &c->entries[set_of(digest)];
        for (unsigned i = 0; i < AUTH_CACHE_WAYS; i++)
                if (set[i].until > now && sodium_memcmp(set[i].digest, digest, 32) == 0)
                        return &set[i];
        return NULL;
}

void auth_cache_put(struct auth_cache *c, const unsigned char digest[32], const struct auth_entry *e, int64_t until) {
        struct auth_entry *set = &c->entries[set_of(digest)], *to = &set[0];
        for (unsigned i = 0; i < AUTH_CACHE_WAYS; i++) {
                if (sodium_memcmp(set[i].digest, digest, 32) == 0) {
                        to = &set[i];
                        break;
                }
                if (set[i].until < to->until)
                        to = &set[i];
        }
        *to = *e;
        memcpy(to->digest, digest, 32);
        to->until = until;
}

void auth_cache_drop(struct auth_cache *c, struct slice account, struct slice id) {
        for (unsigned i = 0; i < AUTH_CACHE_ENTRIES; i++) {
                struct auth_entry *e = &c->entries[i];
                if (id.n > 0 ? slice_is(id, e->id) : slice_is(account, e->account))
                        e->until = 0;
        }
}
