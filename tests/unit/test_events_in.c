/* test_events_in.c - one event, a list or lines of them: all bound or none, and the stored ones back. */
#include "events.h"
#include "fake_front.h"

static const struct actor ann = { { "acme", 4 }, { "ann", 3 }, { "member", 6 }, false, 0 };
static const struct actor agent = { { "acme", 4 }, { "key1", 4 }, { "ingest", 6 }, true, 0 };
static struct fake_client c;

static int set_up(void **state) {
        (void)state;
        fake_reset();
        return 0;
}

static int tear_down(void **state) {
        (void)state;
        fake_client_free(&c);
        fake_reset();
        return 0;
}

static void post(const struct actor *a, const char *type, struct slice body, const char *key) {
        fake_client_free(&c);
        fake_request(&c, "", body);
        fake_header(&c, "content-type", type);
        if (key)
                fake_header(&c, "idempotency-key", key);
        route_events(NULL, &c.r, fake_route("publishEvents"), a);
}

#define JSON_TYPE "application/json"
#define LINES     "application/x-ndjson"
#define PARTIAL(id, text)                                                                                            \
        "{\"eventId\":\"" id                                                                                         \
        "\",\"sessionId\":\"s1\",\"type\":\"transcript.partial\",\"payload\":{\"utteranceId\":\"u\","                \
        "\"speaker\":\"user\",\"text\":\"" text "\",\"startMs\":0,\"endMs\":1}}"
#define UNNAMED "{\"sessionId\":\"s1\",\"type\":\"call.connecting\",\"payload\":{\"callId\":\"c\"}}"
#define STARTED                                                                                                      \
        "{\"sessionId\":\"s1\",\"type\":\"call.started\",\"payload\":{\"callId\":\"c\",\"channel\":\"voice\","       \
        "\"direction\":\"inbound\",\"provider\":\"livekit\"}}"

static struct op_event_in asked(uint32_t row) {
        const struct op_event_append *m = fake_calls->msg;
        struct op_event_in e;
        size_t at = 0;

        for (uint32_t i = 0; op_rows_next(m->events, OP_event_in, &at, &e); i++)
                if (i == row)
                        return e;
        fail_msg("no row %u", row);
        return e;
}

static void row(struct buf *rows, uint32_t at, const char *status, int64_t sequence, bool deduped) {
        struct op_event_out o = { 0 };

        OP_SET(event_out, &o, row, at);
        OP_SET(event_out, &o, op, 0);
        OP_SET(event_out, &o, status, slice_of(status));
        OP_SET(event_out, &o, sequence, sequence);
        OP_SET(event_out, &o, deduped, deduped);
        OP_SET(event_out, &o, ts, 1000000);
        OP_SET(event_out, &o, received, 2000000);
        OP_SET(event_out, &o, recorded, 3000000);
        OP_SET(event_out, &o, origin, SLICE("owner"));
        op_rows_add(rows, OP_event_out, &o);
}

static void answer_rows(struct buf *rows) {
        fake_answer(fake_calls, STATUS_OK, "", buf_view(rows));
        buf_free(rows);
}

TEST(one_event_is_answered_as_it_was_stored) {
        const struct op_event_append *m;
        struct buf rows;

        post(&ann, JSON_TYPE, SLICE(PARTIAL("e1", "hi")), NULL);
        m = fake_calls->msg;
        assert_slice(m->origin, "owner");
        assert_slice(m->account_id, "acme");
        assert_int_equal(m->received, c.r.received);
        assert_int_equal(op_rows_count(m->events), 1);
        assert_slice(asked(0).event_id, "e1");
        assert_false(asked(0).ts_given);
        buf_init(&rows, 4096);
        row(&rows, 0, "OK", 7, false);
        answer_rows(&rows);
        assert_int_equal(c.code, 200);
        assert_slice(
                buf_view(&c.body),
                "{\"ok\":true,\"deduped\":false,\"event\":{\"eventId\":\"e1\",\"sequence\":7,\"sessionId\":\"s1\","
                "\"ts\":\"1970-01-01T00:00:01.000Z\",\"timestamp\":\"1970-01-01T00:00:01.000Z\","
                "\"type\":\"transcript.partial\",\"payload\":{\"endMs\":1,\"speaker\":\"user\",\"startMs\":0,"
                "\"text\":\"hi\",\"utteranceId\":\"u\"},\"schemaVersion\":\"1.0\",\"origin\":\"owner\","
                "\"receivedAt\":\"1970-01-01T00:00:02.000Z\",\"recordedAt\":\"1970-01-01T00:00:03.000Z\"}}");
}

