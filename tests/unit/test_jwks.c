/* test_jwks.c - the promises of jwt_keys_from_jwks: every algorithm verifies, everything odd is an error with its why. */
#include "jwt_key.h"
#include "jwt_make.h"
#include "jwt_vectors.h"

#define RSA_KEY(more) "{\"kty\":\"RSA\",\"n\":\"" VECTOR_RSA_N "\",\"e\":\"AQAB\"" more "}"
#define EC_KEY(more)  "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" VECTOR_EC_X "\",\"y\":\"" VECTOR_EC_Y "\"" more "}"
#define ED_KEY(more)  "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" VECTOR_ED_X "\"" more "}"
#define SET(keys)     "{\"keys\":[" keys "]}"

static struct jwt_key *keys[4];
static char why[160];

static int load(const char *text) {
        struct slice copy = exact(slice_of(text));
        int n = jwt_keys_from_jwks(copy, keys, COUNT(keys), why);

        exact_free(copy);
        return n;
}

static void drop(int n) {
        while (n > 0)
                jwt_key_free(keys[--n]);
}

static enum jwt_result verify(const char *token, int n) {
        struct arena a;
        struct json claims;
        enum jwt_result r;

        arena_init(&a, 1u << 20);
        r = jwt_verify(slice_of(token), keys, n, VECTOR_NOW, 0, &a, &claims);
        arena_free(&a);
        return r;
}

TEST(tokens_of_another_implementation_verify) {
        const char *set = SET(RSA_KEY(",\"kid\":\"r1\",\"alg\":\"RS256\",\"use\":\"sig\"") "," EC_KEY(
                ",\"kid\":\"e1\",\"alg\":\"ES256\"") "," ED_KEY(",\"kid\":\"d1\",\"key_ops\":[\"verify\"],\"x5t\":"
                                                                "\"ignored\""));
        const char *tokens[] = { VECTOR_RS256, VECTOR_ES256, VECTOR_EDDSA, VECTOR_EDDSA_NO_KID };
        int n = load(set);

        assert_int_equal(n, 3);
        for (size_t i = 0; i < COUNT(tokens); i++)
                assert_int_equal(verify(tokens[i], n), JWT_OK);
        assert_int_equal(verify(VECTOR_HS256, n), JWT_NO_KEY);
        drop(n);
}

TEST(every_changed_byte_of_every_algorithm_is_noticed) {
        const char *tokens[] = { VECTOR_RS256, VECTOR_ES256, VECTOR_EDDSA };
        int n = load(SET(RSA_KEY(",\"kid\":\"r1\"") "," EC_KEY(",\"kid\":\"e1\"") "," ED_KEY(",\"kid\":\"d1\"")));
        char text[1024];

        assert_int_equal(n, 3);
        for (size_t t = 0; t < COUNT(tokens); t++) {
                strcpy(text, tokens[t]);
                for (size_t i = 0; i < strlen(text); i += 3) {
                        char keep = text[i];

                        text[i] = keep == 'Q' ? 'w' : 'Q';
                        assert_int_not_equal(verify(text, n), JWT_OK);
                        text[i] = keep;
                }
                assert_int_equal(verify(text, n), JWT_OK);
        }
        drop(n);
}

TEST(a_kid_of_another_key_does_not_help) {
        int n = load(SET(RSA_KEY(",\"kid\":\"e1\"") "," EC_KEY(",\"kid\":\"r1\"")));

        assert_int_equal(n, 2);
        assert_int_equal(verify(VECTOR_RS256, n), JWT_NO_KEY);
        assert_int_equal(verify(VECTOR_ES256, n), JWT_NO_KEY);
        drop(n);
}

TEST(an_empty_set_is_a_set) {
        assert_int_equal(load("{\"keys\":[]}\n"), 0);
        assert_int_equal(load("{\"keys\":[],\"more\":1}"), 0);
}

