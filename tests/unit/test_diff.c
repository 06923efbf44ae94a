/* test_diff.c - the hunks make one text of the other, touch the fewest lines, and whatever comes costs no more than allowed. */
#include <stdlib.h>

#include "buf.h"
#include "diff.h"
#include "unit.h"

static struct diff d;

static void diff(const char *from, const char *to) {
        diff_free(&d);
        assert_true(diff_lines(slice_of(from), slice_of(to), DIFF_WORK, &d));
}

/* The hunks as they are written by hand: from,n>to,n; */
static const char *hunks(void) {
        static char text[512];
        size_t n = 0;

        text[0] = '\0';
        for (uint32_t i = 0; i < d.n; i++)
                n += (size_t)snprintf(text + n, sizeof text - n, "%u,%u>%u,%u;", d.hunks[i].from, d.hunks[i].from_n,
                                      d.hunks[i].to, d.hunks[i].to_n);
        return text;
}

/* Does with `from` what the hunks say, and must get `to`. Returns how many lines they touch. */
static uint64_t apply(void) {
        struct buf out;
        uint32_t at = 0, lines = 0;
        uint64_t touched = 0;

        buf_init(&out, 64u << 20);
#define LINE(t, i)                                                                                                   \
        do {                                                                                                         \
                if (lines++ > 0)                                                                                     \
                        buf_char(&out, '\n');                                                                        \
                buf_slice(&out, diff_line(t, i));                                                                    \
        } while (0)
        for (uint32_t h = 0; h < d.n; h++) {
                const struct diff_hunk *x = &d.hunks[h];

                assert_true(x->from_n + x->to_n > 0);
                assert_true(h == 0 || x->from > at);
                for (; at < x->from; at++)
                        LINE(&d.from, at);
                assert_int_equal(lines, x->to);
                for (uint32_t i = 0; i < x->to_n; i++)
                        LINE(&d.to, x->to + i);
                at += x->from_n;
                touched += x->from_n + x->to_n;
        }
        for (; at < d.from.n; at++)
                LINE(&d.from, at);
        assert_false(out.over);
        assert_int_equal(lines, d.to.n);
        assert_true(slice_eq(buf_view(&out), d.to.text));
        buf_free(&out);
        return touched;
}

/* The fewest lines that can be touched, the slow way. */
static unsigned fewest(void) {
        uint32_t n = d.from.n, m = d.to.n;
        unsigned *best = test_calloc((size_t)(n + 1) * (m + 1), sizeof *best), answer;

#define AT(i, j) best[(size_t)(i) * (m + 1) + (j)]
        for (uint32_t i = 0; i <= n; i++)
                for (uint32_t j = 0; j <= m; j++) {
                        if (i == 0 || j == 0)
                                AT(i, j) = i + j;
                        else if (slice_eq(diff_line(&d.from, i - 1), diff_line(&d.to, j - 1)))
                                AT(i, j) = AT(i - 1, j - 1);
                        else
                                AT(i, j) = 1 + (AT(i - 1, j) < AT(i, j - 1) ? AT(i - 1, j) : AT(i, j - 1));
                }
        answer = AT(n, m);
        test_free(best);
        return answer;
}

static int teardown(void **state) {
        (void)state;
        diff_free(&d);
        return 0;
}

TEST(equal_texts_have_no_hunks) {
        diff("", "");
        assert_string_equal(hunks(), "");
        diff("one\ntwo\n", "one\ntwo\n");
        assert_string_equal(hunks(), "");
        assert_false(d.coarse);
}

TEST(what_is_added_removed_and_replaced_is_told_by_line) {
        diff("a\nb\nc", "a\nx\nb\nc");
        assert_string_equal(hunks(), "1,0>1,1;");
        diff("a\nb\nc", "a\nc");
        assert_string_equal(hunks(), "1,1>1,0;");
        diff("a\nb\nc\nd\ne", "a\nB\nc\nd\nE");
        assert_string_equal(hunks(), "1,1>1,1;4,1>4,1;");
        diff("", "a\nb");
        assert_string_equal(hunks(), "0,0>0,2;");
        diff("a\nb", "");
        assert_string_equal(hunks(), "0,2>0,0;");
        diff("a", "b");
        assert_string_equal(hunks(), "0,1>0,1;");
        assert_true(slice_is(diff_line(&d.to, 0), "b"));
}

TEST(a_newline_at_the_end_is_a_difference) {
        diff("a\n", "a");
        assert_int_equal(d.from.n, 2);
        assert_string_equal(hunks(), "1,1>1,0;");
        diff("\n\n", "\n");
        assert_int_equal(apply(), 1);
        diff("a\r\nb", "a\nb");
        assert_string_equal(hunks(), "0,1>0,1;");
}

TEST(every_pair_of_short_texts_is_told_with_the_fewest_lines) {
        static const char *const words[] = { "a", "b", "c" };
        char text[2][16];

        for (unsigned i = 0; i < 729 * 729; i += 7) {
                unsigned code[2] = { i % 729, i / 729 };

                for (int t = 0; t < 2; t++) {
                        text[t][0] = '\0';
                        for (unsigned c = code[t] + 1; c > 1; c /= 3) {
                                if (text[t][0])
                                        strcat(text[t], "\n");
                                strcat(text[t], words[c % 3]);
                        }
                }
                diff(text[0], text[1]);
                assert_false(d.coarse);
                assert_int_equal(apply(), fewest());
        }
}

