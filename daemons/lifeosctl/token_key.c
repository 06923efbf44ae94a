/* token_key.c - issuer/issuer-key and what the frontends believe: frontend/issuer-pub, the newest line first. */
#include <errno.h>
#include <sodium.h>
#include <stdio.h>

#include "ctl.h"
#include "files.h"
#include "keytree.h"

#define KID            16u /* hex digits of the public key's hash */
#define LINE_MAX_BYTES (KID + 1 + 64 + 1)

struct pair {
        char private[LINE_MAX_BYTES + 1]; /* "<kid> <seed>\n" */
        char public[LINE_MAX_BYTES + 1];  /* "<kid> <public key>\n" */
};

static void pair_from_seed(const unsigned char seed[32], struct slice kid, struct pair *ret) {
        unsigned char pub[crypto_sign_PUBLICKEYBYTES], sk[crypto_sign_SECRETKEYBYTES], hash[KID / 2];
        char seed_hex[65], pub_hex[65], made[KID + 1];

        crypto_sign_seed_keypair(pub, sk, seed);
        crypto_generichash_blake2b(hash, sizeof hash, pub, sizeof pub, NULL, 0);
        text_hex(hash, sizeof hash, made);
        if (kid.n == 0)
                kid = slice_of(made);
        text_hex(seed, 32, seed_hex);
        text_hex(pub, sizeof pub, pub_hex);
        snprintf(ret->private, sizeof ret->private, "%.*s %s\n", SLICE_FMT(kid), seed_hex);
        snprintf(ret->public, sizeof ret->public, "%.*s %s\n", SLICE_FMT(kid), pub_hex);
        sodium_memzero(sk, sizeof sk);
        sodium_memzero(seed_hex, sizeof seed_hex);
}

static void pair_new(struct pair *ret) {
        unsigned char seed[crypto_sign_SEEDBYTES];

        randombytes_buf(seed, sizeof seed);
        pair_from_seed(seed, slice_of(NULL), ret);
        sodium_memzero(seed, sizeof seed);
}

/* The pair whose private half is in issuer/issuer-key. */
static int pair_read(const struct keytree *t, struct pair *ret) {
        unsigned char seed[crypto_sign_SEEDBYTES];
        struct slice kid = { 0 };
        const char *space;
        struct buf b;
        bool good;

        buf_init(&b, 512);
        good = file_read(t->dir[ISSUER], "issuer-key", &b) == 0;
        space = good && b.n ? memchr(b.p, ' ', b.n) : NULL;
        if (space)
                kid = (struct slice){ b.p, (uint32_t)(space - b.p) };
        if (good && !(kid.n >= 1 && kid.n <= KID && text_id(kid) && b.n >= kid.n + 1 + 64 &&
                      text_unhex((struct slice){ space + 1, 64 }, seed, sizeof seed))) {
                good = false;
                errno = EBADMSG;
        }
        if (good)
                pair_from_seed(seed, kid, ret);
        sodium_memzero(seed, sizeof seed);
        if (b.p)
                sodium_memzero(b.p, b.cap);
        buf_free(&b);
        return good ? CTL_DONE : keytree_fail(t, ISSUER, "issuer-key");
}

/* `line` first, then, unless they are forgotten, the newest other line: two generations are believed. */
static int write_public(const struct keytree *t, const char *line, bool forget_old) {
        struct buf old, out;
        size_t at = 0;
        int r;

        buf_init(&old, 16384);
        buf_init(&out, 16384);
        buf_str(&out, line);
        if (file_read(t->dir[FRONTEND], "issuer-pub", &old) < 0)
                return buf_free(&old), buf_free(&out), keytree_fail(t, FRONTEND, "issuer-pub");
        while (!forget_old && at < old.n) {
                const char *end = memchr(old.p + at, '\n', old.n - at);
                size_t n = end ? (size_t)(end - old.p) - at : old.n - at;

                if (n > 0 && !(n + 1 == strlen(line) && memcmp(old.p + at, line, n) == 0)) {
                        buf_add(&out, old.p + at, n);
                        buf_char(&out, '\n');
                        break;
                }
                at += n + 1;
        }
        r = file_replace(t->dir[FRONTEND], "issuer-pub", buf_view(&out), 0600);
        buf_free(&old);
        buf_free(&out);
        return r == 0 ? CTL_DONE : keytree_fail(t, FRONTEND, "issuer-pub");
}

int token_key_complete(const struct keytree *t) {
        struct pair pair = { 0 };
        int r;

        pair_new(&pair);
        r = file_create(t->dir[ISSUER], "issuer-key", slice_of(pair.private), 0400);
        if (r < 0)
                r = keytree_fail(t, ISSUER, "issuer-key");
        else
                r = pair_read(t, &pair);
        if (r == CTL_DONE)
                r = write_public(t, pair.public, false);
        sodium_memzero(&pair, sizeof pair);
        return r;
}

/* The frontends must believe the new key before the issuer signs with it. */
int token_key_rotate(const struct keytree *t, bool forget_old) {
        struct pair pair = { 0 };
        int r;

        pair_new(&pair);
        r = write_public(t, pair.public, forget_old);
        if (r == CTL_DONE && file_replace(t->dir[ISSUER], "issuer-key", slice_of(pair.private), 0400) != 0)
                r = keytree_fail(t, ISSUER, "issuer-key");
        sodium_memzero(&pair, sizeof pair);
        return r;
}
