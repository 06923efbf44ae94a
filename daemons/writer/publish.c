/* publish.c - casts to listeners; one that finds no room becomes a debt, paid later with a stream_head. */
#include "publish.h"

#include <stdlib.h>

#include "events.h"
#include "log.h"

#define CAST_BYTES_MAX (OP_BYTES_MAX - 4096u)
#define CAST_ROWS_MAX  1000u
#define RETRY_SECONDS  0.02

struct entry {
        struct stream *stream;
        struct op_event_out out;
        struct slice rows;
        size_t at;
};

struct publish {
        struct ev_loop *loop;
        struct subs *subs;
        struct watch *watch;
        struct notes *notes; /* may be NULL */
        struct entry *entry;
        size_t n, cap;
        struct buf event, rows;
        ev_timer retry;
};

/* ---- casting ---- */

static bool cast_head(const struct sub *sub) {
        const struct stream *st = sub->stream;
        struct op_stream_head m = { 0 };

        OP_SET(stream_head, &m, account_id, st->account);
        OP_SET(stream_head, &m, session_id, st->session);
        OP_SET(stream_head, &m, head, st->head);
        return channel_cast(sub->peer->channel, OP_stream_head, &m);
}

static void owe(struct publish *p, struct sub *sub) {
        subs_mark(sub, true);
        if (!ev_is_active(&p->retry))
                ev_timer_again(p->loop, &p->retry);
}

static void pay(struct publish *p) {
        bool left = false;

        for (struct peer *peer = subs_peers(p->subs); peer; peer = peer->next) {
                while (peer->first && peer->first->dirty && cast_head(peer->first))
                        subs_mark(peer->first, false);
                left = left || (peer->first && peer->first->dirty);
        }
        if (!left)
                ev_timer_stop(p->loop, &p->retry);
}

static void on_retry(struct ev_loop *loop, ev_timer *w, int revents) {
        (void)loop, (void)revents;
        pay(w->data);
}

static void tell_head(struct publish *p, struct stream *st, int64_t head) {
        if (head <= st->head)
                return;
        st->head = head;
        for (struct sub *sub = st->subs, *next; sub; sub = next) {
                next = sub->of_stream;
                if (!sub->dirty && !cast_head(sub))
                        owe(p, sub);
        }
}

bool publish_told(struct publish *p, struct slice account, struct slice session, int64_t head) {
        struct stream *st = subs_find(p->subs, account, session);

        watch_note(p->watch, account, session, head);
        if (!st || head <= st->head)
                return false;
        tell_head(p, st, head);
        return true;
}

void publish_head(struct publish *p, struct slice account, struct slice session, int64_t head) {
        if (p->notes)
                notes_add(p->notes, account, session, head);
        publish_told(p, account, session, head);
}

void publish_notes(struct publish *p, struct notes *notes) {
        p->notes = notes;
}

void publish_missed(struct publish *p, const struct channel *c, struct slice account, struct slice session) {
        struct stream *st = subs_find(p->subs, account, session);

        for (struct sub *sub = st ? st->subs : NULL; sub; sub = sub->of_stream)
                if (sub->peer->channel == c && !sub->dirty && !cast_head(sub))
                        owe(p, sub);
}

/* ---- events ---- */

bool publish_wanted(const struct publish *p) {
        return subs_count(p->subs) > 0 || watch_any(p->watch) || (p->notes && notes_wanted(p->notes));
}

static bool room(struct publish *p) {
        size_t cap = p->cap ? p->cap * 2 : 1024;
        struct entry *more;

        if (p->n < p->cap)
                return true;
        if (!(more = realloc(p->entry, cap * sizeof *more)))
                return false;
        p->entry = more;
        p->cap = cap;
        return true;
}

