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
        waiting_tick(fake_waiting, later(500)); /* whom nobody told anything does not stall */
        assert_false(c.ended);
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
        const char *change;
        size_t halfway = 0;
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
                        halfway = want.n;
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
        change = strstr(hears(&c), "event: speaker.change\n");
        assert_non_null(change);
        buf_clear(&have);
        (void)joined((struct slice){ c.body.p, (uint32_t)(change - c.body.p) }, &have);
        assert_int_equal(have.n, halfway); /* in its place */
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

TEST(who_has_not_taken_the_answer_yet_hears_no_error_when_the_process_stops) {
        ask(&c, HI);
        say("deliverable.cv", -1, NULL, large(200000, 'a'));
        fake_answer_next(STATUS_OK, "", ANSWER("x", "[]"));
        assert_false(c.ended);
        waiting_drain(NULL, false);
        assert_true(c.ended);
        assert_null(strstr(hears(&c), "event: error"));
        assert_non_null(strstr(hears(&c), "event: done"));
        assert_int_equal(lefts, 0);
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

/* What a client that follows the contract shows: fullText replaces, a delta extends, text.done is the last word. */
static void shown(struct slice stream, struct buf *text, unsigned *ret_confirms, unsigned *ret_ends) {
        struct slice s;

        for (const char *at = stream.p, *end; (at = memmem(at, (size_t)(stream.p + stream.n - at), "data: ", 6));) {
                struct json doc, payload;
                struct arena memory;
                const char *why;
                size_t where;

                at += 6;
                end = memchr(at, '\n', (size_t)(stream.p + stream.n - at));
                assert_non_null(end);
                arena_init(&memory, 8u << 20);
                assert_int_equal(json_parse((struct slice){ at, (uint32_t)(end - at) }, &memory, &doc, &why, &where),
                                 0);
                assert_true(json_str(json_get(doc, "type"), &s));
                payload = json_get(doc, "payload");
                *ret_confirms += slice_is(s, "confirm.required");
                *ret_ends += slice_is(s, "done");
                if (json_str(json_get(payload, "fullText"), &s))
                        buf_clear(text);
                if (json_str(json_get(payload, "fullText"), &s) || json_str(json_get(payload, "delta"), &s))
                        buf_slice(text, s);
                arena_free(&memory);
        }
}

/* One step of somebody: the turn goes on (or what was said is lost, or said again), a client reads, or time passes. */
static void storm_step(uint64_t *luck, struct slice answer, size_t *said) {
        static char piece[65537];
        uint32_t n = dice(luck, dice(luck, 20) == 0 ? 60000 : 40), from = dice(luck, 10) ? (uint32_t)*said : 0;

        switch (dice(luck, 10)) {
        case 0:
        case 1:
                (void)fake_take(&c, dice(luck, 20000));
                return;
        case 2:
                (void)fake_take(&d, SIZE_MAX);
                return;
        case 3:
                say("confirm.required", -1, NULL, "{\"actionId\":\"a\",\"n\":1}");
                return;
        case 4:
                waiting_tick(fake_waiting, text_mono_micros() + dice(luck, 29) * INT64_C(1000000));
                return;
        case 5:
                if (dice(luck, 20) == 0)
                        say("deliverable.cv", -1, NULL, large(100000, (char)('a' + dice(luck, 26))));
                return;
        default:
                if (from + n > answer.n)
                        n = answer.n - from;
                if (from + n > *said)
                        *said = from + n;
                (void)snprintf(piece, sizeof piece, "%.*s", (int)n, answer.p + from);
                if (dice(luck, 50))
                        say("text.delta", from, piece, NULL);
        }
}

TEST(whatever_happens_on_the_way_the_client_ends_with_the_answer) {
        static char answer[100001], body[120000];
        unsigned confirms, ends;
        struct buf text;

        buf_init(&text, 4u << 20);
        for (uint64_t round = 1; round <= 40; round++) {
                uint64_t luck = round * 7919;
                uint32_t n = dice(&luck, sizeof answer - 1);
                size_t said = 0;

                for (uint32_t i = 0; i < n; i++)
                        answer[i] = (char)('a' + dice(&luck, 26));
                answer[n] = 0;
                ask(&c, HI);
                ask(&d, HI);
                for (unsigned i = 0; i < 300; i++)
                        storm_step(&luck, (struct slice){ answer, n }, &said);
                (void)snprintf(body, sizeof body,
                               "{\"ok\":true,\"text\":\"%s\",\"events\":[{\"type\":\"confirm.required\",\"payload\":"
                               "{\"actionId\":\"a\"}}]}",
                               answer);
                fake_answer_next(STATUS_OK, "", body);
                fake_answer_next(STATUS_OK, "", body);
                for (struct fake_client *who = &c; who; who = who == &c ? &d : NULL) {
                        while (!who->ended)
                                assert_true(fake_take(who, 30000));
                        buf_clear(&text);
                        confirms = ends = 0;
                        shown(buf_view(&who->body), &text, &confirms, &ends);
                        assert_slice(buf_view(&text), answer);
                        assert_int_equal(confirms, 1);
                        assert_int_equal(ends, 1);
                }
        }
        assert_int_equal(lefts, 0);
        buf_free(&text);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                T(a_silent_stream_beats_and_a_client_that_takes_nothing_is_let_go),
                T(deltas_for_a_slow_client_become_fewer_and_none_is_lost),
                T(a_deliverable_larger_than_the_queue_arrives_whole_and_in_its_place),
                T(who_has_not_taken_the_answer_yet_hears_no_error_when_the_process_stops),
                T(what_waits_for_a_client_is_bounded),
                T(a_text_over_its_bound_comes_with_the_end),
                T(whatever_happens_on_the_way_the_client_ends_with_the_answer),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
