/* keytree.c - a signing key for every daemon, and for each the list of those it may believe. */
#include "keytree.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include "ctl.h"
#include "files.h"

#define CURRENT_USER "current-user"
#define SEED_HEX     ((size_t)64)
#define PUB_HEX      ((size_t)64)

static const struct {
        const char *name, *user;
} daemons[] = {
#define DAEMON(id, name, user, ...) [id] = { #name, user },
#include "../policy/daemons.def"
};

const char *daemon_name(enum daemon_id kind) {
        return daemons[kind].name;
}

enum daemon_id daemon_by_name(const char *name) {
        for (enum daemon_id k = NOBODY + 1; k < DAEMON_COUNT; k++)
                if (strcmp(daemons[k].name, name) == 0)
                        return k;
        return NOBODY;
}

int keytree_fail(const struct keytree *t, enum daemon_id kind, const char *file) {
        return ctl_fail("%s/%s/%s: %s", t->path, daemon_name(kind), file,
                        errno == EBADMSG ? "this is no key; restore it, or remove it and run keys init"
                                         : strerror(errno));
}

int keytree_open(struct keytree *t, const char *path, bool current_user) {
        *t = (struct keytree){ .path = path, .root = -1 };
        for (enum daemon_id k = NOBODY; k < DAEMON_COUNT; k++)
                t->dir[k] = -1;
        if (file_dir(AT_FDCWD, path, &t->root) != 0)
                return ctl_fail("%s: %s", path, strerror(errno));
        if (flock(t->root, LOCK_EX | LOCK_NB) != 0)
                return ctl_fail("%s: another lifeosctl is changing these keys", path);
        if (current_user && file_create(t->root, CURRENT_USER, slice_of(""), 0600) < 0)
                return ctl_fail("%s/%s: %s", path, CURRENT_USER, strerror(errno));
        t->current_user = faccessat(t->root, CURRENT_USER, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
        for (enum daemon_id k = NOBODY + 1; k < DAEMON_COUNT; k++)
                if (file_dir(t->root, daemon_name(k), &t->dir[k]) != 0)
                        return keytree_fail(t, k, "");
        return CTL_DONE;
}

void keytree_close(struct keytree *t) {
        for (enum daemon_id k = NOBODY + 1; k < DAEMON_COUNT; k++)
                if (t->dir[k] >= 0)
                        close(t->dir[k]);
        if (t->root >= 0)
                close(t->root);
}

static void new_seed_text(char to[static SEED_HEX + 2]) {
        unsigned char seed[crypto_sign_SEEDBYTES];

        randombytes_buf(seed, sizeof seed);
        text_hex(seed, sizeof seed, to);
        memcpy(to + SEED_HEX, "\n", 2);
        sodium_memzero(seed, sizeof seed);
}

/* The public half of a daemon's key, in hex. */
static int read_pub(const struct keytree *t, enum daemon_id k, char hex[static PUB_HEX + 1]) {
        unsigned char seed[crypto_sign_SEEDBYTES], sk[crypto_sign_SECRETKEYBYTES], pub[crypto_sign_PUBLICKEYBYTES];
        struct buf b;
        bool good;

        buf_init(&b, 128);
        good = file_read(t->dir[k], "peer-key", &b) == 0;
        if (good && !(b.n >= SEED_HEX && text_unhex((struct slice){ b.p, (uint32_t)SEED_HEX }, seed, sizeof seed))) {
                good = false;
                errno = EBADMSG;
        }
        if (good && crypto_sign_seed_keypair(pub, sk, seed) == 0)
                text_hex(pub, sizeof pub, hex);
        sodium_memzero(seed, sizeof seed);
        sodium_memzero(sk, sizeof sk);
        if (b.p)
                sodium_memzero(b.p, b.cap);
        buf_free(&b);
        return good ? CTL_DONE : keytree_fail(t, k, "peer-key");
}

/* Two kinds know each other if some message may go from one to the other. */
static bool acquainted(enum daemon_id a, enum daemon_id b) {
        for (unsigned op = 0; op < OP_COUNT; op++) {
                const struct opdesc *d = op_desc((enum op)op);

                if ((d->from == a && d->to == b) || (d->from == b && d->to == a))
                        return true;
        }
        return false;
}

/* "<kind> <user or uid> <public key>", and once more for the key before it. */
static int add_peer(const struct keytree *t, enum daemon_id k, struct buf *out) {
        char pub[PUB_HEX + 1], user[64];
        struct buf previous;
        int r = read_pub(t, k, pub);

        if (r != CTL_DONE)
                return r;
        if (t->current_user)
                snprintf(user, sizeof user, "%u", (unsigned)geteuid());
        else
                snprintf(user, sizeof user, "%s", daemons[k].user);
        buf_fmt(out, "%s %s %s\n", daemon_name(k), user, pub);
        buf_init(&previous, 128);
        if (file_read(t->dir[k], "peer-previous", &previous) == 0 && previous.n >= PUB_HEX &&
            memcmp(previous.p, pub, PUB_HEX) != 0)
                buf_fmt(out, "%s %s %.*s\n", daemon_name(k), user, (int)PUB_HEX, previous.p);
        buf_free(&previous);
        return CTL_DONE;
}

static int write_peers(const struct keytree *t, enum daemon_id whose) {
        struct buf out;
        int r = CTL_DONE;

        buf_init(&out, 16384);
        for (enum daemon_id k = NOBODY + 1; k < DAEMON_COUNT && r == CTL_DONE; k++)
                if (k != whose && acquainted(whose, k))
                        r = add_peer(t, k, &out);
        if (r == CTL_DONE && file_replace(t->dir[whose], "peers", buf_view(&out), 0600) != 0)
                r = keytree_fail(t, whose, "peers");
        buf_free(&out);
        return r;
}

static int write_all_peers(const struct keytree *t) {
        int r = CTL_DONE;

        for (enum daemon_id k = NOBODY + 1; k < DAEMON_COUNT && r == CTL_DONE; k++)
                r = write_peers(t, k);
        return r;
}

int keytree_complete(const struct keytree *t) {
        static const struct {
                enum daemon_id kind;
                const char *file, *text;
        } defaults[] = {
                { FRONTEND, "jwks", "{\"keys\":[]}\n" },
                { WEBHOOK, "livekit-keys", "" },
                { OPENCLAW, "openclaw-token", "" },
                { OPENCLAW, "openclaw-ca", "" },
        };
        char seed[SEED_HEX + 2];
        int r;

        for (enum daemon_id k = NOBODY + 1; k < DAEMON_COUNT; k++) {
                new_seed_text(seed);
                r = file_create(t->dir[k], "peer-key", slice_of(seed), 0400);
                sodium_memzero(seed, sizeof seed);
                if (r < 0)
                        return keytree_fail(t, k, "peer-key");
        }
        for (size_t i = 0; i < sizeof defaults / sizeof *defaults; i++)
                if (file_create(t->dir[defaults[i].kind], defaults[i].file, slice_of(defaults[i].text), 0600) < 0)
                        return keytree_fail(t, defaults[i].kind, defaults[i].file);
        r = token_key_complete(t);
        if (r == CTL_DONE)
                r = billing_file_complete(t);
        return r == CTL_DONE ? write_all_peers(t) : r;
}

/* First the old key is noted as believed, then the new one takes its place, then the others are told: stopped at any
 * point, `keys init` puts the lists right. */
int keytree_rotate_peer(const struct keytree *t, enum daemon_id kind, bool forget_old) {
        char pub[PUB_HEX + 2], seed[SEED_HEX + 2];
        int r = read_pub(t, kind, pub);

        if (r != CTL_DONE)
                return r;
        memcpy(pub + PUB_HEX, "\n", 2);
        if (file_replace(t->dir[kind], "peer-previous", slice_of(forget_old ? "" : pub), 0600) != 0)
                return keytree_fail(t, kind, "peer-previous");
        new_seed_text(seed);
        r = file_replace(t->dir[kind], "peer-key", slice_of(seed), 0400);
        sodium_memzero(seed, sizeof seed);
        if (r != 0)
                return keytree_fail(t, kind, "peer-key");
        return write_all_peers(t);
}
