/* billing_key.c - the key's file and the two signatures. */
#include "billing_key.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>

#define FILE_MAX 16384u
#define HMAC_MAX 64u

static struct slice word(struct slice *line) {
        struct slice w = *line;

        w.n = 0;
        while (w.n < line->n && line->p[w.n] != ' ')
                w.n++;
        line->p += w.n;
        line->n -= w.n;
        *line = slice_trim(*line);
        return w;
}

static bool first_line(struct billing_key *k) {
        struct slice file = { (const char *)k->file.p, (uint32_t)k->file.n };
        const char *end = memchr(file.p, '\n', file.n);
        struct slice line = { file.p, end ? (uint32_t)(end - file.p) : file.n };
        struct slice id, hmac, seed_hex;
        unsigned char seed[32];
        bool good;
        size_t n;

        line = slice_trim(line);
        id = word(&line);
        hmac = word(&line);
        seed_hex = word(&line);
        n = hmac.n / 2;
        good = line.n == 0 && text_id(id) && slice_copy(id, k->id, sizeof k->id) && n >= 8 && n <= HMAC_MAX &&
               text_unhex(hmac, k->key.p + crypto_sign_SECRETKEYBYTES, n) &&
               text_unhex(seed_hex, seed, sizeof seed) &&
               crypto_sign_seed_keypair(k->public_key, k->key.p, seed) == 0;
        k->key.n = crypto_sign_SECRETKEYBYTES + n;
        sodium_memzero(seed, sizeof seed);
        return good;
}

int billing_key_load(struct billing_key *k, char why[static 160]) {
        int r = cred_read("billing-key", FILE_MAX, &k->file);

        if (r < 0)
                (void)snprintf(why, 160, "the credential billing-key cannot be read: %s", strerror(errno));
        if (r != 0)
                return r;
        if (k->file.n == 0) {
                secret_wipe(&k->file);
                return 1;
        }
        k->key.p = sodium_malloc(crypto_sign_SECRETKEYBYTES + HMAC_MAX);
        if (k->key.p && first_line(k)) {
                secret_wipe(&k->file);
                return 0;
        }
        (void)snprintf(why, 160, "the credential billing-key is not \"<key id> <hex digits> <64 hex digits>\"");
        billing_key_wipe(k);
        return -1;
}

void billing_key_wipe(struct billing_key *k) {
        secret_wipe(&k->file);
        secret_wipe(&k->key);
}

void billing_key_sign(const struct billing_key *k, struct slice canonical, char hmac[static BILLING_HMAC_HEX + 1],
                      char ed25519[static text_base64_size(64)]) {
        const unsigned char *text = (const unsigned char *)canonical.p;
        unsigned char mac[crypto_auth_hmacsha256_BYTES], signature[crypto_sign_BYTES];
        crypto_auth_hmacsha256_state state;

        crypto_auth_hmacsha256_init(&state, k->key.p + crypto_sign_SECRETKEYBYTES,
                                    k->key.n - crypto_sign_SECRETKEYBYTES);
        crypto_auth_hmacsha256_update(&state, text, canonical.n);
        crypto_auth_hmacsha256_final(&state, mac);
        sodium_memzero(&state, sizeof state);
        text_hex(mac, sizeof mac, hmac);
        crypto_sign_detached(signature, NULL, text, canonical.n, k->key.p);
        (void)text_base64url(signature, sizeof signature, ed25519);
}
