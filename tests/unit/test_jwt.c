/* test_jwt.c - the promises of jwt.h: what a token must be, and everything that it must not. */
#include "jwt.h"

#include "jwt_make.h"
#include "jwt_vectors.h"

#define SECRET "0123456789abcdef0123456789abcdef"
#define HEADER "{\"alg\":\"HS256\"}"
#define CLAIMS "{\"iss\":\"k\",\"nbf\":1000,\"exp\":2000}"

static struct arena arena;
static char made[32768];

static int setup(void **state) {
        (void)state;
        arena_init(&arena, 1u << 20);
        return 0;
}

static int teardown(void **state) {
        (void)state;
        arena_free(&arena);
        return 0;
}

static enum jwt_result verify_at(struct slice token, const char *secret, int64_t now, int64_t leeway) {
        struct jwt_key *key = jwt_key_hs256(secret, strlen(secret));
        struct slice copy = exact(token);
        struct json claims;
        enum jwt_result r = jwt_verify(copy, &key, 1, now, leeway, &arena, &claims);

        if (r == JWT_OK)
                assert_int_equal(json_type(claims), JSON_OBJECT);
        exact_free(copy);
        jwt_key_free(key);
        return r;
}

static enum jwt_result verify(struct slice token) {
        return verify_at(token, SECRET, 1500, 0);
}

static enum jwt_result with(const char *header, const char *claims) {
        return verify(make_hs256(header, claims, SECRET, made));
}

TEST(a_good_token_gives_its_claims) {
        struct jwt_key *key = jwt_key_hs256(SECRET, strlen(SECRET));
        struct slice iss;
        struct json claims;

        assert_int_equal(jwt_verify(make_hs256(HEADER, CLAIMS, SECRET, made), &key, 1, 1500, 0, &arena, &claims),
                         JWT_OK);
        assert_true(json_str(json_get(claims, "iss"), &iss));
        assert_slice(iss, "k");
        jwt_key_free(key);
}

TEST(livekits_own_tokens_verify) {
        const char *tokens[] = { LIVEKIT_JOIN, LIVEKIT_ADMIN, LIVEKIT_WEBHOOK };

        for (size_t i = 0; i < COUNT(tokens); i++) {
                assert_int_equal(verify_at(slice_of(tokens[i]), LIVEKIT_SECRET, VECTOR_NOW, 0), JWT_OK);
                assert_int_equal(verify_at(slice_of(tokens[i]), "another", VECTOR_NOW, 0), JWT_BAD_SIGNATURE);
        }
}

TEST(our_tokens_are_livekits_byte_for_byte) {
        const char *pairs[][2] = { { LIVEKIT_JOIN_CLAIMS, LIVEKIT_JOIN }, { LIVEKIT_ADMIN_CLAIMS, LIVEKIT_ADMIN } };

        for (size_t i = 0; i < COUNT(pairs); i++) {
                struct buf out;

                buf_init(&out, 8192);
                jwt_sign_hs256(slice_of(pairs[i][0]), LIVEKIT_SECRET, strlen(LIVEKIT_SECRET), &out);
                assert_false(out.over);
                assert_slice(buf_view(&out), pairs[i][1]);
                buf_free(&out);
        }
}

TEST(every_changed_byte_is_noticed) {
        struct slice good = make_hs256(HEADER, CLAIMS, SECRET, made);

        assert_int_equal(verify(good), JWT_OK);
        for (uint32_t i = 0; i < good.n; i++) {
                char keep = made[i];

                made[i] = keep == 'A' ? 'B' : 'A';
                assert_int_not_equal(verify(good), JWT_OK);
                made[i] = keep;
        }
}

TEST(every_shortened_or_lengthened_token_is_refused) {
        struct slice good = make_hs256(HEADER, CLAIMS, SECRET, made);

        for (uint32_t n = 0; n < good.n; n++)
                assert_int_not_equal(verify((struct slice){ good.p, n }), JWT_OK);
        for (const char *tail = "A.=- \n"; *tail; tail++) {
                made[good.n] = *tail;
                assert_int_not_equal(verify((struct slice){ made, good.n + 1 }), JWT_OK);
        }
}

