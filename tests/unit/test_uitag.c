/* test_uitag.c - the model's text: nobody ever sees half a tag, nothing visible is lost, however it is cut. */
#include "unit.h"

#include "uitag.h"

/* What came out, in order: text as it is, tags as <...>. */
struct seen {
        struct buf all, text;
        unsigned tags;
};

static void on_text(void *arg, struct slice s) {
        struct seen *seen = arg;
        assert_true(s.n > 0);
        buf_slice(&seen->all, s);
        buf_slice(&seen->text, s);
}

static void on_tag(void *arg, const struct uitag *t) {
        static const char *const kinds[] = { "speaker", "on", "off", "deliverable", "confirm" };
        struct seen *seen = arg;
        seen->tags++;
        buf_fmt(&seen->all, "<%s %.*s", kinds[t->kind], SLICE_FMT(t->name));
        if (t->json.n > 0)
                buf_fmt(&seen->all, " %.*s", SLICE_FMT(t->json));
        if (t->kind == UITAG_CONFIRM)
                buf_fmt(&seen->all, "%.*s|%.*s|%.*s|%lld", SLICE_FMT(t->action_id), SLICE_FMT(t->message),
                        SLICE_FMT(t->risk_tier), (long long)t->timeout);
        buf_char(&seen->all, '>');
}

static const struct uitag_events events = { on_text, on_tag };

/* Fed in pieces of at most `step` bytes (0: by dice). Returns whether a bound was met. */
static bool feed(struct seen *seen, struct slice in, uint32_t step, uint64_t *state) {
        struct uitag_parser p;
        buf_init(&seen->all, 1u << 20);
        buf_init(&seen->text, 1u << 20);
        seen->tags = 0;
        uitag_init(&p, &events, seen);
        for (uint32_t at = 0; at < in.n;) {
                uint32_t n = step ? step : 1 + dice(state, 9);
                n = n < in.n - at ? n : in.n - at;
                struct slice piece = exact((struct slice){ in.p + at, n });
                uitag_feed(&p, piece);
                exact_free(piece);
                at += n;
        }
        uitag_end(&p);
        uitag_free(&p);
        return p.over;
}

static void seen_free(struct seen *seen) {
        buf_free(&seen->all);
        buf_free(&seen->text);
}

static void gives(const char *in, const char *want) {
        for (uint32_t step = 1; step <= 64; step = step < 8 ? step + 1 : step * 2) {
                struct seen seen;
                feed(&seen, slice_of(in), step, NULL);
                assert_slice(buf_view(&seen.all), want);
                seen_free(&seen);
        }
}

TEST(plain_text_stays_and_loses_the_space_around_it) {
        gives("", "");
        gives("Hello", "Hello");
        gives(" \n Hello,  you\n", "Hello,  you");
        gives("a [b] c [[d]] [UIX] [/U]", "a [b] c [[d]] [UIX] [/U]");
        gives("[", "[");
        gives("see [", "see [");
        gives("gr\xc3\xbc\xc3\x9f [x", "gr\xc3\xbc\xc3\x9f [x");
}

TEST(every_tag_is_taken_out_of_the_text_and_told) {
        gives("[UI:SPEAKER_CHANGE speaker=\"mariana\"]Hello", "<speaker mariana>Hello");
        gives("A[UI:MODE_ACTIVATE mode=\"cv\"]B[UI:MODE_DEACTIVATE mode=\"cv\"]", "A<on cv {}>B<off cv {}>");
        gives("A [UI:DELIVERABLE_CV]{\"name\":\"Ann\"}[/UI:DELIVERABLE_CV] B",
              "A<deliverable cv {\"name\":\"Ann\"}>  B");
        gives("[UI:DELIVERABLE_INTERVIEW] {\"a\":[1]}\n[/UI]ok", "<deliverable interview {\"a\":[1]}>ok");
        gives("[UI:DELIVERABLE_OUTREACH]{}[/UI:DELIVERABLE_OUTREACH]", "<deliverable outreach {}>");
}

