/* test_chat_slow.c - a streamed turn whose client is slow: what it costs is bounded, and nothing is lost silently. */
#include "chat_rig.h"

/* ---- who does not listen ---- */

static int64_t later(unsigned seconds) {
        return text_mono_micros() + seconds * INT64_C(1000000);
}

TEST(a_silent_stream_beats_and_a_client_that_takes_nothing_is_let_go) {
        ask(&c, HI);
        assert_hears(&c, READY);
        waiting_tick(fake_waiting, later(14));
        assert_hears(&c, "");
        waiting_tick(fake_waiting, later(16));
        assert_hears(&c, ": hb\n\n");
        delta("x");
        waiting_tick(fake_waiting, later(29)); /* no beat: there is something he has not taken */
        assert_false(c.ended);
        waiting_tick(fake_waiting, later(31));
        assert_true(c.ended);
        assert_hears(&c, DELTA("x", "x"));
        assert_int_equal(lefts, 1);
        assert_int_equal(fake_stats[STAT_stream_stalled], 1);
}

/* Every text.delta in it, joined; and how many. */
static unsigned joined(struct slice stream, struct buf *text) {
        static const char head[] = "event: text.delta\ndata: ";
        unsigned n = 0;

        for (const char *at = stream.p;
             (at = memmem(at, (size_t)(stream.p + stream.n - at), head, sizeof head - 1));) {
                struct json doc;
                struct arena memory;
                struct slice s;
                const char *why, *end;
                size_t where;

                at += sizeof head - 1;
                end = memchr(at, '\n', (size_t)(stream.p + stream.n - at));
                assert_non_null(end);
                arena_init(&memory, 8u << 20);
                assert_int_equal(json_parse((struct slice){ at, (uint32_t)(end - at) }, &memory, &doc, &why, &where),
                                 0);
                assert_true(json_str(json_get(json_get(doc, "payload"), "delta"), &s));
                buf_slice(text, s);
                assert_int_equal(json_type(json_get(json_get(doc, "payload"), "fullText")) == JSON_STRING,
                                 text->n <= CHAT_FULL_MAX);
                if (json_str(json_get(json_get(doc, "payload"), "fullText"), &s))
                        assert_true(slice_eq(s, buf_view(text)));
                arena_free(&memory);
                n++;
        }
        return n;
}

TEST(deltas_for_a_slow_client_become_fewer_and_none_is_lost) {
        struct buf want, have;
        unsigned n;

        buf_init(&want, 1u << 20);
        buf_init(&have, 1u << 20);
        ask(&c, HI);
        for (unsigned i = 0; i < 2000; i++) {
                char text[64];

                (void)snprintf(text, sizeof text, "word %u \xc3\xa4, ", i);
                buf_str(&want, text);
                delta(text);
                if (i == 1000)
                        say("speaker.change", -1, NULL, "{\"speaker\":\"mariana\"}");
                assert_true(http_stream_queued(c.out) <= HTTP_STREAM_QUEUE);
        }
        fake_answer_next(STATUS_TURN_CANCELLED, "", "");
        for (unsigned step = 0; !c.ended; step++) {
                assert_true(step < 100000);
                (void)fake_take(&c, 5000);
        }
        n = joined(buf_view(&c.body), &have);
        assert_true(slice_eq(buf_view(&have), buf_view(&want)));
        assert_in_range(n, 20, 500);
        assert_int_equal(times(hears(&c), "event: error\n"), 1);
        buf_free(&want);
        buf_free(&have);
}

static const char *large(size_t n, char with) {
        static char text[1100000];

        (void)snprintf(text, sizeof text, "{\"deliverableId\":\"%c\",\"x\":\"", with);
        memset(text + strlen(text), 'x', n);
        memcpy(text + n, "\"}", 3);
        return text;
}

TEST(a_deliverable_larger_than_the_queue_arrives_whole_and_in_its_place) {
        ask(&c, HI);
        delta("before");
        say("deliverable.cv", -1, NULL, large(1000000, 'a'));
        delta(" after");
        fake_answer_next(STATUS_OK, "", ANSWER("before after", "[]"));
        assert_false(c.ended);
        while (!c.ended)
                (void)fake_take(&c, 100000);
        const char *all = hears(&c), *cv = strstr(all, "event: deliverable.cv\n");

        assert_non_null(cv);
        assert_true(strstr(all, "\"delta\":\"before\"") < cv);
        assert_true(strstr(all, "\"delta\":\" after\"") > cv + 1000000);
        assert_int_equal(times(all, "event: done\n"), 1);
        assert_int_equal(c.body.n > 1000000, 1);
}

TEST(what_waits_for_a_client_is_bounded) {
        ask(&c, HI);
        for (unsigned i = 0; !c.ended && i < 10; i++)
                say("deliverable.cv", -1, NULL, large(1000000, (char)('a' + i)));
        assert_true(c.ended);
        assert_int_equal(lefts, 1);
        assert_int_equal(fake_stats[STAT_stream_stalled], 1);
        assert_true(c.body.n <= HTTP_STREAM_QUEUE);
}

TEST(a_text_over_its_bound_comes_with_the_end) {
        static char text[60001], answer[400000];
        unsigned n = 0;

        ask(&c, HI);
        memset(text, 't', sizeof text - 1);
        for (unsigned i = 0; i < 5; i++) {
                delta(text);
                (void)hears(&c);
        }
        (void)snprintf(answer, sizeof answer, "{\"ok\":true,\"speaker\":\"both\",\"text\":\"%s%s%s%s%s\"}", text,
                       text, text, text, text);
        fake_answer_next(STATUS_OK, "", answer);
        while (!c.ended)
                (void)fake_take(&c, 100000);
        for (const char *p = strstr(hears(&c), "event: text.done"); *p; p++)
                n += *p == 't';
        assert_true(n > 300000);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                T(a_silent_stream_beats_and_a_client_that_takes_nothing_is_let_go),
                T(deltas_for_a_slow_client_become_fewer_and_none_is_lost),
                T(a_deliverable_larger_than_the_queue_arrives_whole_and_in_its_place),
                T(what_waits_for_a_client_is_bounded),
                T(a_text_over_its_bound_comes_with_the_end),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
