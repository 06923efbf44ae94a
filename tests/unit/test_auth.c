/* test_auth.c - who gets in: our tokens, an identity provider's, API keys; what is remembered and for how long. */
#include "front_rig.h"

#define KEY  "lok_0123456789abcdef_ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmno-_"
#define GOOD "{\"ok\":true,\"keyId\":\"0123456789abcdef\",\"accountId\":\"acc\",\"scope\":\"ingest\"}"
#define IDP  "\"iss\":\"https://idp.example\",\"aud\":\"us\","

static int64_t skew, (*real_clock)(void);

static int64_t later(void) {
        return real_clock() + skew;
}

static int start(void **state) {
        (void)state;
        front_start("rate_address_per_minute = 0\nrate_actor_per_minute = 0\nidp_account_claim = tenant\n"
                    "idp_role_claim = level\njwt_leeway_seconds = 30\n",
                    HTTP_PLAIN);
        front.auth->idp.iss = "https://idp.example"; /* as if set: the credential jwks is another test's */
        front.auth->idp.audience = "us";
        real_clock = text_clock;
        text_clock = later;
        return 0;
}

static int forget(void **state) {
        (void)state;
        skew = 0;
        auth_cache_free(front.auth->keys);
        auth_cache_free(front.auth->tokens);
        front.auth->keys = auth_cache_new();
        front.auth->tokens = auth_cache_new();
        memset(&writer, 0, sizeof writer);
        writer.connected = writer.up = true;
        return 0;
}

static const char *list(const char *token) {
        return front_ask("GET /v1/call/sessions", "", token, "");
}

TEST(our_tokens_name_user_account_and_role) {
        assert_answer(
                list(front_token(issuer_sk, "k1", OURS "\"sub\":\"u1\",\"account\":\"acc\",\"role\":\"viewer\"")),
                "<acc|u1|viewer|person>");
        assert_answer(list(front_token(issuer_sk, "k1", OURS "\"sub\":\"u1\"")), "<u1|u1|owner|person>");
        assert_answer(
                list(front_token(issuer_sk, "k1", "\"iss\":\"lifeos\",\"aud\":[\"x\",\"lifeos\"],\"sub\":\"u\"")),
                "<u|u|owner|person>");
}

TEST(the_identity_providers_tokens_use_the_configured_claims) {
        assert_answer(list(front_token(idp_sk, "i1", IDP "\"sub\":\"u1\",\"tenant\":\"t\",\"level\":\"admin\"")),
                      "<t|u1|admin|person>");
        assert_answer(list(front_token(idp_sk, "i1", IDP "\"sub\":\"u1\",\"tenant\":\"t\"")), "<t|u1|member|person>");
}

TEST(a_user_of_the_identity_provider_cannot_become_a_tenant_by_his_name) {
        assert_answer(list(front_token(idp_sk, "i1", IDP "\"sub\":\"acme\"")), "AUTH_INVALID");
        assert_answer(list(front_token(idp_sk, "i1", IDP "\"sub\":\"acme\",\"account\":\"acme\"")), "AUTH_INVALID");
}

