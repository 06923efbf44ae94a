/* auth_cache.h - identities recently proved, by keyed hash of the token; fixed size, nothing secret inside. */
#pragma once

#include "status.h"

#define AUTH_CACHE_ENTRIES 4096u
#define AUTH_CACHE_WAYS    8u

struct auth_entry {
        unsigned char digest[32];
        int64_t until;      /* monotonic microseconds; 0: empty */
        enum status status; /* OK, or a refusal worth remembering */
        bool service;
        int64_t ends; /* real microseconds: the actor's `until` */
        char account[129], id[129], role[16];
};

struct auth_cache;
struct auth_cache *auth_cache_new(void);
void auth_cache_free(struct auth_cache *c);
/* BLAKE2b-256 of the token under a key this process made up. */
void auth_cache_digest(const struct auth_cache *c, struct slice token, unsigned char out[32]);
const struct auth_entry *auth_cache_get(const struct auth_cache *c, const unsigned char digest[32], int64_t now);
/* Forgets what is known of an id, or if it is empty of an account's every entry. */
void auth_cache_drop(struct auth_cache *c, struct slice account, struct slice id);
/* Copies *e under the digest until then, over the entry of its set that expires first. */
void auth_cache_put(struct auth_cache *c, const unsigned char digest[32], const struct auth_entry *e, int64_t until);
