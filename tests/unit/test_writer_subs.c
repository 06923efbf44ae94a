/* test_writer_subs.c - who listens to what: exactly those who asked, within their bound, and nobody who went. */
#include "subs.h"
#include "writer_rig.h"

static struct slice name(char to[static 24], const char *prefix, unsigned n) {
        snprintf(to, 24, "%s%u", prefix, n);
        return slice_of(to);
}

static unsigned listeners(const struct subs *s, struct slice account, struct slice session) {
        const struct stream *st = subs_find(s, account, session);
        unsigned n = 0;

        for (const struct sub *sub = st ? st->subs : NULL; sub; sub = sub->of_stream)
                n++;
        return n;
}

TEST(the_same_session_id_in_two_accounts_is_two_streams) {
        struct subs *s = subs_new(10);

        assert_int_equal(subs_add(s, peer_no(0), SLICE("a"), SLICE("s"), 4), STATUS_OK);
        assert_int_equal(subs_add(s, peer_no(1), SLICE("a"), SLICE("s"), 9), STATUS_OK);
        assert_int_equal(listeners(s, SLICE("a"), SLICE("s")), 2);
        assert_int_equal(listeners(s, SLICE("b"), SLICE("s")), 0);
        assert_int_equal(subs_find(s, SLICE("a"), SLICE("s"))->head, 4);
        subs_remove(s, peer_no(0), SLICE("a"), SLICE("s"));
        subs_remove(s, peer_no(0), SLICE("a"), SLICE("s"));
        assert_int_equal(listeners(s, SLICE("a"), SLICE("s")), 1);
        subs_remove(s, peer_no(1), SLICE("a"), SLICE("s"));
        assert_null(subs_find(s, SLICE("a"), SLICE("s")));
        subs_free(s);
}

TEST(a_peer_is_bounded_and_asking_twice_counts_once) {
        struct subs *s = subs_new(2);

        for (int i = 0; i < 3; i++)
                assert_int_equal(subs_add(s, peer_no(0), SLICE("a"), SLICE("1"), 0), STATUS_OK);
        assert_int_equal(subs_add(s, peer_no(0), SLICE("a"), SLICE("2"), 0), STATUS_OK);
        assert_int_equal(subs_add(s, peer_no(0), SLICE("a"), SLICE("3"), 0), STATUS_BUSY);
        assert_null(subs_find(s, SLICE("a"), SLICE("3")));
        assert_int_equal(subs_add(s, peer_no(1), SLICE("a"), SLICE("3"), 0), STATUS_OK);
        subs_remove(s, peer_no(0), SLICE("a"), SLICE("1"));
        assert_int_equal(subs_add(s, peer_no(0), SLICE("a"), SLICE("3"), 0), STATUS_OK);
        subs_free(s);
}

TEST(a_peer_that_goes_takes_its_subscriptions_along) {
        struct subs *s = subs_new(100);
        char text[24];

        for (unsigned i = 0; i < 50; i++) {
                subs_add(s, peer_no(0), SLICE("a"), name(text, "s", i), 0);
                subs_add(s, peer_no(1), SLICE("a"), name(text, "s", i / 2), 0);
        }
        subs_drop(s, peer_no(0));
        assert_int_equal(subs_count(s), 25);
        for (unsigned i = 0; i < 50; i++)
                assert_int_equal(listeners(s, SLICE("a"), name(text, "s", i)), i < 25);
        subs_drop(s, peer_no(0));
        subs_free(s);
}

TEST(the_dirty_ones_stand_first) {
        struct subs *s = subs_new(10);
        struct sub *b;

        subs_add(s, peer_no(0), SLICE("a"), SLICE("1"), 0);
        subs_add(s, peer_no(0), SLICE("a"), SLICE("2"), 0);
        b = subs_find(s, SLICE("a"), SLICE("2"))->subs;
        subs_mark(b, true);
        assert_ptr_equal(subs_peers(s)->first, b);
        subs_mark(b, false);
        assert_ptr_equal(subs_peers(s)->last, b);
        assert_false(subs_peers(s)->first->dirty);
        subs_free(s);
}

/* Against a plain matrix, through growth, collisions and removal in the middle of probe runs. */
#define STREAMS 3000u
TEST(any_history_ends_with_the_right_listeners) {
        static bool model[4][STREAMS];
        struct subs *s = subs_new(STREAMS);
        uint64_t seed = 0x51ab5;
        char text[24];

        for (unsigned step = 0; step < 60000; step++) {
                unsigned peer = dice(&seed, 4), i = dice(&seed, STREAMS), what = dice(&seed, 1000);

                if (what == 0) {
                        subs_drop(s, peer_no(peer));
                        memset(model[peer], 0, sizeof model[peer]);
                } else if (what < 600) {
                        assert_int_equal(subs_add(s, peer_no(peer), SLICE("a"), name(text, "s", i), 0), STATUS_OK);
                        model[peer][i] = true;
                } else {
                        subs_remove(s, peer_no(peer), SLICE("a"), name(text, "s", i));
                        model[peer][i] = false;
                }
        }
        for (unsigned i = 0; i < STREAMS; i++) {
                unsigned want = (unsigned)(model[0][i] + model[1][i] + model[2][i] + model[3][i]);

                assert_int_equal(listeners(s, SLICE("a"), name(text, "s", i)), want);
        }
        subs_free(s);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_same_session_id_in_two_accounts_is_two_streams),
                cmocka_unit_test(a_peer_is_bounded_and_asking_twice_counts_once),
                cmocka_unit_test(a_peer_that_goes_takes_its_subscriptions_along),
                cmocka_unit_test(the_dirty_ones_stand_first),
                cmocka_unit_test(any_history_ends_with_the_right_listeners),
        };

        return cmocka_run_group_tests(tests, rig_setup, rig_teardown);
}
