/* cred.h - secrets and keys: read once from $CREDENTIALS_DIRECTORY, locked in memory, wiped at the end. */
#pragma once

#include "ops.h"

/* A type the log cannot print and the codec cannot encode. Memory is sodium_malloc'd: guarded, locked, no core. */
struct secret {
        unsigned char *p;
        size_t n;
};

/* The file `name` of the credentials directory, at most max bytes. 0; 1 if there is none; -1 with errno. */
int cred_read(const char *name, size_t max, struct secret *ret);
void secret_wipe(struct secret *s); /* NULL-safe */

/* Ed25519 (RFC 8032). Credential "peer-key": 64 hex digits of seed. Credential "peers": one line per kind of daemon,
 * "<name> <unix user or uid> <64 hex digits of public key>"; several lines per kind allowed (key rotation). */
#define CRED_PEER_KEYS 4
struct cred_peer {
        uint32_t uid;
        unsigned n_keys;
        unsigned char keys[CRED_PEER_KEYS][32];
};
struct cred_ring {
        struct secret sign;                  /* our own 64-byte signing key */
        struct cred_peer peer[DAEMON_COUNT]; /* n_keys 0: this kind is not known here */
};
/* The kind's name in daemons.def ("frontend"); "nobody" for anything else. */
const char *cred_kind_name(enum daemon_id kind);
/* 0, or -1 with a message for the operator. */
int cred_ring_load(struct cred_ring *ring, char why[static 256]);