TEST(lists_and_lines_are_the_same_thing) {
        const struct {
                const char *type;
                struct slice body;
        } ways[] = {
                { JSON_TYPE, SLICE("[" PARTIAL("e1", "a") "," PARTIAL("e2", "b") "]") },
                { LINES, SLICE("\n" PARTIAL("e1", "a") "\r\n  \n\n" PARTIAL("e2", "b")) },
                { LINES, SLICE(PARTIAL("e1", "a") "\n" PARTIAL("e2", "b") "\n") },
        };

        for (size_t i = 0; i < COUNT(ways); i++) {
                struct buf rows;

                post(&ann, ways[i].type, ways[i].body, NULL);
                assert_non_null(fake_calls);
                assert_slice(asked(0).event_id, "e1");
                assert_slice(asked(1).event_id, "e2");
                buf_init(&rows, 4096);
                row(&rows, 0, "OK", 1, true);
                row(&rows, 1, "OK", 2, false);
                answer_rows(&rows);
                assert_int_equal(c.code, 200);
                assert_true(fake_said(&c, "{\"ok\":true,\"count\":2,\"results\":[{\"deduped\":true,\"event\":{"));
                assert_true(fake_said(&c, "}},{\"deduped\":false,\"event\":{\"eventId\":\"e2\",\"sequence\":2,"));
                assert_memory_equal(c.body.p + c.body.n - 4, "}}]}", 4);
        }
}

TEST(a_list_of_one_stays_a_list) {
        struct buf rows;

        post(&ann, JSON_TYPE, SLICE("[" PARTIAL("e1", "a") "]"), NULL);
        buf_init(&rows, 4096);
        row(&rows, 0, "OK", 1, false);
        answer_rows(&rows);
        assert_true(fake_said(&c, "{\"ok\":true,\"count\":1,\"results\":[{"));
}

TEST(what_is_wrong_is_named_with_its_place_and_nothing_is_sent) {
        const struct {
                const char *type;
                struct slice body;
                enum status status;
                const char *begins;
        } rows[] = {
                { JSON_TYPE, SLICE("[" PARTIAL("e1", "a") ",{}]"), STATUS_INVALID_REALTIME_EVENT, "events[1]: " },
                { JSON_TYPE, SLICE("{}"), STATUS_INVALID_REALTIME_EVENT, "sessionId" },
                { LINES, SLICE(PARTIAL("e1", "a") "\n\n{\n"), STATUS_INVALID_JSON, "events[1]: not valid JSON" },
                { LINES, SLICE("[]"), STATUS_INVALID_REALTIME_EVENT, "events[0]: " },
                { LINES, SLICE("\n\n"), STATUS_INVALID_REQUEST, "send 1 to 1000" },
                { JSON_TYPE, SLICE("[]"), STATUS_INVALID_REQUEST, "send 1 to 1000" },
                { JSON_TYPE, SLICE("7"), STATUS_INVALID_REQUEST, "the body must be" },
                { JSON_TYPE, SLICE(""), STATUS_INVALID_JSON, "the body is not valid JSON" },
                { JSON_TYPE, SLICE("{\"events\":[" PARTIAL("e1", "a") "]}"), STATUS_INVALID_REALTIME_EVENT,
                  "unsupported envelope key" },
                { JSON_TYPE, SLICE(STARTED), STATUS_FORBIDDEN, "" },
        };

        for (size_t i = 0; i < COUNT(rows); i++) {
                post(&ann, rows[i].type, rows[i].body, NULL);
                assert_int_equal(c.status, rows[i].status);
                if (strncmp(c.detail, rows[i].begins, strlen(rows[i].begins)) != 0)
                        fail_msg("%zu: %s", i, c.detail);
                assert_null(fake_calls);
        }
}

