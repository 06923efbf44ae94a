/* jwks.c - an identity provider's published key set (RFC 7517) becomes keys, or is refused with the reason. */
#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <stdio.h>

#include "jwt_key.h"

#define RSA_MIN 256u  /* bytes of modulus: 2048 bits */
#define RSA_MAX 1024u /* 8192 bits; verifying with more would cost us, not the sender */
#define EC_PART 32u

/* Parts only the owner of a key, or a shared secret, has. */
static const char *const private_parts[] = { "d", "p", "q", "dp", "dq", "qi", "oth", "k" };

static bool bytes_of(struct json jwk, const char *member, struct arena *a, size_t min, size_t max,
                     struct slice *ret) {
        struct slice text;
        unsigned char *to;
        ptrdiff_t n;

        if (!json_str(json_get(jwk, member), &text) || text.n > text_base64_size(max) ||
            !(to = arena_alloc(a, text.n + 1)))
                return false;
        n = text_unbase64url(text, to, text.n + 1);
        if (n < (ptrdiff_t)min || n > (ptrdiff_t)max)
                return false;
        *ret = (struct slice){ (const char *)to, (uint32_t)n };
        return true;
}

/* A member that, if there, must be this word. */
static bool says(struct json jwk, const char *member, const char *word) {
        struct json v = json_get(jwk, member);
        struct slice s;

        return json_type(v) == JSON_NONE || (json_str(v, &s) && slice_is(s, word));
}

static EVP_PKEY *pkey_from(const char *type, OSSL_PARAM_BLD *bld) {
        EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL), *check = NULL;
        OSSL_PARAM *params = bld ? OSSL_PARAM_BLD_to_param(bld) : NULL;
        EVP_PKEY *pkey = NULL;

        bool good = ctx && params && EVP_PKEY_fromdata_init(ctx) == 1 &&
                    EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) == 1 &&
                    (check = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL)) && EVP_PKEY_public_check(check) == 1;

        if (!good) { /* a refused key is there all the same */
                EVP_PKEY_free(pkey);
                pkey = NULL;
        }
        EVP_PKEY_CTX_free(check);
        OSSL_PARAM_free(params);
        EVP_PKEY_CTX_free(ctx);
        return pkey;
}

static EVP_PKEY *rsa_pkey(struct slice n, struct slice e) {
        BIGNUM *bn_n = BN_bin2bn((const unsigned char *)n.p, (int)n.n, NULL);
        BIGNUM *bn_e = BN_bin2bn((const unsigned char *)e.p, (int)e.n, NULL);
        OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
        EVP_PKEY *pkey = NULL;

        if (bn_n && bn_e && bld && BN_num_bits(bn_n) >= (int)RSA_MIN * 8 && BN_is_odd(bn_e) && !BN_is_one(bn_e) &&
            OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, bn_n) == 1 &&
            OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, bn_e) == 1)
                pkey = pkey_from("RSA", bld);
        OSSL_PARAM_BLD_free(bld);
        BN_free(bn_n);
        BN_free(bn_e);
        return pkey;
}

static struct jwt_key *read_rsa(struct json jwk, struct slice kid, struct arena *a, const char **ret_why) {
        struct slice n, e;
        EVP_PKEY *pkey;

        *ret_why = "an RSA key needs n of 2048 to 8192 bits and an odd e of at most 32 bits";
        if (!bytes_of(jwk, "n", a, RSA_MIN, RSA_MAX, &n) || !bytes_of(jwk, "e", a, 1, 4, &e) ||
            !(pkey = rsa_pkey(n, e)))
                return NULL;
        return jwt_key_evp(JWT_RS256, pkey, kid);
}

static struct jwt_key *read_ec(struct json jwk, struct slice kid, struct arena *a, const char **ret_why) {
        unsigned char point[1 + 2 * EC_PART] = { 4 }; /* uncompressed */
        struct slice x, y;
        OSSL_PARAM_BLD *bld;
        EVP_PKEY *pkey = NULL;

        *ret_why = "an EC key needs crv P-256 and x and y of 32 bytes on that curve";
        if (json_type(json_get(jwk, "crv")) == JSON_NONE || !says(jwk, "crv", "P-256") ||
            !bytes_of(jwk, "x", a, EC_PART, EC_PART, &x) || !bytes_of(jwk, "y", a, EC_PART, EC_PART, &y))
                return NULL;
        memcpy(point + 1, x.p, EC_PART);
        memcpy(point + 1 + EC_PART, y.p, EC_PART);
        bld = OSSL_PARAM_BLD_new();
        if (bld && OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0) == 1 &&
            OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point) == 1)
                pkey = pkey_from("EC", bld);
        OSSL_PARAM_BLD_free(bld);
        return pkey ? jwt_key_evp(JWT_ES256, pkey, kid) : NULL;
}

