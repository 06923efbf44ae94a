/* jwt.h - JSON Web Tokens (RFC 7519) in compact form, with the algorithm pinned by the key, never by the token. */
#pragma once

#include "json.h"

/* Secrets are passed as bytes; who holds them keeps them in a struct secret. */
enum jwt_alg { JWT_HS256, JWT_RS256, JWT_ES256, JWT_EDDSA };

struct jwt_key; /* one verification key: its algorithm and, if it has one, its kid */
void jwt_key_free(struct jwt_key *k);
struct jwt_key *jwt_key_ed25519(const unsigned char pub[32], const char *kid);
struct jwt_key *jwt_key_hs256(const void *secret, size_t n);
/* RFC 7517 key set: RSA (>= 2048 bits) as RS256, EC P-256 as ES256, OKP Ed25519 as EdDSA; a key whose `alg` says
 * something else, whose `use` is not sig, or that holds private or symmetric parts is an error. Returns the number of
 * keys put in out (at most max), or -1 with a message. */
int jwt_keys_from_jwks(struct slice text, struct jwt_key **out, int max, char why[static 160]);

enum jwt_result { JWT_OK, JWT_MALFORMED, JWT_NO_KEY, JWT_BAD_SIGNATURE, JWT_EXPIRED, JWT_NOT_YET, JWT_NO_EXP };

/* Verifies signature, then exp (required) and nbf against now (seconds) with leeway. The header must name exactly the
 * key's algorithm; `crit` is refused; duplicate members are refused; with a kid in the header only that key is tried.
 * On JWT_OK *ret_claims is the payload object, living in the arena. The token is at most 8 KiB. */
enum jwt_result jwt_verify(struct slice token, struct jwt_key *const *keys, int n, int64_t now, int64_t leeway,
                           struct arena *a, struct json *ret_claims);
/* Only header and payload split and parsed, nothing believed: to pick a key by iss. */
enum jwt_result jwt_peek(struct slice token, struct arena *a, struct json *ret_claims);

/* claims is one JSON object. */
void jwt_sign_hs256(struct slice claims, const void *secret, size_t n, struct buf *out);
void jwt_sign_ed25519(struct slice claims, const unsigned char sk[64], const char *kid, struct buf *out);
