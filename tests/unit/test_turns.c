/* test_turns.c - a turn's life: begun by the writer, told as it arrives, stored, ended exactly once, however it goes. */
#include "fake_turns.h"

#define RUN                                                                                                          \
        "{\"ok\":true,\"state\":\"run\",\"messageId\":\"msg_1\",\"history\":[{\"role\":\"user\",\"content\":\"Hi\"}" \
        ","                                                                                                          \
        "{\"role\":\"assistant\",\"content\":\"Yes?\",\"cut\":true}],\"outcomes\":[],\"stored\":0,"                  \
        "\"tokensLeft\":500,\"voice\":null}"
#define STORED "{\"ok\":true,\"stop\":false}"
#define DONE   "{\"ok\":true,\"events\":[]}"

static int start(void **state) {
        (void)state;
        fake_start();
        return 0;
}

static int stop(void **state) {
        (void)state;
        fake_stop();
        return 0;
}

static bool said(struct slice s, const char *text) {
        return s.n > 0 && memmem(s.p, s.n, text, strlen(text)) != NULL;
}

#define assert_said(buf_, text)                                                                                      \
        do {                                                                                                         \
                if (!said(buf_view(buf_), text))                                                                     \
                        fail_msg("no %s in %.*s", text, SLICE_FMT(buf_view(buf_)));                                  \
        } while (0)

static void streaming(struct op_turn_run *m) {
        OP_SET(turn_run, m, stream, true);
}

/* Until it runs. */
static struct gateway_ask *running(unsigned *ret_id) {
        *ret_id = fake_turn("s1", "t1", "Hello", streaming);
        fake_says(OP_turn_begin, STATUS_OK, RUN);
        assert_non_null(fake_asks);
        return fake_asks;
}

static const struct op_turn_end *ending(void) {
        return fake_next(OP_turn_end)->msg;
}

static void store_all(void) {
        while (fake_waiting(OP_turn_text))
                fake_says(OP_turn_text, STATUS_OK, STORED);
}

TEST(a_turn_is_begun_told_stored_ended_and_answered) {
        unsigned id;
        struct gateway_ask *a = running(&id);
        assert_int_equal(fake_stats[STAT_turns_running], 1);
        assert_said(&a->body, "\"max_output_tokens\":500");
        assert_said(&a->body, "\\\"text\\\":\\\"Yes?\\\",\\\"cutOff\\\":true");
        assert_said(&a->body, "The user now says:\\nHello\"");
        assert_said(&a->body, "propose_outreach_send");
        assert_said(&fake_events, "status||{\"type\":\"thinking\"");
        fake_delta(a, "Good ");
        fake_delta(a, "morning.");
        assert_said(&fake_events, "0:text.delta|Good|\n4:text.delta| morning.|\n");
        const struct op_turn_text *text = fake_next(OP_turn_text)->msg;
        assert_slice(text->text, "Good");
        fake_says(OP_turn_text, STATUS_OK, STORED);
        fake_end(a, STATUS_OK);
        text = fake_next(OP_turn_text)->msg;
        assert_int_equal(text->offset, 4);
        assert_slice(text->text, " morning.");
        assert_int_equal(fake_waiting(OP_turn_end), 0);
        fake_says(OP_turn_text, STATUS_OK, STORED);
        assert_slice(ending()->outcome, "completed");
        assert_slice(ending()->text, "Good morning.");
        assert_slice(ending()->response_id, "resp_1");
        assert_int_equal(ending()->input_tokens, 100);
        assert_int_equal(fake_replies[id].n, 0);
        fake_says(OP_turn_end, STATUS_OK, DONE);
        assert_int_equal(fake_replies[id].n, 1);
        assert_slice(buf_view(&fake_replies[id].body), DONE);
        assert_string_equal(fake_stat_word, "completed");
        assert_int_equal(fake_stats[STAT_turns_running], 0);
        assert_int_equal(fake_stats[STAT_ai_output_tokens], 20);
}

static void says_messages(struct op_turn_run *m) {
        OP_SET(turn_run, m, messages,
               SLICE("[{\"role\":\"user\",\"content\":\"one\"},{\"role\":\"assistant\",\"content\":\"two\"},"
                     "{\"role\":\"user\",\"content\":\" three \"}]"));
}

