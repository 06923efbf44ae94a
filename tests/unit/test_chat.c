/* test_chat.c - a streamed turn: which frames a client hears, in which order, and what it costs when he does not listen. */
#include "fake_front.h"

#include "chat.h"
#include "json.h"
#include "settings.h"
#include "stats.h"

static const struct actor ann = { { "acme", 4 }, { "ann", 3 }, { "member", 6 }, false, 0 };
static struct fake_client c, d;
static unsigned lefts;

/* ---- surroundings ---- */

static int64_t noon(void) {
        return INT64_C(1700000000123456);
}

static void cast(enum op op, const void *msg) {
        (void)msg;
        assert_int_equal(op, OP_turn_left);
        lefts++;
}

static void take(struct fake_client *who, struct slice bytes) {
        buf_slice(&who->body, bytes);
}

static int64_t (*clock_before)(void);

static int set_up(void **state) {
        (void)state;
        fake_reset();
        fake_waiting = waiting_new(NULL);
        fake_cast = cast;
        lefts = 0;
        c.take = d.take = take;
        clock_before = text_clock;
        text_clock = noon;
        return 0;
}

static int tear_down(void **state) {
        (void)state;
        fake_client_free(&c);
        fake_client_free(&d);
        waiting_free(fake_waiting);
        fake_waiting = NULL;
        fake_reset();
        text_clock = clock_before;
        return 0;
}

static void ask(struct fake_client *who, const char *body) {
        fake_client_free(who);
        fake_request(who, "", slice_of(body));
        fake_header(who, "idempotency-key", "k1");
        fake_route("chatStream")->handler(NULL, &who->r, fake_route("chatStream"), &ann);
}

static void say(const char *type, int64_t offset, const char *text, const char *payload) {
        struct op_turn_event e = { 0 };

        OP_SET(turn_event, &e, account_id, SLICE("acme"));
        OP_SET(turn_event, &e, actor_id, SLICE("ann"));
        OP_SET(turn_event, &e, command_id, SLICE("k1"));
        OP_SET(turn_event, &e, type, slice_of(type));
        if (offset >= 0)
                OP_SET(turn_event, &e, offset, offset);
        if (text)
                OP_SET(turn_event, &e, text, slice_of(text));
        if (payload)
                OP_SET(turn_event, &e, payload, slice_of(payload));
        assert_int_equal(op_check(OP_turn_event, &e), 0);
        waiting_event(NULL, &e);
}

static void delta(const char *text) {
        say("text.delta", -1, text, NULL);
}

/* Takes what is there; exactly this, since the last time. */
static void assert_hears(struct fake_client *who, const char *want) {
        while (fake_take(who, SIZE_MAX))
                ;
        assert_slice(buf_view(&who->body), want);
        buf_clear(&who->body);
}

static const char *hears(struct fake_client *who) {
        while (fake_take(who, SIZE_MAX))
                ;
        buf_char(&who->body, 0);
        who->body.n--;
        return who->body.p ? who->body.p : "";
}

static unsigned times(const char *in, const char *what) {
        unsigned n = 0;

        for (const char *p = in; (p = strstr(p, what)); p++)
                n++;
        return n;
}

#define ID                   "msg_9bb08982a39c2c3acc704f0d2ede1aab"
#define TS                   ",\"ts\":1700000000123}\n\n"
#define FRAME(type, payload) "event: " type "\ndata: {\"v\":\"1.0\",\"type\":\"" type "\",\"payload\":" payload TS
#define READY                FRAME("status", "{\"type\":\"ready\",\"message\":\"Starting...\"}")
#define DELTA(delta, full)                                                                                           \
        FRAME("text.delta", "{\"delta\":\"" delta "\",\"fullText\":\"" full "\",\"messageId\":\"" ID "\"}")
#define TEXT_DONE(text)                                                                                              \
        FRAME("text.done", "{\"fullText\":\"" text "\",\"messageId\":\"" ID "\",\"speaker\":\"both\"}")
#define ANSWER(text, events)                                                                                         \
        "{\"ok\":true,\"conversationId\":\"conv_1\",\"turnId\":\"turn_1\",\"contract\":\"v1.0\",\"speaker\":"        \
        "\"both\",\"text\":\"" text "\",\"events\":" events ",\"usage\":{\"inputTokens\":1,\"outputTokens\":2}}"