TEST(everything_else_about_a_token_is_refused) {
        static const struct {
                const unsigned char *sk;
                const char *kid, *claims;
        } bad[] = {
                { issuer_sk, "k1", "\"iss\":\"lifeos\",\"aud\":\"other\",\"sub\":\"u\"" },
                { issuer_sk, "k1", "\"iss\":\"lifeos\",\"aud\":[\"other\"],\"sub\":\"u\"" },
                { issuer_sk, "k1", "\"iss\":\"lifeos\",\"sub\":\"u\"" },
                { issuer_sk, "k1", "\"iss\":\"other\",\"aud\":\"lifeos\",\"sub\":\"u\"" },
                { issuer_sk, "k1", "\"aud\":\"lifeos\",\"sub\":\"u\"" },
                { issuer_sk, "k1", OURS "\"account\":\"a\"" },
                { issuer_sk, "k1", OURS "\"sub\":\"\"" },
                { issuer_sk, "k1", OURS "\"sub\":\"a b\"" },
                { issuer_sk, "k1", OURS "\"sub\":\"\\u00e9\"" },
                { issuer_sk, "k1", OURS "\"sub\":7" },
                { issuer_sk, "k1", OURS "\"sub\":\"*\"" },
                { issuer_sk, "k1", OURS "\"sub\":\"u\",\"account\":\"*\"" },
                { issuer_sk, "k1", OURS "\"sub\":\"u\",\"account\":null" },
                { issuer_sk, "k1", OURS "\"sub\":\"u\",\"account\":\"\"" },
                { issuer_sk, "k1", OURS "\"sub\":\"u\",\"role\":\"operator\"" },
                { issuer_sk, "k1", OURS "\"sub\":\"u\",\"role\":\"Owner\"" },
                { issuer_sk, "k1", OURS "\"sub\":\"u\",\"role\":[\"owner\"]" },
                { issuer_sk, "k2", OURS "\"sub\":\"u\"" }, /* unknown kid */
                { idp_sk, "k1", OURS "\"sub\":\"u\"" },    /* the provider signing as us */
                { idp_sk, "i1", OURS "\"sub\":\"u\"" },
                { issuer_sk, "k1", IDP "\"sub\":\"u\"" }, /* and the other way around */
                { idp_sk, "i1", IDP "\"sub\":\"u\",\"tenant\":\"*\"" },
        };
        for (size_t i = 0; i < COUNT(bad); i++) {
                const char *text = list(front_token(bad[i].sk, bad[i].kid, bad[i].claims));
                if (front_status(text) != 401 || !strstr(text, "\"AUTH_INVALID\""))
                        fail_msg("%zu: %s", i, text);
        }
        char longer[400];
        snprintf(longer, sizeof longer, OURS "\"sub\":\"%0128d\"", 0);
        assert_int_equal(front_status(list(front_token(issuer_sk, "k1", longer))), 200);
        snprintf(longer, sizeof longer, OURS "\"sub\":\"%0129d\"", 0);
        assert_int_equal(front_status(list(front_token(issuer_sk, "k1", longer))), 401);
}

TEST(schemes_other_than_bearer_are_refused) {
        static const char *const headers[] = { "Authorization: Basic dTpw\r\n", "Authorization: Bearer\r\n",
                                               "Authorization: Bearer \r\n", "Authorization: Bearerx\r\n",
                                               "X-User-Id: u\r\nAuthorization: u\r\n" };
        for (size_t i = 0; i < COUNT(headers); i++)
                assert_answer(front_ask("GET /v1/call/sessions", headers[i], NULL, ""), "\"AUTH_INVALID\"");
        assert_answer(front_ask("GET /v1/call/sessions", "X-User-Id: u\r\n", NULL, ""), "\"AUTH_REQUIRED\"");
        assert_answer(front_ask("GET /v1/call/sessions?userId=u", "Authorization:\r\n", NULL, ""),
                      "\"AUTH_REQUIRED\"");
}

TEST(an_expired_token_is_named_so_and_a_cached_one_does_not_outlive_it) {
        char token[4096];
        snprintf(token, sizeof token, "%s", front_token(issuer_sk, "k1", OURS "\"sub\":\"u\"")); /* an hour */
        skew = (3601 + 31) * INT64_C(1000000);
        assert_answer(list(token), "\"AUTH_EXPIRED\"");
        skew = INT64_C(3610) * 1000000; /* within the leeway, and not remembered */
        assert_int_equal(front_status(list(token)), 200);
        skew = INT64_C(3632) * 1000000;
        assert_answer(list(token), "\"AUTH_EXPIRED\"");

        struct auth_entry e;
        struct arena a;
        int64_t until = 0;
        arena_init(&a, 1u << 20);
        skew = 0;
        assert_int_equal(auth_token(front.auth, slice_of(token), later(), &a, &e, &until), STATUS_OK);
        assert_true(until > later() && until <= later() + 60000000);
        skew = INT64_C(3590) * 1000000;
        assert_int_equal(auth_token(front.auth, slice_of(token), later(), &a, &e, &until), STATUS_OK);
        assert_true(until <= later() + 11000000);
        /* A live stream ends when the token would not be let in again. */
        assert_true(e.ends > later() + 39000000 && e.ends <= later() + 41000000);
        arena_free(&a);
}

