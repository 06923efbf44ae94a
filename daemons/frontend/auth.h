/* auth.h - inside auth*.c: what is remembered about tokens and keys, and the way from a header to an actor. */
#pragma once

#include "auth_cache.h"
#include "frontend.h"
#include "jwt.h"

#define AUTH_KEYS_MAX    32    /* verification keys of one issuer */
#define AUTH_LOOKUPS_MAX 1024u /* API keys the writer is being asked about */

struct auth_issuer {
        const char *iss, *audience, *account_claim, *role_claim,
                *role; /* role: of a token without one; NULL: refused */
        struct jwt_key *keys[AUTH_KEYS_MAX];
        int n_keys;
};

struct auth_lookup;
struct auth_state {
        struct auth_issuer ours, idp; /* n_keys 0: not trusted at all */
        struct auth_cache *tokens, *keys;
        struct auth_lookup *lookups;
        unsigned n_lookups;
};

typedef void auth_done(struct frontend *f, struct http_request *r, enum status s, const struct actor *a);

/* auth_issuers.c: credentials issuer-pub and jwks, and the settings beside them; dies with a message for the operator. */
void auth_issuers_load(struct auth_state *s);
/* 0, or -1 with a message: lines "<kid> <64 hex digits>", '#' starts a comment. */
int auth_issuer_keys(struct slice text, struct auth_issuer *to, char why[static 160]);

/* auth_token.c: a JWT. On OK the entry is filled; `until` is in microseconds of real time. */
enum status auth_token(const struct auth_state *s, struct slice token, int64_t now, struct arena *a,
                       struct auth_entry *ret, int64_t *ret_until);
/* 1..128 printable ASCII without spaces. */
bool auth_name(struct slice s);

/* auth_key.c: an API key that is not cached: asks the writer, once for all that wait for the same. */
bool auth_key_shape(struct slice token);
void auth_key(struct frontend *f, struct slice token, const unsigned char digest[32], struct auth_ask *q);
/* The writer's answer as an entry. What is returned is for the client; *ret_keep is how long it holds (0: not at all). */
enum status auth_key_answer(const struct answer *ans, struct auth_entry *ret, int64_t *ret_keep);
