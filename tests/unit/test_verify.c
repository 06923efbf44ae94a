/* test_verify.c - a webhook is believed only if LiveKit sent exactly these bytes lately; each refusal has its name. */
#include "verify.h"

#include "jwt_make.h"
#include "jwt_vectors.h"

#define NOW INT64_C(1700000100)
#define KEYS                                                                                                         \
        "# rotation: the new one first\nAPInew new-secret-0123456789abcdefghijklmnop\n\n" LIVEKIT_KEY                \
        "  " LIVEKIT_SECRET "\r\n"
#define HEADER "{\"alg\":\"HS256\",\"typ\":\"JWT\"}"
#define BODY   "{\"event\":\"room_started\"}"

static struct livekit_keys keys;
static struct arena arena;
static char made[32768];
static const char *why;

static struct secret secret_of(const char *text) {
        struct secret s = { .n = strlen(text) };

        s.p = sodium_malloc(s.n + 1);
        assert_non_null(s.p);
        memcpy(s.p, text, s.n);
        return s;
}

static int setup(void **state) {
        char wrong[160];

        (void)state;
        arena_init(&arena, 1u << 20);
        return livekit_keys_parse(secret_of(KEYS), &keys, wrong);
}

static int teardown(void **state) {
        (void)state;
        livekit_keys_free(&keys);
        arena_free(&arena);
        return 0;
}

/* A token for `body` that says what LiveKit's do; the hash is the body's unless given. */
static struct slice token_for(const char *body, const char *sha256) {
        unsigned char hash[32];
        char ours[45] = { 0 }, claims[512];

        crypto_hash_sha256(hash, (const unsigned char *)body, strlen(body));
        text_base64(hash, sizeof hash, ours);
        snprintf(claims, sizeof claims, "{\"iss\":\"%s\",\"nbf\":%lld,\"iat\":%lld,\"exp\":%lld,\"sha256\":\"%s\"}",
                 LIVEKIT_KEY, (long long)NOW, (long long)NOW, (long long)NOW + 300, sha256 ? sha256 : ours);
        return make_hs256(HEADER, claims, LIVEKIT_SECRET, made);
}

static enum status check_at(const char *type, struct slice token, const char *body, int64_t now) {
        struct op_webhook_raw raw = { 0 };
        struct webhook_verified v;
        struct slice copy = exact(slice_of(body));
        unsigned char hash[32];
        enum status s;

        OP_SET(webhook_raw, &raw, content_type, slice_of(type));
        OP_SET(webhook_raw, &raw, authorization, token);
        OP_SET(webhook_raw, &raw, body, copy);
        s = webhook_verify(&keys, &raw, now, 60, &arena, &v, &why);
        if (s == STATUS_OK) {
                crypto_hash_sha256(hash, (const unsigned char *)body, strlen(body));
                assert_memory_equal(hash, v.body_hash, sizeof hash);
                assert_slice(v.api_key, LIVEKIT_KEY);
        }
        exact_free(copy);
        return s;
}

static enum status check(struct slice token, const char *body) {
        return check_at("application/webhook+json", token, body, NOW);
}

TEST(livekits_own_webhook_is_believed) {
        assert_int_equal(check_at("application/webhook+json", SLICE(LIVEKIT_WEBHOOK), LIVEKIT_BODY, VECTOR_NOW),
                         STATUS_OK);
}

TEST(ours_is_believed_under_either_media_type) {
        const char *good[] = { "application/webhook+json", "application/json", "Application/JSON; charset=utf-8",
                               " application/webhook+json ;x=y" };
        const char *bad[] = { "", "text/plain", "application/x-www-form-urlencoded", "application/jsonx", "json" };

        for (size_t i = 0; i < COUNT(good); i++)
                assert_int_equal(check_at(good[i], token_for(BODY, NULL), BODY, NOW), STATUS_OK);
        for (size_t i = 0; i < COUNT(bad); i++)
                assert_int_equal(check_at(bad[i], token_for(BODY, NULL), BODY, NOW), STATUS_UNSUPPORTED_MEDIA_TYPE);
}