static struct client *ask_with_key(const char *key) {
        char text[256];
        struct client *c = client_new(front.rig);
        int n = snprintf(text, sizeof text,
                         "POST /v1/realtime/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n", key);
        client_send(front.rig, c, text, (size_t)n);
        return c;
}

TEST(a_live_stream_ends_when_its_token_does_and_with_a_key_in_time_too) {
        char token[4096];
        snprintf(token, sizeof token, "%s", front_token(issuer_sk, "k1", OURS "\"sub\":\"u\"")); /* an hour */
        for (unsigned i = 0; i < 2; i++) { /* verified; remembered */
                front_until = 0;
                assert_int_equal(front_status(list(token)), 200);
                assert_in_range(front_until - later(), INT64_C(3600000000), INT64_C(3631000000));
        }
        struct client *c = ask_with_key(KEY);
        rig_until(front.rig, c, writer.asked == 1);
        writer_answers(0, STATUS_OK, GOOD);
        rig_until(front.rig, c, strstr(c->text, "|service>"));
        client_free(c);
        assert_in_range(front_until - later(), INT64_C(800000000), INT64_C(900000000));
        front_until = 0;
        assert_answer(front_ask("POST /v1/realtime/events", "", KEY, ""), "|service>"); /* remembered */
        assert_in_range(front_until - later(), INT64_C(800000000), INT64_C(900000000));
}

TEST(a_verified_token_is_not_verified_again) {
        char token[4096];
        snprintf(token, sizeof token, "%s", front_token(issuer_sk, "k1", OURS "\"sub\":\"u\""));
        assert_int_equal(front_status(list(token)), 200);
        int n = front.auth->ours.n_keys;
        front.auth->ours.n_keys = 0; /* verification could not succeed now */
        assert_int_equal(front_status(list(token)), 200);
        token[strlen(token) - 10] ^= 1;
        assert_int_equal(front_status(list(token)), 401);
        front.auth->ours.n_keys = n;
}

TEST(the_writer_is_asked_once_for_all_who_wait_for_the_same_key) {
        struct client *c[5];
        unsigned char hash[32];
        for (size_t i = 0; i < COUNT(c); i++)
                c[i] = ask_with_key(KEY);
        rig_until(front.rig, c[0], http_server_connections(front.rig->server) == 5 && writer.asked == 1);
        client_free(c[4]); /* one leaves; reset, as its answer is not read */
        struct client *other = ask_with_key("lok_0000000000000000_ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmno-_");
        rig_until(front.rig, other, writer.asked == 2);
        assert_string_equal(writer.key_id, "0000000000000000");
        crypto_generichash(hash, 32, (const unsigned char *)"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmno-_", 43, NULL,
                           0);
        assert_memory_equal(writer.secret_hash, hash, 32);

        writer_answers(0, STATUS_OK, GOOD);
        for (size_t i = 0; i < 4; i++) {
                rig_until(front.rig, c[i], strstr(c[i]->text, "<acc|0123456789abcdef|ingest|service>"));
                client_free(c[i]);
        }
        assert_int_equal(other->n, 0);
        writer_answers(1, STATUS_KEY_NOT_FOUND, "");
        rig_until(front.rig, other, strstr(other->text, "\"AUTH_INVALID\""));
        client_free(other);

        assert_answer(front_ask("POST /v1/realtime/events", "", KEY, ""), "|service>"); /* remembered */
        assert_int_equal(writer.asked, 2);
        assert_int_equal(front.auth->n_lookups, 0);
}

TEST(a_client_that_leaves_before_the_answer_is_forgotten) {
        struct client *c = ask_with_key(KEY);
        struct linger now = { .l_onoff = 1 };
        rig_until(front.rig, c, writer.asked == 1);
        setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        client_free(c);
        rig_until(front.rig, nobody(), http_server_connections(front.rig->server) == 0);
        writer_answers(0, STATUS_OK, GOOD);
        assert_answer(front_ask("POST /v1/realtime/events", "", KEY, ""), "|service>"); /* the answer was kept */
        assert_int_equal(writer.asked, 1);
}