TEST(exactly_three_parts_that_hold_something) {
        const char *bad[] = { "",        ".",        "..",       "...",      "a.b",
                              "a.b.c.d", "e30.e30.", ".e30.e30", "e30..e30", " e30.e30.e30" };

        for (size_t i = 0; i < COUNT(bad); i++)
                assert_int_equal(verify(slice_of(bad[i])), JWT_MALFORMED);
}

TEST(the_key_decides_the_algorithm_never_the_token) {
        const char *other[] = { "none", "None", "NONE", "HS384", "HS512", "RS256", "ES256", "EdDSA", "hs256", "" };

        for (size_t i = 0; i < COUNT(other); i++) {
                char header[64];

                snprintf(header, sizeof header, "{\"alg\":\"%s\"}", other[i]);
                assert_int_equal(with(header, CLAIMS), JWT_NO_KEY);
        }
}

TEST(an_hmac_made_with_a_public_key_is_worth_nothing) {
        unsigned char pub[32];
        struct jwt_key *key;
        struct json claims;
        char text[33] = { 0 };

        for (size_t i = 0; i < sizeof pub; i++)
                text[i] = (char)(pub[i] = (unsigned char)(i + 'A'));
        key = jwt_key_ed25519(pub, NULL);
        assert_int_equal(jwt_verify(make_hs256(HEADER, CLAIMS, text, made), &key, 1, 1500, 0, &arena, &claims),
                         JWT_NO_KEY);
        assert_int_equal(
                jwt_verify(make_hs256("{\"alg\":\"EdDSA\"}", CLAIMS, text, made), &key, 1, 1500, 0, &arena, &claims),
                JWT_BAD_SIGNATURE);
        jwt_key_free(key);
}

TEST(headers_that_could_mean_two_things_are_refused) {
        const char *bad[] = {
                "{\"alg\":\"HS256\",\"alg\":\"HS256\"}",
                "{\"alg\":\"none\",\"alg\":\"HS256\"}",
                "{\"alg\":\"HS256\",\"crit\":[\"exp\"]}",
                "{\"alg\":\"HS256\",\"crit\":null}",
                "{\"ALG\":\"HS256\"}",
                "{\"alg\":[\"HS256\"]}",
                "{\"alg\":\"HS256\",\"kid\":1}",
                "{\"alg\":\"HS256\",\"typ\":{}}",
                "{\"alg\":\"HS256\"}x",
                "{\"typ\":\"JWT\"}",
                "\"HS256\"",
                "[]",
                "{",
        };

        for (size_t i = 0; i < COUNT(bad); i++)
                assert_int_equal(with(bad[i], CLAIMS), JWT_MALFORMED);
        assert_int_equal(with("{\"typ\":\"JWT\",\"alg\":\"HS256\",\"x\":1}", CLAIMS), JWT_OK);
}

TEST(a_kid_names_the_only_key_that_is_tried) {
        unsigned char pub[32], sk[64];
        struct jwt_key *keys[2];
        struct json claims;
        struct buf token;

        crypto_sign_keypair(pub, sk);
        keys[0] = jwt_key_ed25519(pub, "one");
        keys[1] = jwt_key_ed25519(pub, "two");
        buf_init(&token, 8192);
        jwt_sign_ed25519(SLICE(CLAIMS), sk, "two", &token);
        assert_int_equal(jwt_verify(buf_view(&token), keys, 2, 1500, 0, &arena, &claims), JWT_OK);
        assert_int_equal(jwt_verify(buf_view(&token), keys + 1, 1, 1500, 0, &arena, &claims), JWT_OK);
        assert_int_equal(jwt_verify(buf_view(&token), keys, 1, 1500, 0, &arena, &claims), JWT_NO_KEY);
        assert_int_equal(jwt_verify(buf_view(&token), keys, 0, 1500, 0, &arena, &claims), JWT_NO_KEY);
        buf_clear(&token);
        jwt_sign_ed25519(SLICE(CLAIMS), sk, NULL, &token);
        assert_int_equal(jwt_verify(buf_view(&token), keys, 2, 1500, 0, &arena, &claims), JWT_OK);
        buf_free(&token);
        jwt_key_free(keys[0]);
        jwt_key_free(keys[1]);
}