TEST(text_may_be_the_last_message_and_the_others_are_context_once) {
        fake_turn(NULL, NULL, NULL, says_messages);
        const struct op_turn_begin *m = fake_next(OP_turn_begin)->msg;
        assert_slice(m->text, "three");
        assert_true(m->chat);
        assert_memory_equal(m->session_id.p, "conv_", 5);
        assert_memory_equal(m->turn_id.p, "turn_", 5);
        assert_int_equal(m->turn_id.n, 37);
        fake_says(OP_turn_begin, STATUS_OK,
                  "{\"ok\":true,\"state\":\"run\",\"history\":[],\"outcomes\":[],\"stored\":0}");
        assert_said(&fake_asks->body, "\\\"text\\\":\\\"two\\\"");
        assert_said(&fake_asks->body, "max_output_tokens\":1200");
}

TEST(without_words_there_is_no_turn) {
        unsigned id = fake_turn("s1", "t1", " \n ", NULL);
        assert_int_equal(fake_replies[id].status, STATUS_INVALID_REQUEST);
        assert_string_equal(fake_replies[id].detail, "text is required");
        assert_null(fake_calls);
}

static void first_command(struct op_turn_run *m) {
        OP_SET(turn_run, m, command_id, SLICE("same"));
}

TEST(the_same_command_is_the_same_turn_and_both_are_answered) {
        unsigned a = fake_turn(NULL, NULL, "Hello", first_command), b = fake_turn(NULL, NULL, "Hello", first_command);
        assert_int_equal(fake_waiting(OP_turn_begin), 1);
        unsigned c = fake_turn(NULL, NULL, "Other words", first_command);
        assert_int_equal(fake_replies[c].status, STATUS_IDEMPOTENCY_CONFLICT);
        fake_says(OP_turn_begin, STATUS_OK, RUN);
        fake_end(fake_asks, STATUS_OK);
        fake_says(OP_turn_end, STATUS_OK, DONE);
        assert_int_equal(fake_replies[a].n, 1);
        assert_int_equal(fake_replies[b].n, 1);
}

TEST(who_joins_late_hears_what_was_said) {
        unsigned id;
        struct gateway_ask *a = running(&id);
        fake_delta(a, "Good morning");
        buf_clear(&fake_events);
        fake_turn("s1", "t1", "Hello", streaming);
        assert_slice(buf_view(&fake_events), "0:text.delta|Good morning|\n");
}

TEST(a_turn_that_ended_before_is_answered_as_it_was) {
        unsigned id = fake_turn("s1", "t1", "Hello", NULL);
        fake_says(OP_turn_begin, STATUS_OK,
                  "{\"ok\":true,\"state\":\"done\",\"status\":\"OK\",\"answer\":{\"a\":1}}");
        assert_int_equal(fake_replies[id].status, STATUS_OK);
        assert_slice(buf_view(&fake_replies[id].body), "{\"a\":1}");
        id = fake_turn("s1", "t2", "Hello", NULL);
        fake_says(OP_turn_begin, STATUS_OK,
                  "{\"ok\":true,\"state\":\"done\",\"status\":\"AI_TIMEOUT\",\"answer\":{\"b\":1}}");
        assert_int_equal(fake_replies[id].status, STATUS_AI_TIMEOUT);
        assert_slice(buf_view(&fake_replies[id].body), "{\"b\":1}");
        assert_null(fake_asks);
}

TEST(a_refusal_of_the_writer_is_the_answer) {
        unsigned id = fake_turn("s1", "t1", "Hello", NULL);
        fake_says(OP_turn_begin, STATUS_TURN_BUDGET_SPENT, "");
        assert_int_equal(fake_replies[id].status, STATUS_TURN_BUDGET_SPENT);
        id = fake_turn("s1", "t1", "Hello", NULL);
        fake_says(OP_turn_begin, STATUS_DATABASE_UNAVAILABLE, "");
        assert_int_equal(fake_replies[id].status, STATUS_DATABASE_UNAVAILABLE);
        fake_pass(60000);
        assert_null(fake_calls);
        fake_full = true;
        id = fake_turn("s1", "t1", "Hello", NULL);
        fake_pass(0);
        assert_int_equal(fake_replies[id].status, STATUS_BUSY);
}

#define WAIT "{\"ok\":true,\"state\":\"wait\"}"

/* ---- order ---- */

