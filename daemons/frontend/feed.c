/* feed.c - the fan-out's questions to the writer: who may listen, and what comes after a cursor. */
#include <stdlib.h>

#include "follow.h"
#include "json.h"
#include "log.h"
#include "settings.h"
#include "stats.h"

#define PAUSE      0.25       /* seconds, after a refusal that may pass */
#define PAGE_BYTES (8u << 20) /* more than any page: FRAME_PAYLOAD_MAX and what the format adds */

/* One question on its way. It lets `who` in (stream_open), or reads the events after `after` for all that stand
 * there: a thousand clients that come back at once need one page. */
struct asked {
        struct asked *next; /* of its stream */
        struct stream *stream;
        struct who *who;
        struct listener *reader; /* whose client waits for this page alone; NULL: gone */
        struct channel *to;
        enum op op;
        uint64_t epoch, after, limit;
        uint64_t head; /* the stream's, as known when we asked */
};

/* ---- taking turns ---- */

static void place(struct stream *s, enum place where) {
        struct fanout *fo = s->fanout;

        if (s->place != QUIET)
                TAILQ_REMOVE(s->place == WAITING ? &fo->waiting : &fo->later, s, turn);
        if (where != QUIET)
                TAILQ_INSERT_TAIL(where == WAITING ? &fo->waiting : &fo->later, s, turn);
        s->place = where;
}

void feed_want(struct stream *s) {
        if (s->place == QUIET)
                place(s, WAITING);
}

static void later(struct stream *s) {
        struct fanout *fo = s->fanout;

        place(s, PAUSED);
        if (!ev_is_active(&fo->again)) {
                ev_timer_set(&fo->again, PAUSE, 0.);
                ev_timer_start(frontend_loop(fo->frontend), &fo->again);
        }
}

static void again(struct ev_loop *loop, ev_timer *w, int revents) {
        struct fanout *fo = w->data;
        struct stream *s;

        (void)loop;
        (void)revents;
        fo->paused = false;
        while ((s = TAILQ_FIRST(&fo->later)))
                place(s, WAITING);
        feed_pump(fo);
}

static void asked_free(struct fanout *fo, struct asked *q) {
        fo->asking--;
        who_unref(fo, q->who);
        free(q);
}

static void answered(struct asked *q) {
        struct asked **at = &q->stream->asked;

        while (*at != q)
                at = &(*at)->next;
        *at = q->next;
        if (q->reader) {
                struct outlet *o = q->reader->out;

                /* The others of this client are asked for before this one is again. */
                o->reading = false;
                TAILQ_REMOVE(&o->listeners, q->reader, along);
                TAILQ_INSERT_TAIL(&o->listeners, q->reader, along);
                outlet_turn(o);
        }
        asked_free(q->stream->fanout, q);
}

/* ---- answers ---- */

/* A refusal that may pass is asked again; one of the whole writer or database makes every stream wait, one of this
 * stream only this stream. A final one ends what this actor has here. */
static void refused(const struct asked *q, enum status s) {
        struct stream *st = q->stream;
        struct pass *p = pass_find(st, q->who);

        if (status_row(s)->retry == RETRYABLE) {
                st->fanout->paused |= status_row(s)->http == 503;
                if (p && q->op == OP_stream_open)
                        pass_stranger(p, true);
                later(st);
        } else if (p) {
                pass_refused(p, s);
        }
}

bool fanout_opened(struct slice body, struct arena *a, struct fanout_start *ret) {
        struct json v;
        const char *why;
        size_t at;
        int64_t latest, checkpoint;

        if (json_parse(body, a, &v, &why, &at) != 0 || !json_str(json_get(v, "accountId"), &ret->account) ||
            !json_int(json_get(v, "latestSequence"), &latest) || latest < 0)
                return false;
        ret->latest = (uint64_t)latest;
        ret->checkpoint =
                json_int(json_get(v, "checkpoint"), &checkpoint) && checkpoint > 0 ? (uint64_t)checkpoint : 0;
        if (!json_str(json_get(v, "status"), &ret->status))
                ret->status = (struct slice){ 0 };
        return true;
}

static void advance_all(struct stream *s) {
        for (struct listener *l = TAILQ_FIRST(&s->behind), *next; l; l = next) {
                next = TAILQ_NEXT(l, link);
                listener_advance(l);
        }
}

