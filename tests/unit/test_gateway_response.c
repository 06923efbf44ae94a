/* test_gateway_response - a response ends in exactly one way, however its bytes were cut. */
#include "gateway_rig.h"

#include "response.h"
#include "sse.h"

static struct heard {
        char text[512];
        size_t n;
        unsigned deltas;
} heard;

static void hear(void *arg, struct slice text) {
        (void)arg;
        heard.deltas++;
        if (heard.n + text.n < sizeof heard.text)
                memcpy(heard.text + heard.n, text.p, text.n);
        heard.n += text.n;
}

static bool event(void *arg, struct slice data) {
        return response_event(arg, data);
}

/* The whole stream, in chunks of so many bytes; each in memory of its own. */
static struct response *play(struct slice stream, uint32_t chunk) {
        static struct response r;
        struct sse s;

        heard = (struct heard){ 0 };
        response_init(&r, hear, NULL);
        sse_init(&s, GATEWAY_STREAM_MAX);
        for (uint32_t i = 0; i < stream.n && r.state != RESPONSE_DONE; i += chunk) {
                struct slice piece =
                        exact((struct slice){ stream.p + i, stream.n - i < chunk ? stream.n - i : chunk });
                (void)sse_feed(&s, piece, event, &r);
                exact_free(piece);
        }
        if (r.state == RESPONSE_OPEN)
                response_closed(&r);
        sse_free(&s);
        return &r;
}

#define CALL(name, arguments)                                                                                        \
        "{\"type\":\"function_call\",\"call_id\":\"c\",\"name\":\"" name "\",\"arguments\":\"" arguments             \
        "\",\"status\":\"completed\"}"