TEST(turns_of_a_conversation_run_one_after_the_other_in_order) {
        unsigned id;
        struct gateway_ask *a = running(&id);
        unsigned second = fake_turn("s1", "t2", "Two", NULL), third = fake_turn("s1", "t3", "Three", NULL);
        fake_says(OP_turn_begin, STATUS_OK, WAIT);
        fake_says(OP_turn_begin, STATUS_OK, WAIT);
        unsigned fourth = fake_turn("s1", "t4", "Four", NULL);
        assert_int_equal(fake_replies[fourth].status, STATUS_TURN_QUEUE_FULL);
        assert_int_equal(fake_stats[STAT_turns_waiting], 2);
        fake_end(a, STATUS_OK);
        fake_says(OP_turn_end, STATUS_OK, DONE);
        assert_int_equal(fake_waiting(OP_turn_begin), 1);
        assert_slice(((const struct op_turn_begin *)fake_next(OP_turn_begin)->msg)->turn_id, "t2");
        fake_says(OP_turn_begin, STATUS_OK, RUN);
        fake_end(fake_asks->next, STATUS_OK);
        fake_says(OP_turn_end, STATUS_OK, DONE);
        assert_slice(((const struct op_turn_begin *)fake_next(OP_turn_begin)->msg)->turn_id, "t3");
        assert_int_equal(fake_replies[second].n, 1);
        assert_int_equal(fake_replies[third].n, 0);
}

TEST(a_turn_that_ended_is_answered_while_another_runs) {
        unsigned id;
        running(&id);
        unsigned old = fake_turn("s1", "t0", "Old", NULL);
        fake_says(OP_turn_begin, STATUS_OK,
                  "{\"ok\":true,\"state\":\"done\",\"status\":\"OK\",\"answer\":{\"a\":1}}");
        assert_int_equal(fake_replies[old].status, STATUS_OK);
        assert_int_equal(fake_running(), 1);
}

static void refusing(struct op_turn_run *m) {
        OP_SET(turn_run, m, when_busy, SLICE("refuse"));
}

static void replacing(struct op_turn_run *m) {
        OP_SET(turn_run, m, when_busy, SLICE("replace"));
}

TEST(whoever_will_not_wait_hears_that_it_is_busy) {
        unsigned id;
        running(&id);
        id = fake_turn("s1", "t2", "Two", refusing);
        fake_says(OP_turn_begin, STATUS_OK, WAIT);
        assert_int_equal(fake_replies[id].status, STATUS_TURN_BUSY);
}

TEST(a_turn_whose_own_process_died_is_waited_for_whatever_its_rule) {
        unsigned id = fake_turn("s1", "t1", "Hello", refusing);
        fake_says(OP_turn_begin, STATUS_OK, "{\"ok\":true,\"state\":\"wait\",\"running\":\"t1\"}");
        assert_int_equal(fake_replies[id].n, 0);
        fake_pass(100);
        fake_says(OP_turn_begin, STATUS_OK, RUN);
        assert_int_equal(fake_running(), 1);
}

TEST(a_replacing_turn_has_the_running_one_stopped_and_comes_first) {
        unsigned first, second, third;
        struct gateway_ask *a = running(&first);
        fake_delta(a, "So far");
        fake_says(OP_turn_text, STATUS_OK, STORED);
        second = fake_turn("s1", "t2", "Two", NULL);
        fake_says(OP_turn_begin, STATUS_OK, WAIT);
        third = fake_turn("s1", "t3", "Three", replacing);
        const struct op_turn_begin *begin = fake_next(OP_turn_begin)->msg;
        assert_true(begin->replace);
        fake_says(OP_turn_begin, STATUS_OK, WAIT);
        struct op_turn_stopped m = { 0 };
        struct request r = { .op = OP_turn_stopped, .msg = &m };
        OP_SET(turn_stopped, &m, account_id, SLICE("acme"));
        OP_SET(turn_stopped, &m, session_id, SLICE("s1"));
        OP_SET(turn_stopped, &m, turn_id, SLICE("t1"));
        turns_stopped(fake_turns, &r);
        assert_true(a->cancelled);
        assert_slice(ending()->outcome, "cancelled");
        assert_slice(ending()->code, "TURN_CANCELLED");
        fake_says(OP_turn_end, STATUS_TURN_CANCELLED, "{\"turnId\":\"t1\"}");
        assert_int_equal(fake_replies[first].status, STATUS_TURN_CANCELLED);
        assert_slice(((const struct op_turn_begin *)fake_next(OP_turn_begin)->msg)->turn_id, "t3");
        assert_int_equal(fake_replies[second].n + fake_replies[third].n, 0);
}

