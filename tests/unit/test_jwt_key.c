/* test_jwt_key.c - the promises of jwt_key.h: a signature is good for one key, one text and one shape. */
#include "jwt_key.h"

#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/rsa.h>

#include "jwt_make.h"

#define TEXT "what was signed"

static struct slice bytes(const void *p, size_t n) {
        return (struct slice){ p, (uint32_t)n };
}

/* Signs TEXT as EVP does. Returns the length. */
static size_t evp_sign(EVP_PKEY *pkey, unsigned char *sig, size_t cap) {
        EVP_MD_CTX *ctx = EVP_MD_CTX_new();
        size_t n = cap;

        assert_int_equal(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, pkey), 1);
        assert_int_equal(EVP_DigestSign(ctx, sig, &n, (const unsigned char *)TEXT, strlen(TEXT)), 1);
        EVP_MD_CTX_free(ctx);
        return n;
}

TEST(es256_signatures_are_two_numbers_of_32_bytes) {
        EVP_PKEY *pkey = EVP_EC_gen("P-256");
        struct jwt_key *k = jwt_key_evp(JWT_ES256, pkey, SLICE("k"));

        assert_non_null(k);
        for (int round = 0; round < 64; round++) { /* numbers with leading zeros come by */
                unsigned char der[128], raw[64] = { 0 };
                const unsigned char *at = der;
                size_t n = evp_sign(pkey, der, sizeof der);
                ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &at, (long)n);

                assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_r(sig), raw, 32), 32);
                assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_s(sig), raw + 32, 32), 32);
                ECDSA_SIG_free(sig);
                assert_true(jwt_key_verifies(k, SLICE(TEXT), bytes(raw, 64)));
                assert_false(jwt_key_verifies(k, SLICE("another text"), bytes(raw, 64)));
                assert_false(jwt_key_verifies(k, SLICE(TEXT), bytes(raw, 63)));
                assert_false(jwt_key_verifies(k, SLICE(TEXT), bytes(der, n))); /* DER is not JOSE */
                memset(raw, 0, 32);
                assert_false(jwt_key_verifies(k, SLICE(TEXT), bytes(raw, 64)));
                memset(raw, 0, 64);
                assert_false(jwt_key_verifies(k, SLICE(TEXT), bytes(raw, 64)));
                memset(raw, 0xff, 64);
                assert_false(jwt_key_verifies(k, SLICE(TEXT), bytes(raw, 64)));
        }
        jwt_key_free(k);
}

TEST(rs256_signatures_have_the_size_of_the_key) {
        EVP_PKEY *pkey = EVP_RSA_gen(2048);
        struct jwt_key *k = jwt_key_evp(JWT_RS256, pkey, slice_of(NULL));
        unsigned char sig[257] = { 0 };

        assert_non_null(k);
        assert_int_equal(evp_sign(pkey, sig, 256), 256);
        assert_true(jwt_key_verifies(k, SLICE(TEXT), bytes(sig, 256)));
        assert_false(jwt_key_verifies(k, SLICE("another text"), bytes(sig, 256)));
        assert_false(jwt_key_verifies(k, SLICE(TEXT), bytes(sig, 257)));
        assert_false(jwt_key_verifies(k, SLICE(TEXT), bytes(sig, 255)));
        assert_false(jwt_key_verifies(k, SLICE(TEXT), bytes(sig, 0)));
        jwt_key_free(k);
}

TEST(eddsa_refuses_keys_that_anybody_can_sign_for) {
        unsigned char pub[32] = { 1 }, sig[64] = { 1 }; /* the neutral element signs every text */
        struct jwt_key *k = jwt_key_ed25519(pub, NULL);

        assert_false(jwt_key_verifies(k, SLICE(TEXT), bytes(sig, 64)));
        jwt_key_free(k);
}

TEST(hs256_is_rfc_4231) {
        /* Test case 2 of the RFC. */
        static const char expected[] = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        unsigned char mac[32];
        struct jwt_key *k = jwt_key_hs256("Jefe", 4);

        assert_true(text_unhex(slice_of(expected), mac, sizeof mac));
        assert_true(jwt_key_verifies(k, SLICE("what do ya want for nothing?"), bytes(mac, 32)));
        assert_false(jwt_key_verifies(k, SLICE("what do ya want for nothing?"), bytes(mac, 31)));
        mac[31] ^= 1;
        assert_false(jwt_key_verifies(k, SLICE("what do ya want for nothing?"), bytes(mac, 32)));
        jwt_key_free(k);
}

TEST(there_is_no_key_without_a_secret_or_with_an_endless_name) {
        unsigned char pub[32] = { 0 };
        char name[JWT_KID_MAX + 2];

        assert_null(jwt_key_hs256("", 0));
        memset(name, 'k', sizeof name - 1);
        name[JWT_KID_MAX + 1] = 0;
        assert_null(jwt_key_ed25519(pub, name));
        jwt_key_free(NULL);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(es256_signatures_are_two_numbers_of_32_bytes),
                cmocka_unit_test(rs256_signatures_have_the_size_of_the_key),
                cmocka_unit_test(eddsa_refuses_keys_that_anybody_can_sign_for),
                cmocka_unit_test(hs256_is_rfc_4231),
                cmocka_unit_test(there_is_no_key_without_a_secret_or_with_an_endless_name),
        };

        return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