TEST(no_token_is_unsigned) {
        assert_int_equal(check(slice_of(NULL), BODY), STATUS_WEBHOOK_UNSIGNED);
}

TEST(without_keys_livekit_is_not_configured) {
        struct livekit_keys none = { 0 }, keep = keys;

        keys = none;
        assert_int_equal(check(token_for(BODY, NULL), BODY), STATUS_LIVEKIT_UNAVAILABLE);
        keys = keep;
}

TEST(a_body_that_was_touched_is_a_mismatch) {
        assert_int_equal(check(token_for(BODY, NULL), BODY " "), STATUS_WEBHOOK_BODY_MISMATCH);
        assert_int_equal(check(token_for(BODY, NULL), ""), STATUS_WEBHOOK_BODY_MISMATCH);
        assert_int_equal(check_at("application/json", SLICE(LIVEKIT_WEBHOOK), BODY, VECTOR_NOW),
                         STATUS_WEBHOOK_BODY_MISMATCH);
}

TEST(the_hash_is_standard_base64_and_nothing_else) {
        unsigned char hash[32];
        char hex[65], url[45] = { 0 }, unpadded[45] = { 0 };

        crypto_hash_sha256(hash, (const unsigned char *)BODY, strlen(BODY));
        text_hex(hash, sizeof hash, hex);
        text_base64url(hash, sizeof hash, url);
        text_base64(hash, sizeof hash, unpadded);
        unpadded[43] = 0;
        assert_int_equal(check(token_for(BODY, hex), BODY), STATUS_WEBHOOK_BODY_MISMATCH);
        assert_int_equal(check(token_for(BODY, url), BODY), STATUS_WEBHOOK_BODY_MISMATCH);
        assert_int_equal(check(token_for(BODY, unpadded), BODY), STATUS_WEBHOOK_BODY_MISMATCH);
        assert_int_equal(check(token_for(BODY, ""), BODY), STATUS_WEBHOOK_BODY_MISMATCH);
}

TEST(a_join_token_of_the_same_key_is_no_webhook) {
        assert_int_equal(check_at("application/json", SLICE(LIVEKIT_JOIN), LIVEKIT_BODY, VECTOR_NOW),
                         STATUS_WEBHOOK_TOKEN_INVALID);
        assert_non_null(strstr(why, "sha256"));
        assert_int_equal(check_at("application/json", SLICE(LIVEKIT_ADMIN), LIVEKIT_BODY, VECTOR_NOW),
                         STATUS_WEBHOOK_TOKEN_INVALID);
}

TEST(bearer_in_front_is_refused) {
        assert_int_equal(check(SLICE("Bearer " LIVEKIT_WEBHOOK), LIVEKIT_BODY), STATUS_WEBHOOK_TOKEN_INVALID);
}

TEST(who_signed_decides_and_must_be_known) {
        const char *claims = "{\"iss\":\"APIother\",\"exp\":1700000300,\"sha256\":\"x\"}";

        assert_int_equal(check(make_hs256(HEADER, claims, LIVEKIT_SECRET, made), BODY), STATUS_WEBHOOK_KEY_UNKNOWN);
        claims = "{\"ISS\":\"" LIVEKIT_KEY "\",\"exp\":1700000300,\"sha256\":\"x\"}";
        assert_int_equal(check(make_hs256(HEADER, claims, LIVEKIT_SECRET, made), BODY), STATUS_WEBHOOK_TOKEN_INVALID);
        claims = "{\"iss\":\"" LIVEKIT_KEY "\",\"exp\":1700000300,\"sha256\":\"x\"}";
        assert_int_equal(check(make_hs256(HEADER, claims, "new-secret-0123456789abcdefghijklmnop", made), BODY),
                         STATUS_WEBHOOK_TOKEN_INVALID);
        assert_int_equal(check(make_hs256("{\"alg\":\"HS512\"}", claims, LIVEKIT_SECRET, made), BODY),
                         STATUS_WEBHOOK_TOKEN_INVALID);
        assert_int_equal(check(make_hs256("{\"alg\":\"none\"}", claims, LIVEKIT_SECRET, made), BODY),
                         STATUS_WEBHOOK_TOKEN_INVALID);
}

