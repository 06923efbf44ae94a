/* keytree.h - the folder of everybody's keys, DIR/<daemon>/<credential>: completed, rotated, never overwritten. */
#pragma once

#include "ops.h"

/*
 * <daemon>/peer-key        its Ed25519 seed; only this daemon and the operator ever read it
 * <daemon>/peer-previous   public half of the key before the last rotation, if that is still believed
 * <daemon>/peers           whom it may talk to (who that is follows from ops.def), derived from the others' keys
 * issuer/issuer-key        signs user tokens; frontend/issuer-pub has the public half, and the one before
 * frontend/jwks            the customer's identity provider's keys; webhook/livekit-keys  LiveKit's
 * writer/billing-key       signs usage records: the HMAC's key and the Ed25519 seed; the first line signs
 * openclaw/openclaw-token  what the OpenClaw gateway lets us in with; openclaw/openclaw-ca  who signed its certificate
 */
struct keytree {
        const char *path;
        int root, dir[DAEMON_COUNT];
        bool current_user; /* peers are told to expect the caller's uid, not the package's users; a file of this
                            * name in the tree remembers it */
};

/* All return CTL_DONE, or CTL_FAILED after having said why. Opening makes the folders and locks the tree. */
int keytree_open(struct keytree *t, const char *path, bool current_user);
void keytree_close(struct keytree *t);
int keytree_complete(const struct keytree *t);
int keytree_rotate_peer(const struct keytree *t, enum daemon_id kind, bool forget_old);

/* token_key.c: the pair that signs and verifies user tokens. */
int token_key_complete(const struct keytree *t);
int token_key_rotate(const struct keytree *t, bool forget_old);

/* billing_file.c: what signs usage records. Rotated: the lines before stay below the new one. */
int billing_file_complete(const struct keytree *t);
int billing_file_rotate(const struct keytree *t, bool forget_old);

const char *daemon_name(enum daemon_id kind);
enum daemon_id daemon_by_name(const char *name); /* NOBODY if there is none */
/* CTL_FAILED, after saying which file failed and errno. */
int keytree_fail(const struct keytree *t, enum daemon_id kind, const char *file);
