/* test_writer_answer.c - each asker gets exactly what the database said about his own op, and nothing is made up. */
#include "answer_rig.h"
#include "errors.h"

/* The rows in reply `id`: their number, and the sequences added up. */
static unsigned rows_in(unsigned id, int64_t *ret_sum) {
        struct slice body = buf_view(&replies[id].body);
        struct op_event_out out;
        size_t at = 0;
        unsigned n = 0;

        assert_int_equal(op_rows_check(body, OP_event_out, 1000), 0);
        for (*ret_sum = 0; op_rows_next(body, OP_event_out, &at, &out); n++) {
                assert_int_equal(out.row, n);
                *ret_sum += out.sequence;
        }
        return n;
}

TEST(a_batch_deals_every_asker_his_own_rows) {
        struct ask *a[3] = { rig_append(1, "a", "s1", 0, 2, "{}"), rig_append(2, "a", "s2", 0, 3, "{}"),
                             rig_append(3, "a", "s3", 0, 1, "{}") };
        PGresult *res = rig_result(10, event_out_names);
        int64_t sum;

        subs_add(subs, peer_no(3), SLICE("a"), SLICE("s1"), 10);
        rig_stored(res, 0, 2, 0, "a", 31, true); /* in no order at all */
        rig_refused(res, 1, 1, 2, "EVENT_ID_CONFLICT");
        rig_stored(res, 2, 0, 1, "a", 12, false);
        rig_stored(res, 3, 0, 0, "a", 11, false);
        answer_call(answerer, a, 3, res);
        assert_int_equal(replies[1].status, STATUS_OK);
        assert_int_equal(rows_in(1, &sum), 2);
        assert_int_equal(sum, 23);
        assert_int_equal(replies[2].status, STATUS_EVENT_ID_CONFLICT);
        assert_memory_equal(replies[2].detail, "events[2]: ", 11);
        assert_int_equal(replies[3].status, STATUS_OK);
        assert_int_equal(rows_in(3, &sum), 1);
        assert_int_equal(sum, 31);
        assert_int_equal(n_casts, 1); /* the stored ones of s1; a repeat is no news */
        assert_int_equal(casts[0].first, 11);
        assert_int_equal(casts[0].last, 12);
        assert_int_equal(counted[STAT_events_appended], 2);
        assert_int_equal(counted[STAT_events_deduped], 1);
        assert_int_equal(counted[STAT_events_refused], 3);
        assert_int_equal(observed[STAT_event_commit_delay], 2);
        for (unsigned i = 0; i < 3; i++) {
                assert_int_equal(replies[i + 1].count, 1);
                ask_free(a[i]);
        }
        PQclear(res);
}

TEST(a_repeat_whose_first_answer_was_lost_is_told) {
        struct ask *a[2] = { rig_append(1, "a", "s1", 0, 2, "{}"), rig_append(2, "a", "s1", 2, 1, "{}") };
        PGresult *res = rig_result(10, event_out_names);

        subs_add(subs, peer_no(3), SLICE("a"), SLICE("s1"), 4);
        rig_stored(res, 0, 0, 0, "a", 5, true);
        rig_stored(res, 1, 0, 1, "a", 6, true);
        rig_stored(res, 2, 1, 0, "a", 4, true); /* old news */
        answer_call(answerer, a, 2, res);
        assert_int_equal(n_casts, 2);
        assert_int_equal(casts[1].op, OP_stream_head);
        assert_int_equal(casts[1].head, 6);
        answer_call(answerer, a, 2, res);
        assert_int_equal(n_casts, 2);
        ask_free(a[0]);
        ask_free(a[1]);
        PQclear(res);
}

/* One asker, two events; the database's answer is spoilt in one way after another. */
static void spoilt(void (*spoil)(PGresult *res)) {
        struct ask *a = rig_append(1, "a", "s1", 0, 2, "{}");
        PGresult *res = rig_result(10, event_out_names);

        rig_stored(res, 0, 0, 0, "a", 1, false);
        rig_stored(res, 1, 0, 1, "a", 2, false);
        spoil(res);
        replies[1].count = 0;
        subs_add(subs, peer_no(3), SLICE("a"), SLICE("s1"), 0);
        answer_call(answerer, &a, 1, res);
        assert_int_equal(replies[1].count, 1);
        assert_int_equal(replies[1].status, STATUS_INTERNAL);
        assert_int_equal(n_casts, 0);
        PQclear(res);
        ask_free(a);
}

static void same_row_twice(PGresult *res) {
        rig_int(res, 1, "row", 0, 8);
}
static void row_beyond(PGresult *res) {
        rig_int(res, 1, "row", 2, 8);
}
static void op_beyond(PGresult *res) {
        rig_int(res, 1, "op", 1, 4);
}
static void negative_op(PGresult *res) {
        rig_int(res, 1, "op", -1, 4);
}
static void unknown_status(PGresult *res) {
        rig_text(res, 1, "status", "FINE");
}
static void odd_integer(PGresult *res) {
        assert_true(PQsetvalue(res, 1, 4, (char[]){ 1, 2, 3 }, 3));
}

