/* sweep.c - one page of calls after the other, a bounded number in flight. */
#include "sweep.h"

#include <stdlib.h>

#include "json.h"
#include "log.h"
#include "settings.h"

#define ANSWER_MS 20000u
#define ARENA_MAX (8u << 20)

struct due {
        char account[129], session[101];
};

struct sweep {
        sweep_done_fn *done;
        void *arg;
        struct channel *writer;
        struct due *page; /* SWEEP_PAGE of them */
        uint32_t n, next, in_flight;
        bool more, progress, over;
        struct sweep_counts counts;
        struct arena arena;
};

static void ask_who(struct sweep *s);

static void finish(struct sweep *s, enum status failed) {
        if (s->over)
                return;
        s->over = true;
        s->done(s->arg, &s->counts, failed);
}

/* ---- one call ---- */

static void count(struct sweep *s, const struct answer *a) {
        struct slice result = { 0 };
        struct json doc = { 0 };
        const char *why;
        size_t at;

        arena_reset(&s->arena);
        if (a->status == STATUS_OK && json_parse(a->body, &s->arena, &doc, &why, &at) == 0)
                (void)json_str(json_get(doc, "result"), &result);
        s->progress = s->progress || result.n > 0;
        if (slice_is(result, "kept"))
                s->counts.kept++;
        else if (slice_is(result, "retried"))
                s->counts.retried++;
        else if (slice_is(result, "ended"))
                s->counts.ended++;
        else
                s->counts.refused++;
}

static void go_on(struct sweep *s);

static void on_swept(void *arg, const struct answer *a) {
        struct sweep *s = arg;

        s->in_flight--;
        count(s, a);
        go_on(s);
}

static enum status ask_one(struct sweep *s, const struct due *due) {
        struct op_session_sweep m = { 0 };

        OP_SET(session_sweep, &m, account_id, slice_of(due->account));
        OP_SET(session_sweep, &m, session_id, slice_of(due->session));
        OP_SET(session_sweep, &m, unanswered_ms, setting_int(SETTING_call_unanswered_seconds) * 1000);
        OP_SET(session_sweep, &m, silence_ms, setting_int(SETTING_call_silence_seconds) * 1000);
        OP_SET(session_sweep, &m, longest_ms, setting_int(SETTING_call_longest_seconds) * 1000);
        OP_SET(session_sweep, &m, retries, setting_int(SETTING_provider_retries));
        OP_SET(session_sweep, &m, retry_base_ms, setting_int(SETTING_provider_retry_base_ms));
        OP_SET(session_sweep, &m, retry_cap_ms, setting_int(SETTING_provider_retry_cap_ms));
        return channel_call(s->writer, OP_session_sweep, &m, ANSWER_MS, on_swept, s);
}

/* A page without a single success is not asked for again: it would be the same page. The next run tries anew. */
static void go_on(struct sweep *s) {
        while (s->next < s->n && s->in_flight < SWEEP_IN_FLIGHT) {
                if (ask_one(s, &s->page[s->next++]) == STATUS_OK)
                        s->in_flight++;
                else
                        s->counts.refused++;
        }
        if (s->in_flight > 0)
                return;
        if (s->more && s->progress)
                ask_who(s);
        else
                finish(s, STATUS_OK);
}

/* ---- who is due ---- */

static bool read_due(struct sweep *s, struct json list) {
        struct slice key, account, session;
        struct json row;
        uint32_t it = 0;

        s->n = s->next = 0;
        while (json_next(list, &it, &key, &row)) {
                struct due *due = &s->page[s->n];

                if (s->n == SWEEP_PAGE || !json_str(json_get(row, "accountId"), &account) ||
                    !json_str(json_get(row, "sessionId"), &session) ||
                    !slice_copy(account, due->account, sizeof due->account) ||
                    !slice_copy(session, due->session, sizeof due->session))
                        return false;
                s->n++;
        }
        return true;
}

static void on_due(void *arg, const struct answer *a) {
        struct sweep *s = arg;
        struct json doc = { 0 };
        const char *why;
        size_t at;

        if (a->status != STATUS_OK) {
                finish(s, a->status);
                return;
        }
        arena_reset(&s->arena);
        if (json_parse(a->body, &s->arena, &doc, &why, &at) != 0 || !json_bool(json_get(doc, "more"), &s->more) ||
            json_type(json_get(doc, "due")) != JSON_ARRAY || !read_due(s, json_get(doc, "due"))) {
                finish(s, STATUS_INTERNAL);
                return;
        }
        s->progress = false;
        go_on(s);
}

static void ask_who(struct sweep *s) {
        struct op_sweep_due m = { 0 };
        enum status st;

        OP_SET(sweep_due, &m, limit, SWEEP_PAGE);
        st = channel_call(s->writer, OP_sweep_due, &m, ANSWER_MS, on_due, s);
        if (st != STATUS_OK)
                finish(s, st);
}

/* ---- its life ---- */

struct sweep *sweep_new(sweep_done_fn *done, void *arg) {
        struct sweep *s = calloc(1, sizeof *s);

        if (!s)
                die("out of memory");
        *s = (struct sweep){ .done = done, .arg = arg, .page = calloc(SWEEP_PAGE, sizeof *s->page) };
        if (!s->page)
                die("out of memory");
        arena_init(&s->arena, ARENA_MAX);
        return s;
}

void sweep_start(struct sweep *s, struct channel *writer) {
        s->writer = writer;
        ask_who(s);
}

const struct sweep_counts *sweep_counts(const struct sweep *s) {
        return &s->counts;
}

void sweep_free(struct sweep *s) {
        arena_free(&s->arena);
        free(s->page);
        free(s);
}
