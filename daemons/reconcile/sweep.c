/* sweep.c - what a sweep of each kind asks; one page after the other, a bounded number in flight. */
#include "sweep.h"

#include <stdlib.h>

#include "json.h"
#include "log.h"
#include "settings.h"

#define ANSWER_MS 20000u
#define ARENA_MAX (8u << 20)

struct due {
        char account[129], session[101], kind[16], id[129];
};

union message {
        struct op_session_sweep session;
        struct op_work_expire work;
};

/* One kind of sweep: who is due, and how one of them becomes a message. */
struct sweep_kind {
        enum op due, look;
        void (*message)(const struct due *due, union message *m);
        bool named; /* a call has several such: a due row says which, by kind and id */
};

struct sweep {
        sweep_done_fn *done;
        void *arg;
        struct channel *writer;
        unsigned kind;
        struct due *page; /* SWEEP_PAGE of them */
        uint32_t n, next, in_flight;
        bool more, progress, over;
        enum status failed; /* the first kind that the writer did not tell of */
        struct sweep_counts counts;
        struct arena arena;
};

/* ---- the kinds ---- */

static void session_message(const struct due *due, union message *m) {
        OP_SET(session_sweep, &m->session, account_id, slice_of(due->account));
        OP_SET(session_sweep, &m->session, session_id, slice_of(due->session));
        OP_SET(session_sweep, &m->session, unanswered_ms, setting_int(SETTING_call_unanswered_seconds) * 1000);
        OP_SET(session_sweep, &m->session, silence_ms, setting_int(SETTING_call_silence_seconds) * 1000);
        OP_SET(session_sweep, &m->session, longest_ms, setting_int(SETTING_call_longest_seconds) * 1000);
        OP_SET(session_sweep, &m->session, retries, setting_int(SETTING_provider_retries));
        OP_SET(session_sweep, &m->session, retry_base_ms, setting_int(SETTING_provider_retry_base_ms));
        OP_SET(session_sweep, &m->session, retry_cap_ms, setting_int(SETTING_provider_retry_cap_ms));
}

static void work_message(const struct due *due, union message *m) {
        OP_SET(work_expire, &m->work, account_id, slice_of(due->account));
        OP_SET(work_expire, &m->work, session_id, slice_of(due->session));
        OP_SET(work_expire, &m->work, kind, slice_of(due->kind));
        OP_SET(work_expire, &m->work, id, slice_of(due->id));
}

static const struct sweep_kind kinds[] = {
        { OP_sweep_due, OP_session_sweep, session_message, false },
        { OP_work_due, OP_work_expire, work_message, true },
};
#define KINDS (sizeof kinds / sizeof *kinds)

static void ask_who(struct sweep *s);

/* The next kind, or the end: what is wrong with one kind is no reason to leave the others. */
static void finish(struct sweep *s, enum status failed) {
        if (s->over)
                return;
        if (s->failed == STATUS_OK)
                s->failed = failed;
        if (++s->kind < KINDS) {
                ask_who(s);
                return;
        }
        s->over = true;
        s->done(s->arg, &s->counts, s->failed);
}

/* ---- one that is due ---- */

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
        else if (slice_is(result, "expired"))
                s->counts.expired++;
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
        const struct sweep_kind *k = &kinds[s->kind];
        union message m;

        memset(&m, 0, sizeof m);
        k->message(due, &m);
        if (op_check(k->look, &m) != 0)
                return STATUS_INTERNAL; /* a row that no writer of ours has written */
        return channel_call(s->writer, k->look, &m, ANSWER_MS, on_swept, s);
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

static bool read_text(struct json row, const char *key, char *to, size_t cap) {
        struct slice text;

        return json_str(json_get(row, key), &text) && slice_copy(text, to, cap);
}

static bool read_row(const struct sweep_kind *k, struct json row, struct due *due) {
        return read_text(row, "accountId", due->account, sizeof due->account) &&
               read_text(row, "sessionId", due->session, sizeof due->session) &&
               (!k->named || (read_text(row, "kind", due->kind, sizeof due->kind) &&
                              read_text(row, "id", due->id, sizeof due->id)));
}

static bool read_due(struct sweep *s, struct json list) {
        struct slice key;
        struct json row;
        uint32_t it = 0;

        s->n = s->next = 0;
        while (json_next(list, &it, &key, &row))
                if (s->n == SWEEP_PAGE || !read_row(&kinds[s->kind], row, &s->page[s->n++]))
                        return false;
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
        const struct opdesc *d = op_desc(kinds[s->kind].due);
        union {
                struct op_sweep_due sessions;
                struct op_work_due work;
        } m;
        enum status st;

        memset(&m, 0, sizeof m);
        op_set_int(d, op_field(d, "limit"), &m, SWEEP_PAGE);
        st = channel_call(s->writer, kinds[s->kind].due, &m, ANSWER_MS, on_due, s);
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