static void open_answered(void *arg, const struct answer *a) {
        struct asked *q = arg;
        struct stream *s = q->stream;
        struct pass *p = pass_find(s, q->who);
        struct fanout *fo = s->fanout;
        struct arena arena;
        struct fanout_start st;

        /* Answers come on the connection there is now, those of questions that were sent again too. */
        arena_init(&arena, 1u << 16);
        if (p)
                p->asked = false;
        if (a->status != STATUS_OK)
                refused(q, a->status);
        else if (!fanout_opened(a->body, &arena, &st))
                refused(q, STATUS_INTERNAL);
        else if (p && p->again) /* his access changed since we asked */
                pass_stranger(p, true), feed_want(s);
        else if (p)
                pass_given(p, st.latest);
        arena_free(&arena);
        answered(q);
        advance_all(s);
        feed_pump(fo);
}

/* Nothing after the cursor: all that was committed when we asked is at most there. If we asked on an earlier
 * connection, that was before we subscribed on this one, and proves nothing. */
static void caught_up(const struct asked *q) {
        struct stream *s = q->stream;

        if (q->epoch == s->fanout->epoch)
                s->verified = true;
        if (q->head <= q->after)
                return;
        later(s);
        if (s->missed != q->head)
                log_warn("stream %.*s: the writer told of event %llu, the database has none after %llu",
                         SLICE_FMT(s->session), (unsigned long long)q->head, (unsigned long long)q->after);
        s->missed = q->head;
}

static void deliver(const struct asked *q, const struct run page[FORMATS], uint64_t first, uint64_t last) {
        struct stream *s = q->stream;

        for (struct listener *l = TAILQ_FIRST(&s->behind); l; l = TAILQ_NEXT(l, link)) {
                if (!pass_valid(l->pass))
                        continue;
                /* Events after the cursor that no longer exist are not passed over in silence. */
                if (l->cursor >= q->after && l->cursor + 1 < first)
                        listener_reset(l, "cursor_expired", first - 1, s->head);
                if (l->cursor >= first)
                        stat_add(STAT_stream_duplicates,
                                 (int64_t)((l->cursor < last ? l->cursor : last) - first + 1));
                (void)listener_send(l, page);
        }
}

/* The rows that follow each other, in the formats that are listened in; how many. */
static uint64_t page_fill(const struct asked *q, struct slice rows, struct run page[FORMATS], size_t *ret_bytes,
                          uint64_t *ret_last) {
        const struct stream *s = q->stream;
        struct op_event_stored e;
        size_t at = 0;
        uint64_t n = 0;

        while (op_rows_next(rows, OP_event_stored, &at, &e)) {
                if ((uint64_t)e.sequence <= q->after || (n && (uint64_t)e.sequence != *ret_last + 1))
                        break;
                for (unsigned i = 0; i < FORMATS; i++)
                        if (s->listening[i] && !run_add(&page[i], (uint64_t)e.sequence, e.event))
                                return n;
                *ret_bytes += e.event.n + 1;
                *ret_last = (uint64_t)e.sequence;
                n++;
        }
        return n;
}

static void page_answered(const struct asked *q, struct slice rows) {
        struct stream *s = q->stream;
        struct run page[FORMATS];
        size_t bytes = 0;
        uint64_t last = 0, n;

        for (unsigned i = 0; i < FORMATS; i++)
                run_init(&page[i], PAGE_BYTES, follow_formats[i]);
        n = page_fill(q, rows, page, &bytes, &last);
        if (last > s->head)
                s->head = last;
        if (n) {
                deliver(q, page, last - n + 1, last);
                s->page = n * (uint64_t)FANOUT_RECENT / bytes;
                s->page = s->page < 1 ? 1 : s->page > FANOUT_PAGE ? FANOUT_PAGE : s->page;
        } else if (op_rows_count(rows) == 0) {
                caught_up(q);
        } else {
                later(s);
        }
        for (unsigned i = 0; i < FORMATS; i++)
                run_free(&page[i]);
}

static void read_answered(void *arg, const struct answer *a) {
        struct asked *q = arg;
        struct stream *s = q->stream;

        if (a->status != STATUS_OK)
                refused(q, a->status);
        else
                page_answered(q, a->body);
        answered(q);
        advance_all(s);
        feed_pump(s->fanout);
}

/* ---- questions ---- */

static bool ask(struct stream *s, struct channel *to, const struct asked *what, const void *msg,
                channel_answer_fn *fn) {
        struct fanout *fo = s->fanout;
        struct asked *q = malloc(sizeof *q);
        unsigned timeout = (unsigned)setting_int(SETTING_http_request_seconds) * 1000;

        if (!q || channel_call(to, what->op, msg, timeout, fn, q) != STATUS_OK) {
                free(q);
                fo->paused = true;
                later(s);
                return false;
        }
        *q = *what;
        q->next = s->asked;
        s->asked = q;
        who_ref(q->who);
        fo->asking++;
        return true;
}

