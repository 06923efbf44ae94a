/* test_diff_route.c - two versions are asked for as the client's own, and told as hunks of lines. */
#include "fake_front.h"

static const struct actor ann = { { "acme", 4 }, { "ann", 3 }, { "member", 6 }, false, 0 };
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

static void ask(const char *id, const char *query) {
        fake_client_free(&c);
        fake_request(&c, query, (struct slice){ 0 });
        c.r.path = slice_of(id);
        fake_route("diffDeliverable")->handler(NULL, &c.r, fake_route("diffDeliverable"), &ann);
}

#define SIDES(from, to)                                                                                              \
        "{\"ok\":true,\"deliverableId\":\"dlv_1\",\"from\":{\"version\":1,\"contentHash\":\"aa\",\"markdown\":" from \
        "},\"to\":{\"version\":3,\"contentHash\":\"bb\",\"markdown\":" to "}}"
#define TOLD(hunks)                                                                                                  \
        "{\"ok\":true,\"deliverableId\":\"dlv_1\",\"from\":{\"version\":1,\"contentHash\":\"aa\"},"                  \
        "\"to\":{\"version\":3,\"contentHash\":\"bb\"},\"coarse\":false,\"hunks\":[" hunks "]}"

TEST(the_versions_are_asked_for_as_this_person) {
        const struct op_deliverable_diff *m;

        ask("dlv_1", "fromVersion=1&toVersion=3");
        assert_non_null(fake_calls);
        assert_int_equal(fake_calls->op, OP_deliverable_diff);
        m = fake_calls->msg;
        assert_slice(m->account_id, "acme");
        assert_slice(m->actor_id, "ann");
        assert_slice(m->actor_role, "member");
        assert_slice(m->deliverable_id, "dlv_1");
        assert_int_equal(m->from_version, 1);
        assert_int_equal(m->to_version, 3);
        fake_answer_next(STATUS_OK, "", SIDES("\"a\\nb\\n\\u0001c\"", "\"a\\nB\\n\\u0001c\\nd\""));
        assert_int_equal(c.code, 200);
        assert_slice(buf_view(&c.body), TOLD("{\"fromLine\":2,\"toLine\":2,\"removed\":[\"b\"],\"added\":[\"B\"]},"
                                             "{\"fromLine\":4,\"toLine\":4,\"removed\":[],\"added\":[\"d\"]}"));
        assert_string_equal(c.type, "application/json; charset=utf-8");
}

TEST(a_version_without_markdown_has_no_lines) {
        ask("dlv_1", "fromVersion=1");
        fake_answer_next(STATUS_OK, "", SIDES("null", "\"x\""));
        assert_slice(buf_view(&c.body), TOLD("{\"fromLine\":1,\"toLine\":1,\"removed\":[],\"added\":[\"x\"]}"));
        ask("dlv_1", "fromVersion=1");
        fake_answer_next(STATUS_OK, "", SIDES("null", "null"));
        assert_slice(buf_view(&c.body), TOLD(""));
}

TEST(what_the_request_lacks_or_says_wrongly_is_refused_here) {
        static const char *const queries[] = { "",
                                               "toVersion=1",
                                               "fromVersion=0",
                                               "fromVersion=x",
                                               "fromVersion=1&toVersion=0",
                                               "fromVersion=1&accountId=other",
                                               "fromVersion=1&deliverableId=other",
                                               "fromVersion=1&nothing=1" };

        for (size_t i = 0; i < COUNT(queries); i++) {
                ask("dlv_1", queries[i]);
                assert_null(fake_calls);
                assert_true(c.answered);
                assert_int_equal(status_row(c.status)->http, 400);
        }
}

TEST(a_refusal_is_passed_on_and_an_answer_that_is_none_is_internal) {
        static const char *const bodies[] = { "", "{", "{}", "[]", SIDES("1", "\"x\""), SIDES("\"x\"", "{}") };

        ask("dlv_1", "fromVersion=9");
        fake_answer_next(STATUS_DELIVERABLE_NOT_FOUND, "", "");
        assert_int_equal(c.status, STATUS_DELIVERABLE_NOT_FOUND);
        for (size_t i = 0; i < COUNT(bodies); i++) {
                ask("dlv_1", "fromVersion=1");
                fake_answer_next(STATUS_OK, "", bodies[i]);
                assert_int_equal(c.status, STATUS_INTERNAL);
        }
}

TEST(two_whole_texts_without_a_common_line_are_told_at_once) {
        struct buf b;

        buf_init(&b, 8u << 20);
        buf_str(&b, "{\"ok\":true,\"deliverableId\":\"dlv_1\",\"from\":{\"version\":1,\"contentHash\":\"aa\","
                    "\"markdown\":\"");
        for (int i = 0; i < 100000; i++)
                buf_fmt(&b, "from %d\\n", i);
        buf_str(&b, "\"},\"to\":{\"version\":2,\"contentHash\":\"bb\",\"markdown\":\"");
        for (int i = 0; i < 100000; i++)
                buf_fmt(&b, "to %d\\n", i);
        buf_str(&b, "\"}}");
        ask("dlv_1", "fromVersion=1");
        fake_answer(fake_calls, STATUS_OK, "", buf_view(&b));
        assert_int_equal(c.code, 200);
        assert_true(
                fake_said(&c, "\"coarse\":true,\"hunks\":[{\"fromLine\":1,\"toLine\":1,\"removed\":[\"from 0\","));
        buf_free(&b);
}

TEST(a_client_that_left_is_not_answered) {
        ask("dlv_1", "fromVersion=1");
        fake_leave(&c);
        assert_int_equal(fake_count(OP_deliverable_diff), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
                T(the_versions_are_asked_for_as_this_person),
                T(a_version_without_markdown_has_no_lines),
                T(what_the_request_lacks_or_says_wrongly_is_refused_here),
                T(a_refusal_is_passed_on_and_an_answer_that_is_none_is_internal),
                T(two_whole_texts_without_a_common_line_are_told_at_once),
                T(a_client_that_left_is_not_answered),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
