/* test_access.c - the right to listen is asked for again and again; who listens is reported. */
#include "fanout.h"
#include "presence.h"
#include "settings.h"
#include "socket_world.h"
#include "stats.h"

static void changed(const char *account, const char *key) {
        struct op_access_changed m = { 0 };

        OP_SET(access_changed, &m, account_id, slice_of(account));
        if (key)
                OP_SET(access_changed, &m, key_id, slice_of(key));
        writer_says(OP_access_changed, &m);
}

static void due(void) {
        for (unsigned i = 0; i < FANOUT_BUCKETS; i++)
                for (struct pass *p = fake_fanout->passes[i]; p; p = p->next)
                        p->due = 0;
}

TEST(an_actor_is_asked_for_once_however_many_listen) {
        static struct listener_client c[50];

        for (unsigned i = 0; i < COUNT(c); i++)
                client_join(&c[i], 1, i % 2 ? "ann" : "bob", 0, NULL);
        settle(c, COUNT(c));
        assert_int_equal(world.sessions[1].opens, 50);
        tick();
        assert_int_equal(fake_count(OP_stream_open), 0);
        due();
        tick();
        assert_int_equal(fake_count(OP_stream_open), 2);
        tick();
        assert_int_equal(fake_count(OP_stream_open), 2);
        commit(1, 3);
        settle(c, COUNT(c));
        tick();
        assert_int_equal(fake_count(OP_stream_open), 0);
        for (unsigned i = 0; i < COUNT(c); i++) {
                assert_heard(&c[i], 3);
                client_free(&c[i]);
        }
}

TEST(rechecks_are_spread_over_the_last_quarter) {
        static struct listener_client c[40];
        static char names[40][8];
        int64_t now = text_mono_micros(), first = INT64_MAX, last = 0;

        for (unsigned i = 0; i < COUNT(c); i++) {
                (void)snprintf(names[i], sizeof names[i], "u%u", i);
                client_join(&c[i], 1, names[i], 0, NULL);
        }
        settle(c, COUNT(c));
        for (unsigned i = 0; i < FANOUT_BUCKETS; i++)
                for (struct pass *p = fake_fanout->passes[i]; p; p = p->next) {
                        first = p->due < first ? p->due : first;
                        last = p->due > last ? p->due : last;
                }
        assert_true(first >= now + 44000000 && last <= text_mono_micros() + 60000000 && last - first > 1000000);
        for (unsigned i = 0; i < COUNT(c); i++)
                client_free(&c[i]);
}

TEST(who_lost_the_right_is_told_and_the_others_go_on) {
        struct listener_client c[2];
        struct socket_client ws;

        client_join(&c[0], 1, "ann", 0, NULL);
        client_join(&c[1], 1, "bob", 0, NULL);
        settle(c, 2);
        socket_join(&ws, "bob");
        say(&ws, "{'op':'subscribe','sessionId':'s1'}");
        say(&ws, "{'op':'subscribe','sessionId':'s2'}");
        settle_sockets(&ws, 1);
        ws.read = ws.n_said;
        world.sessions[1].refuses = STATUS_FORBIDDEN;
        world.sessions[1].refused_actor = "bob";
        due();
        tick();
        settle(c, 2);
        settle_sockets(&ws, 1);
        assert_string_equal(c[1].closed, "revoked");
        assert_said(&ws, "{\"op\":\"unsubscribed\",\"sessionId\":\"s1\",\"reason\":\"revoked\"}");
        commit(1, 1);
        commit(2, 1);
        settle(c, 2);
        settle_sockets(&ws, 1);
        assert_heard(&c[0], 1);
        assert_int_equal(ws.heard[2], 1);
        assert_int_equal(ws.heard[1], 0);
        client_free(&c[0]);
        client_free(&c[1]);
        socket_leave(&ws);
}

TEST(whose_access_changed_hears_nothing_until_he_is_let_in_by_an_answer_that_is_newer) {
        struct listener_client c[1];

        client_join(&c[0], 1, "ann", 0, NULL);
        settle(c, 1);
        commit(1, 3);
        settle(c, 1);
        assert_heard(&c[0], 3);
        changed("acme", NULL);
        commit(1, 1);
        (void)deliver_pub(world.pubs);
        (void)fake_take(&c[0].http, SIZE_MAX);
        assert_int_equal(c[0].heard, 3);
        execute(fake_calls); /* he may */
        changed("acme", NULL);
        deliver(fake_calls); /* but that was before */
        commit(1, 1);
        (void)deliver_pub(world.pubs);
        (void)fake_take(&c[0].http, SIZE_MAX);
        assert_int_equal(c[0].heard, 3);
        assert_int_equal(fake_count(OP_stream_open), 1);
        settle(c, 1);
        assert_heard(&c[0], 5);
        assert_int_equal(c[0].resets, 0);
        client_free(&c[0]);
}

TEST(a_refusal_that_may_pass_ends_nothing) {
        struct listener_client c;

        client_join(&c, 1, "ann", 0, NULL);
        settle(&c, 1);
        world.sessions[1].refuses = STATUS_DATABASE_UNAVAILABLE;
        due();
        tick();
        settle(&c, 1);
        commit(1, 1);
        settle(&c, 1);
        assert_heard(&c, 1);
        world.sessions[1].refuses = STATUS_OK;
        pause_over();
        assert_int_equal(fake_count(OP_stream_open), 1);
        settle(&c, 1);
        assert_heard(&c, 1);
        client_free(&c);
}