TEST(all_of_a_kind_are_told_in_order) {
        gives("[UI:DELIVERABLE_CV]{\"n\":1}[/UI]x[UI:DELIVERABLE_CV]{\"n\":2}[/UI]",
              "<deliverable cv {\"n\":1}>x<deliverable cv {\"n\":2}>");
}

TEST(attributes_stand_in_any_order_with_guarded_quotes) {
        gives("[UI:CONFIRM_REQUIRED timeout=\"5000\" message=\"Send \\\"this\\\"]?\" actionId=\"a1\"]",
              "<confirm a1|Send \"this\"]?||5000>");
        gives("[UI:CONFIRM_REQUIRED actionId='a' riskTier=\"read-only\" message='x']", "<confirm a|x|read-only|0>");
        gives("[UI:MODE_ACTIVATE context=\"{\\\"step\\\":[1,2],\\\"t\\\":\\\"a\\\\nb\\\"}\" mode=\"cv\"]",
              "<on cv {\"step\":[1,2],\"t\":\"a\\nb\"}>");
        gives("[UI:MODE_ACTIVATE mode=\"cv\" context=\"no json\"]", "<on cv {}>");
        gives("[UI:MODE_ACTIVATE mode=\"cv\" context=\"[1]\"]", "<on cv {}>");
}

TEST(the_legacy_tag_counts_only_before_anything_visible) {
        gives("[SPEAKER:antonio] Hi", "<speaker antonio>Hi");
        gives("\n[speaker:Both]\nHi", "<speaker both>Hi");
        gives("[SPEAKER:nobody]Hi", "Hi");
        gives("[SPEAKER: so what]Hi", "[SPEAKER: so what]Hi");
        gives("Hi [SPEAKER:antonio]", "Hi [SPEAKER:antonio]");
}

TEST(a_tag_without_sense_is_removed_and_nothing_comes_of_it) {
        gives("a[UI:DELIVERABLE_CV]{oops}[/UI:DELIVERABLE_CV]b", "ab");
        gives("a[UI:DELIVERABLE_CV][1][/UI]b", "ab");
        gives("a[UI:SPEAKER_CHANGE speaker=\"eve\"]b", "ab");
        gives("a[UI:MODE_ACTIVATE]b", "ab");
        gives("a[UI:CONFIRM_REQUIRED actionId=\"no good id\" message=\"m\"]b", "ab");
        gives("a[/UI]b[/UI:MODE_ACTIVATE]c", "abc");
}

TEST(a_tag_that_never_ends_is_not_shown) {
        gives("Hello [UI:MODE_ACTIVATE mode=\"cv", "Hello");
        gives("Hello [UI:DELIVERABLE_CV]{\"a\":1", "Hello");
        gives("Hello [UI", "Hello");
        gives("Hello [UI:DELIV", "Hello");
}

TEST(an_unknown_tag_is_text) {
        gives("a [UI:PARTY on] b", "a [UI:PARTY on] b");
        gives("a [UI:MODE_ACTIVATED] b", "a [UI:MODE_ACTIVATED] b");
        gives("[[UI:MODE_DEACTIVATE mode='x']]", "[<off x {}>]");
}