TEST(a_turn_that_runs_elsewhere_is_waited_for_until_the_time_is_over) {
        unsigned id = fake_turn("s1", "t1", "Hello", NULL);
        for (int i = 0; i < 3; i++) {
                fake_says(OP_turn_begin, STATUS_OK, WAIT);
                assert_int_equal(fake_stats[STAT_turns_running], 0);
                assert_int_equal(fake_waiting(OP_turn_begin), 0);
                fake_pass(500);
        }
        fake_says(OP_turn_begin, STATUS_OK, WAIT);
        fake_pass(20000);
        assert_int_equal(fake_replies[id].status, STATUS_TURN_BUSY);
        assert_int_equal(fake_stats[STAT_turns_waiting], 0);
}

TEST(no_more_run_at_once_than_may_and_no_more_wait) {
        unsigned id[5];
        char name[8];
        fake_stop();
        fake_start();
        turns_free(fake_turns);
        fake_settings[SETTING_openclaw_turns_max] = 2;
        fake_settings[SETTING_openclaw_waiting_max] = 2;
        fake_turns = turns_new(fake_loop, NULL, fake_writer, "run_one");
        for (unsigned i = 0; i < 5; i++) {
                snprintf(name, sizeof name, "s%u", i);
                id[i] = fake_turn(name, "t", "Hello", NULL);
        }
        assert_int_equal(fake_replies[id[4]].status, STATUS_TURN_QUEUE_FULL);
        assert_int_equal(fake_waiting(OP_turn_begin), 2);
        fake_says(OP_turn_begin, STATUS_OK, RUN);
        fake_says(OP_turn_begin, STATUS_OK, RUN);
        assert_int_equal(fake_waiting(OP_turn_begin), 0);
        fake_end(fake_asks, STATUS_OK);
        fake_says(OP_turn_end, STATUS_OK, DONE);
        assert_slice(((const struct op_turn_begin *)fake_next(OP_turn_begin)->msg)->session_id, "s2");
        fake_pass(20000);
        assert_int_equal(fake_replies[id[3]].status, STATUS_TURN_QUEUE_FULL);
}

static void of_another(struct op_turn_run *m) {
        OP_SET(turn_run, m, account_id, SLICE("beta"));
}

TEST(a_tenant_that_fills_the_queue_keeps_no_other_out_and_has_its_turn_with_them) {
        char name[8];
        unsigned id[17];
        fake_stop();
        fake_start();
        turns_free(fake_turns);
        fake_settings[SETTING_openclaw_turns_max] = 1;
        fake_settings[SETTING_openclaw_waiting_max] = 16;
        fake_turns = turns_new(fake_loop, NULL, fake_writer, "run_one");
        for (unsigned i = 0; i < 16; i++) {
                snprintf(name, sizeof name, "s%u", i);
                id[i] = fake_turn(name, "t", "Hello", NULL);
        }
        assert_int_equal(fake_replies[id[14]].n, 0);
        assert_int_equal(fake_replies[id[15]].status, STATUS_TURN_QUEUE_FULL);
        id[16] = fake_turn("theirs", "t", "Hello", of_another);
        assert_int_equal(fake_replies[id[16]].n, 0);
        fake_says(OP_turn_begin, STATUS_OK, RUN);
        fake_end(fake_asks, STATUS_OK);
        fake_says(OP_turn_end, STATUS_OK, DONE);
        assert_slice(((const struct op_turn_begin *)fake_next(OP_turn_begin)->msg)->session_id, "theirs");
}

TEST(a_free_place_goes_to_the_tenant_that_has_the_fewest) {
        fake_stop();
        fake_start();
        turns_free(fake_turns);
        fake_settings[SETTING_openclaw_turns_max] = 2;
        fake_turns = turns_new(fake_loop, NULL, fake_writer, "run_one");
        fake_turn("s0", "t", "Hello", NULL);
        fake_turn("s1", "t", "Hello", NULL);
        fake_turn("s2", "t", "Hello", NULL);
        fake_turn("theirs", "t", "Hello", of_another);
        fake_says(OP_turn_begin, STATUS_OK, RUN);
        fake_says(OP_turn_begin, STATUS_OK, RUN);
        fake_end(fake_asks, STATUS_OK);
        fake_says(OP_turn_end, STATUS_OK, DONE);
        assert_slice(((const struct op_turn_begin *)fake_next(OP_turn_begin)->msg)->session_id, "theirs");
}

/* ---- ends ---- */