TEST(rows_that_match_no_request_are_an_internal_error_and_publish_nothing) {
        spoilt(same_row_twice);
        spoilt(row_beyond);
        spoilt(op_beyond);
        spoilt(negative_op);
        spoilt(unknown_status);
        spoilt(odd_integer);
}

static const char *const reply_names[] = { "status", "message", "body", "account_id", "session_id", "head" };

static struct ask *opening(uint64_t id) {
        struct op_stream_open m = { 0 };

        OP_SET(stream_open, &m, account_id, SLICE("*"));
        OP_SET(stream_open, &m, actor_id, SLICE("k"));
        OP_SET(stream_open, &m, actor_role, SLICE("ingest"));
        OP_SET(stream_open, &m, session_id, SLICE("s1"));
        return rig_ask(id, OP_stream_open, &m);
}

static PGresult *opened(int64_t head) {
        PGresult *res = rig_result(6, reply_names);

        rig_text(res, 0, "status", "OK");
        rig_text(res, 0, "message", NULL);
        rig_text(res, 0, "body", "{\"ok\":true}");
        rig_text(res, 0, "account_id", "a");
        rig_text(res, 0, "session_id", "s1");
        rig_int(res, 0, "head", head, 8);
        return res;
}

TEST(a_stream_opened_while_it_moved_on_hears_of_it_after_its_answer) {
        struct ask *a = opening(1), *b = opening(2);
        PGresult *res = opened(5);

        watch_add(watch, a);
        publish_head(publish, SLICE("a"), SLICE("s1"), 6);
        answer_call(answerer, &a, 1, res);
        watch_remove(watch, a);
        assert_int_equal(replies[1].status, STATUS_OK);
        assert_int_equal(n_casts, 1);
        assert_int_equal(casts[0].head, 6);
        assert_int_equal(subs_find(subs, SLICE("a"), SLICE("s1"))->head, 6);
        answer_call(answerer, &b, 1, res); /* already there, nothing new */
        assert_int_equal(replies[2].status, STATUS_OK);
        assert_int_equal(n_casts, 1);
        ask_free(a);
        ask_free(b);
        PQclear(res);
}

TEST(a_stream_of_a_peer_that_went_is_not_subscribed) {
        struct ask *a = opening(1);
        PGresult *res = opened(5);

        a->from.from = NULL;
        answer_call(answerer, &a, 1, res);
        assert_null(subs_find(subs, SLICE("a"), SLICE("s1")));
        assert_int_equal(replies[1].count, 0);
        ask_free(a);
        PQclear(res);
}

static struct ask *stating(uint64_t id) {
        struct op_key_revoke m = { 0 };

        OP_SET(key_revoke, &m, command_id, SLICE("c"));
        OP_SET(key_revoke, &m, key_id, SLICE("k"));
        return rig_ask(id, OP_key_revoke, &m);
}

static struct ask *acking(uint64_t id) {
        struct op_checkpoint m = { 0 };

        OP_SET(checkpoint, &m, account_id, SLICE("acme"));
        OP_SET(checkpoint, &m, actor_id, SLICE("u"));
        OP_SET(checkpoint, &m, actor_role, SLICE("owner"));
        OP_SET(checkpoint, &m, session_id, SLICE("s"));
        OP_SET(checkpoint, &m, consumer_id, SLICE("c"));
        OP_SET(checkpoint, &m, watermark_sequence, 1);
        return rig_ask(id, OP_checkpoint, &m);
}

TEST(a_refusal_carries_its_words_and_a_commit_its_head) {
        struct ask *a = acking(1);
        PGresult *res = rig_result(6, reply_names), *ok = opened(8);

        subs_add(subs, peer_no(2), SLICE("a"), SLICE("s1"), 7);
        rig_text(res, 0, "status", "SESSION_ENDED");
        rig_text(res, 0, "message", "it ended");
        for (int c = 2; c < 6; c++)
                assert_true(PQsetvalue(res, 0, c, NULL, -1));
        answer_call(answerer, &a, 1, res);
        assert_int_equal(replies[1].status, STATUS_SESSION_ENDED);
        assert_string_equal(replies[1].detail, "it ended");
        assert_int_equal(n_casts, 0);
        answer_call(answerer, &a, 1, ok);
        assert_slice(buf_view(&replies[1].body), "{\"ok\":true}");
        assert_int_equal(n_casts, 1);
        assert_int_equal(casts[0].head, 8);
        ask_free(a);
        PQclear(res);
        PQclear(ok);
}

