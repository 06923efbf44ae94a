/* turn_end.c - a turn's one end: everything is stored, the writer ends it, then everybody who waits is answered. */
#include "log.h"
#include "settings.h"
#include "stats.h"
#include "turn.h"

#define RETRY_MIN_MS 100u
#define RETRY_MAX_MS 2000u

void turn_answer(struct turn *t, enum status s, struct slice detail, struct slice body) {
        for (struct waiter *w = t->waiters; w != NULL; w = w->next)
                channel_reply(&w->request, s, detail, body);
        turn_free(t);
}

void turn_refuse(struct turn *t, enum status s) {
        stat_add_word(STAT_turns, "refused", 1);
        turn_answer(t, s, (struct slice){ 0 }, (struct slice){ 0 });
}

/* ---- how it ended ---- */

/* A turn that is stopped before its end costs what it cost, or stopping in time would be a way around every budget: the
 * gateway says how much only with the end, so it is guessed from the bytes. */
static void guess_tokens(struct turn *t) {
        const size_t bytes_per_token = 4;
        if (t->input_tokens > 0 || t->output_tokens > 0 || (t->heard == 0 && t->status != STATUS_TURN_CANCELLED))
                return;
        t->input_tokens = (int64_t)(t->told / bytes_per_token);
        t->output_tokens = (int64_t)(t->heard / bytes_per_token);
}

void turn_finish(struct turn *t, enum status how) {
        t->status = how;
        guess_tokens(t);
        t->done = text_mono_micros();
        if (t->asked == 0)
                t->asked = t->done;
        t->state = TURN_STORING;
        t->store_wait_ms = 0;
        turn_store(t);
}

static const char *outcome(const struct turn *t) {
        if (t->status == STATUS_OK && !t->plain)
                return t->incomplete ? "incomplete" : "completed";
        return t->status == STATUS_TURN_CANCELLED ? "cancelled" : "failed";
}

static int64_t ms(int64_t micros) {
        return micros < 0 ? 0 : micros / 1000;
}

static void put_times(const struct turn *t, struct op_turn_end *m) {
        int64_t capture = t->ask.capture_at_ms > 0 ? ms(t->ask.received) - t->ask.capture_at_ms : 0;
        capture = capture > 0 ? capture : 0;
        OP_SET(turn_end, m, capture_to_backend_ms, capture);
        OP_SET(turn_end, m, orchestrator_ms, ms(t->done - t->asked));
        OP_SET(turn_end, m, playback_start_ms, ms((t->first > 0 ? t->first : t->done) - t->arrived));
        OP_SET(turn_end, m, total_ms, capture + ms(t->done - t->arrived));
        OP_SET(turn_end, m, threshold_ms, setting_int(SETTING_turn_slo_ms));
}

static void put_answer(const struct turn *t, struct op_turn_end *m, struct slice proposals) {
        enum status code = t->status == STATUS_OK ? STATUS_AI_FAILED : t->status; /* only if plain */
        OP_SET(turn_end, m, outcome, slice_of(outcome(t)));
        if (t->status != STATUS_OK || t->plain) {
                OP_SET(turn_end, m, code, slice_of(status_row(code)->name));
                OP_SET(turn_end, m, message, slice_of(status_row(code)->text));
        }
        OP_SET(turn_end, m, text, buf_view(&t->shown));
        OP_SET(turn_end, m, speaker, slice_of(t->speaker));
        if (proposals.n > 2 && t->status == STATUS_OK && !t->plain)
                OP_SET(turn_end, m, proposals, proposals);
        if (t->response_id[0] != '\0')
                OP_SET(turn_end, m, response_id, slice_of(t->response_id));
        if (t->model[0] != '\0')
                OP_SET(turn_end, m, model, slice_of(t->model));
        OP_SET(turn_end, m, input_tokens, t->input_tokens);
        OP_SET(turn_end, m, output_tokens, t->output_tokens);
}

/* ---- asking the writer ---- */

static void count(const struct turn *t) {
        stat_add_word(STAT_turns, outcome(t), 1);
        if (ms(t->done - t->arrived) > setting_int(SETTING_turn_slo_ms))
                stat_add(STAT_turn_slo_breaches, 1);
        stat_add(STAT_ai_input_tokens, t->input_tokens);
        stat_add(STAT_ai_output_tokens, t->output_tokens);
}

static void again(struct turn *t, enum status s) {
        int64_t now = text_mono_micros();
        if (now - t->done >= END_PATIENCE_MS * INT64_C(1000)) {
                log_line(LOG_WARN,
                         &(struct log_fields){
                                 .op = "turn_end", .status = status_row(s)->name, .session = t->ask.session_id },
                         "a turn could not be ended; the sweep will");
                count(t);
                turn_answer(t, s, (struct slice){ 0 }, (struct slice){ 0 });
                return;
        }
        t->store_wait_ms = t->store_wait_ms == 0             ? RETRY_MIN_MS
                           : t->store_wait_ms < RETRY_MAX_MS ? t->store_wait_ms * 2
                                                             : RETRY_MAX_MS;
        turn_wake(t, (int64_t)t->store_wait_ms * 1000);
}

static void on_ended(void *arg, const struct answer *a) {
        struct turn *t = arg;
        t->calling = false;
        if (openclaw_unheard(a->status)) {
                again(t, a->status);
        } else if ((a->status == STATUS_INTERNAL || a->status == STATUS_INVALID_REQUEST) && !t->plain) {
                t->plain = true; /* what the model proposed cannot be stored: the turn ends all the same */
                turn_end(t);
        } else {
                count(t);
                if (a->status == STATUS_OK)
                        turn_say_ended(t, a->body);
                turn_answer(t, a->status, a->detail, a->body);
        }
}

void turn_end(struct turn *t) {
        struct op_turn_end m = { 0 };
        struct buf proposals;
        t->state = TURN_ENDING;
        ev_timer_stop(t->all->loop, &t->timer); /* of storing: one end is under way at a time */
        OP_SET(turn_end, &m, account_id, t->ask.account_id);
        OP_SET(turn_end, &m, session_id, t->ask.session_id);
        OP_SET(turn_end, &m, turn_id, t->ask.turn_id);
        OP_SET(turn_end, &m, runner, slice_of(t->all->runner));
        put_times(t, &m);
        buf_init(&proposals, PROPOSALS_MAX + 2);
        buf_char(&proposals, '[');
        buf_slice(&proposals, buf_view(&t->proposals));
        buf_char(&proposals, ']');
        t->plain |= t->proposals.over || proposals.over;
        put_answer(t, &m, buf_view(&proposals));
        if (op_check(OP_turn_end, &m) != 0 && !t->plain) {
                t->plain = true;
                m.present &= ~(UINT64_C(1) << OP_FIELD(turn_end, proposals));
                put_answer(t, &m, (struct slice){ 0 });
        }
        enum status s = channel_call(t->all->writer, OP_turn_end, &m, WRITER_TIMEOUT_MS, on_ended, t);
        t->calling = s == STATUS_OK;
        buf_free(&proposals);
        if (s != STATUS_OK)
                again(t, s);
}