TEST(who_leaves_takes_his_turn_with_him_unless_another_waits) {
        unsigned id;
        struct gateway_ask *a = running(&id);
        fake_turn("s1", "t1", "Hello", NULL);
        fake_left("c1");
        assert_false(a->cancelled);
        fake_left("c2");
        assert_true(a->cancelled);
        assert_slice(ending()->outcome, "cancelled");
        fake_says(OP_turn_end, STATUS_TURN_CANCELLED, "{}");
        assert_int_equal(fake_replies[id].n, 0);
        fake_turn("s1", "t2", "Hello", NULL);
        fake_left("c3");
        fake_says(OP_turn_begin, STATUS_OK, RUN); /* it was begun: it is ended */
        assert_slice(ending()->outcome, "cancelled");
}

TEST(who_left_one_frontend_still_waits_at_another) {
        unsigned id;
        struct gateway_ask *a = running(&id);
        fake_asking = fake_other;
        fake_left("c1");
        assert_false(a->cancelled);
        fake_asking = fake_front;
        fake_left("c1");
        assert_true(a->cancelled);
}

TEST(a_turn_that_began_is_finished_when_its_frontend_is_lost_and_waits_for_who_asks_again) {
        unsigned id, again;
        struct gateway_ask *a = running(&id);
        fake_delta(a, "Good");
        turns_down(fake_turns, fake_front);
        assert_false(a->cancelled);
        again = fake_turn("s1", "t1", "Hello", NULL);
        fake_end(a, STATUS_OK);
        store_all();
        assert_slice(ending()->outcome, "completed");
        fake_says(OP_turn_end, STATUS_OK, DONE);
        assert_int_equal(fake_replies[id].n, 0);
        assert_int_equal(fake_replies[again].n, 1);
        assert_int_equal(fake_replies[again].status, STATUS_OK);
}

TEST(a_turn_that_had_not_begun_goes_with_its_frontend) {
        fake_turn("s1", "t1", "Hello", NULL);
        turns_down(fake_turns, fake_front);
        fake_says(OP_turn_begin, STATUS_OK, "{\"ok\":true,\"state\":\"wait\",\"running\":\"t0\"}");
        assert_int_equal(fake_stats[STAT_turns_running] + fake_stats[STAT_turns_waiting], 0);
        fake_turn("s1", "t2", "Hello", NULL);
        turns_down(fake_turns, fake_front);
        fake_says(OP_turn_begin, STATUS_OK, RUN); /* it has: it is finished */
        assert_false(fake_asks->cancelled);
        fake_end(fake_asks, STATUS_OK);
        fake_says(OP_turn_end, STATUS_OK, DONE);
        assert_null(fake_calls);
}

TEST(the_writer_may_say_stop_with_any_answer) {
        unsigned id;
        struct gateway_ask *a = running(&id);
        fake_delta(a, "So far");
        fake_says(OP_turn_text, STATUS_OK, "{\"ok\":true,\"stop\":true}");
        assert_true(a->cancelled);
        assert_slice(ending()->text, "So far");
}

TEST(a_failure_has_its_code_and_the_writers_answer_is_passed_on) {
        static const enum status ends[] = { STATUS_AI_CUT_OFF,  STATUS_AI_TIMEOUT,     STATUS_AI_GARBLED,
                                            STATUS_AI_TOO_MUCH, STATUS_AI_UNREACHABLE, STATUS_AI_RATE_LIMITED };
        for (size_t i = 0; i < COUNT(ends); i++) {
                fake_stop();
                fake_start();
                unsigned id;
                struct gateway_ask *a = running(&id);
                fake_delta(a, "Well, [UI:MODE_ACTIVATE mode=\"cv\"]");
                store_all();
                fake_end(a, ends[i]);
                assert_slice(ending()->outcome, "failed");
                assert_slice(ending()->code, status_row(ends[i])->name);
                assert_slice(ending()->text, "Well,");
                assert_false(OP_HAS(turn_end, ending(), proposals));
                fake_says(OP_turn_end, ends[i], "{\"turnId\":\"t1\"}");
                assert_int_equal(fake_replies[id].status, ends[i]);
                assert_slice(buf_view(&fake_replies[id].body), "{\"turnId\":\"t1\"}");
        }
}

TEST(a_gateway_that_cannot_be_asked_ends_the_turn_it_was_begun_for) {
        unsigned id = fake_turn("s1", "t1", "Hello", NULL);
        fake_gateway_status = STATUS_AI_NOT_CONFIGURED;
        fake_says(OP_turn_begin, STATUS_OK, RUN);
        assert_slice(ending()->code, "AI_NOT_CONFIGURED");
        fake_says(OP_turn_end, STATUS_AI_NOT_CONFIGURED, "{}");
        assert_int_equal(fake_replies[id].status, STATUS_AI_NOT_CONFIGURED);
}