static PGresult *fine(const char *account) {
        PGresult *res = rig_result(6, reply_names);

        for (int c = 0; c < 6; c++)
                assert_true(PQsetvalue(res, 0, c, NULL, -1));
        rig_text(res, 0, "status", "OK");
        rig_text(res, 0, "body", "{}");
        rig_text(res, 0, "account_id", account);
        return res;
}

static struct ask *suspending(uint64_t id) {
        struct op_account_set m = { 0 };

        OP_SET(account_set, &m, command_id, SLICE("c"));
        OP_SET(account_set, &m, account_id, SLICE("acme"));
        return rig_ask(id, OP_account_set, &m);
}

TEST(a_changed_access_is_told_to_every_frontend_and_to_nobody_else) {
        struct ask *a = stating(1), *b = suspending(2);
        PGresult *res = fine("acme"), *no = rig_result(6, reply_names);

        answer_call(answerer, &a, 1, res);
        assert_int_equal(n_casts, 2);
        for (unsigned i = 0; i < 2; i++) {
                assert_int_equal(casts[i].op, OP_access_changed);
                assert_ptr_equal(casts[i].to, peer_no(5 + i));
                assert_string_equal(casts[i].account, "acme");
                assert_string_equal(casts[i].key, "k");
        }
        answer_call(answerer, &b, 1, res);
        assert_int_equal(n_casts, 4);
        assert_string_equal(casts[3].account, "acme");
        assert_string_equal(casts[3].key, "");
        assert_null(restarted);
        full = peer_no(6);
        answer_call(answerer, &b, 1, res);
        assert_int_equal(n_casts, 5);
        assert_ptr_equal(restarted, peer_no(6)); /* it must ask anew */
        rig_text(no, 0, "status", "KEY_NOT_FOUND");
        for (int c = 1; c < 6; c++)
                assert_true(PQsetvalue(no, 0, c, NULL, -1));
        answer_call(answerer, &a, 1, no);
        assert_int_equal(n_casts, 5);
        ask_free(a);
        ask_free(b);
        PQclear(res);
        PQclear(no);
}

TEST(what_was_done_is_counted_and_what_was_refused_is_not) {
        struct ask *a = acking(1);
        PGresult *res = fine("acme"), *no = fine("acme");

        rig_text(no, 0, "status", "CURSOR_AHEAD");
        answer_call(answerer, &a, 1, res);
        answer_call(answerer, &a, 1, res);
        answer_call(answerer, &a, 1, no);
        assert_int_equal(counted[STAT_checkpoints], 2);
        assert_int_equal(counted[STAT_reconnects] + counted[STAT_replays], 0);
        assert_int_equal(n_casts, 0);
        ask_free(a);
        PQclear(res);
        PQclear(no);
}

static struct ask *sweeping(uint64_t id) {
        struct op_session_sweep m = { 0 };

        OP_SET(session_sweep, &m, account_id, SLICE("a"));
        OP_SET(session_sweep, &m, session_id, SLICE("s1"));
        OP_SET(session_sweep, &m, unanswered_ms, 1000);
        OP_SET(session_sweep, &m, silence_ms, 1000);
        OP_SET(session_sweep, &m, longest_ms, 1000);
        OP_SET(session_sweep, &m, retries, 1);
        OP_SET(session_sweep, &m, retry_base_ms, 100);
        OP_SET(session_sweep, &m, retry_cap_ms, 100);
        return rig_ask(id, OP_session_sweep, &m);
}

TEST(a_sweep_is_counted_by_its_result_and_its_events_are_told) {
        static const char *const results[] = { "kept", "retried", "ended" };
        struct ask *a = sweeping(1);
        char body[64];

        subs_add(subs, peer_no(2), SLICE("a"), SLICE("s1"), 7);
        for (size_t i = 0; i < COUNT(results); i++) {
                PGresult *res = opened(7 + (int64_t)i);

                (void)snprintf(body, sizeof body, "{\"ok\":true,\"result\":\"%s\"}", results[i]);
                rig_text(res, 0, "body", body);
                answer_call(answerer, &a, 1, res);
                PQclear(res);
        }
        assert_int_equal(n_casts, 2); /* nothing new when it was kept */
        assert_int_equal(casts[1].head, 9);

        PGresult *res = rig_result(6, reply_names);

        rig_text(res, 0, "status", "SESSION_NOT_FOUND");
        for (int c = 1; c < 6; c++)
                assert_true(PQsetvalue(res, 0, c, NULL, -1));
        answer_call(answerer, &a, 1, res);
        assert_int_equal(replies[1].status, STATUS_SESSION_NOT_FOUND);
        assert_string_equal(counted_words, "kept retried ended refused ");
        PQclear(res);
        ask_free(a);
}

