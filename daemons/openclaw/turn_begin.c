/* turn_begin.c - may this turn run? The writer says: now, not yet, or that it has ended before. */
#include "stats.h"
#include "turn.h"

#define PAUSE_MIN_MS 100u
#define PAUSE_MAX_MS 500u
#define PARSE_MAX    (24u << 20)

/* Not from inside whoever called: what walks over turns must find them again. */
static void refuse_later(struct turn *t, enum status s) {
        t->status = s;
        t->state = TURN_PAUSED;
        turn_wake(t, 0);
}

/* It has no place, and asks again after a while, or when the turn before it has ended. */
static void wait_more(struct turn *t, struct json reply) {
        struct slice running = { 0 };
        (void)json_str(json_get(reply, "running"), &running);
        bool itself = slice_eq(running, t->ask.turn_id); /* begun by a process that is gone, or about to be */
        int64_t left = t->until - text_mono_micros(), pause;
        if (t->all->drain_at != 0) {
                turn_refuse(t, STATUS_OPENCLAW_UNAVAILABLE);
                return;
        }
        if ((t->busy == BUSY_REFUSE && !itself) || left <= 0) {
                turn_refuse(t, STATUS_TURN_BUSY);
                return;
        }
        if (t->pause_ms == 0)
                turn_say_status(t, "loading", "Waiting for the turn before this one...", (struct slice){ 0 });
        t->pause_ms = t->pause_ms == 0                 ? PAUSE_MIN_MS
                      : t->pause_ms * 2 < PAUSE_MAX_MS ? t->pause_ms * 2
                                                       : PAUSE_MAX_MS;
        pause = t->lead ? (int64_t)t->pause_ms * 1000 : left;
        t->state = t->lead ? TURN_PAUSED : TURN_FOLLOWING;
        turn_wake(t, pause < left ? pause : left);
        place_aside(&t->all->places, &t->place);
}

static void ended_before(struct turn *t, struct json reply) {
        struct slice name = { 0 }, detail = { 0 };
        struct json answer = json_get(reply, "answer");
        (void)json_str(json_get(reply, "status"), &name);
        (void)json_str(json_get(reply, "message"), &detail);
        enum status s = status_by_name(name);
        struct slice body = json_type(answer) == JSON_OBJECT ? json_raw(answer) : (struct slice){ 0 };
        if (s >= STATUS_COUNT || (s == STATUS_OK && body.n == 0))
                turn_refuse(t, STATUS_INTERNAL);
        else
                turn_answer(t, s, detail, body);
}

static void run(struct turn *t, struct json reply) {
        int64_t stored = 0;
        (void)json_int(json_get(reply, "stored"), &stored);
        if (t->place.at != PLACE_IN) /* the turn before it ended while we asked */
                place_take(&t->all->places, &t->place);
        t->said = text_mono_micros();
        if (t->cancelled)
                turn_finish(t, STATUS_TURN_CANCELLED);
        else if (t->all->drain_at != 0 || stored > 0) /* half an answer is nothing to go on from */
                turn_finish(t, STATUS_TURN_INTERRUPTED);
        else
                turn_start(t, reply);
}

static void understood(struct turn *t, struct json reply) {
        struct slice state = { 0 };
        (void)json_str(json_get(reply, "state"), &state);
        if (slice_is(state, "run"))
                run(t, reply);
        else if (slice_is(state, "done"))
                ended_before(t, reply);
        else if (!slice_is(state, "wait"))
                turn_refuse(t, STATUS_INTERNAL);
        else if (t->cancelled || t->waiters == NULL)
                turn_refuse(t, STATUS_TURN_CANCELLED);
        else
                wait_more(t, reply);
}

static void on_begin(void *arg, const struct answer *a) {
        struct turn *t = arg;
        struct arena arena;
        struct json reply;
        const char *why;
        size_t at;
        t->calling = false;
        if (a->status != STATUS_OK) {
                stat_add_word(STAT_turns, "refused", 1);
                turn_answer(t, a->status, a->detail, a->body);
                return;
        }
        arena_init(&arena, PARSE_MAX);
        if (json_parse(a->body, &arena, &reply, &why, &at) != 0)
                turn_refuse(t, STATUS_INTERNAL);
        else
                understood(t, reply);
        arena_free(&arena);
}

void turn_begin(struct turn *t) {
        ev_timer_stop(t->all->loop, &t->timer);
        if (t->all->drain_at != 0) {
                refuse_later(t, STATUS_OPENCLAW_UNAVAILABLE);
                return;
        }
        t->state = TURN_ASKING;
        enum status s = channel_call(t->all->writer, OP_turn_begin, &t->ask, WRITER_TIMEOUT_MS, on_begin, t);
        t->calling = s == STATUS_OK;
        if (s != STATUS_OK)
                refuse_later(t, s);
}

void turn_waited(struct turn *t) {
        if (t->status != STATUS_OK) {
                turn_refuse(t, t->status);
        } else if (text_mono_micros() >= t->until) {
                turn_refuse(t, t->state == TURN_WAITING ? STATUS_TURN_QUEUE_FULL : STATUS_TURN_BUSY);
        } else if (t->state == TURN_PAUSED) {
                t->state = TURN_WAITING;
                turn_wake(t, t->until - text_mono_micros());
                place_want(&t->all->places, &t->place);
        } else {
                turn_wake(t, t->until - text_mono_micros());
        }
}