TEST(the_end_is_repeated_while_the_writer_is_away_and_given_up_some_time) {
        unsigned id;
        struct gateway_ask *a = running(&id);
        fake_end(a, STATUS_OK);
        fake_says(OP_turn_end, STATUS_WRITER_UNAVAILABLE, "");
        fake_pass(1000);
        fake_says(OP_turn_end, STATUS_DATABASE_UNAVAILABLE, "");
        fake_pass(2000);
        assert_int_equal(fake_replies[id].n, 0);
        fake_pass(30000);
        fake_says(OP_turn_end, STATUS_BUSY, "");
        assert_int_equal(fake_replies[id].status, STATUS_BUSY);
        assert_int_equal(fake_stats[STAT_turns_running], 0);
}

TEST(the_end_is_asked_for_once_however_long_it_takes) {
        unsigned id;
        struct gateway_ask *a = running(&id);
        fake_delta(a, "Hello");
        store_all();
        fake_delta(a, " you");
        fake_pass(100);
        store_all();
        fake_end(a, STATUS_OK);
        fake_pass(6000);
        fake_pass(6000);
        assert_int_equal(fake_waiting(OP_turn_end), 1);
        fake_says(OP_turn_end, STATUS_OK, DONE);
        assert_int_equal(fake_replies[id].n, 1);
}

TEST(proposals_that_cannot_be_stored_do_not_keep_the_turn_from_ending) {
        unsigned id;
        struct gateway_ask *a = running(&id);
        fake_delta(a, "[UI:DELIVERABLE_CV]{\"a\":1}[/UI]Here.");
        store_all();
        fake_end(a, STATUS_OK);
        fake_says(OP_turn_end, STATUS_INTERNAL, "");
        assert_slice(ending()->outcome, "failed");
        assert_slice(ending()->code, "AI_FAILED");
        assert_false(OP_HAS(turn_end, ending(), proposals));
        fake_says(OP_turn_end, STATUS_AI_FAILED, "{}");
        assert_int_equal(fake_replies[id].status, STATUS_AI_FAILED);
}

/* ---- storing ---- */

TEST(pieces_are_stored_one_at_a_time_and_not_too_often) {
        unsigned id;
        struct gateway_ask *a = running(&id);
        fake_delta(a, "a");
        fake_delta(a, "b");
        fake_delta(a, "c");
        assert_int_equal(fake_waiting(OP_turn_text), 1);
        fake_says(OP_turn_text, STATUS_OK, STORED);
        assert_int_equal(fake_waiting(OP_turn_text), 0);
        fake_delta(a, "d");
        assert_int_equal(fake_waiting(OP_turn_text), 0);
        fake_pass(100);
        const struct op_turn_text *m = fake_next(OP_turn_text)->msg;
        assert_int_equal(m->offset, 1);
        assert_slice(m->text, "bcd");
        fake_says(OP_turn_text, STATUS_WRITER_UNAVAILABLE, "");
        fake_pass(50);
        m = fake_next(OP_turn_text)->msg;
        assert_int_equal(m->offset, 1);
        assert_slice(m->text, "bcd");
}

TEST(a_silent_turn_gives_signs_of_life) {
        unsigned id;
        running(&id);
        fake_pass(4000);
        assert_int_equal(fake_waiting(OP_turn_text), 0);
        fake_pass(1000);
        const struct op_turn_text *m = fake_next(OP_turn_text)->msg;
        assert_false(OP_HAS(turn_text, m, text));
        assert_int_equal(m->lease_ms, 15000);
        fake_says(OP_turn_text, STATUS_OK, STORED);
        fake_pass(5000);
        assert_int_equal(fake_waiting(OP_turn_text), 1);
}

TEST(a_turn_that_another_process_has_ended_is_given_up) {
        unsigned id;
        struct gateway_ask *a = running(&id);
        fake_delta(a, "So far");
        fake_says(OP_turn_text, STATUS_TURN_INTERRUPTED, "");
        assert_true(a->cancelled);
        assert_slice(ending()->code, "TURN_INTERRUPTED");
        fake_says(OP_turn_end, STATUS_TURN_INTERRUPTED, "{\"turnId\":\"t1\"}");
        assert_int_equal(fake_replies[id].status, STATUS_TURN_INTERRUPTED);
}