#define DONE                                                                                                         \
        FRAME("done", "{\"ok\":true,\"conversationId\":\"conv_1\",\"turnId\":\"turn_1\",\"speaker\":\"both\","       \
                      "\"contract\":\"v1.0\","                                                                       \
                      "\"usage\":{\"inputTokens\":1,\"outputTokens\":2}}")
#define HI "{\"text\":\"hi\"}"

/* ---- frames ---- */

TEST(a_turn_is_told_while_it_arrives) {
        const struct op_turn_run *m;

        ask(&c, HI);
        m = fake_calls->msg;
        assert_true(m->stream);
        assert_slice(m->command_id, "k1");
        assert_int_equal(fake_calls->ms, 58000);
        assert_int_equal(c.code, 200);
        assert_string_equal(c.type, "text/event-stream; charset=utf-8");
        assert_hears(&c, READY);
        say("status", -1, NULL, "{\"type\":\"thinking\",\"message\":\"...\"}");
        assert_hears(&c, FRAME("status", "{\"type\":\"thinking\",\"message\":\"...\"}"));
        say("speaker.change", -1, NULL, "{\"speaker\":\"antonio\"}");
        assert_hears(&c, FRAME("speaker.change", "{\"speaker\":\"antonio\"}"));
        delta("Hel");
        assert_hears(&c, DELTA("Hel", "Hel"));
        delta("lo \\\"you\\\"");
        assert_hears(&c, DELTA("lo \\\\\\\"you\\\\\\\"", "Hello \\\\\\\"you\\\\\\\""));
        say("deliverable.cv", -1, NULL, "{\"deliverableId\":\"d1\"}");
        assert_hears(&c, FRAME("deliverable.cv", "{\"deliverableId\":\"d1\"}"));
        fake_answer_next(
                STATUS_OK, "",
                ANSWER("Hello \\\\\\\"you\\\\\\\"",
                       "[{\"type\":\"speaker.change\",\"payload\":{\"speaker\":"
                       "\"antonio\"}},{\"type\":\"deliverable.cv\",\"payload\":{ \"deliverableId\" : \"d1\"}}]"));
        assert_true(c.ended);
        assert_hears(&c, TEXT_DONE("Hello \\\\\\\"you\\\\\\\"") DONE);
        assert_int_equal(lefts, 0);
}

TEST(the_conversation_is_named_from_the_first_frame_on_where_the_client_knows_it) {
        ask(&c, "{\"conversationId\":\"conv_7\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}");
        assert_hears(&c, FRAME("status",
                               "{\"type\":\"ready\",\"message\":\"Starting...\",\"conversationId\":\"conv_7\"}"));
        fake_answer_next(STATUS_CONVERSATION_NOT_FOUND, "", "");
        assert_non_null(strstr(hears(&c), "{\"ok\":false,\"conversationId\":\"conv_7\"}"));
}

TEST(a_turn_that_is_over_is_told_whole_with_its_events) {
        ask(&c, HI);
        assert_hears(&c, READY);
        fake_answer_next(STATUS_OK, "",
                         ANSWER("All of it", "[{\"type\":\"mode.activate\",\"payload\":{\"mode\":\"cv\"}},"
                                             "{\"type\":\"done\",\"payload\":{}},{\"type\":\"x\"},7]"));
        assert_hears(&c, DELTA("All of it", "All of it") FRAME("mode.activate", "{\"mode\":\"cv\"}")
                                 TEXT_DONE("All of it") DONE);
        assert_true(c.ended);
}

TEST(before_the_stream_errors_are_plain) {
        ask(&c, "{}");
        assert_int_equal(c.status, STATUS_INVALID_REQUEST);
        ask(&c, "{\"text\":7}");
        assert_int_equal(c.status, STATUS_INVALID_REQUEST);
        ask(&c, "{");
        assert_int_equal(c.status, STATUS_INVALID_JSON);
        fake_full = true;
        ask(&c, HI);
        assert_int_equal(c.status, STATUS_BUSY);
        fake_full = false;
        fake_channel_up(fake_openclaw, false);
        ask(&c, HI);
        assert_int_equal(c.status, STATUS_OPENCLAW_UNAVAILABLE);
        assert_int_equal(c.retry_after, 1);
        fake_openclaw = NULL;
        ask(&c, HI);
        assert_int_equal(c.status, STATUS_OPENCLAW_UNAVAILABLE);
        assert_null(fake_calls);
        assert_int_equal(lefts, 0);
}

