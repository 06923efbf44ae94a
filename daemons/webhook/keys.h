/* keys.h - LiveKit's API keys of this appliance: found by name to verify, the first one to mint with. */
#pragma once

#include "cred.h"
#include "jwt.h"

#define LIVEKIT_KEYS_MAX 16

struct livekit_key {
        struct slice name, secret; /* in the credential's locked memory */
        struct jwt_key *verify;
};

struct livekit_keys {
        struct secret file;
        unsigned n; /* 0: LiveKit is not configured */
        struct livekit_key key[LIVEKIT_KEYS_MAX];
};

/* Lines "<api key> <secret>"; empty lines and lines that start with # are skipped. Takes the file over. 0, or -1 with
 * a message that names the line, never a secret. */
int livekit_keys_parse(struct secret file, struct livekit_keys *ret, char why[static 160]);
void livekit_keys_free(struct livekit_keys *keys);
const struct livekit_key *livekit_key_find(const struct livekit_keys *keys, struct slice name); /* NULL if unknown */
