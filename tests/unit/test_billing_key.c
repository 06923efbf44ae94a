/* test_billing_key.c - what is signed can be checked by anybody who has the right half, and nothing else is signed. */
#include "unit.h"

#include <sodium.h>
#include <unistd.h>

#include "billing_key.h"

#define SEED "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
#define VECTOR                                                                                                       \
        "w1|os1|orchestration.action.executed.count|count|1|evt_6f24d73a6f284990667d|3|2026-11-21T00:02:54.718Z"

static char dir[64];

static int load(const char *text, struct billing_key *k, char why[static 160]) {
        char path[128];
        FILE *f;

        (void)snprintf(path, sizeof path, "%s/billing-key", dir);
        (void)unlink(path);
        f = text ? fopen(path, "w") : NULL;
        if (f) {
                (void)fputs(text, f);
                (void)fclose(f);
        }
        *k = (struct billing_key){ 0 };
        return billing_key_load(k, why);
}

/* The key of the vector is the text "test-token". */
TEST(the_hmac_is_the_contracts_vector_and_ed25519_is_rfc_8032s) {
        struct billing_key k;
        char why[160], hmac[BILLING_HMAC_HEX + 1], ed25519[text_base64_size(64)];
        unsigned char signature[64], public_key[32];

        assert_int_equal(load("k1 746573742d746f6b656e " SEED "\n", &k, why), 0);
        assert_string_equal(k.id, "k1");
        billing_key_sign(&k, SLICE(VECTOR), hmac, ed25519);
        assert_string_equal(hmac, "598d85c758383f1ddb789fd3cdece918e9dd825dd80f563e071085cd0ab5c247");
        assert_int_equal(text_unbase64url((struct slice){ ed25519, BILLING_ED_TEXT }, signature, sizeof signature),
                         64);
        assert_true(text_unhex(SLICE("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"), public_key,
                               32));
        assert_memory_equal(k.public_key, public_key, 32);
        assert_int_equal(
                crypto_sign_verify_detached(signature, (const unsigned char *)VECTOR, sizeof VECTOR - 1, public_key),
                0);
        assert_int_equal(
                crypto_sign_verify_detached(signature, (const unsigned char *)VECTOR, sizeof VECTOR - 2, public_key),
                -1);
        billing_key_wipe(&k);
}

TEST(the_first_key_signs_and_the_others_only_stay) {
        struct billing_key k;
        char why[160];

        assert_int_equal(load("new 0011223344556677 " SEED "\nold 8899aabbccddeeff " SEED "\n", &k, why), 0);
        assert_string_equal(k.id, "new");
        billing_key_wipe(&k);
}

TEST(no_key_is_no_error_and_half_a_key_is_one) {
        static const char *const bad[] = { "k1",
                                           "k1 00112233445566",
                                           "k1 0011223344556677 00",
                                           "k1 00112233445566zz " SEED,
                                           "k1 0011223344556677 " SEED " more",
                                           "k 1/2 0011223344556677 " SEED };
        struct billing_key k;
        char why[160];

        assert_int_equal(load(NULL, &k, why), 1);
        assert_int_equal(load("", &k, why), 1);
        for (size_t i = 0; i < COUNT(bad); i++) {
                assert_int_equal(load(bad[i], &k, why), -1);
                assert_null(strstr(why, "00112233"));
        }
}

static int setup(void **state) {
        (void)state;
        (void)snprintf(dir, sizeof dir, "/tmp/lifeos-billing-key-XXXXXX");
        return !mkdtemp(dir) || setenv("CREDENTIALS_DIRECTORY", dir, 1) != 0 || sodium_init() < 0;
}

static int teardown(void **state) {
        char path[128];

        (void)state;
        (void)snprintf(path, sizeof path, "%s/billing-key", dir);
        (void)unlink(path);
        return rmdir(dir);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_hmac_is_the_contracts_vector_and_ed25519_is_rfc_8032s),
                cmocka_unit_test(the_first_key_signs_and_the_others_only_stay),
                cmocka_unit_test(no_key_is_no_error_and_half_a_key_is_one),
        };

        return cmocka_run_group_tests(tests, setup, teardown);
}
