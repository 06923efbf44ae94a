/* issue.h - a user token of this appliance: who, for which tenant, as what, until when. */
#pragma once

#include "jwt.h"
#include "ops.h"
#include "status.h"

struct issuer_key {
        char kid[129];
        unsigned char *sk; /* 64 bytes, sodium_malloc'd */
};

/* "<kid> <64 hex digits of seed>", one line. 0, or -1 if the text is anything else. */
int issuer_key_parse(struct slice text, struct issuer_key *ret);
void issuer_key_free(struct issuer_key *k);

/* STATUS_OK and the token with its expiry (seconds), or INVALID_REQUEST with why. */
enum status issue(const struct issuer_key *key, const struct op_token_issue *m, const char *iss, const char *aud,
                  int64_t now, struct buf *token, int64_t *ret_exp, const char **ret_why);