static const struct ending {
        const char *name;
        const char *stream;
        enum status status;
        const char *text; /* what was said before */
} endings[] = {
        { "completed", GOOD, STATUS_OK, "Thanks Ada." },
        { "carriage returns",
          "data: {\"type\":\"response.output_text.delta\",\r\ndata:\"delta\":\"x\"}\r\n\r\n" TERMINAL("completed", "")
                  DONE,
          STATUS_OK, "x" },
        { "lone carriage returns",
          "data: {\"type\":\"response.output_text.delta\",\"delta\":\"x\"}\r\r" TERMINAL("completed", ""), STATUS_OK,
          "x" },
        { "comments and unknown events",
          ": hello\n\nevent: x\ndata: {\"type\":\"response.new\"}\n\nretry: 5\n\n"
          "id\n\n" GOOD,
          STATUS_OK, "Thanks Ada." },
        { "a byte order mark", "\xef\xbb\xbf" GOOD, STATUS_OK, "Thanks Ada." },
        { "characters of several bytes",
          DELTA("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80") DELTA("\\ud83d\\ude00") TERMINAL("completed", ""), STATUS_OK,
          "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xf0\x9f\x98\x80" },
        { "no words but a call", TERMINAL("completed", CALL("propose_cv", "{}")), STATUS_OK, "" },
        { "cut at the token limit", DELTA("Half") TERMINAL("incomplete", "") DONE, STATUS_OK, "Half" },
        { "no terminal event", CREATED DELTA("Half"), STATUS_AI_CUT_OFF, "Half" },
        { "half a terminal event", DELTA("Half") "data: {\"type\":\"response.completed\"}\n", STATUS_AI_CUT_OFF,
          "Half" },
        { "done without an end", DELTA("Half") DONE, STATUS_AI_CUT_OFF, "Half" },
        { "nothing", "", STATUS_AI_CUT_OFF, "" },
        { "provider's limit", CREATED FAILED("rate_limit_error", "x"), STATUS_AI_RATE_LIMITED, "" },
        { "provider's silence", DELTA("Half") FAILED("api_error", "upstream provider timeout"), STATUS_AI_TIMEOUT,
          "Half" },
        { "provider's refusal", FAILED("authentication_error", "x"), STATUS_AI_FAILED, "" },
        { "a run that failed", DELTA("Half") FAILED("api_error", "internal error") DONE, STATUS_AI_FAILED, "Half" },
        { "failed and no reason", "data: {\"type\":\"response.failed\",\"response\":{}}\n\n", STATUS_AI_FAILED, "" },
        { "no JSON", "data: hello\n\n", STATUS_AI_GARBLED, "" },
        { "no object", "data: [1]\n\n", STATUS_AI_GARBLED, "" },
        { "a type that is none", "data: {\"type\":7}\n\n", STATUS_AI_GARBLED, "" },
        { "a delta that is none", DELTA("Half") "data: {\"type\":\"response.output_text.delta\",\"delta\":{}}\n\n",
          STATUS_AI_GARBLED, "Half" },
        { "no UTF-8", DELTA("\xff\xfe"), STATUS_AI_GARBLED, "" },
        { "half a character", DELTA("\\ud83d"), STATUS_AI_GARBLED, "" },
        { "a text that is not its deltas", DELTA("One") TEXT_DONE("Two"), STATUS_AI_GARBLED, "One" },
        { "a text nobody said", TEXT_DONE("Two"), STATUS_AI_GARBLED, "" },
        { "no response in its end", DELTA("x") "data: {\"type\":\"response.completed\"}\n\n", STATUS_AI_GARBLED,
          "x" },
        { "no output in its end", DELTA("x") "data: {\"type\":\"response.completed\",\"response\":{}}\n\n",
          STATUS_AI_GARBLED, "x" },
        { "an account that makes no sense",
          "data: {\"type\":\"response.completed\",\"response\":{\"output\":[],\"usage\":{\"input_tokens\":-1}}}\n\n",
          STATUS_AI_GARBLED, "" },
        { "more tokens than anybody has",
          "data: "
          "{\"type\":\"response.completed\",\"response\":{\"output\":[],\"usage\":{\"output_tokens\":"
          "9223372036854775807}}}\n\n",
          STATUS_AI_GARBLED, "" },
        { "a call without a name", TERMINAL("completed", CALL("", "{}")), STATUS_AI_GARBLED, "" },
        { "a call's arguments are no object", TERMINAL("completed", CALL("x", "[]")), STATUS_AI_GARBLED, "" },
        { "a call's arguments are two", TERMINAL("completed", CALL("x", "{}{}")), STATUS_AI_GARBLED, "" },
        { "a call's arguments are half", TERMINAL("completed", CALL("x", "{\\\"a\\\":")), STATUS_AI_GARBLED, "" },
        { "a call's arguments say one thing twice", TERMINAL("completed", CALL("x", "{\\\"a\\\":1,\\\"a\\\":2}")),
          STATUS_AI_GARBLED, "" },
        { "a call that is not complete",
          TERMINAL("completed", "{\"type\":\"function_call\",\"name\":\"x\",\"arguments\":\"{}\","
                                "\"status\":\"incomplete\"}"),
          STATUS_AI_GARBLED, "" },
        { "silence", CREATED DELTA("") TEXT_DONE("") TERMINAL("completed", ""), STATUS_AI_EMPTY, "" },
        { "silence within the token limit", TERMINAL("incomplete", ""), STATUS_AI_EMPTY, "" },
        { "the stand-in for silence", DELTA("No resp") DELTA("onse from OpenClaw.") TERMINAL("completed", ""),
          STATUS_AI_EMPTY, "" },
        { "almost the stand-in", DELTA("No") DELTA(" response yet.") TERMINAL("completed", ""), STATUS_OK,
          "No response yet." },
        { "its beginning", DELTA("No") TERMINAL("completed", ""), STATUS_OK, "No" },
};

static bool same(const struct response *r, const struct ending *e) {
        return r->end.status == e->status && slice_is((struct slice){ heard.text, (uint32_t)heard.n }, e->text) &&
               slice_is(r->end.text, e->text) && r->end.spoken == (*e->text != '\0') &&
               (r->why == NULL) == (e->status == STATUS_OK);
}