TEST(service_keys_report_what_only_services_may) {
        post(&agent, JSON_TYPE, SLICE(STARTED), NULL);
        assert_non_null(fake_calls);
        assert_slice(((const struct op_event_append *)fake_calls->msg)->origin, "ingest");
}

TEST(a_thousand_and_one_are_too_many) {
        struct buf body;

        buf_init(&body, 1u << 20);
        for (int i = 0; i < 1000; i++)
                buf_str(&body, UNNAMED "\n");
        post(&ann, LINES, buf_view(&body), NULL);
        assert_non_null(fake_calls);
        assert_int_equal(op_rows_count(((const struct op_event_append *)fake_calls->msg)->events), 1000);
        fake_answer_next(STATUS_BUSY, "", "");
        assert_int_equal(c.retry_after, 1);
        buf_str(&body, UNNAMED);
        post(&ann, LINES, buf_view(&body), NULL);
        assert_int_equal(c.status, STATUS_INVALID_REQUEST);
        buf_free(&body);
}

static void id_of(const struct actor *a, const char *key, uint32_t at, char to[static 40]) {
        post(a, JSON_TYPE, SLICE("[" UNNAMED "," UNNAMED "]"), key);
        assert_true(slice_copy(asked(at).event_id, to, 40));
        assert_int_equal(strlen(to), 36);
        assert_memory_equal(to, "evt_", 4);
        fake_answer_next(STATUS_BUSY, "", "");
}

TEST(under_a_key_an_unnamed_event_has_one_id_for_ever_else_a_fresh_one) {
        char first[40], second[40];

        id_of(&ann, "k", 0, first);
        id_of(&ann, "k", 0, second);
        assert_string_equal(first, second);
        id_of(&ann, "k", 1, second);
        assert_string_not_equal(first, second);
        id_of(&ann, "l", 0, second);
        assert_string_not_equal(first, second);
        id_of(&agent, "k", 0, second);
        assert_string_not_equal(first, second);
        id_of(&ann, NULL, 0, first);
        id_of(&ann, NULL, 0, second);
        assert_string_not_equal(first, second);
        post(&ann, JSON_TYPE, SLICE(UNNAMED), "\x01");
        assert_int_equal(c.status, STATUS_INVALID_REQUEST);
}

TEST(refusals_name_the_culprit_and_nonsense_is_not_passed_on) {
        struct buf rows;

        post(&ann, JSON_TYPE, SLICE("[" PARTIAL("e1", "a") "," PARTIAL("e2", "b") "]"), NULL);
        buf_init(&rows, 4096);
        row(&rows, 1, "EVENT_ID_CONFLICT", 1, false);
        answer_rows(&rows);
        assert_int_equal(c.code, 409);
        assert_memory_equal(c.detail, "events[1]: ", 11);
        post(&ann, JSON_TYPE, SLICE(PARTIAL("e1", "a")), NULL);
        fake_answer_next(STATUS_SESSION_NOT_FOUND, "no such session", "");
        assert_int_equal(c.code, 404);
        assert_string_equal(c.detail, "no such session");
        post(&ann, JSON_TYPE, SLICE("[" PARTIAL("e1", "a") "," PARTIAL("e2", "b") "]"), NULL);
        buf_init(&rows, 4096);
        row(&rows, 0, "OK", 1, false);
        answer_rows(&rows);
        assert_int_equal(c.status, STATUS_INTERNAL);
        post(&ann, JSON_TYPE, SLICE(PARTIAL("e1", "a")), NULL);
        buf_init(&rows, 4096);
        row(&rows, 5, "OK", 1, false);
        answer_rows(&rows);
        assert_int_equal(c.status, STATUS_INTERNAL);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                T(one_event_is_answered_as_it_was_stored),
                T(lists_and_lines_are_the_same_thing),
                T(a_list_of_one_stays_a_list),
                T(what_is_wrong_is_named_with_its_place_and_nothing_is_sent),
                T(service_keys_report_what_only_services_may),
                T(a_thousand_and_one_are_too_many),
                T(under_a_key_an_unnamed_event_has_one_id_for_ever_else_a_fresh_one),
                T(refusals_name_the_culprit_and_nonsense_is_not_passed_on),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