#define ERROR(code, text, retry)                                                                                     \
        FRAME("error", "{\"ok\":false,\"code\":\"" code "\",\"message\":\"" text "\",\"retryable\":" retry           \
                       ",\"error\":\"" text "\",\"recoverable\":" retry ",\"requestId\":\"req_1\"}")

TEST(a_turn_that_fails_ends_with_error_and_done) {
        ask(&c, HI);
        delta("So far");
        assert_hears(&c, READY DELTA("So far", "So far"));
        fake_answer_next(STATUS_AI_CUT_OFF, "it broke off",
                         "{\"turnId\":\"turn_1\",\"conversationId\":\"conv_1\",\"text\":{\"content\":\"So far, so\","
                         "\"speaker\":\"both\"},\"events\":[{\"sequence\":3}]}");
        assert_hears(&c, DELTA(", so", "So far, so") ERROR("AI_CUT_OFF", "it broke off", "true")
                                 FRAME("done", "{\"ok\":false,\"conversationId\":\"conv_1\",\"turnId\":\"turn_1\"}"));
        assert_true(c.ended);
        ask(&c, HI);
        fake_answer_next(STATUS_TURN_CANCELLED, "", "");
        assert_hears(&c, READY ERROR("TURN_CANCELLED", "the turn was stopped; what was said so far is kept", "false")
                                 FRAME("done", "{\"ok\":false}"));
        ask(&c, HI);
        fake_answer_next(STATUS_OK, "", "{\"ok\":");
        assert_non_null(strstr(hears(&c), "\"code\":\"INTERNAL\""));
        assert_true(c.ended);
}

/* ---- more than once, too late, not at all ---- */

TEST(a_confirmation_is_asked_for_once) {
        const char *all;

        ask(&c, HI);
        say("confirm.required", -1, NULL, "{\"actionId\":\"a1\",\"message\":\"m\"}");
        say("confirm.required", -1, NULL, "{\"actionId\":\"a1\",\"message\":\"other words\"}");
        say("confirm.required", -1, NULL, "{\"actionId\":\"a2\",\"message\":\"m\"}");
        say("mode.activate", -1, NULL, "{\"mode\":\"cv\"}");
        say("mode.activate", -1, NULL, "{\"mode\":\"cv\"}"); /* this may well come twice */
        fake_answer_next(
                STATUS_OK, "",
                ANSWER("", "[{\"type\":\"confirm.required\",\"payload\":{\"message\":\"m\",\"actionId\":\"a1\"}},"
                           "{\"type\":\"mode.activate\",\"payload\":{\"mode\":\"cv\"}},"
                           "{\"type\":\"confirm.required\",\"payload\":{\"actionId\":\"a3\"}}]"));
        all = hears(&c);
        assert_int_equal(times(all, "event: confirm.required\n"), 3);
        assert_int_equal(times(all, "\"a1\""), 1);
        assert_int_equal(times(all, "event: mode.activate\n"), 2);
}

TEST(two_streams_of_one_turn_hear_the_same_even_if_one_came_late) {
        ask(&c, HI);
        say("text.delta", 0, "One ", NULL);
        ask(&d, HI);
        say("text.delta", 4, "two ", NULL); /* he cannot place it */
        assert_hears(&c, READY DELTA("One ", "One ") DELTA("two ", "One two "));
        assert_hears(&d, READY);
        say("text.delta", 0, "One two three", NULL); /* told from the start again, for him */
        assert_hears(&c, DELTA("three", "One two three"));
        assert_hears(&d, DELTA("One two three", "One two three"));
        fake_leave(&c);
        assert_int_equal(lefts, 0);
        say("text.delta", 13, "!", NULL);
        assert_hears(&d, DELTA("!", "One two three!"));
        fake_answer_next(STATUS_OK, "", "{}"); /* nobody's */
        fake_answer_next(STATUS_OK, "", ANSWER("One two three!", "[]"));
        assert_hears(&d, TEXT_DONE("One two three!") DONE);
        assert_int_equal(lefts, 0);
}