static bool ask_open(struct pass *p, struct channel *to) {
        struct stream *s = p->stream;
        struct op_stream_open m = { 0 };
        struct asked q = { .stream = s, .who = p->who, .to = to, .op = OP_stream_open, .epoch = s->fanout->epoch };

        OP_SET(stream_open, &m, account_id, p->who->account);
        OP_SET(stream_open, &m, actor_id, p->who->id);
        OP_SET(stream_open, &m, actor_role, p->who->role);
        OP_SET(stream_open, &m, session_id, s->session);
        if (!ask(s, to, &q, &m, open_answered))
                return false;
        p->asked = true;
        p->again = false;
        pass_stranger(p, false);
        return true;
}

static bool ask_read(struct listener *l, struct channel *to) {
        struct op_event_read m = { 0 };
        struct stream *s = l->pass->stream;
        struct asked q = { .stream = s,
                           .who = l->who,
                           .reader = l,
                           .to = to,
                           .op = OP_event_read,
                           .epoch = l->fanout->epoch,
                           .after = l->cursor,
                           .limit = s->page,
                           .head = s->head };

        OP_SET(event_read, &m, account_id, l->who->account);
        OP_SET(event_read, &m, actor_id, l->who->id);
        OP_SET(event_read, &m, actor_role, l->who->role);
        OP_SET(event_read, &m, session_id, s->session);
        OP_SET(event_read, &m, after_sequence, (int64_t)l->cursor);
        OP_SET(event_read, &m, limit, (int64_t)q.limit);
        l->out->reading = ask(s, to, &q, &m, read_answered);
        return l->out->reading;
}

/* Is an answer on its way that will move this listener? */
static bool asked_for(const struct listener *l) {
        for (const struct asked *q = l->pass->stream->asked; q; q = q->next)
                if (q->op == OP_event_read && q->after <= l->cursor && l->cursor < q->after + q->limit)
                        return true;
        return false;
}

/* True if it asked, and there may be more to ask. */
static bool ask_next(struct stream *s, struct channel *to) {
        struct pass *stranger = TAILQ_FIRST(&s->strangers);

        if (stranger)
                return ask_open(stranger, to);
        for (struct listener *l = TAILQ_FIRST(&s->behind); l; l = TAILQ_NEXT(l, link))
                if (pass_valid(l->pass) && l->out->ready && !l->out->reading && !asked_for(l))
                        return ask_read(l, to);
        return false;
}

/* Streams take turns, one question each, so that a busy one does not make the others wait. */
void feed_pump(struct fanout *fo) {
        struct channel *to = frontend_peer(fo->frontend, WRITER);
        struct stream *s;

        if (!to || !channel_up(to))
                return;
        while (!fo->paused && fo->asking < FANOUT_ASKING && (s = TAILQ_FIRST(&fo->waiting))) {
                place(s, QUIET);
                if (ask_next(s, to))
                        feed_want(s);
        }
}

void feed_restart(struct fanout *fo) {
        fo->epoch++;
        for (unsigned i = 0; i < FANOUT_BUCKETS; i++) {
                for (struct stream *s = fo->table[i]; s; s = s->next) {
                        struct listener *l;
                        struct pass *next;

                        s->verified = false;
                        s->head = 0;
                        stream_forget(s);
                        while ((l = TAILQ_FIRST(&s->live)))
                                listener_live(l, false);
                        for (struct pass *p = TAILQ_FIRST(&s->passes); p; p = next) {
                                next = TAILQ_NEXT(p, link);
                                if (!p->asked)
                                        pass_stranger(p, true);
                        }
                        if (!TAILQ_EMPTY(&s->behind))
                                place(s, WAITING);
                }
        }
        fo->paused = false;
        feed_pump(fo);
}

bool feed_leave(const struct listener *l) {
        for (struct asked *q = l->pass->stream->asked; q; q = q->next) {
                if (q->reader != l)
                        continue;
                q->reader = NULL;
                l->out->reading = false;
                return true;
        }
        return false;
}

void feed_forget(struct stream *s) {
        struct asked *q;

        place(s, QUIET);
        while ((q = s->asked)) {
                s->asked = q->next;
                channel_forget(q->to, q);
                asked_free(s->fanout, q);
        }
}

void feed_init(struct fanout *fo) {
        TAILQ_INIT(&fo->waiting);
        TAILQ_INIT(&fo->later);
        ev_timer_init(&fo->again, again, PAUSE, 0.);
        fo->again.data = fo;
}

void feed_free(struct fanout *fo) {
        ev_timer_stop(frontend_loop(fo->frontend), &fo->again);
}
