/* turn_store.c - the answer becomes durable while it arrives: one piece under way at a time, never faster than asked. */
#include "settings.h"
#include "turn.h"

#define FAILED_WAIT_MAX_MS 1000u

static void on_stored(void *arg, const struct answer *a);

static void send(struct turn *t, int64_t now) {
        struct op_turn_text m = { 0 };
        int64_t n = (int64_t)t->shown.n - t->stored;
        OP_SET(turn_text, &m, account_id, t->ask.account_id);
        OP_SET(turn_text, &m, session_id, t->ask.session_id);
        OP_SET(turn_text, &m, turn_id, t->ask.turn_id);
        OP_SET(turn_text, &m, runner, slice_of(t->all->runner));
        OP_SET(turn_text, &m, lease_ms, LEASE_MS);
        OP_SET(turn_text, &m, offset, t->stored);
        if (n > 0)
                OP_SET(turn_text, &m, text, ((struct slice){ t->shown.p + t->stored, (uint32_t)n }));
        t->said = now;
        t->store_at = now + setting_int(SETTING_turn_store_ms) * 1000;
        t->storing = n;
        t->calling = channel_call(t->all->writer, OP_turn_text, &m, WRITER_TIMEOUT_MS, on_stored, t) == STATUS_OK;
        if (!t->calling)
                turn_wake(t, t->store_at - now);
}

void turn_store(struct turn *t) {
        int64_t now = text_mono_micros(), life_at = t->said + LIFE_MS * INT64_C(1000);
        bool left = (int64_t)t->shown.n > t->stored && !t->lost;
        if (t->calling)
                return;
        if (t->state == TURN_STORING && left && now - t->done >= END_PATIENCE_MS * INT64_C(1000))
                left = false; /* the end carries the whole text as well */
        if (t->state == TURN_STORING && !left) {
                turn_end(t);
                return;
        }
        int64_t due = left && t->store_at < life_at ? t->store_at : life_at;
        if (left && t->state == TURN_STORING && t->store_wait_ms == 0)
                due = now;
        if (now >= due)
                send(t, now);
        else
                turn_wake(t, due - now);
}

static bool wants_stop(struct slice body) {
        struct arena a;
        struct json reply;
        const char *why;
        size_t at;
        bool stop = false;
        arena_init(&a, 1u << 16);
        if (json_parse(body, &a, &reply, &why, &at) == 0)
                (void)json_bool(json_get(reply, "stop"), &stop);
        arena_free(&a);
        return stop;
}

static void not_stored(struct turn *t, enum status s) {
        if (!openclaw_unheard(s)) { /* somebody else has ended it: what its client hears, turn_end says */
                t->lost = true;
                if (t->state == TURN_RUNNING)
                        turn_cancel(t, STATUS_TURN_INTERRUPTED);
                else
                        turn_store(t);
                return;
        }
        t->store_wait_ms = t->store_wait_ms == 0 ? 50 : t->store_wait_ms * 2;
        if (t->store_wait_ms > FAILED_WAIT_MAX_MS)
                t->store_wait_ms = FAILED_WAIT_MAX_MS;
        t->store_at = text_mono_micros() + (int64_t)t->store_wait_ms * 1000;
        if (t->said > t->store_at - LIFE_MS * INT64_C(1000))
                t->said =
                        t->store_at - LIFE_MS * INT64_C(1000); /* a sign of life that failed is tried again as soon */
        turn_store(t);
}

static void on_stored(void *arg, const struct answer *a) {
        struct turn *t = arg;
        t->calling = false;
        if (a->status != STATUS_OK) {
                not_stored(t, a->status);
                return;
        }
        t->store_wait_ms = 0;
        t->stored += t->storing;
        if (t->state == TURN_RUNNING && wants_stop(a->body))
                turn_cancel(t, STATUS_TURN_CANCELLED);
        else
                turn_store(t);
}