TEST(claims_are_one_json_object_without_doubles) {
        const char *bad[] = { "[]",
                              "\"x\"",
                              "1",
                              "null",
                              "{\"exp\":2000,\"exp\":9000}",
                              "{\"exp\":2000}{}",
                              "{\"exp\":2000,\"a\":\"\xff\"}" };

        for (size_t i = 0; i < COUNT(bad); i++)
                assert_int_equal(with(HEADER, bad[i]), JWT_MALFORMED);
}

TEST(exp_is_required_and_is_an_integer) {
        const char *bad[] = { "{\"exp\":\"2000\"}", "{\"exp\":2000.5}",
                              "{\"exp\":2e3}",      "{\"exp\":null}",
                              "{\"exp\":true}",     "{\"exp\":1e400}",
                              "{\"exp\":[1]}",      "{\"exp\":9223372036854775808}" };

        assert_int_equal(with(HEADER, "{}"), JWT_NO_EXP);
        assert_int_equal(with(HEADER, "{\"EXP\":2000}"), JWT_NO_EXP);
        for (size_t i = 0; i < COUNT(bad); i++)
                assert_int_equal(with(HEADER, bad[i]), JWT_MALFORMED);
        assert_int_equal(with(HEADER, "{\"exp\":9223372036854775807}"), JWT_OK);
        assert_int_equal(with(HEADER, "{\"exp\":-9223372036854775808}"), JWT_EXPIRED);
}

TEST(exp_and_nbf_are_exact_to_the_second_of_leeway) {
        struct slice token = make_hs256(HEADER, CLAIMS, SECRET, made);

        assert_int_equal(verify_at(token, SECRET, 1999, 0), JWT_OK);
        assert_int_equal(verify_at(token, SECRET, 2000, 0), JWT_EXPIRED);
        assert_int_equal(verify_at(token, SECRET, 2059, 60), JWT_OK);
        assert_int_equal(verify_at(token, SECRET, 2060, 60), JWT_EXPIRED);
        assert_int_equal(verify_at(token, SECRET, 1000, 0), JWT_OK);
        assert_int_equal(verify_at(token, SECRET, 999, 0), JWT_NOT_YET);
        assert_int_equal(verify_at(token, SECRET, 940, 60), JWT_OK);
        assert_int_equal(verify_at(token, SECRET, 939, 60), JWT_NOT_YET);
        assert_int_equal(with(HEADER, "{\"exp\":2000,\"nbf\":\"1\"}"), JWT_MALFORMED);
        assert_int_equal(with(HEADER, "{\"exp\":2000,\"nbf\":null}"), JWT_MALFORMED);
}

TEST(a_bad_signature_is_told_before_any_claim_is_read) {
        assert_int_equal(verify(make_hs256(HEADER, "not json", "wrong", made)), JWT_BAD_SIGNATURE);
        assert_int_equal(verify(make_hs256(HEADER, "{\"exp\":1}", "wrong", made)), JWT_BAD_SIGNATURE);
}

TEST(base64_that_is_padded_or_not_canonical_is_refused) {
        struct slice good = make_hs256("{\"alg\":\"HS256\" }", CLAIMS, SECRET, made); /* 16 bytes: 2 spare bits */
        char *dot = strchr(made, '.');
        char last = dot[-1];

        assert_int_equal(verify(good), JWT_OK);
        dot[-1] = (char)(last + 1); /* same bytes, other spare bits */
        assert_int_equal(verify(good), JWT_MALFORMED);
        dot[-1] = '=';
        assert_int_equal(verify(good), JWT_MALFORMED);
}

