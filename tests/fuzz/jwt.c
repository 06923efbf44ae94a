/* jwt.c - fuzz: tokens and key sets of strangers; what is believed was signed, and what we sign is believed. */
#include "jwt.h"

#include <sodium.h>

#include "fuzz.h"

#define NOW 1800000000

static const unsigned char seed[32] = { 7 };
static unsigned char sk[64];
static struct jwt_key *keys[2];

static void make_keys(void) {
        unsigned char pub[32];

        must(sodium_init() >= 0);
        must(crypto_sign_seed_keypair(pub, sk, seed) == 0);
        keys[0] = jwt_key_ed25519(pub, "kid");
        keys[1] = jwt_key_hs256("secret", 6);
        must(keys[0] && keys[1]);
}

static void a_stranger_writes_a_token(struct slice token, struct arena *a) {
        struct json claims, peeked;
        enum jwt_result r = jwt_verify(token, keys, 2, NOW, 60, a, &claims);

        if (r == JWT_OK) {
                must(json_type(claims) == JSON_OBJECT && token.n <= 8192);
                must(jwt_peek(token, a, &peeked) == JWT_OK);
                must(slice_eq(json_raw(claims), json_raw(peeked)));
        } else if (jwt_peek(token, a, &peeked) == JWT_OK) {
                must(json_type(peeked) == JSON_OBJECT);
        }
}

/* Any claims, signed by us, verify unless they themselves say otherwise. */
static void we_sign_his_claims(struct slice claims, struct arena *a) {
        struct json v, read;
        struct buf token;
        const char *why;
        size_t at;
        enum jwt_result r;

        buf_init(&token, 1u << 20);
        for (int k = 0; k < 2; k++) {
                buf_clear(&token);
                if (k == 0)
                        jwt_sign_ed25519(claims, sk, "kid", &token);
                else
                        jwt_sign_hs256(claims, "secret", 6, &token);
                r = jwt_verify(buf_view(&token), keys, 2, NOW, 60, a, &read);
                must(r != JWT_BAD_SIGNATURE && r != JWT_NO_KEY);
                if (r == JWT_OK)
                        must(json_parse(claims, a, &v, &why, &at) == 0 && slice_eq(json_raw(v), json_raw(read)));
        }
        buf_free(&token);
}

static void a_provider_publishes_keys(struct slice text) {
        struct jwt_key *set[4] = { 0 };
        char why[160] = "";
        int n = jwt_keys_from_jwks(text, set, 4, why);

        must(n >= -1 && n <= 4);
        must(n >= 0 || (*why && strlen(why) < sizeof why));
        while (n > 0)
                jwt_key_free(set[--n]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct slice rest = size ? fuzz_slice(data + 1, size - 1) : (struct slice){ 0 };
        struct arena a;

        if (!keys[0])
                make_keys();
        if (size == 0)
                return 0;
        arena_init(&a, 4u << 20);
        switch (data[0]) {
        case 't':
                a_stranger_writes_a_token(rest, &a);
                break;
        case 'c':
                we_sign_his_claims(rest, &a);
                break;
        case 'k':
                a_provider_publishes_keys(rest);
                break;
        default:
                a_stranger_writes_a_token(fuzz_slice(data, size), &a);
        }
        arena_free(&a);
        return 0;
}
