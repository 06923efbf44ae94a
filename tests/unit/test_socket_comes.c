/* test_socket_comes.c - how a socket comes to be: what asks for one, and who is on it. */
#include "fanout.h"
#include "settings.h"
#include "socket_world.h"
#include "stats.h"

static struct socket_client c;

static void subscribe(struct socket_client *to, unsigned s) {
        say(to, "{'op':'subscribe','sessionId':'s%u'}", s);
        settle_sockets(to, 1);
}

static void assert_closed(unsigned code, const char *reason) {
        assert_null(c.ws.ws);
        assert_int_equal(c.ws.close_code, code);
        assert_string_equal(c.ws.close_reason, reason);
        assert_int_equal(fake_stats[STAT_sockets_open], 0);
}

TEST(identity_may_come_in_a_message_and_nothing_else_before_it) {
        socket_join(&c, NULL);
        assert_nothing_said(&c);
        say(&c, "{'op':'subscribe','sessionId':'s1'}");
        assert_said(&c, "\"code\":\"AUTH_REQUIRED\"");
        say(&c, "{'op':'ping'}");
        assert_said(&c, "pong");
        say(&c, "{'op':'auth','token':'good:ann'}");
        assert_said(&c, "\"userId\":\"ann\",\"accountId\":\"acme\"}");
        say(&c, "{'op':'auth','token':'good:bob'}");
        assert_said(&c, "\"for\":\"auth\"");
        subscribe(&c, 1);
        assert_said(&c, "subscribed");
        socket_leave(&c);
}

TEST(identity_that_takes_a_while) {
        socket_join(&c, NULL);
        say(&c, "{'op':'auth','token':'late:ann'}");
        say(&c, "{'op':'auth','token':'late:ann'}");
        assert_said(&c, "\"for\":\"auth\"");
        fake_identify(STATUS_WRITER_UNAVAILABLE);
        (void)fake_socket_take(&c.ws, SIZE_MAX);
        assert_said(&c, "\"code\":\"WRITER_UNAVAILABLE\"");
        say(&c, "{'op':'auth','token':'late:ann'}");
        fake_identify(STATUS_OK);
        (void)fake_socket_take(&c.ws, SIZE_MAX);
        assert_said(&c, "\"op\":\"ready\"");
        socket_leave(&c);
        socket_join(&c, NULL);
        say(&c, "{'op':'auth','token':'late:ann'}");
        socket_leave(&c);
        assert_null(fake_asks);
}

TEST(a_bad_identity_is_said_charged_and_closed_and_never_repeated) {
        socket_join(&c, NULL);
        say(&c, "{'op':'auth','token':'my-secret-token'}");
        assert_said(&c, "{\"op\":\"error\",\"code\":\"AUTH_INVALID\"");
        assert_null(strstr(c.said[0], "my-secret"));
        assert_closed(WS_IDENTITY, "identity refused");
        assert_int_equal(fake_charged, 1);
        assert_int_equal(fake_stats[STAT_http_auth_failures], 1);
        socket_leave(&c);
        socket_join(&c, NULL);
        say(&c, "{'op':'auth','token':'old'}");
        assert_closed(WS_IDENTITY, "expired");
        socket_leave(&c);
}

TEST(who_has_not_said_who_he_is_makes_room_for_others) {
        socket_join(&c, NULL);
        assert_true(c.ws.spare);
        say(&c, "{'op':'auth','token':'late:ann'}");
        assert_true(c.ws.spare);
        fake_identify(STATUS_OK);
        assert_false(c.ws.spare);
        socket_leave(&c);
        socket_join(&c, "ann");
        assert_false(c.ws.spare);
        socket_leave(&c);
}

TEST(no_identity_in_time) {
        socket_join(&c, NULL);
        tick();
        assert_non_null(c.ws.ws);
        fake_settings[SETTING_socket_auth_seconds] = 0;
        socket_leave(&c);
        socket_join(&c, NULL);
        tick();
        assert_closed(WS_IDENTITY, "no identity in time");
        assert_string_equal(fake_word, "expired");
        socket_leave(&c);
}

TEST(an_actors_sockets_are_bounded) {
        struct socket_client d;

        fake_settings[SETTING_sockets_per_actor] = 1;
        socket_join(&c, "ann");
        d = (struct socket_client){ 0 };
        socket_join(&d, NULL);
        say(&d, "{'op':'auth','token':'good:ann'}");
        assert_int_equal(d.ws.close_code, WS_TOO_MANY);
        socket_leave(&d);
        socket_leave(&c);
        socket_join(&c, "ann");
        assert_non_null(c.ws.ws);
        socket_leave(&c);
}

static enum status refused(const char *name, const char *value, const char *query) {
        struct fake_client f = { 0 };
        enum status s;

        fake_request(&f, query, (struct slice){ 0 });
        if (strcmp(name, "sec-websocket-version") != 0)
                fake_header(&f, "sec-websocket-version", "13");
        fake_header(&f, name, value);
        route_socket(NULL, &f.r, fake_route("realtimeSocket"), NULL);
        assert_true(f.answered);
        s = f.status;
        fake_client_free(&f);
        return s;
}