TEST(what_was_missed_comes_with_the_end) {
        ask(&c, HI);
        say("text.delta", 4, "two", NULL);
        fake_answer_next(STATUS_OK, "", ANSWER("One two", "[]"));
        assert_hears(&c, READY DELTA("One two", "One two") TEXT_DONE("One two") DONE);
}

TEST(an_answer_that_begins_anew_replaces_the_first_one) {
        ask(&c, HI);
        say("text.delta", 0, "Good morn", NULL);
        waiting_down(NULL, fake_writer); /* not its runner */
        waiting_down(NULL, fake_openclaw);
        say("text.delta", 0, "Hello", NULL);
        assert_hears(&c, READY DELTA("Good morn", "Good morn") FRAME(
                                 "status", "{\"type\":\"loading\",\"message\":\"The assistant is restarting; your "
                                           "turn goes on.\"}") DELTA("Hello", "Hello"));
        fake_answer_next(STATUS_OK, "", ANSWER("Other words", "[]"));
        assert_hears(&c, DELTA("Other words", "Other words") TEXT_DONE("Other words") DONE);
}

TEST(the_runner_hears_that_the_last_client_left) {
        ask(&c, HI);
        ask(&d, HI);
        fake_leave(&c);
        assert_int_equal(lefts, 0);
        delta("x");
        fake_leave(&d);
        assert_int_equal(lefts, 1);
        assert_int_equal(fake_count(OP_turn_run), 0);
        delta("y");
        ask(&c, HI);
        say("status", -1, NULL, "{}");
        fake_answer(fake_calls->next->next, STATUS_OK, "", slice_of(ANSWER("", "[]")));
        assert_true(c.ended);
        assert_int_equal(lefts, 1);
}

TEST(a_process_that_stops_says_where_to_ask_again) {
        ask(&c, HI);
        delta("So");
        waiting_drain(NULL, false);
        assert_true(c.ended);
        assert_hears(&c, READY DELTA("So", "So") ERROR("OPENCLAW_UNAVAILABLE", WAITER_WHY, "true")
                                 FRAME("done", "{\"ok\":false}"));
        assert_int_equal(lefts, 0); /* the turn goes on */
        assert_int_equal(fake_count(OP_turn_run), 0);
        ask(&c, HI);
        assert_int_equal(c.status, STATUS_OPENCLAW_UNAVAILABLE);
}

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

TEST(names_that_are_no_event_do_not_reach_the_stream) {
        ask(&c, HI);
        assert_hears(&c, READY);
        say("x\nevent: y", -1, NULL, "{}");
        say("done", -1, NULL, "{\"ok\":true}");
        say("error", -1, NULL, "{}");
        say("text.done", -1, NULL, "{}");
        say("mode.activate", -1, NULL, "[1]");
        say("mode.activate", -1, NULL, NULL);
        say("text.delta", -1, NULL, NULL);
        say("text.delta", -1, "", NULL);
        assert_hears(&c, "");
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                T(a_turn_is_told_while_it_arrives),
                T(the_conversation_is_named_from_the_first_frame_on_where_the_client_knows_it),
                T(a_turn_that_is_over_is_told_whole_with_its_events),
                T(before_the_stream_errors_are_plain),
                T(a_turn_that_fails_ends_with_error_and_done),
                T(a_confirmation_is_asked_for_once),
                T(two_streams_of_one_turn_hear_the_same_even_if_one_came_late),
                T(what_was_missed_comes_with_the_end),
                T(an_answer_that_begins_anew_replaces_the_first_one),
                T(the_runner_hears_that_the_last_client_left),
                T(a_process_that_stops_says_where_to_ask_again),
                T(a_silent_stream_beats_and_a_client_that_takes_nothing_is_let_go),
                T(deltas_for_a_slow_client_become_fewer_and_none_is_lost),
                T(a_deliverable_larger_than_the_queue_arrives_whole_and_in_its_place),
                T(what_waits_for_a_client_is_bounded),
                T(a_text_over_its_bound_comes_with_the_end),
                T(names_that_are_no_event_do_not_reach_the_stream),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
