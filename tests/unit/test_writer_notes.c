/* test_writer_notes.c - other appliances are told the newest head of each stream, in few notices, or to look at all. */
#include "notes.h"
#include "round.h"
#include "writer_rig.h"

#define NODE "0123456789abcdef"

static struct notes *notes;
static struct buf rows;

static int setup(void **state) {
        notes = notes_new();
        buf_init(&rows, OP_BYTES_MAX);
        return rig_setup(state);
}

static int teardown(void **state) {
        notes_free(notes);
        buf_free(&rows);
        return rig_teardown(state);
}

static void add(const char *account, const char *session, int64_t head) {
        notes_add(notes, slice_of(account), slice_of(session), head);
}

/* The payload of notice number i of those taken. */
static struct slice payload(unsigned i) {
        struct op_node_payload m;
        size_t at = 0;

        assert_int_equal(op_rows_check(buf_view(&rows), OP_node_payload, 64), 0);
        for (;; i--) {
                assert_true(op_rows_next(buf_view(&rows), OP_node_payload, &at, &m));
                if (!i)
                        return m.payload;
        }
}

static void assert_payload(const char *text) {
        char got[300];

        assert_int_equal(notes_take(notes, NODE, &rows), 1);
        assert_true(slice_copy(payload(0), got, sizeof got));
        assert_string_equal(got, text);
        assert_false(notes_any(notes));
        assert_int_equal(notes_take(notes, NODE, &rows), 0);
}

TEST(a_stream_is_named_once_with_its_newest_head) {
        assert_false(notes_any(notes));
        add("a", "s1", 4);
        add("a", "s2", 1);
        add("a", "s1", 6);
        add("a", "s1", 5);
        add("b c", "s1", 1);
        assert_payload(NODE "\n6 s1 a\n1 s2 a\n1 s1 b c");
        add("a", "s1", 7);
        assert_payload(NODE "\n7 s1 a");
}

TEST(account_and_session_are_not_mixed_up) {
        add("a1", "s", 1);
        add("a", "1s", 2);
        assert_payload(NODE "\n1 s a1\n2 1s a");
}

TEST(nothing_is_noted_while_nobody_is_there) {
        assert_true(notes_wanted(notes));
        add("a", "s", 1);
        notes_want(notes, false);
        assert_false(notes_any(notes));
        add("a", "s", 2);
        assert_false(notes_any(notes));
        notes_want(notes, true);
        add("a", "s", 3);
        assert_payload(NODE "\n3 s a");
}

TEST(doubt_is_told_also_to_nobody_and_covers_everything) {
        notes_want(notes, false);
        notes_all(notes);
        add("a", "s", 1);
        assert_payload(NODE "\n*");
}

TEST(names_that_could_be_misread_are_not_noted) {
        add("a\nb", "s", 1);
        add("a", "s s", 1);
        add("a", "s\n", 1);
        add("", "s", 1);
        add("a", "", 1);
        add("a", "s", -1);
        assert_false(notes_any(notes));
}

/* n streams with names of about this many bytes. */
static void fill(unsigned n, int bytes) {
        for (unsigned i = 0; i < n; i++) {
                char session[101], account[130];

                snprintf(session, sizeof session, "%0*u", bytes > 100 ? 100 : bytes, i);
                snprintf(account, sizeof account, "%0*u", bytes > 128 ? 128 : bytes, i);
                add(account, session, i);
        }
}

TEST(many_streams_take_several_notices_within_their_bytes_and_all_are_in_them) {
        unsigned count, seen = 0;

        fill(900, 20);
        count = notes_take(notes, NODE, &rows);
        assert_in_range(count, 4, NOTICES_MAX);
        for (unsigned i = 0; i < count; i++) {
                struct slice node, text = payload(i);
                struct notice m;
                size_t at;

                assert_true(text.n <= NOTICE_BYTES);
                assert_true(notice_from(text, &node, &at));
                assert_true(slice_is(node, NODE));
                while (notice_next(text, &at, &m) > 0) {
                        int64_t number;

                        assert_int_equal(m.head, seen);
                        while (m.session.n > 1 && *m.session.p == '0')
                                m.session.p++, m.session.n--;
                        assert_true(text_int(m.session, &number) && number == seen);
                        seen++;
                }
                assert_int_equal(at, text.n);
        }
        assert_int_equal(seen, 900);
}

TEST(the_longest_names_that_fill_the_notices_to_the_brim_are_told_or_everything_is) {
        for (unsigned n = 1; n < NOTES_MAX; n += 7) {
                unsigned count, seen = 0;

                fill(n, 128);
                count = notes_take(notes, NODE, &rows);
                assert_in_range(count, 1, NOTICES_MAX);
                for (unsigned i = 0; i < count; i++) {
                        struct slice node, text = payload(i);
                        struct notice m;
                        size_t at;

                        assert_true(notice_from(text, &node, &at));
                        while (notice_next(text, &at, &m) > 0)
                                seen += m.all ? n : 1;
                }
                assert_int_equal(seen, n);
        }
}

TEST(one_stream_over_the_bound_means_everything) {
        fill(NOTES_MAX, 4);
        assert_in_range(notes_take(notes, NODE, &rows), 2, NOTICES_MAX);
        fill(NOTES_MAX, 4);
        add("one", "more", 1);
        add("and", "another", 1);
        assert_payload(NODE "\n*");
}