void publish_add(struct publish *p, const struct op_event_in *in, const struct op_event_out *out, struct slice rows,
                 size_t at) {
        struct stream *st = subs_find(p->subs, out->account_id, in->session_id);

        if (p->notes)
                notes_add(p->notes, out->account_id, in->session_id, out->sequence);
        watch_note(p->watch, out->account_id, in->session_id, out->sequence);
        if (!st)
                return;
        if (room(p))
                p->entry[p->n++] = (struct entry){ st, *out, rows, at };
        else
                tell_head(p, st, out->sequence);
}

static int compare(const void *pa, const void *pb) {
        const struct entry *a = pa, *b = pb;

        if (a->stream != b->stream)
                return (uintptr_t)a->stream < (uintptr_t)b->stream ? -1 : 1;
        return (a->out.sequence > b->out.sequence) - (a->out.sequence < b->out.sequence);
}

/* The rows of one cast; false if they do not fit, or do not follow what the listeners have. */
static bool make_rows(struct publish *p, const struct entry *e, size_t n) {
        buf_clear(&p->rows);
        if (n > CAST_ROWS_MAX)
                return false;
        for (size_t i = 0; i < n; i++) {
                struct op_event_stored stored = { 0 };
                struct op_event_in in;
                size_t at = e[i].at;

                if (e[i].out.sequence != e->stream->head + 1 + (int64_t)i ||
                    !op_rows_next(e[i].rows, OP_event_in, &at, &in))
                        return false;
                buf_clear(&p->event);
                event_json(&in, &e[i].out, &p->event);
                OP_SET(event_stored, &stored, sequence, e[i].out.sequence);
                OP_SET(event_stored, &stored, event, buf_view(&p->event));
                if (p->event.over || op_check(OP_event_stored, &stored) != 0)
                        return false;
                op_rows_add(&p->rows, OP_event_stored, &stored);
        }
        return !p->rows.over;
}

static void tell_events(struct publish *p, const struct entry *e, size_t n) {
        struct stream *st = e->stream;
        struct op_event_publish m = { 0 };

        /* Another lane may have been faster with later events of this stream: its listeners know of these. */
        while (n && e->out.sequence <= st->head)
                e++, n--;
        if (!n)
                return;
        if (!make_rows(p, e, n)) {
                tell_head(p, st, e[n - 1].out.sequence);
                return;
        }
        st->head = e[n - 1].out.sequence;
        OP_SET(event_publish, &m, account_id, st->account);
        OP_SET(event_publish, &m, session_id, st->session);
        OP_SET(event_publish, &m, committed, text_now_micros());
        OP_SET(event_publish, &m, events, buf_view(&p->rows));
        for (struct sub *sub = st->subs, *next; sub; sub = next) {
                next = sub->of_stream;
                if (!sub->dirty && !channel_cast(sub->peer->channel, OP_event_publish, &m))
                        owe(p, sub);
        }
}

void publish_send(struct publish *p) {
        size_t from = 0;

        if (p->n > 1)
                qsort(p->entry, p->n, sizeof *p->entry, compare);
        for (size_t i = 1; i <= p->n; i++) {
                if (i < p->n && p->entry[i].stream == p->entry[from].stream)
                        continue;
                tell_events(p, &p->entry[from], i - from);
                from = i;
        }
        p->n = 0;
}

struct publish *publish_new(struct ev_loop *loop, struct subs *subs, struct watch *watch) {
        struct publish *p = calloc(1, sizeof *p);

        if (!p)
                die("out of memory");
        *p = (struct publish){ .loop = loop, .subs = subs, .watch = watch };
        buf_init(&p->event, 1u << 18);
        buf_init(&p->rows, CAST_BYTES_MAX);
        ev_timer_init(&p->retry, on_retry, RETRY_SECONDS, RETRY_SECONDS);
        p->retry.data = p;
        return p;
}

void publish_free(struct publish *p) {
        ev_timer_stop(p->loop, &p->retry);
        buf_free(&p->event);
        buf_free(&p->rows);
        free(p->entry);
        free(p);
}
