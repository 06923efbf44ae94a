/* test_issue.c - user tokens: what they say, how long, and for whom there is none. */
#include "issue.h"

#include <sodium.h>

#include "unit.h"

#define SEED "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define NOW  INT64_C(1800000000)

static struct issuer_key key;

static int setup(void **state) {
        (void)state;
        return issuer_key_parse(SLICE("key-1 " SEED "\n"), &key);
}

static int teardown(void **state) {
        (void)state;
        issuer_key_free(&key);
        return 0;
}

static struct op_token_issue request(const char *user, const char *account) {
        struct op_token_issue m = { 0 };

        OP_SET(token_issue, &m, user_id, slice_of(user));
        OP_SET(token_issue, &m, account_id, slice_of(account));
        OP_SET(token_issue, &m, role, SLICE("admin"));
        OP_SET(token_issue, &m, ttl_seconds, 600);
        return m;
}

static void expect(struct json claims, const char *name, const char *value) {
        struct slice s;

        assert_true(json_str(json_get(claims, name), &s));
        assert_slice(s, value);
}

TEST(a_token_says_who_for_whom_as_what_and_until_when) {
        struct op_token_issue m = request("user \"1\"", "acme");
        struct jwt_key *verify = jwt_key_ed25519(key.sk + 32, "key-1");
        struct arena a;
        struct json claims;
        struct buf token;
        struct slice jti;
        const char *why;
        int64_t exp, n;

        arena_init(&a, 1u << 20);
        buf_init(&token, 8192);
        assert_int_equal(issue(&key, &m, "lifeos", "clients", NOW, &token, &exp, &why), STATUS_OK);
        assert_int_equal(exp, NOW + 600);
        assert_int_equal(jwt_verify(buf_view(&token), &verify, 1, NOW, 0, &a, &claims), JWT_OK);
        assert_int_equal(jwt_verify(buf_view(&token), &verify, 1, NOW + 600, 0, &a, &claims), JWT_EXPIRED);
        expect(claims, "iss", "lifeos");
        expect(claims, "aud", "clients");
        expect(claims, "sub", "user \"1\"");
        expect(claims, "account", "acme");
        expect(claims, "role", "admin");
        assert_true(json_int(json_get(claims, "iat"), &n));
        assert_int_equal(n, NOW);
        assert_true(json_int(json_get(claims, "nbf"), &n));
        assert_int_equal(n, NOW);
        assert_true(json_int(json_get(claims, "exp"), &n));
        assert_int_equal(n, NOW + 600);
        assert_true(json_str(json_get(claims, "jti"), &jti) && jti.n > 32);
        buf_free(&token);
        arena_free(&a);
        jwt_key_free(verify);
}

TEST(nobody_gets_a_token_for_the_whole_appliance_or_for_a_name_no_client_could_send) {
        const char *bad[][2] = { { "u", "*" }, { "u\n", "a" }, { "u", "caf\xc3\xa9" }, { "\x7f", "a" } };
        struct buf token;
        const char *why;
        int64_t exp;

        buf_init(&token, 8192);
        for (size_t i = 0; i < COUNT(bad); i++) {
                struct op_token_issue m = request(bad[i][0], bad[i][1]);

                assert_int_equal(issue(&key, &m, "i", "a", NOW, &token, &exp, &why), STATUS_INVALID_REQUEST);
                assert_non_null(why);
                assert_int_equal(token.n, 0);
        }
        buf_free(&token);
}

TEST(a_key_file_is_one_line_of_name_and_seed) {
        const char *bad[] = { "",
                              "\n",
                              "key-1",
                              "key-1 ",
                              "key-1 00",
                              SEED,
                              " " SEED,
                              "key/1 " SEED,
                              "key-1 " SEED "00",
                              "key-1 " SEED " x",
                              "key-1 " SEED "\nkey-2 " SEED };
        struct issuer_key k;

        for (size_t i = 0; i < COUNT(bad); i++)
                assert_int_equal(issuer_key_parse(slice_of(bad[i]), &k), -1);
        assert_int_equal(issuer_key_parse(SLICE("k  " SEED "\r\n"), &k), 0);
        assert_string_equal(k.kid, "k");
        issuer_key_free(&k);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(a_token_says_who_for_whom_as_what_and_until_when, setup, teardown),
                cmocka_unit_test_setup_teardown(
                        nobody_gets_a_token_for_the_whole_appliance_or_for_a_name_no_client_could_send, setup,
                        teardown),
                cmocka_unit_test(a_key_file_is_one_line_of_name_and_seed),
        };

        return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