TEST(an_answer_that_is_none_is_an_internal_error) {
        struct ask *a = stating(1);
        PGresult *res = rig_result(6, reply_names);

        answer_call(answerer, &a, 1, res); /* no row */
        assert_int_equal(replies[1].status, STATUS_INTERNAL);
        PQclear(res);
        res = opened(1);
        rig_text(res, 0, "status", "FINE");
        answer_call(answerer, &a, 1, res);
        assert_int_equal(replies[1].count, 2);
        assert_int_equal(replies[1].status, STATUS_INTERNAL);
        PQclear(res);
        ask_free(a);
}

static const char *const stored_names[] = { "status", "sequence", "event" };

static void stored_row(PGresult *res, int row, int64_t sequence, const char *event) {
        rig_text(res, row, "status", "OK");
        rig_int(res, row, "sequence", sequence, 8);
        assert_true(PQsetvalue(res, row, 2, (char *)(uintptr_t)event, (int)strlen(event)));
}

TEST(a_page_is_rows_and_what_does_not_fit_is_left_for_the_next) {
        static char big[100001];
        PGresult *res = rig_result(3, stored_names);
        struct op_event_read m = { 0 };
        struct op_event_stored e;
        struct ask *a;
        size_t at = 0;
        int64_t n = 0;

        memset(big, 'x', sizeof big - 1);
        OP_SET(event_read, &m, account_id, SLICE("a"));
        OP_SET(event_read, &m, actor_id, SLICE("u"));
        OP_SET(event_read, &m, actor_role, SLICE("owner"));
        OP_SET(event_read, &m, session_id, SLICE("s1"));
        OP_SET(event_read, &m, after_sequence, 0);
        a = rig_ask(1, OP_event_read, &m);
        answer_call(answerer, &a, 1, res);
        assert_int_equal(replies[1].status, STATUS_OK);
        assert_int_equal(replies[1].body.n, 0);
        for (int i = 0; i < 30; i++)
                stored_row(res, i, i + 1, big);
        answer_call(answerer, &a, 1, res);
        assert_int_equal(op_rows_check(buf_view(&replies[1].body), OP_event_stored, 30), 0);
        while (op_rows_next(buf_view(&replies[1].body), OP_event_stored, &at, &e))
                assert_int_equal(e.sequence, ++n);
        assert_in_range(n, 15, 29);
        rig_text(res, 0, "status", "SESSION_NOT_FOUND");
        answer_call(answerer, &a, 1, res);
        assert_int_equal(replies[1].status, STATUS_SESSION_NOT_FOUND);
        ask_free(a);
        PQclear(res);
}

TEST(errors_are_sorted_by_what_helps) {
        struct ask *a = stating(1);

        assert_int_equal(errors_what("40001"), ERRORS_AGAIN);
        assert_int_equal(errors_what("40P01"), ERRORS_AGAIN);
        assert_int_equal(errors_what("55P03"), ERRORS_AGAIN);
        assert_int_equal(errors_what("26000"), ERRORS_RECONNECT);
        assert_int_equal(errors_what("25006"), ERRORS_RECONNECT);
        assert_int_equal(errors_what("23505"), ERRORS_AGAIN);
        assert_int_equal(errors_what("23503"), ERRORS_FINAL);
        assert_int_equal(errors_status(a, &(struct failure){ "LO415", "" }), STATUS_SESSION_ENDED);
        assert_int_equal(errors_status(a, &(struct failure){ "40001", "" }), STATUS_BUSY);
        assert_int_equal(errors_status(a, &(struct failure){ "53100", "" }), STATUS_DATABASE_UNAVAILABLE);
        assert_int_equal(errors_status(a, &(struct failure){ "23505", "" }), STATUS_INTERNAL);
        ask_free(a);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(a_batch_deals_every_asker_his_own_rows, setup, teardown),
                cmocka_unit_test_setup_teardown(a_repeat_whose_first_answer_was_lost_is_told, setup, teardown),
                cmocka_unit_test_setup_teardown(rows_that_match_no_request_are_an_internal_error_and_publish_nothing,
                                                setup, teardown),
                cmocka_unit_test_setup_teardown(a_stream_opened_while_it_moved_on_hears_of_it_after_its_answer, setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(a_stream_of_a_peer_that_went_is_not_subscribed, setup, teardown),
                cmocka_unit_test_setup_teardown(a_refusal_carries_its_words_and_a_commit_its_head, setup, teardown),
                cmocka_unit_test_setup_teardown(a_changed_access_is_told_to_every_frontend_and_to_nobody_else, setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(what_was_done_is_counted_and_what_was_refused_is_not, setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(a_sweep_is_counted_by_its_result_and_its_events_are_told, setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(an_answer_that_is_none_is_an_internal_error, setup, teardown),
                cmocka_unit_test_setup_teardown(a_page_is_rows_and_what_does_not_fit_is_left_for_the_next, setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(errors_are_sorted_by_what_helps, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