TEST(what_does_not_belong_in_a_published_set_is_an_error_with_a_reason) {
        const struct {
                const char *set, *says;
        } bad[] = {
                { "", "not JSON" },
                { "[]", "not a key set" },
                { "{}", "not a key set" },
                { "{\"keys\":{}}", "not a key set" },
                { SET("1"), "keys[0]" },
                { SET("{}"), "kty" },
                { SET("{\"kty\":\"oct\",\"k\":\"AAAA\"}"), "private or symmetric" },
                { SET("{\"kty\":\"oct\"}"), "kty must be" },
                { SET(RSA_KEY(",\"d\":\"AQAB\"")), "private or symmetric" },
                { SET(EC_KEY(",\"d\":\"AQAB\"")), "private or symmetric" },
                { SET(ED_KEY(",\"d\":\"AQAB\"")), "private or symmetric" },
                { SET(RSA_KEY(",\"p\":\"AQAB\"")), "private or symmetric" },
                { SET(RSA_KEY(",\"use\":\"enc\"")), "signatures" },
                { SET(RSA_KEY(",\"use\":null")), "signatures" },
                { SET(RSA_KEY(",\"key_ops\":[\"verify\",\"encrypt\"]")), "signatures" },
                { SET(RSA_KEY(",\"key_ops\":[]")), "signatures" },
                { SET(RSA_KEY(",\"alg\":\"RS512\"")), "alg must be" },
                { SET(RSA_KEY(",\"alg\":\"ES256\"")), "alg must be" },
                { SET(EC_KEY(",\"alg\":\"HS256\"")), "alg must be" },
                { SET(RSA_KEY(",\"kid\":7")), "kid" },
                { SET(RSA_KEY(",\"kid\":\"\"")), "kid" },
                { SET(RSA_KEY(",\"kid\":\"a\"") "," EC_KEY(",\"kid\":\"a\"")), "keys[1]: another key has this kid" },
                { SET(ED_KEY("") "," ED_KEY("") "," ED_KEY("") "," ED_KEY("") "," ED_KEY("")), "too many" },
                { SET(RSA_KEY(",\"kty\":\"EC\"")), "duplicate" },
                { SET("{\"kty\":\"RSA\",\"n\":\"" VECTOR_RSA_1024_N "\",\"e\":\"AQAB\"}"), "2048" },
                { SET("{\"kty\":\"RSA\",\"n\":\"" VECTOR_RSA_N "\",\"e\":\"AQ\"}"), "odd e" },
                { SET("{\"kty\":\"RSA\",\"n\":\"" VECTOR_RSA_N "\",\"e\":\"AA\"}"), "odd e" },
                { SET("{\"kty\":\"RSA\",\"n\":\"" VECTOR_RSA_N "\",\"e\":\"AQAA\"}"), "odd e" },
                { SET("{\"kty\":\"RSA\",\"n\":\"" VECTOR_RSA_N "\",\"e\":\"AQABAQAB\"}"), "odd e" },
                { SET("{\"kty\":\"RSA\",\"n\":\"" VECTOR_RSA_N "\"}"), "odd e" },
                { SET("{\"kty\":\"RSA\",\"n\":\"" VECTOR_RSA_N "=\",\"e\":\"AQAB\"}"), "2048" },
                { SET("{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"" VECTOR_EC_X "\",\"y\":\"" VECTOR_EC_Y "\"}"),
                  "P-256" },
                { SET("{\"kty\":\"EC\",\"x\":\"" VECTOR_EC_X "\",\"y\":\"" VECTOR_EC_Y "\"}"), "P-256" },
                { SET("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" VECTOR_EC_X "\"}"), "P-256" },
                { SET("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" VECTOR_EC_Y "\",\"y\":\"" VECTOR_EC_X "\"}"),
                  "curve" },
                { SET("{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"" VECTOR_ED_X "\"}"), "Ed25519" },
                { SET("{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AAAA\"}"), "32 bytes" },
        };

        for (size_t i = 0; i < COUNT(bad); i++) {
                why[0] = 0;
                assert_int_equal(load(bad[i].set), -1);
                if (!strstr(why, bad[i].says))
                        fail_msg("row %zu: \"%s\" does not say \"%s\"", i, why, bad[i].says);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(tokens_of_another_implementation_verify),
                cmocka_unit_test(every_changed_byte_of_every_algorithm_is_noticed),
                cmocka_unit_test(a_kid_of_another_key_does_not_help),
                cmocka_unit_test(an_empty_set_is_a_set),
                cmocka_unit_test(what_does_not_belong_in_a_published_set_is_an_error_with_a_reason),
        };

        return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