TEST(what_does_not_become_a_socket) {
        fake_origins = "https://a.example https://b.example";
        assert_int_equal(refused("sec-websocket-version", "8", ""), STATUS_UPGRADE_REQUIRED);
        assert_int_equal(refused("x", "y", "access_token=t"), STATUS_INVALID_REQUEST);
        assert_int_equal(refused("origin", "https://c.example", ""), STATUS_ORIGIN_FORBIDDEN);
        assert_int_equal(refused("origin", "null", ""), STATUS_ORIGIN_FORBIDDEN);
        assert_int_equal(refused("sec-websocket-protocol", "graphql-ws, lifeos.v2", ""), STATUS_INVALID_REQUEST);
        assert_int_equal(refused("sec-websocket-protocol", "bearer.t", ""), STATUS_INVALID_REQUEST);
        fanout_drain(NULL);
        assert_int_equal(refused("origin", "https://b.example", ""), STATUS_BUSY);
}

TEST(a_page_of_this_very_origin_needs_no_list) {
        static const struct {
                const char *host, *origin;
                enum status status;
        } rows[] = { { "gw.example", "https://gw.example", STATUS_OK },
                     { "gw.example:8443", "http://gw.example:8443", STATUS_OK },
                     { "gw.example", "https://gw.example:444", STATUS_ORIGIN_FORBIDDEN },
                     { "gw.example", "https://evilgw.example", STATUS_ORIGIN_FORBIDDEN },
                     { "gw.example", "https://gw.example.", STATUS_ORIGIN_FORBIDDEN },
                     { "gw.example", "gw.example", STATUS_ORIGIN_FORBIDDEN },
                     { "gw.example", "ftp://gw.example", STATUS_ORIGIN_FORBIDDEN },
                     { "null", "null", STATUS_ORIGIN_FORBIDDEN } };
        const char *why;

        fake_origins = "https://a.example";
        for (size_t i = 0; i < COUNT(rows); i++) {
                struct fake_client f;

                fake_request(&f, "", (struct slice){ 0 });
                fake_header(&f, "sec-websocket-version", "13");
                fake_header(&f, "host", rows[i].host);
                fake_header(&f, "origin", rows[i].origin);
                if (socket_upgrade(&f.r, &why) != rows[i].status)
                        fail_msg("%s at %s", rows[i].origin, rows[i].host);
                fake_client_free(&f);
        }
}

TEST(the_subprotocol_carries_the_token_and_is_not_given_back) {
        struct socket_client d = { .ws = { .data = &d } };
        struct actor a = { SLICE("acme"), SLICE("ann"), SLICE("member"), false, 0 };
        struct slice token;

        fake_request(&d.ws.http, "", (struct slice){ 0 });
        buf_init(&d.ws.in, 4096);
        fake_header(&d.ws.http, "sec-websocket-version", "13");
        fake_header(&d.ws.http, "sec-websocket-protocol", "bearer.abc.def , lifeos.v1");
        assert_true(socket_bearer(&d.ws.http.r, &token));
        assert_slice(token, "abc.def");
        route_socket(NULL, &d.ws.http.r, fake_route("realtimeSocket"), &a);
        assert_string_equal(d.ws.protocol, "lifeos.v1");
        fake_socket_leave(&d.ws, WS_NORMAL);
        assert_string_equal(fake_word, "client");
}

TEST(subprotocols_may_come_one_by_one) {
        struct fake_client f;
        struct slice token;
        const char *why;

        fake_request(&f, "", (struct slice){ 0 });
        fake_header(&f, "sec-websocket-version", "13");
        fake_header(&f, "sec-websocket-protocol", "");
        fake_header(&f, "sec-websocket-protocol", "bearer.abc.def");
        assert_true(socket_bearer(&f.r, &token));
        assert_slice(token, "abc.def");
        assert_int_equal(socket_upgrade(&f.r, &why), STATUS_INVALID_REQUEST);
        fake_header(&f, "sec-websocket-protocol", "lifeos.v1");
        assert_int_equal(socket_upgrade(&f.r, &why), STATUS_OK);
        assert_true(socket_protocol(&f.r));
        fake_header(&f, "authorization", "Bearer other");
        assert_int_equal(socket_upgrade(&f.r, &why), STATUS_INVALID_REQUEST);
        fake_client_free(&f);
}
#define T(name) cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                T(identity_may_come_in_a_message_and_nothing_else_before_it),
                T(identity_that_takes_a_while),
                T(a_bad_identity_is_said_charged_and_closed_and_never_repeated),
                T(who_has_not_said_who_he_is_makes_room_for_others),
                T(no_identity_in_time),
                T(an_actors_sockets_are_bounded),
                T(what_does_not_become_a_socket),
                T(a_page_of_this_very_origin_needs_no_list),
                T(the_subprotocol_carries_the_token_and_is_not_given_back),
                T(subprotocols_may_come_one_by_one),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