TEST(malformed_keys_never_reach_the_writer) {
        static const char *const bad[] = {
                "lok_",
                "lok_0123456789abcdef",
                "lok_0123456789abcdef_",
                "lok_0123456789ABCDEF_ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmno-_",
                "lok_0123456789abcdef-ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmno-_",
                "lok_0123456789abcdef_ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmno-_x",
                "lok_0123456789abcdef_ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmno+/",
        };
        for (size_t i = 0; i < COUNT(bad); i++)
                assert_answer(front_ask("POST /v1/realtime/events", "", bad[i], ""), "\"AUTH_INVALID\"");
        assert_int_equal(writer.asked, 0);
}

TEST(without_the_writer_unknown_keys_get_503_and_known_ones_go_on) {
        struct client *c = ask_with_key(KEY);
        rig_until(front.rig, c, writer.asked == 1);
        writer_answers(0, STATUS_OK, GOOD);
        rig_until(front.rig, c, strstr(c->text, "|service>"));
        client_free(c);
        static const char *const unknown = "lok_1123456789abcdef_ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmno-_";
        for (unsigned i = 0; i < 3; i++) {
                writer.connected = i != 0;
                writer.up = i == 2;
                writer.full = i == 2;
                assert_answer(front_ask("POST /v1/realtime/events", "", unknown, ""),
                              i == 2 ? "\"BUSY\"" : "\"WRITER_UNAVAILABLE\"");
                assert_answer(front_ask("POST /v1/realtime/events", "", KEY, ""), "|service>");
        }
}

TEST(answers_about_keys_are_judged_and_kept_as_long_as_they_deserve) {
        static const struct {
                enum status s;
                const char *body;
                enum status want;
                int64_t keep;
        } rows[] = {
                { STATUS_OK, GOOD, STATUS_OK, 10000000 },
                { STATUS_OK, "{\"ok\":true,\"keyId\":\"k\",\"accountId\":\"*\",\"scope\":\"operator\"}", STATUS_OK,
                  10000000 },
                { STATUS_OK, "{\"ok\":true,\"keyId\":\"k\",\"accountId\":\"a\",\"scope\":\"owner\"}", STATUS_INTERNAL,
                  0 },
                { STATUS_OK, "{}", STATUS_INTERNAL, 0 },
                { STATUS_OK, "", STATUS_INTERNAL, 0 },
                { STATUS_AUTH_INVALID, "", STATUS_AUTH_INVALID, 1000000 },
                { STATUS_KEY_NOT_FOUND, "", STATUS_AUTH_INVALID, 1000000 },
                { STATUS_FORBIDDEN, "", STATUS_AUTH_INVALID, 1000000 },
                { STATUS_AUTH_EXPIRED, "", STATUS_AUTH_EXPIRED, 1000000 },
                { STATUS_ACCOUNT_SUSPENDED, "", STATUS_ACCOUNT_SUSPENDED, 1000000 },
                { STATUS_WRITER_UNAVAILABLE, "", STATUS_WRITER_UNAVAILABLE, 0 },
                { STATUS_DATABASE_UNAVAILABLE, "", STATUS_DATABASE_UNAVAILABLE, 0 },
                { STATUS_BUSY, "", STATUS_BUSY, 0 },
        };
        for (size_t i = 0; i < COUNT(rows); i++) {
                struct auth_entry e;
                int64_t keep = -1;
                struct answer ans = { .status = rows[i].s, .body = slice_of(rows[i].body) };
                assert_int_equal(auth_key_answer(&ans, &e, &keep), rows[i].want);
                assert_int_equal(keep, rows[i].keep);
        }
}