TEST(every_ending_has_its_status_however_the_bytes_come) {
        for (size_t i = 0; i < COUNT(endings); i++) {
                for (uint32_t chunk = 1; chunk <= strlen(endings[i].stream) + 1; chunk++) {
                        struct response *r = play(slice_of(endings[i].stream), chunk);
                        if (!same(r, &endings[i]))
                                fail_msg("%s, %u bytes at a time: %s after \"%.*s\": %s", endings[i].name, chunk,
                                         status_row(r->end.status)->name, (int)heard.n, heard.text,
                                         r->why != NULL ? r->why : "");
                        response_free(r);
                }
        }
}

TEST(the_end_tells_who_answered_and_what_it_cost) {
        struct response *r = play(SLICE(GOOD), 7);
        assert_slice(r->end.response_id, "resp_1");
        assert_slice(r->end.model, "openclaw/recruiter");
        assert_int_equal(r->end.input_tokens, 330);
        assert_int_equal(r->end.output_tokens, 5);
        assert_false(r->end.incomplete);
        response_free(r);
        r = play(SLICE(DELTA("Half") TERMINAL("incomplete", CALL("propose_cv", "{}"))), 7);
        assert_true(r->end.incomplete);
        assert_int_equal(r->end.n_calls, 0);
        response_free(r);
}

TEST(calls_come_in_order_with_their_arguments) {
        struct response *r =
                play(SLICE(DELTA("I will.") TERMINAL(
                             "completed",
                             CALL("propose_cv", "{\\\"a\\\":\\\"\\u00e9\\\"}") "," CALL("propose_outreach", "{}"))),
                     11);
        assert_int_equal(r->end.status, STATUS_OK);
        assert_int_equal(r->end.n_calls, 2);
        assert_slice(r->end.calls[0].name, "propose_cv");
        assert_slice(r->end.calls[0].arguments, "{\"a\":\"\xc3\xa9\"}");
        assert_slice(r->end.calls[1].name, "propose_outreach");
        response_free(r);
}

TEST(calls_before_the_end_count_for_nothing) {
        struct response *r = play(SLICE("data: {\"type\":\"response.output_item.done\",\"item\":" CALL(
                                          "propose_cv", "{}") "}\n\n" FAILED("api_error", "internal error")),
                                  9);
        assert_int_equal(r->end.status, STATUS_AI_FAILED);
        assert_int_equal(r->end.n_calls, 0);
        response_free(r);
}

TEST(what_comes_after_the_end_changes_nothing) {
        struct response *r = play(
                SLICE(DELTA("x") TERMINAL("completed", "") DELTA("y") FAILED("api_error", "z") "data: ?\n\n"), 5);
        assert_int_equal(r->end.status, STATUS_OK);
        assert_slice(r->end.text, "x");
        assert_int_equal(heard.n, 1);
        response_free(r);
}

static void many(struct buf *b, unsigned n, const char *event_text, const char *before, const char *after) {
        buf_init(b, 64u << 20);
        buf_str(b, before);
        for (unsigned i = 0; i < n; i++)
                buf_str(b, event_text);
        buf_str(b, after);
        assert_false(b->over);
}

static enum status ends(struct buf *b) {
        struct response *r = play(buf_view(b), 16384);
        enum status s = r->end.status;
        response_free(r);
        buf_free(b);
        return s;
}