TEST(half_an_answer_of_ours_is_not_gone_on_from) {
        unsigned id = fake_turn("s1", "t1", "Hello", NULL);
        (void)id;
        fake_says(OP_turn_begin, STATUS_OK, "{\"ok\":true,\"state\":\"run\",\"stored\":5}");
        assert_null(fake_asks);
        assert_slice(ending()->code, "TURN_INTERRUPTED");
}

/* A killed process asks nobody anything; the next one asks under its own name, and gets the turn or its end. */
TEST(the_next_process_takes_the_turn_over) {
        unsigned id;
        running(&id);
        turns_free(fake_turns);
        fake_turns = turns_new(fake_loop, NULL, fake_writer, "run_two");
        assert_int_equal(fake_waiting(OP_turn_text) + fake_waiting(OP_turn_end), 0);
        id = fake_turn("s1", "t1", "Hello", NULL);
        const struct op_turn_begin *m = fake_next(OP_turn_begin)->msg;
        assert_slice(m->runner, "run_two");
        assert_slice(m->turn_id, "t1");
        fake_says(OP_turn_begin, STATUS_OK, RUN);
        fake_end(fake_asks->next, STATUS_OK);
        assert_slice(ending()->runner, "run_two");
        fake_says(OP_turn_end, STATUS_OK, DONE);
        assert_int_equal(fake_replies[id].status, STATUS_OK);
}

/* ---- proposals ---- */

TEST(tags_and_calls_become_proposals_in_order) {
        const struct gateway_call calls[] = {
                { SLICE("propose_cv"), SLICE("{\"instructions\":\"short\"}") },
                { SLICE("rm_rf"), SLICE("{}") },
        };
        unsigned id;
        struct gateway_ask *a = running(&id);
        fake_delta(a, "[UI:SPEAKER_CHANGE speaker=\"mariana\"]Hi[UI:MODE_ACTIVATE mode=\"cv\"]");
        fake_delta(a, "[UI:CONFIRM_REQUIRED actionId=\"x\" message=\"Send?\"]");
        assert_said(&fake_events, "speaker.change||{\"speaker\":\"mariana\"}\n0:text.delta|Hi|\nmode.activate||"
                                  "{\"mode\":\"cv\",\"context\":{}}\n");
        assert_false(said(buf_view(&fake_events), "confirm.required"));
        store_all();
        fake_end_calls(a, calls, 2);
        assert_slice(ending()->speaker, "mariana");
        assert_slice(
                ending()->proposals,
                "[{\"kind\":\"speaker\",\"speaker\":\"mariana\",\"uiEvent\":{\"type\":\"speaker.change\",\"payload\":"
                "{\"speaker\":\"mariana\"}}},{\"kind\":\"mode\",\"activate\":true,\"mode\":\"cv\",\"uiEvent\":{"
                "\"type\":\"mode.activate\",\"payload\":{\"mode\":\"cv\",\"context\":{}}}},{\"kind\":\"confirm\","
                "\"actionId\":\"x\",\"message\":\"Send?\",\"uiEvent\":{\"type\":\"confirm.required\",\"payload\":{"
                "\"actionId\":\"x\",\"message\":\"Send?\",\"riskTier\":\"high-risk-external-send\",\"timeout\":30000"
                "}}},{\"kind\":\"action\",\"actionType\":\"cv.generate\",\"arguments\":{\"instructions\":\"short\"},"
                "\"summary\":\"write a CV from what is known of the candidate\"},{\"kind\":\"action\",\"actionType\""
                ":\"rm_rf\",\"arguments\":{},\"summary\":\"rm_rf\"}]");
        fake_says(
                OP_turn_end, STATUS_OK,
                "{\"ok\":true,\"events\":[{\"type\":\"mode.activate\",\"payload\":{}},{\"type\":\"confirm.required\","
                "\"payload\":{\"actionId\":\"x\",\"confirmationToken\":\"c\"}}]}");
        assert_said(&fake_events, "confirm.required||{\"actionId\":\"x\",\"confirmationToken\":\"c\"}\n");
}

/* ---- the end of the process; many at once ---- */