TEST(scopes_open_only_their_own_doors) {
        static const struct {
                const char *scope, *line;
                int status;
        } rows[] = {
                { "ingest", "POST /v1/realtime/events", 200 }, { "operator", "POST /v1/realtime/events", 200 },
                { "ingest", "GET /v1/call/sessions", 403 },    { "operator", "GET /v1/call/sessions", 403 },
                { "ingest", "POST /v1/call/sessions", 403 },   { "operator", "POST /v1/call/sessions", 403 },
        };
        for (size_t i = 0; i < COUNT(rows); i++) {
                struct auth_entry e = { .status = STATUS_OK, .service = true, .account = "acc", .id = "k" };
                unsigned char digest[32];
                strcpy(e.role, rows[i].scope);
                auth_cache_digest(front.auth->keys, SLICE(KEY), digest);
                auth_cache_put(front.auth->keys, digest, &e, INT64_MAX);
                const char *text = front_ask(rows[i].line, "", KEY, "");
                if (front_status(text) != rows[i].status)
                        fail_msg("%zu: %s", i, text);
        }
}

TEST(the_cache_is_bounded_and_forgets_in_time) {
        struct auth_cache *c = auth_cache_new();
        struct auth_entry e = { .status = STATUS_OK };
        unsigned char digest[32];
        unsigned found = 0;
        for (uint32_t i = 0; i < 3 * AUTH_CACHE_ENTRIES; i++) {
                auth_cache_digest(c, (struct slice){ (const char *)&i, sizeof i }, digest);
                auth_cache_put(c, digest, &e, 1000 + i);
                assert_non_null(auth_cache_get(c, digest, 999));
                assert_null(auth_cache_get(c, digest, 1000 + i));
        }
        for (uint32_t i = 0; i < 3 * AUTH_CACHE_ENTRIES; i++) {
                auth_cache_digest(c, (struct slice){ (const char *)&i, sizeof i }, digest);
                found += auth_cache_get(c, digest, 0) != NULL;
        }
        /* Chance leaves a set that fewer than its ways fell into, now and then. */
        assert_in_range(found, AUTH_CACHE_ENTRIES - 64, AUTH_CACHE_ENTRIES);
        auth_cache_free(c);
}

TEST(issuer_keys_are_read_line_by_line) {
        struct auth_issuer to = { 0 };
        char why[160];
#define HEX "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
        assert_int_equal(auth_issuer_keys(SLICE("# ours\nk1 " HEX "\n\n  k2\t" HEX "  \n"), &to, why), 0);
        assert_int_equal(to.n_keys, 2);
        static const char *const bad[] = { "k1", "k1 00", "k1 " HEX " x", "k1 " HEX "00", HEX };
        for (size_t i = 0; i < COUNT(bad); i++) {
                struct auth_issuer none = { 0 };
                assert_int_equal(auth_issuer_keys(slice_of(bad[i]), &none, why), -1);
        }
        for (int i = 0; i < to.n_keys; i++)
                jwt_key_free(to.keys[i]);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(our_tokens_name_user_account_and_role, forget),
                cmocka_unit_test_setup(a_user_of_the_identity_provider_cannot_become_a_tenant_by_his_name, forget),
                cmocka_unit_test_setup(the_identity_providers_tokens_use_the_configured_claims, forget),
                cmocka_unit_test_setup(everything_else_about_a_token_is_refused, forget),
                cmocka_unit_test_setup(schemes_other_than_bearer_are_refused, forget),
                cmocka_unit_test_setup(an_expired_token_is_named_so_and_a_cached_one_does_not_outlive_it, forget),
                cmocka_unit_test_setup(a_live_stream_ends_when_its_token_does_and_with_a_key_in_time_too, forget),
                cmocka_unit_test_setup(a_verified_token_is_not_verified_again, forget),
                cmocka_unit_test_setup(the_writer_is_asked_once_for_all_who_wait_for_the_same_key, forget),
                cmocka_unit_test_setup(a_client_that_leaves_before_the_answer_is_forgotten, forget),
                cmocka_unit_test_setup(malformed_keys_never_reach_the_writer, forget),
                cmocka_unit_test_setup(without_the_writer_unknown_keys_get_503_and_known_ones_go_on, forget),
                cmocka_unit_test_setup(answers_about_keys_are_judged_and_kept_as_long_as_they_deserve, forget),
                cmocka_unit_test_setup(scopes_open_only_their_own_doors, forget),
                cmocka_unit_test(the_cache_is_bounded_and_forgets_in_time),
                cmocka_unit_test(issuer_keys_are_read_line_by_line),
        };
        return cmocka_run_group_tests(tests, start, NULL);
}