TEST(a_token_is_at_most_8_kib) {
        char *claims = malloc(20000);
        struct slice token;

        assert_non_null(claims);
        for (size_t pad = 6000; pad < 6200; pad++) {
                int n = snprintf(claims, 20000, "{\"exp\":2000,\"p\":\"");

                memset(claims + n, 'x', pad);
                memcpy(claims + n + pad, "\"}", 3);
                token = make_hs256(HEADER, claims, SECRET, made);
                assert_int_equal(verify(token), token.n <= 8192 ? JWT_OK : JWT_MALFORMED);
        }
        free(claims);
}

TEST(peek_reads_claims_and_believes_nothing) {
        struct slice iss;
        struct json claims;

        assert_int_equal(jwt_peek(make_hs256(HEADER, CLAIMS, "whatever", made), &arena, &claims), JWT_OK);
        assert_true(json_str(json_get(claims, "iss"), &iss));
        assert_slice(iss, "k");
        assert_int_equal(jwt_peek(SLICE("Bearer e30.e30.e30"), &arena, &claims), JWT_MALFORMED);
        assert_int_equal(jwt_peek(slice_of(NULL), &arena, &claims), JWT_MALFORMED);
}

TEST(signing_into_a_full_buffer_leaves_the_mark) {
        unsigned char pub[32], sk[64];
        struct buf small;

        crypto_sign_keypair(pub, sk);
        buf_init(&small, 60);
        jwt_sign_hs256(SLICE(CLAIMS), SECRET, strlen(SECRET), &small);
        assert_true(small.over);
        buf_clear(&small);
        jwt_sign_ed25519(SLICE(CLAIMS), sk, "kid", &small);
        assert_true(small.over);
        buf_free(&small);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(a_good_token_gives_its_claims, setup, teardown),
                cmocka_unit_test_setup_teardown(livekits_own_tokens_verify, setup, teardown),
                cmocka_unit_test(our_tokens_are_livekits_byte_for_byte),
                cmocka_unit_test_setup_teardown(every_changed_byte_is_noticed, setup, teardown),
                cmocka_unit_test_setup_teardown(every_shortened_or_lengthened_token_is_refused, setup, teardown),
                cmocka_unit_test_setup_teardown(exactly_three_parts_that_hold_something, setup, teardown),
                cmocka_unit_test_setup_teardown(the_key_decides_the_algorithm_never_the_token, setup, teardown),
                cmocka_unit_test_setup_teardown(an_hmac_made_with_a_public_key_is_worth_nothing, setup, teardown),
                cmocka_unit_test_setup_teardown(headers_that_could_mean_two_things_are_refused, setup, teardown),
                cmocka_unit_test_setup_teardown(a_kid_names_the_only_key_that_is_tried, setup, teardown),
                cmocka_unit_test_setup_teardown(claims_are_one_json_object_without_doubles, setup, teardown),
                cmocka_unit_test_setup_teardown(exp_is_required_and_is_an_integer, setup, teardown),
                cmocka_unit_test_setup_teardown(exp_and_nbf_are_exact_to_the_second_of_leeway, setup, teardown),
                cmocka_unit_test_setup_teardown(a_bad_signature_is_told_before_any_claim_is_read, setup, teardown),
                cmocka_unit_test_setup_teardown(base64_that_is_padded_or_not_canonical_is_refused, setup, teardown),
                cmocka_unit_test_setup_teardown(a_token_is_at_most_8_kib, setup, teardown),
                cmocka_unit_test_setup_teardown(peek_reads_claims_and_believes_nothing, setup, teardown),
                cmocka_unit_test(signing_into_a_full_buffer_leaves_the_mark),
        };

        return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
