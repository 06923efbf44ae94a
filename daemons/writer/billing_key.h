/* billing_key.h - signs usage records: hs256.v1 for those who share the secret, Ed25519 for everybody else. */
#pragma once

#include "cred.h"

/*
 * Credential "billing-key": lines "<key id> <hex digits: HMAC key, 8 to 64 bytes> <64 hex digits: Ed25519 seed>". The
 * first signs; the operator keeps the others there to check older HMACs. The database keeps every public half that has
 * signed. Both sign the same bytes, the record's canonical text: HMAC-SHA256 (RFC 2104) as lower-case hex, Ed25519 (RFC 8032) as base64url.
 */
#define BILLING_ID_MAX      100u
#define BILLING_HMAC_HEX    64u
#define BILLING_ED_TEXT     86u
#define BILLING_PUBLIC_TEXT 43u

struct billing_key {
        struct secret file; /* as it was read; wiped with the rest */
        struct secret key;  /* 64 bytes of signing key, then the HMAC key */
        char id[BILLING_ID_MAX + 1];
        unsigned char public_key[32];
};

/* 0; 1: there is none; -1 with a message for the operator. */
int billing_key_load(struct billing_key *k, char why[static 160]);
void billing_key_wipe(struct billing_key *k);
/* Neither is terminated. */
void billing_key_sign(const struct billing_key *k, struct slice canonical, char hmac[static BILLING_HMAC_HEX + 1],
                      char ed25519[static text_base64_size(64)]);
