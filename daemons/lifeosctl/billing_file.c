/* billing_file.c - writer/billing-key, what usage records are signed with: made once, rotated with the old ones kept. */
#include <errno.h>
#include <sodium.h>
#include <stdio.h>

#include "ctl.h"
#include "files.h"
#include "keytree.h"

#define ID_HEX    16u   /* hex digits of the public key's hash */
#define KEEP_MAX  8192u /* of the lines before; what the writer reads has twice that */
#define LINE_SIZE (3 + ID_HEX + 1 + 64 + 1 + 64 + 1)

/* "<key id> <HMAC key> <Ed25519 seed>\n" */
static void new_line(char to[static LINE_SIZE + 1]) {
        unsigned char hmac[32], seed[crypto_sign_SEEDBYTES], pub[crypto_sign_PUBLICKEYBYTES];
        unsigned char sk[crypto_sign_SECRETKEYBYTES], hash[ID_HEX / 2];
        char id[ID_HEX + 1], hmac_hex[65], seed_hex[65];

        randombytes_buf(hmac, sizeof hmac);
        randombytes_buf(seed, sizeof seed);
        crypto_sign_seed_keypair(pub, sk, seed);
        crypto_generichash_blake2b(hash, sizeof hash, pub, sizeof pub, NULL, 0);
        text_hex(hash, sizeof hash, id);
        text_hex(hmac, sizeof hmac, hmac_hex);
        text_hex(seed, sizeof seed, seed_hex);
        (void)snprintf(to, LINE_SIZE + 1, "bk_%s %s %s\n", id, hmac_hex, seed_hex);
        sodium_memzero(hmac, sizeof hmac);
        sodium_memzero(seed, sizeof seed);
        sodium_memzero(sk, sizeof sk);
        sodium_memzero(hmac_hex, sizeof hmac_hex);
        sodium_memzero(seed_hex, sizeof seed_hex);
}

int billing_file_complete(const struct keytree *t) {
        char line[LINE_SIZE + 1];
        int r;

        new_line(line);
        r = file_create(t->dir[WRITER], "billing-key", slice_of(line), 0400);
        sodium_memzero(line, sizeof line);
        return r < 0 ? keytree_fail(t, WRITER, "billing-key") : CTL_DONE;
}

int billing_file_rotate(const struct keytree *t, bool forget_old) {
        char line[LINE_SIZE + 1];
        struct buf old, out;
        int r;

        buf_init(&old, (size_t)2 * KEEP_MAX);
        buf_init(&out, (size_t)2 * KEEP_MAX);
        new_line(line);
        buf_str(&out, line);
        sodium_memzero(line, sizeof line);
        r = file_read(t->dir[WRITER], "billing-key", &old);
        if (r >= 0 && !forget_old && old.n > KEEP_MAX)
                r = ctl_fail("too many keys are kept; --forget-old removes those before");
        else if (r < 0)
                r = keytree_fail(t, WRITER, "billing-key");
        else
                r = CTL_DONE;
        if (r == CTL_DONE && !forget_old && old.n)
                buf_add(&out, old.p, old.n);
        if (r == CTL_DONE && file_replace(t->dir[WRITER], "billing-key", buf_view(&out), 0400) != 0)
                r = keytree_fail(t, WRITER, "billing-key");
        if (old.p)
                sodium_memzero(old.p, old.cap);
        if (out.p)
                sodium_memzero(out.p, out.cap);
        buf_free(&old);
        buf_free(&out);
        return r;
}