TEST(a_suspended_account_is_asked_for_at_once_and_its_sockets_end) {
        struct listener_client c;
        struct socket_client ws;

        client_join(&c, 1, "ann", 0, NULL);
        settle(&c, 1);
        socket_join(&ws, "ann");
        say(&ws, "{'op':'subscribe','sessionId':'s1'}");
        say(&ws, "{'op':'subscribe','sessionId':'s2'}");
        settle_sockets(&ws, 1);
        changed("other", NULL);
        assert_int_equal(fake_count(OP_stream_open), 0);
        world.sessions[1].refuses = STATUS_ACCOUNT_SUSPENDED;
        changed("acme", NULL);
        assert_string_equal(fake_forgotten, "acme ");
        assert_int_equal(fake_count(OP_stream_open), 2);
        settle(&c, 1);
        settle_sockets(&ws, 1);
        assert_string_equal(c.closed, "revoked");
        assert_int_equal(ws.ws.close_code, WS_REVOKED);
        assert_int_equal(fanout_listeners(fake_fanout), 0);
        client_free(&c);
        socket_leave(&ws);
}

TEST(what_changes_while_it_is_asked_is_asked_again) {
        struct listener_client c;

        client_join(&c, 1, "ann", 0, NULL);
        execute(fake_calls); /* still allowed */
        world.sessions[1].refuses = STATUS_ACCOUNT_SUSPENDED;
        changed("acme", NULL);
        deliver(fake_calls);
        tick();
        settle(&c, 1);
        assert_string_equal(c.closed, "revoked");
        client_free(&c);
        world.sessions[1].refuses = STATUS_OK;
        client_join(&c, 1, "ann", 0, NULL);
        settle(&c, 1);
        due();
        tick();
        execute(fake_calls);
        world.sessions[1].refuses = STATUS_ACCOUNT_SUSPENDED;
        changed("acme", NULL);
        deliver(fake_calls);
        tick();
        settle(&c, 1);
        assert_string_equal(c.closed, "revoked");
        client_free(&c);
}

TEST(people_who_listen_are_reported_and_who_leaves_too) {
        struct listener_client c[2];

        client_join(&c[0], 1, "ann", 0, NULL);
        client_join(&c[1], 1, "ann", 0, NULL);
        settle(c, 2);
        for (unsigned i = 0; i < 5; i++) {
                tick();
                settle(c, 2);
        }
        assert_string_equal(world.seen, "{\"here\":[[\"acme\",\"s1\",\"ann\"]]}");
        client_free(&c[0]);
        ev_run(frontend_loop(NULL), EVRUN_NOWAIT);
        assert_null(fake_calls); /* she is still here */
        world.seen[0] = 0;
        client_free(&c[1]);
        while (!fake_count(OP_presence))
                ev_run(frontend_loop(NULL), EVRUN_ONCE);
        settle(NULL, 0);
        assert_string_equal(world.seen, "{\"left\":[[\"acme\",\"s1\",\"ann\"]]}");
}

/* Each of them was told of; returns how many have been. */
static unsigned tell_of(bool told[], unsigned n) {
        unsigned reports = 0, all = 0;

        while (fake_calls) {
                const struct op_presence *m = fake_calls->msg;
                const char *p = m->seen.p, *end = p + m->seen.n;

                assert_int_equal(fake_calls->op, OP_presence);
                assert_true(++reports <= PRESENCE_ASKING);
                while ((p = memmem(p, (size_t)(end - p), "listener-", 9)))
                        told[strtoul(p += 9, NULL, 10) % n] = true;
                deliver(fake_calls);
        }
        for (unsigned i = 0; i < n; i++)
                all += told[i];
        return all;
}

TEST(more_than_one_turn_can_tell_of_are_told_of_in_the_next) {
        static struct pass *passes[20000];
        static bool told[COUNT(passes)];
        struct stream *s = stream_get(fake_fanout, SLICE("acme"), SLICE("s1"));
        char name[129];

        for (unsigned i = 0; i < COUNT(passes); i++) {
                (void)snprintf(name, sizeof name, "listener-%0119u", i);
                struct who *w = who_get(fake_fanout,
                                        &(struct actor){ SLICE("acme"), slice_of(name), SLICE("viewer"), false, 0 });
                passes[i] = pass_get(s, w);
                who_unref(fake_fanout, w);
        }
        unsigned turns = 0;
        do {
                tick();
                assert_true(++turns <= 10);
        } while (tell_of(told, COUNT(passes)) < COUNT(passes));
        for (unsigned i = 0; i < COUNT(passes); i++)
                pass_leave(passes[i]);
}

TEST(who_is_back_at_once_has_not_left) {
        struct listener_client c;

        client_join(&c, 1, "ann", 0, NULL);
        settle(&c, 1);
        client_free(&c);
        client_join(&c, 1, "ann", 0, NULL);
        settle(&c, 1);
        for (double end = ev_time() + 0.3; ev_time() < end;)
                ev_run(frontend_loop(NULL), EVRUN_ONCE);
        settle(&c, 1);
        assert_null(strstr(world.seen, "left"));
        client_free(&c);
}

#define T(name) cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                T(an_actor_is_asked_for_once_however_many_listen),
                T(rechecks_are_spread_over_the_last_quarter),
                T(who_lost_the_right_is_told_and_the_others_go_on),
                T(whose_access_changed_hears_nothing_until_he_is_let_in_by_an_answer_that_is_newer),
                T(a_refusal_that_may_pass_ends_nothing),
                T(a_suspended_account_is_asked_for_at_once_and_its_sockets_end),
                T(what_changes_while_it_is_asked_is_asked_again),
                T(people_who_listen_are_reported_and_who_leaves_too),
                T(more_than_one_turn_can_tell_of_are_told_of_in_the_next),
                T(who_is_back_at_once_has_not_left),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