static struct jwt_key *read_okp(struct json jwk, struct slice kid, struct arena *a, const char **ret_why) {
        struct slice x;

        *ret_why = "an OKP key needs crv Ed25519 and x of 32 bytes";
        if (json_type(json_get(jwk, "crv")) == JSON_NONE || !says(jwk, "crv", "Ed25519") ||
            !bytes_of(jwk, "x", a, 32, 32, &x))
                return NULL;
        return jwt_key_okp((const unsigned char *)x.p, kid);
}

static const struct {
        const char *kty, *alg;
        struct jwt_key *(*read)(struct json jwk, struct slice kid, struct arena *a, const char **ret_why);
} families[] = {
        { "RSA", "RS256", read_rsa },
        { "EC", "ES256", read_ec },
        { "OKP", "EdDSA", read_okp },
};

/* key_ops, if there, lists exactly "verify". */
static bool only_verifies(struct json jwk) {
        struct json ops = json_get(jwk, "key_ops"), op;
        struct slice key, s;
        uint32_t it = 0;

        if (json_type(ops) == JSON_NONE)
                return true;
        if (json_type(ops) != JSON_ARRAY || json_count(ops) == 0)
                return false;
        while (json_next(ops, &it, &key, &op))
                if (!json_str(op, &s) || !slice_is(s, "verify"))
                        return false;
        return true;
}

static struct jwt_key *read_jwk(struct json jwk, struct arena *a, const char **ret_why) {
        struct slice kty, kid = { 0 };
        struct json v;

        *ret_why = "a key is an object with kty";
        if (!json_str(json_get(jwk, "kty"), &kty))
                return NULL;
        *ret_why = "a published key set must not hold private or symmetric parts; remove the key and replace it";
        for (size_t i = 0; i < sizeof private_parts / sizeof *private_parts; i++)
                if (json_type(json_get(jwk, private_parts[i])) != JSON_NONE)
                        return NULL;
        *ret_why = "only keys for signatures belong here (use sig, key_ops verify); remove this one";
        if (!says(jwk, "use", "sig") || !only_verifies(jwk))
                return NULL;
        *ret_why = "kid must be a text of 1 to 128 bytes";
        v = json_get(jwk, "kid");
        if (json_type(v) != JSON_NONE && (!json_str(v, &kid) || kid.n == 0 || kid.n > JWT_KID_MAX))
                return NULL;
        for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
                if (!slice_is(kty, families[i].kty))
                        continue;
                *ret_why = "alg must be RS256 for RSA, ES256 for EC, EdDSA for OKP";
                return says(jwk, "alg", families[i].alg) ? families[i].read(jwk, kid, a, ret_why) : NULL;
        }
        *ret_why = "kty must be RSA, EC or OKP";
        return NULL;
}

static bool kid_taken(struct jwt_key **keys, int n, const char *kid) {
        for (int i = 0; i < n; i++)
                if (*kid && strcmp(keys[i]->kid, kid) == 0)
                        return true;
        return false;
}

static int read_set(struct json set, struct arena *a, struct jwt_key **out, int max, char why[static 160]) {
        struct json list = json_get(set, "keys"), jwk;
        struct slice key;
        const char *reason = NULL;
        uint32_t it = 0;
        int n = 0;

        if (json_type(list) != JSON_ARRAY) {
                snprintf(why, 160, "not a key set: {\"keys\":[...]} is expected");
                return -1;
        }
        while (!reason && json_next(list, &it, &key, &jwk)) {
                struct jwt_key *k = NULL;

                if (n == max)
                        reason = "too many keys";
                else if ((k = read_jwk(jwk, a, &reason)) && !kid_taken(out, n, k->kid)) {
                        out[n++] = k;
                        reason = NULL;
                } else if (k) {
                        jwt_key_free(k);
                        reason = "another key has this kid";
                }
        }
        if (!reason)
                return n;
        snprintf(why, 160, "keys[%d]: %s", n, reason);
        while (n > 0)
                jwt_key_free(out[--n]);
        return -1;
}

int jwt_keys_from_jwks(struct slice text, struct jwt_key **out, int max, char why[static 160]) {
        struct arena a;
        struct json set;
        const char *reason;
        size_t at;
        int n = -1;

        arena_init(&a, 4u << 20);
        if (json_parse(text, &a, &set, &reason, &at) != 0)
                snprintf(why, 160, "not JSON: %s at byte %zu", reason, at);
        else
                n = read_set(set, &a, out, max, why);
        arena_free(&a);
        return n;
}
