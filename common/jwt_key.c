/* jwt_key.c - keys that verify: Ed25519 and HMAC by libsodium, RSA and ECDSA by OpenSSL's EVP. */
#include "jwt_key.h"

#include <assert.h>
#include <openssl/ecdsa.h>
#include <sodium.h>
#include <stdlib.h>

/* ES256 signatures travel as r || s, 32 bytes each (RFC 7518 3.4); EVP wants them as DER. */
#define ES256_PART    32
#define ES256_DER_MAX 80

const char *jwt_alg_name(enum jwt_alg alg) {
        static const char *const names[] = {
                [JWT_HS256] = "HS256",
                [JWT_RS256] = "RS256",
                [JWT_ES256] = "ES256",
                [JWT_EDDSA] = "EdDSA",
        };
        return names[alg];
}

static struct jwt_key *key_new(enum jwt_alg alg, struct slice kid) {
        struct jwt_key *k = calloc(1, sizeof *k);

        if (!k)
                return NULL;
        k->alg = alg;
        if (kid.n != 0 && !slice_copy(kid, k->kid, sizeof k->kid)) {
                free(k);
                return NULL;
        }
        return k;
}

void jwt_key_free(struct jwt_key *k) {
        if (!k)
                return;
        if (k->hmac)
                sodium_free(k->hmac); /* wipes */
        EVP_PKEY_free(k->pkey);
        free(k);
}

struct jwt_key *jwt_key_okp(const unsigned char pub[32], struct slice kid) {
        struct jwt_key *k = key_new(JWT_EDDSA, kid);

        if (k)
                memcpy(k->ed25519, pub, sizeof k->ed25519);
        return k;
}

struct jwt_key *jwt_key_ed25519(const unsigned char pub[32], const char *kid) {
        return jwt_key_okp(pub, slice_of(kid));
}

struct jwt_key *jwt_key_hs256(const void *secret, size_t n) {
        struct jwt_key *k;

        if (n == 0 || !(k = key_new(JWT_HS256, slice_of(NULL))))
                return NULL;
        k->hmac = sodium_malloc(n);
        if (!k->hmac) {
                jwt_key_free(k);
                return NULL;
        }
        memcpy(k->hmac, secret, n);
        k->hmac_size = n;
        return k;
}

static bool evp_verify(EVP_PKEY *pkey, struct slice text, const unsigned char *sig, size_t n) {
        EVP_MD_CTX *ctx = EVP_MD_CTX_new();
        bool good = ctx && EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, pkey) == 1 &&
                    EVP_DigestVerify(ctx, sig, n, (const unsigned char *)text.p, text.n) == 1;

        EVP_MD_CTX_free(ctx);
        return good;
}

static bool es256_verify(EVP_PKEY *pkey, struct slice text, const unsigned char *raw) {
        unsigned char der[ES256_DER_MAX], *end = der;
        ECDSA_SIG *sig = ECDSA_SIG_new();
        BIGNUM *r = BN_bin2bn(raw, ES256_PART, NULL), *s = BN_bin2bn(raw + ES256_PART, ES256_PART, NULL);
        bool good = false;
        int n;

        if (sig && r && s && ECDSA_SIG_set0(sig, r, s) == 1) {
                r = s = NULL; /* sig owns them now */
                n = i2d_ECDSA_SIG(sig, NULL);
                if (n > 0 && n <= (int)sizeof der && i2d_ECDSA_SIG(sig, &end) == n)
                        good = evp_verify(pkey, text, der, (size_t)n);
        }
        BN_free(r);
        BN_free(s);
        ECDSA_SIG_free(sig);
        return good;
}

static uint32_t signature_size(const struct jwt_key *k) {
        return k->alg == JWT_RS256 ? (uint32_t)EVP_PKEY_get_size(k->pkey) : 2 * ES256_PART;
}

struct jwt_key *jwt_key_evp(enum jwt_alg alg, EVP_PKEY *pkey, struct slice kid) {
        static const char nothing[1024];
        struct jwt_key *k = key_new(alg, kid);

        if (!k) {
                EVP_PKEY_free(pkey);
                return NULL;
        }
        k->pkey = pkey;
        /* OpenSSL loads what it needs at first use; a first use now is one before the sandbox closes. */
        (void)jwt_key_verifies(k, SLICE("warm"), (struct slice){ nothing, signature_size(k) });
        return k;
}

static bool hs256_verify(const struct jwt_key *k, struct slice text, struct slice sig) {
        crypto_auth_hmacsha256_state st;
        unsigned char mac[crypto_auth_hmacsha256_BYTES];
        bool good;

        if (sig.n != sizeof mac)
                return false;
        crypto_auth_hmacsha256_init(&st, k->hmac, k->hmac_size);
        crypto_auth_hmacsha256_update(&st, (const unsigned char *)text.p, text.n);
        crypto_auth_hmacsha256_final(&st, mac);
        good = sodium_memcmp(mac, sig.p, sizeof mac) == 0;
        sodium_memzero(&st, sizeof st);
        sodium_memzero(mac, sizeof mac);
        return good;
}

bool jwt_key_verifies(const struct jwt_key *k, struct slice text, struct slice sig) {
        const unsigned char *raw = (const unsigned char *)sig.p;

        switch (k->alg) {
        case JWT_HS256:
                return hs256_verify(k, text, sig);
        case JWT_EDDSA:
                return sig.n == crypto_sign_BYTES &&
                       crypto_sign_verify_detached(raw, (const unsigned char *)text.p, text.n, k->ed25519) == 0;
        case JWT_ES256:
                return sig.n == signature_size(k) && es256_verify(k->pkey, text, raw);
        case JWT_RS256:
                return sig.n == signature_size(k) && evp_verify(k->pkey, text, raw, sig.n);
        }
        return false;
}