/* Any text of tags, halves of tags and words gives the same in one piece, byte by byte, and in any other pieces. */
TEST(how_it_is_cut_changes_nothing) {
        static const char *const parts[] = { "[",
                                             "]",
                                             "[UI:",
                                             "[UI:MODE_ACTIVATE",
                                             " mode=\"cv\"",
                                             "\"",
                                             "'",
                                             "\\",
                                             "[/UI]",
                                             "[/UI:DELIVERABLE_CV]",
                                             "[UI:DELIVERABLE_CV]",
                                             "{\"a\":\"b\"}",
                                             " ",
                                             "\n",
                                             "word",
                                             "=",
                                             "[UI:CONFIRM_REQUIRED actionId=\"a\" message=\"m\"]",
                                             "[SPEAKER:",
                                             "both]",
                                             "\xc3\xa9",
                                             "context=" };
        uint64_t rolls = 4711;
        for (int round = 0; round < 3000; round++) {
                struct buf in;
                struct seen whole, bytes, pieces;
                buf_init(&in, 1u << 16);
                for (uint32_t n = dice(&rolls, 24); n > 0; n--)
                        buf_str(&in, parts[dice(&rolls, COUNT(parts))]);
                feed(&whole, buf_view(&in), (uint32_t)in.n + 1, NULL);
                feed(&bytes, buf_view(&in), 1, NULL);
                feed(&pieces, buf_view(&in), 0, &rolls);
                assert_true(slice_eq(buf_view(&whole.all), buf_view(&bytes.all)));
                assert_true(slice_eq(buf_view(&whole.all), buf_view(&pieces.all)));
                seen_free(&whole);
                seen_free(&bytes);
                seen_free(&pieces);
                buf_free(&in);
        }
}

TEST(text_is_told_as_soon_as_it_can_be_no_tag) {
        struct seen seen = { 0 };
        struct uitag_parser p;
        buf_init(&seen.all, 4096);
        buf_init(&seen.text, 4096);
        uitag_init(&p, &events, &seen);
        uitag_feed(&p, SLICE("Hi [UI:MO"));
        assert_slice(buf_view(&seen.text), "Hi");
        uitag_feed(&p, SLICE("NEY"));
        assert_slice(buf_view(&seen.text), "Hi [UI:MONEY");
        uitag_feed(&p, SLICE(" "));
        assert_slice(buf_view(&seen.text), "Hi [UI:MONEY");
        uitag_feed(&p, SLICE("x"));
        assert_slice(buf_view(&seen.text), "Hi [UI:MONEY x");
        uitag_free(&p);
        seen_free(&seen);
}

TEST(bounds_hold_and_cut_no_character) {
        struct buf in;
        struct seen seen;
        buf_init(&in, 1u << 22);
        for (int i = 0; i < 40; i++)
                buf_str(&in, "[UI:MODE_DEACTIVATE mode=\"cv\"]");
        buf_str(&in, "still here");
        assert_true(feed(&seen, buf_view(&in), 7, NULL));
        assert_int_equal(seen.tags, UITAG_TAGS_MAX);
        assert_slice(buf_view(&seen.text), "still here");
        seen_free(&seen);
        buf_clear(&in);
        for (int i = 0; i < 40000; i++)
                buf_str(&in, "\xc3\xa9");
        assert_true(feed(&seen, buf_view(&in), 1000, NULL));
        assert_true(seen.text.n <= UITAG_TEXT_MAX && seen.text.n > UITAG_TEXT_MAX - 8);
        assert_true(text_utf8(buf_view(&seen.text)));
        seen_free(&seen);
        buf_clear(&in);
        buf_str(&in, "[UI:DELIVERABLE_CV]{\"a\":\"");
        for (int i = 0; i < 300000; i++)
                buf_char(&in, 'x');
        assert_true(feed(&seen, buf_view(&in), 4096, NULL));
        assert_int_equal(seen.tags, 0);
        seen_free(&seen);
        buf_free(&in);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(plain_text_stays_and_loses_the_space_around_it),
                cmocka_unit_test(every_tag_is_taken_out_of_the_text_and_told),
                cmocka_unit_test(all_of_a_kind_are_told_in_order),
                cmocka_unit_test(attributes_stand_in_any_order_with_guarded_quotes),
                cmocka_unit_test(the_legacy_tag_counts_only_before_anything_visible),
                cmocka_unit_test(a_tag_without_sense_is_removed_and_nothing_comes_of_it),
                cmocka_unit_test(a_tag_that_never_ends_is_not_shown),
                cmocka_unit_test(an_unknown_tag_is_text),
                cmocka_unit_test(how_it_is_cut_changes_nothing),
                cmocka_unit_test(text_is_told_as_soon_as_it_can_be_no_tag),
                cmocka_unit_test(bounds_hold_and_cut_no_character),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