TEST(told_to_stop_the_waiting_are_refused_and_the_running_may_finish_for_a_while) {
        unsigned id, second;
        struct gateway_ask *a = running(&id);
        second = fake_turn("s1", "t2", "Two", NULL);
        fake_says(OP_turn_begin, STATUS_OK, WAIT);
        assert_false(turns_drain(fake_turns));
        assert_int_equal(fake_replies[second].status, STATUS_OPENCLAW_UNAVAILABLE);
        assert_false(a->cancelled);
        fake_pass(8000);
        assert_false(turns_drain(fake_turns));
        assert_true(a->cancelled);
        store_all();
        assert_slice(ending()->code, "TURN_INTERRUPTED");
        fake_says(OP_turn_end, STATUS_TURN_INTERRUPTED, "{}");
        assert_true(turns_drain(fake_turns));
}

TEST(two_hundred_turns_of_two_thousand_deltas_stay_within_bounds) {
        unsigned id[200];
        char name[16];
        fake_settings[SETTING_openclaw_turns_max] = 200;
        turns_free(fake_turns);
        fake_turns = turns_new(fake_loop, NULL, fake_writer, "run_one");
        for (unsigned i = 0; i < 200; i++) {
                snprintf(name, sizeof name, "s%u", i);
                id[i] = fake_turn(name, "t", "Hello", NULL);
                fake_says(OP_turn_begin, STATUS_OK, RUN);
        }
        assert_int_equal(fake_running(), 200);
        for (unsigned n = 0; n < 2000; n++)
                for (struct gateway_ask *a = fake_asks; a; a = a->next)
                        fake_delta(a, "0123456 ");
        assert_int_equal(fake_waiting(OP_turn_text), 200); /* one each, whatever came */
        for (struct gateway_ask *a = fake_asks; a; a = a->next)
                fake_end(a, STATUS_OK);
        store_all();
        assert_int_equal(fake_waiting(OP_turn_end), 200);
        while (fake_waiting(OP_turn_end))
                fake_says(OP_turn_end, STATUS_OK, DONE);
        for (unsigned i = 0; i < 200; i++)
                assert_int_equal(fake_replies[id[i]].status, STATUS_OK);
        assert_int_equal(fake_stats[STAT_turns_running], 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void) {
        const struct CMUnitTest tests[] = {
                T(a_turn_is_begun_told_stored_ended_and_answered),
                T(text_may_be_the_last_message_and_the_others_are_context_once),
                T(without_words_there_is_no_turn),
                T(the_same_command_is_the_same_turn_and_both_are_answered),
                T(who_joins_late_hears_what_was_said),
                T(a_turn_that_ended_before_is_answered_as_it_was),
                T(a_refusal_of_the_writer_is_the_answer),
                T(turns_of_a_conversation_run_one_after_the_other_in_order),
                T(a_turn_that_ended_is_answered_while_another_runs),
                T(whoever_will_not_wait_hears_that_it_is_busy),
                T(a_turn_whose_own_process_died_is_waited_for_whatever_its_rule),
                T(a_replacing_turn_has_the_running_one_stopped_and_comes_first),
                T(a_turn_that_runs_elsewhere_is_waited_for_until_the_time_is_over),
                T(no_more_run_at_once_than_may_and_no_more_wait),
                T(a_tenant_that_fills_the_queue_keeps_no_other_out_and_has_its_turn_with_them),
                T(a_free_place_goes_to_the_tenant_that_has_the_fewest),
                T(who_leaves_takes_his_turn_with_him_unless_another_waits),
                T(who_left_one_frontend_still_waits_at_another),
                T(a_turn_that_began_is_finished_when_its_frontend_is_lost_and_waits_for_who_asks_again),
                T(a_turn_that_had_not_begun_goes_with_its_frontend),
                T(the_writer_may_say_stop_with_any_answer),
                T(a_failure_has_its_code_and_the_writers_answer_is_passed_on),
                T(a_gateway_that_cannot_be_asked_ends_the_turn_it_was_begun_for),
                T(the_end_is_repeated_while_the_writer_is_away_and_given_up_some_time),
                T(the_end_is_asked_for_once_however_long_it_takes),
                T(proposals_that_cannot_be_stored_do_not_keep_the_turn_from_ending),
                T(pieces_are_stored_one_at_a_time_and_not_too_often),
                T(a_silent_turn_gives_signs_of_life),
                T(a_turn_that_another_process_has_ended_is_given_up),
                T(half_an_answer_of_ours_is_not_gone_on_from),
                T(the_next_process_takes_the_turn_over),
                T(tags_and_calls_become_proposals_in_order),
                T(told_to_stop_the_waiting_are_refused_and_the_running_may_finish_for_a_while),
                T(two_hundred_turns_of_two_thousand_deltas_stay_within_bounds),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