TEST(a_token_lives_from_nbf_to_exp_with_leeway) {
        struct slice token = token_for(BODY, NULL);

        assert_int_equal(check_at("application/json", token, BODY, NOW - 60), STATUS_OK);
        assert_int_equal(check_at("application/json", token, BODY, NOW - 61), STATUS_WEBHOOK_EXPIRED);
        assert_int_equal(check_at("application/json", token, BODY, NOW + 359), STATUS_OK);
        assert_int_equal(check_at("application/json", token, BODY, NOW + 360), STATUS_WEBHOOK_EXPIRED);
        token = make_hs256(HEADER, "{\"iss\":\"" LIVEKIT_KEY "\",\"sha256\":\"x\"}", LIVEKIT_SECRET, made);
        assert_int_equal(check(token, BODY), STATUS_WEBHOOK_EXPIRED);
        assert_non_null(strstr(why, "no exp"));
}

TEST(key_files_are_read_whole_or_refused_by_line) {
        const struct {
                const char *text, *says;
        } bad[] = {
                { "a", "line 1" },         { "a b\nc\n", "line 2" },    { "a b c\n", "line 1" },
                { "a b\na c\n", "twice" }, { "a \x01\n", "printable" },
        };
        char wrong[160], many[17 * 8] = "";
        struct livekit_keys k;

        for (size_t i = 0; i < COUNT(bad); i++) {
                assert_int_equal(livekit_keys_parse(secret_of(bad[i].text), &k, wrong), -1);
                assert_non_null(strstr(wrong, bad[i].says));
        }
        for (int i = 0; i < 17; i++)
                sprintf(many + strlen(many), "k%02d s\n", i);
        assert_int_equal(livekit_keys_parse(secret_of(many), &k, wrong), -1);
        assert_non_null(strstr(wrong, "line 17"));
        assert_int_equal(livekit_keys_parse(secret_of(""), &k, wrong), 0);
        assert_int_equal(k.n, 0);
        livekit_keys_free(&k);
        assert_int_equal(livekit_keys_parse(secret_of("\n # no key\n\t\n"), &k, wrong), 0);
        assert_int_equal(k.n, 0);
        livekit_keys_free(&k);
        assert_slice(keys.key[0].name, "APInew");
        assert_slice(keys.key[1].secret, LIVEKIT_SECRET);
        assert_null(livekit_key_find(&keys, SLICE("APIne")));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(livekits_own_webhook_is_believed, setup, teardown),
                cmocka_unit_test_setup_teardown(ours_is_believed_under_either_media_type, setup, teardown),
                cmocka_unit_test_setup_teardown(no_token_is_unsigned, setup, teardown),
                cmocka_unit_test_setup_teardown(without_keys_livekit_is_not_configured, setup, teardown),
                cmocka_unit_test_setup_teardown(a_body_that_was_touched_is_a_mismatch, setup, teardown),
                cmocka_unit_test_setup_teardown(the_hash_is_standard_base64_and_nothing_else, setup, teardown),
                cmocka_unit_test_setup_teardown(a_join_token_of_the_same_key_is_no_webhook, setup, teardown),
                cmocka_unit_test_setup_teardown(bearer_in_front_is_refused, setup, teardown),
                cmocka_unit_test_setup_teardown(who_signed_decides_and_must_be_known, setup, teardown),
                cmocka_unit_test_setup_teardown(a_token_lives_from_nbf_to_exp_with_leeway, setup, teardown),
                cmocka_unit_test_setup_teardown(key_files_are_read_whole_or_refused_by_line, setup, teardown),
        };

        return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
