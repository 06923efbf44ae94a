/* test_limits.c - rate limits as clients meet them: per actor and class, per address before any cryptography. */
#include "front_rig.h"

static char alice[4096], bob[4096];

static int start(void **state) {
        (void)state;
        front_start("rate_address_per_minute = 3\nrate_actor_per_minute = 2\n", HTTP_PROXY);
        snprintf(alice, sizeof alice, "%s", front_token(issuer_sk, "k1", OURS "\"sub\":\"alice\",\"account\":\"a\""));
        snprintf(bob, sizeof bob, "%s", front_token(issuer_sk, "k1", OURS "\"sub\":\"bob\",\"account\":\"a\""));
        return 0;
}

static int fresh(void **state) {
        (void)state;
        free(front.rate);
        front.rate = rate_new();
        return 0;
}

/* From this IPv4 address, by way of the TLS terminator. */
static const char *from(const char *address, const char *line, const char *token) {
        static char text[65536], request[8192];
        unsigned char header[28] = "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c";
        struct client *c = client_new(front.rig);
        assert_int_equal(inet_pton(AF_INET, address, header + 16), 1);
        client_send(front.rig, c, header, sizeof header);
        int n = snprintf(request, sizeof request, "%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s%s%s\r\n", line,
                         token ? "Authorization: Bearer " : "", token ? token : "", token ? "\r\n" : "");
        client_send(front.rig, c, request, (size_t)n);
        rig_until(front.rig, c, c->eof);
        snprintf(text, sizeof text, "%s", c->text);
        client_free(c);
        return text;
}

TEST(an_actor_has_a_bucket_for_each_class) {
        for (unsigned i = 0; i < 2; i++)
                assert_int_equal(front_status(from("192.0.2.1", "GET /v1/call/sessions", alice)), 200);
        const char *text = from("192.0.2.2", "GET /v1/call/sessions", alice); /* another address does not help */
        assert_int_equal(front_status(text), 429);
        assert_answer(text, "\"RATE_LIMITED\"");
        assert_answer(text, "\"retryable\":true");
        assert_answer(text, "\r\nretry-after: 30\r\n");
        assert_int_equal(front_status(from("192.0.2.1", "POST /v1/call/sessions", alice)), 200);
        assert_int_equal(front_status(from("192.0.2.1", "GET /v1/call/sessions", bob)), 200);
}

TEST(refused_tokens_use_up_the_address_and_others_keep_theirs) {
        for (unsigned i = 0; i < 3; i++)
                assert_int_equal(front_status(from("192.0.2.3", "GET /v1/call/sessions", "bad")), 401);
        assert_int_equal(front_status(from("192.0.2.3", "GET /v1/call/sessions", "bad")), 429);
        assert_int_equal(front_status(from("192.0.2.3", "GET /v1/call/sessions", NULL)), 429);
        assert_int_equal(front_status(from("192.0.2.3", "GET /nowhere", NULL)), 429);
        const char *text = from("192.0.2.3", "GET /", NULL);
        assert_int_equal(front_status(text), 429);
        assert_answer(text, "\r\nretry-after: 20\r\n");
        assert_int_equal(front_status(from("192.0.2.4", "GET /v1/call/sessions", "bad")), 401);
}

TEST(who_is_known_already_is_not_punished_for_his_neighbours) {
        assert_int_equal(front_status(from("192.0.2.5", "GET /v1/call/sessions", bob)), 200);
        for (unsigned i = 0; i < 4; i++)
                from("192.0.2.5", "GET /v1/call/sessions", "bad");
        assert_int_equal(front_status(from("192.0.2.5", "GET /v1/call/sessions", "bad")), 429);
        assert_int_equal(front_status(from("192.0.2.5", "GET /v1/call/sessions", bob)), 200);
}

TEST(health_and_preflights_are_never_limited) {
        for (unsigned i = 0; i < 10; i++) {
                from("192.0.2.6", "GET /nowhere", NULL);
                assert_int_equal(front_status(from("192.0.2.6", "GET /health", NULL)), 200);
                assert_int_equal(front_status(from("192.0.2.6", "OPTIONS /v1/call/sessions", NULL)), 204);
        }
}

TEST(an_ipv6_client_is_its_network) {
        unsigned char a[9], b[9];
        assert_int_equal(rate_address_key("192.0.2.1", a), 5);
        assert_int_equal(rate_address_key("192.0.2.2", b), 5);
        assert_memory_not_equal(a, b, 5);
        assert_int_equal(rate_address_key("2001:db8:1:2::3", a), 9);
        assert_int_equal(rate_address_key("2001:db8:1:2:ffff::4", b), 9);
        assert_memory_equal(a, b, 9);
        assert_int_equal(rate_address_key("2001:db8:1:3::3", b), 9);
        assert_memory_not_equal(a, b, 9);
        assert_int_equal(rate_address_key("", a), 0);
        assert_int_equal(rate_address_key("nonsense", a), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(an_actor_has_a_bucket_for_each_class, fresh),
                cmocka_unit_test_setup(refused_tokens_use_up_the_address_and_others_keep_theirs, fresh),
                cmocka_unit_test_setup(who_is_known_already_is_not_punished_for_his_neighbours, fresh),
                cmocka_unit_test_setup(health_and_preflights_are_never_limited, fresh),
                cmocka_unit_test(an_ipv6_client_is_its_network),
        };
        int failed = cmocka_run_group_tests(tests, start, NULL);
        unlink(front.rig->path);
        return failed;
}