static uint32_t next_random(uint32_t *seed) {
        *seed = *seed * 1664525u + 1013904223u;
        return *seed >> 16;
}

TEST(random_edits_of_longer_texts_are_told_with_the_fewest_lines) {
        uint32_t seed = 1;

        for (int round = 0; round < 60; round++) {
                struct buf from, to;
                uint32_t alphabet = 2 + next_random(&seed) % 40;

                buf_init(&from, 1u << 20);
                buf_init(&to, 1u << 20);
                for (int i = 0; i < 120; i++) {
                        uint32_t word = next_random(&seed) % alphabet, what = next_random(&seed) % 8;

                        if (what != 0)
                                buf_fmt(&from, "w%u\n", word);
                        if (what != 1)
                                buf_fmt(&to, "w%u\n", what == 2 ? next_random(&seed) % alphabet : word);
                }
                diff_free(&d);
                assert_true(diff_lines(buf_view(&from), buf_view(&to), DIFF_WORK, &d));
                assert_int_equal(apply(), fewest());
                diff_free(&d);
                buf_free(&from);
                buf_free(&to);
        }
}

/* n numbered lines; empty ones without a word. */
static struct slice text_of(struct buf *b, const char *word, unsigned n) {
        buf_init(b, 8u << 20);
        for (unsigned i = 0; i < n; i++) {
                if (word)
                        buf_fmt(b, "%s%u\n", word, i);
                else
                        buf_char(b, '\n');
        }
        assert_false(b->over);
        return buf_view(b);
}

TEST(over_its_work_one_hunk_replaces_what_is_between_the_equal_ends) {
        struct buf from, to;

        assert_true(diff_lines(SLICE("same\na\nb\nc\nd\nend"), SLICE("same\nd\nc\nb\na\nend"), 3, &d));
        assert_true(d.coarse);
        assert_string_equal(hunks(), "1,4>1,4;");
        (void)apply();
        diff_free(&d);
        assert_true(diff_lines(text_of(&from, "a", 100000), text_of(&to, "b", 100000), DIFF_WORK, &d));
        assert_true(d.coarse);
        assert_string_equal(hunks(), "0,100000>0,100000;");
        (void)apply();
        diff_free(&d);
        buf_free(&from);
        buf_free(&to);
}

TEST(more_lines_than_the_bound_are_told_coarsely_unless_their_ends_are_equal) {
        struct buf from, to;
        struct slice a = text_of(&from, NULL, DIFF_LINES_MAX + 5), b = text_of(&to, "", DIFF_LINES_MAX + 5);

        assert_true(diff_lines(a, b, DIFF_WORK, &d));
        assert_true(d.coarse);
        assert_int_equal(d.n, 1);
        (void)apply();
        diff_free(&d);
        assert_true(diff_lines(a, (struct slice){ a.p, a.n - 1 }, DIFF_WORK, &d));
        assert_false(d.coarse);
        assert_int_equal(apply(), 1);
        diff_free(&d);
        buf_free(&from);
        buf_free(&to);
}

TEST(a_line_changed_in_a_mebibyte_is_found) {
        struct buf from, to;
        struct slice a = text_of(&from, "line number ", 50000);

        buf_init(&to, 8u << 20);
        buf_slice(&to, a);
        to.p[a.n / 2] = '#';
        to.p[a.n / 3] = '#';
        assert_true(diff_lines(a, buf_view(&to), DIFF_WORK, &d));
        assert_false(d.coarse);
        assert_int_equal(d.n, 2);
        assert_int_equal(apply(), 4);
        diff_free(&d);
        buf_free(&from);
        buf_free(&to);
}

TEST(a_thousand_changed_lines_are_within_the_work) {
        struct buf from, to;

        (void)text_of(&from, "line number ", 20000);
        buf_init(&to, 8u << 20);
        for (unsigned i = 0; i < 20000; i++)
                buf_fmt(&to, i % 40 == 0 ? "changed %u\n" : "line number %u\n", i);
        assert_true(diff_lines(buf_view(&from), buf_view(&to), DIFF_WORK, &d));
        assert_false(d.coarse);
        assert_int_equal(d.n, 500);
        assert_int_equal(apply(), 1000);
        diff_free(&d);
        buf_free(&from);
        buf_free(&to);
}

int main(void) {
        const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_teardown(name, teardown)
                T(equal_texts_have_no_hunks),
                T(what_is_added_removed_and_replaced_is_told_by_line),
                T(a_newline_at_the_end_is_a_difference),
                T(every_pair_of_short_texts_is_told_with_the_fewest_lines),
                T(random_edits_of_longer_texts_are_told_with_the_fewest_lines),
                T(over_its_work_one_hunk_replaces_what_is_between_the_equal_ends),
                T(more_lines_than_the_bound_are_told_coarsely_unless_their_ends_are_equal),
                T(a_line_changed_in_a_mebibyte_is_found),
                T(a_thousand_changed_lines_are_within_the_work),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