static int read_all(const char *text) {
        struct slice node;
        struct notice m;
        size_t at = 0;
        int n = 0, more;

        if (!notice_from(slice_of(text), &node, &at))
                return -1;
        while ((more = notice_next(slice_of(text), &at, &m)) > 0)
                n++;
        return more < 0 ? -1 : n;
}

TEST(what_is_no_notice_is_refused) {
        static const char *const wrong[] = {
                "",
                "x",
                "\n",
                NODE,
                NODE "\n6",
                NODE "\n6 s",
                NODE "\n6 s ",
                NODE "\n-6 s a",
                NODE "\nx s a",
                NODE "\n6  a",
                NODE "\n6 s a\n\n",
                NODE "\n6 s\ta a",
                NODE "\n06 s a",
                NODE "\n9223372036854775808 s a",
                NODE "\n**",
                NODE " \n6 s a",
                "0123456789 bcdef\n6 s a",
        };

        for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
                if (read_all(wrong[i]) != -1)
                        fail_msg("taken: %s", wrong[i]);
        }
        assert_int_equal(read_all(NODE "\n*"), 1);
        assert_int_equal(read_all(NODE "\n6 s a\n*\n7 s a b"), 3);
}

/* ---- rounds ---- */

static struct subs *subs;

static void listen_to(unsigned from, unsigned n) {
        for (unsigned i = from; i < from + n; i++) {
                char name[20];

                snprintf(name, sizeof name, "s%u", i);
                assert_int_equal(subs_add(subs, peer_no(1), SLICE("a"), slice_of(name), i), STATUS_OK);
        }
}

static void stop(unsigned i) {
        char name[20];

        snprintf(name, sizeof name, "s%u", i);
        subs_remove(subs, peer_no(1), SLICE("a"), slice_of(name));
}

/* Marks what this piece holds; how many. */
static unsigned piece(struct round *r, bool *met) {
        unsigned n = round_next(r, &rows), k = 0;
        struct op_node_head h;
        size_t at = 0;

        while (n && op_rows_next(buf_view(&rows), OP_node_head, &at, &h)) {
                assert_false(met[h.head]);
                met[h.head] = true;
                k++;
        }
        assert_int_equal(k, n);
        return n;
}

TEST(a_round_meets_every_stream_once_also_while_the_table_grows_and_shrinks) {
        static bool met[20000];
        struct round r;

        memset(met, 0, sizeof met);
        subs = subs_new(100000);
        assert_non_null(subs_peer(subs, peer_no(1)));
        round_init(&r, subs);
        assert_int_equal(piece(&r, met), 0);
        listen_to(0, 5000);
        assert_int_equal(piece(&r, met), ROUND_PIECE);
        listen_to(5000, 5000); /* the table grows */
        assert_int_equal(piece(&r, met), ROUND_PIECE);
        for (unsigned i = 5000; i < 10000; i++)
                stop(i); /* and what is left moves up */
        while (piece(&r, met) == ROUND_PIECE)
                ;
        for (unsigned i = 0; i < 5000; i++)
                assert_true(met[i]);
        memset(met, 0, sizeof met);
        assert_int_equal(piece(&r, met), ROUND_PIECE); /* the next round begins */
        subs_free(subs);
}

TEST(news_of_everything_during_a_round_make_one_more_of_it) {
        static bool met[3000];
        struct round r;

        subs = subs_new(100000);
        assert_non_null(subs_peer(subs, peer_no(1)));
        listen_to(0, 1500);
        round_init(&r, subs);
        memset(met, 0, sizeof met);
        assert_int_equal(piece(&r, met), ROUND_PIECE);
        round_all(&r); /* everything counts from here, whatever was met */
        memset(met, 0, sizeof met);
        assert_int_equal(piece(&r, met), ROUND_PIECE);
        round_all(&r);
        round_all(&r);
        assert_int_equal(piece(&r, met), 500);
        assert_true(r.whole);
        memset(met, 0, sizeof met);
        assert_int_equal(piece(&r, met), ROUND_PIECE);
        assert_true(r.whole);
        assert_int_equal(piece(&r, met), 500);
        assert_false(r.whole);
        subs_free(subs);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(a_stream_is_named_once_with_its_newest_head, setup, teardown),
                cmocka_unit_test_setup_teardown(account_and_session_are_not_mixed_up, setup, teardown),
                cmocka_unit_test_setup_teardown(nothing_is_noted_while_nobody_is_there, setup, teardown),
                cmocka_unit_test_setup_teardown(doubt_is_told_also_to_nobody_and_covers_everything, setup, teardown),
                cmocka_unit_test_setup_teardown(names_that_could_be_misread_are_not_noted, setup, teardown),
                cmocka_unit_test_setup_teardown(
                        many_streams_take_several_notices_within_their_bytes_and_all_are_in_them, setup, teardown),
                cmocka_unit_test_setup_teardown(
                        the_longest_names_that_fill_the_notices_to_the_brim_are_told_or_everything_is, setup,
                        teardown),
                cmocka_unit_test_setup_teardown(one_stream_over_the_bound_means_everything, setup, teardown),
                cmocka_unit_test_setup_teardown(what_is_no_notice_is_refused, setup, teardown),
                cmocka_unit_test_setup_teardown(
                        a_round_meets_every_stream_once_also_while_the_table_grows_and_shrinks, setup, teardown),
                cmocka_unit_test_setup_teardown(news_of_everything_during_a_round_make_one_more_of_it, setup,
                                                teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
