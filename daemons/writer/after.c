/* after.c - a row per op that has consequences. */
#include "after.h"

#include <stdio.h>

#include "json.h"
#include "plan.h"
#include "stats.h"

/* A reply that stops a turn holds little more than two ids. */
#define STOP_MAX 1024u

static const struct {
        const char *stops; /* the member that names the turn which, if "stopped", its runner is to end */
        enum stat_id counter;
        bool counts;  /* a good end */
        bool results; /* by the word in the reply's `result` */
        bool access;  /* a good end changes what somebody may do */
        bool action;  /* answers a request for an action: executed, failed, blocked or refused */
} after[OP_COUNT] = {
        [OP_session_reconnect] = { .counts = true, .counter = STAT_reconnects },
        [OP_checkpoint] = { .counts = true, .counter = STAT_checkpoints },
        [OP_event_replay] = { .counts = true, .counter = STAT_replays },
        [OP_event_read] = { .counts = true, .counter = STAT_replays },
        [OP_session_sweep] = { .results = true, .counter = STAT_sweeps }, /* the one-shot does not live to report */
        [OP_account_set] = { .access = true },
        [OP_key_revoke] = { .access = true },
        [OP_action_execute] = { .action = true },
        [OP_action_confirm] = { .action = true },
        [OP_action_end] = { .action = true },
        [OP_turn_stop] = { .stops = "turnId" },
        [OP_turn_begin] = { .stops = "running" },
};

/* A frontend that cannot be told now must not go on as if nothing had happened: with a new connection it asks again for
 * every stream it follows. */
static void tell_access(struct hub *hub, const struct ask *a, struct slice account) {
        struct op_access_changed m = { 0 };
        const struct opdesc *d = plan_of(a->op)->desc;
        int key = op_field(d, "key_id");

        OP_SET(access_changed, &m, account_id, account);
        if (key >= 0)
                OP_SET(access_changed, &m, key_id, op_get_slice(d, key, a->msg));
        for (struct channel *c = NULL; (c = hub_next(hub, c));)
                if (channel_kind(c) == FRONTEND && !channel_cast(c, OP_access_changed, &m))
                        channel_restart(c, "it could not be told whose access changed");
}

/* The turn that this reply stops, in the arena. */
static bool stopped_turn(const char *member, struct slice body, struct arena *a, struct slice *ret) {
        struct json doc;
        const char *why;
        bool stopped;
        size_t at;

        return body.n <= STOP_MAX && json_parse(body, a, &doc, &why, &at) == 0 &&
               json_bool(json_get(doc, "stopped"), &stopped) && stopped && json_str(json_get(doc, member), ret);
}

/* Who cannot be told now hears of it with the next words he stores. */
static void tell_stopped(struct hub *hub, const char *member, const struct rows_reply *r) {
        struct op_turn_stopped m = { 0 };
        struct arena arena;
        struct slice turn;

        arena_init(&arena, 65536);
        if (stopped_turn(member, r->body, &arena, &turn)) {
                OP_SET(turn_stopped, &m, account_id, r->account);
                OP_SET(turn_stopped, &m, session_id, r->session);
                OP_SET(turn_stopped, &m, turn_id, turn);
                for (struct channel *c = NULL; (c = hub_next(hub, c));)
                        if (channel_kind(c) == OPENCLAW)
                                (void)channel_cast(c, OP_turn_stopped, &m);
        }
        arena_free(&arena);
}

static void count_result(enum stat_id counter, const struct rows_reply *r) {
        static const char *const results[] = { "kept", "retried", "ended" };
        const char *word = "refused";
        char body[64];

        for (size_t i = 0; i < sizeof results / sizeof *results; i++) {
                (void)snprintf(body, sizeof body, "{\"ok\":true,\"result\":\"%s\"}", results[i]);
                if (r->status == STATUS_OK && slice_is(r->body, body))
                        word = results[i];
        }
        stat_add_word(counter, word, 1);
}

/* One that is pending is counted when it ends. */
static void count_action(const struct rows_reply *r) {
        static const char pending[] = "{\"ok\":true,\"pending\":true";
        bool waits = r->body.n >= sizeof pending - 1 && memcmp(r->body.p, pending, sizeof pending - 1) == 0;

        if (r->status == STATUS_OK && waits)
                return;
        stat_add_word(STAT_actions,
                      r->status == STATUS_OK                        ? "executed"
                      : r->status == STATUS_SAFETY_BLOCKED          ? "blocked"
                      : r->status == STATUS_ACTION_EXECUTION_FAILED ? "failed"
                                                                    : "refused",
                      1);
}

void after_answer(struct hub *hub, const struct ask *a, const struct rows_reply *r) {
        bool good = r->status == STATUS_OK;

        if (after[a->op].results)
                count_result(after[a->op].counter, r);
        if (after[a->op].action)
                count_action(r);
        if (after[a->op].counts && good)
                stat_add(after[a->op].counter, 1);
        if (after[a->op].access && good && r->account.n)
                tell_access(hub, a, r->account);
        if (after[a->op].stops && good && r->account.n && r->session.n)
                tell_stopped(hub, after[a->op].stops, r);
}
