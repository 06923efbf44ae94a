/* jwt_key.h - one verification key and the only algorithm it answers to; shared by jwt.c and jwks.c. */
#pragma once

#include <openssl/evp.h>

#include "jwt.h"

#define JWT_KID_MAX 128

struct jwt_key {
        enum jwt_alg alg;
        char kid[JWT_KID_MAX + 1]; /* "" if the key has none */
        unsigned char ed25519[32];
        unsigned char *hmac; /* sodium_malloc'd copy */
        size_t hmac_size;
        EVP_PKEY *pkey; /* RS256, ES256 */
};

/* Takes the EVP_PKEY over, also on failure (NULL: out of memory or a kid that is too long). */
struct jwt_key *jwt_key_evp(enum jwt_alg alg, EVP_PKEY *pkey, struct slice kid);
struct jwt_key *jwt_key_okp(const unsigned char pub[32], struct slice kid);

const char *jwt_alg_name(enum jwt_alg alg);
/* Is `sig` this key's signature of `text`? */
bool jwt_key_verifies(const struct jwt_key *k, struct slice text, struct slice sig);