TEST(every_bound_ends_a_response_by_its_name) {
        struct buf b;

        many(&b, GATEWAY_TEXT_MAX / 8, "12345678", "data: {\"type\":\"response.output_text.delta\",\"delta\":\"",
             "\"}\n\n" TERMINAL("completed", ""));
        assert_int_equal(ends(&b), STATUS_OK);
        many(&b, GATEWAY_TEXT_MAX / 8 + 1, DELTA("12345678"), "", TERMINAL("completed", ""));
        assert_int_equal(ends(&b), STATUS_AI_TOO_MUCH);
        many(&b, GATEWAY_EVENTS_MAX + 1, "data: {\"type\":\"x\"}\n\n", "", TERMINAL("completed", ""));
        assert_int_equal(ends(&b), STATUS_AI_TOO_MUCH);
        many(&b, GATEWAY_CALLS_MAX, "," CALL("x", "{}"),
             "data: {\"type\":\"response.completed\",\"response\":{\"output\":[{\"type\":\"message\"}", "]}}\n\n");
        assert_int_equal(ends(&b), STATUS_OK);
        many(&b, GATEWAY_CALLS_MAX + 1, "," CALL("x", "{}"),
             "data: {\"type\":\"response.completed\",\"response\":{\"output\":[{\"type\":\"message\"}", "]}}\n\n");
        assert_int_equal(ends(&b), STATUS_AI_TOO_MUCH);
        many(&b, GATEWAY_ARGUMENTS_MAX / 8, "12345678",
             "data: "
             "{\"type\":\"response.completed\",\"response\":{\"output\":[{\"type\":\"function_call\",\"name\":\"x\","
             "\"arguments\":\"{\\\"a\\\":\\\"",
             "\\\"}\"}]}}\n\n");
        assert_int_equal(ends(&b), STATUS_AI_TOO_MUCH);
        many(&b, GATEWAY_STREAM_MAX / 8, "12345678", "data: ", "12345678\n\n");
        assert_int_equal(ends(&b), STATUS_AI_CUT_OFF); /* the splitter let nothing of it through */
}

TEST(arguments_of_200_kB_in_one_line_arrive_whole) {
        struct buf b;
        many(&b, 25000, "12345678",
             "data: "
             "{\"type\":\"response.completed\",\"response\":{\"output\":[{\"type\":\"function_call\",\"name\":\"x\","
             "\"arguments\":\"{\\\"a\\\":\\\"",
             "\\\"}\"}]}}\n\n");
        struct response *r = play(buf_view(&b), 1000);
        assert_int_equal(r->end.n_calls, 1);
        assert_int_equal(r->end.calls[0].arguments.n, 200000 + 8);
        response_free(r);
        buf_free(&b);
}

TEST(only_what_may_go_better_is_tried_again) {
        static const struct {
                const char *stream;
                bool again;
                enum status status;
        } list[] = {
                { FAILED("api_error", "internal error"), true, STATUS_AI_FAILED },
                { FAILED("rate_limit_error", "x"), true, STATUS_AI_RATE_LIMITED },
                { FAILED("api_error", "upstream provider timeout"), true, STATUS_AI_TIMEOUT },
                { FAILED("authentication_error", "x"), false, STATUS_AI_FAILED },
                { FAILED("invalid_request_error", "400 content filter"), false, STATUS_AI_FAILED },
                { FAILED("invalid_request_error", "invalid tool configuration"), false, STATUS_AI_REFUSED },
                { "data: ?\n\n", false, STATUS_AI_GARBLED },
                { CREATED, false, STATUS_AI_CUT_OFF },
        };
        for (size_t i = 0; i < COUNT(list); i++) {
                struct response *r = play(slice_of(list[i].stream), 100);
                assert_int_equal(r->again, list[i].again);
                assert_int_equal(r->end.status, list[i].status);
                response_free(r);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_ending_has_its_status_however_the_bytes_come),
                cmocka_unit_test(the_end_tells_who_answered_and_what_it_cost),
                cmocka_unit_test(calls_come_in_order_with_their_arguments),
                cmocka_unit_test(calls_before_the_end_count_for_nothing),
                cmocka_unit_test(what_comes_after_the_end_changes_nothing),
                cmocka_unit_test(every_bound_ends_a_response_by_its_name),
                cmocka_unit_test(arguments_of_200_kB_in_one_line_arrive_whole),
                cmocka_unit_test(only_what_may_go_better_is_tried_again),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
