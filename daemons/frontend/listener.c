/* listener.c - one who follows a stream: how it comes, moves on in turn with its client's others, and goes. */
#include <stdlib.h>

#include "follow.h"
#include "settings.h"
#include "stats.h"

/* ---- clients ---- */

void outlet_open(struct outlet *o, struct fanout *fo, const struct wire *wire, int64_t until) {
        *o = (struct outlet){ .wire = wire, .fanout = fo, .until = until, .ready = true };
        o->wrote = o->since = text_mono_micros();
        TAILQ_INIT(&o->listeners);
        TAILQ_INSERT_TAIL(&fo->outlets, o, link);
}

void outlet_close(struct outlet *o) {
        struct listener *l;

        o->ready = false;
        while ((l = TAILQ_FIRST(&o->listeners)))
                /* Who is in the list has a pass, and leaves the list. */
                listener_free(l); /* NOLINT(clang-analyzer-unix.Malloc) */
        TAILQ_REMOVE(&o->fanout->outlets, o, link);
}

static bool put(struct outlet *o, struct slice bytes) {
        bool empty = o->wire->queued(o) == 0;

        if (!o->wire->write(o, bytes))
                return false;
        o->wrote = text_mono_micros();
        if (empty)
                o->since = o->wrote;
        return true;
}

bool outlet_say(struct outlet *o, struct buf *what) {
        if (!o->broken && (what->over || !put(o, buf_view(what)))) {
                o->broken = true;
                o->ready = false;
        }
        buf_free(what);
        return !o->broken;
}

/* Who was sent something stands behind the others now. */
void outlet_turn(struct outlet *o) {
        struct listener *last = TAILQ_LAST(&o->listeners, listeners);

        for (struct listener *l = TAILQ_FIRST(&o->listeners), *next; l && o->ready; l = next) {
                uint64_t before = l->cursor;

                next = l == last ? NULL : TAILQ_NEXT(l, along);
                if (l->live)
                        continue;
                listener_advance(l);
                if (l->cursor == before)
                        continue;
                TAILQ_REMOVE(&o->listeners, l, along);
                TAILQ_INSERT_TAIL(&o->listeners, l, along);
        }
}

void outlet_drained(struct outlet *o) {
        o->ready = !o->broken;
        outlet_turn(o);
        feed_pump(o->fanout);
}

bool outlet_stalled(const struct outlet *o, int64_t progress, int64_t now) {
        int64_t last = progress > o->since ? progress : o->since;

        return o->wire->queued(o) && now - last >= setting_int(SETTING_sse_stall_seconds) * 1000000;
}

bool outlet_idle(const struct outlet *o, int64_t now) {
        return !o->wire->queued(o) && now - o->wrote >= setting_int(SETTING_sse_heartbeat_seconds) * 1000000;
}

bool outlet_expired(const struct outlet *o, int64_t real) {
        return o->until && real >= o->until;
}

/* ---- coming and going ---- */

static enum status room(const struct who *w) {
        if (w->streams >= setting_int(SETTING_streams_per_actor) ||
            w->tenant->streams >= setting_int(SETTING_streams_per_account))
                return STATUS_TOO_MANY_STREAMS;
        return STATUS_OK;
}

struct listener *fanout_reserve(struct fanout *fo, const struct actor *a, struct slice session,
                                enum status *ret_why) {
        struct who *w = fo->draining ? NULL : who_get(fo, a);
        struct listener *l;

        *ret_why = w ? room(w) : STATUS_BUSY;
        l = *ret_why == STATUS_OK ? malloc(sizeof *l) : NULL;
        if (!l) {
                if (*ret_why == STATUS_OK)
                        *ret_why = STATUS_BUSY;
                if (w)
                        who_unref(fo, w);
                return NULL;
        }
        *l = (struct listener){ .fanout = fo,
                                .who = w,
                                .until = a->until,
                                .opening = stream_opening(fo, session),
                                .changes = fo->changes };
        w->streams++;
        w->tenant->streams++;
        fo->opening[l->opening]++;
        return l;
}

void fanout_release(struct listener *l) {
        listener_free(l);
}

static void enter(struct listener *l, bool live) {
        struct stream *s = l->pass->stream;

        l->live = live;
        TAILQ_INSERT_TAIL(live ? &s->live : &s->behind, l, link);
        if (!live)
                stat_set(STAT_streams_behind, ++l->fanout->behind);
}

static void leave(struct listener *l) {
        struct stream *s = l->pass->stream;

        TAILQ_REMOVE(l->live ? &s->live : &s->behind, l, link);
        if (!l->live)
                stat_set(STAT_streams_behind, --l->fanout->behind);
}

void listener_live(struct listener *l, bool live) {
        if (l->live == live)
                return;
        leave(l);
        enter(l, live);
}

bool listener_join(struct listener *l, struct outlet *o, const struct fanout_start *st) {
        struct fanout *fo = l->fanout;
        struct stream *s = fo->draining ? NULL : stream_get(fo, st->account, st->session);
        struct pass *p = s ? pass_get(s, l->who) : NULL;

        if (!p)
                return false;
        if (l->changes != fo->changes)
                p->due = 0; /* what it was given may have been taken meanwhile */
        else if (!pass_valid(p))
                pass_given(p, st->latest); /* the others'; its own cursor has been looked at */
        if (st->latest > s->head)
                s->head = st->latest;
        fo->opening[l->opening]--;
        l->pass = p;
        l->out = o;
        l->cursor = st->cursor;
        enter(l, false);
        s->listening[o->wire->format]++;
        TAILQ_INSERT_TAIL(&o->listeners, l, along);
        stat_set(STAT_streams_open, ++fo->listeners);
        return true;
}

void listener_begin(struct listener *l, const struct fanout_start *st) {
        struct buf out;

        buf_init(&out, FANOUT_SAY);
        l->out->wire->greet(&out, l, st);
        (void)outlet_say(l->out, &out);
        if (st->reset)
                stat_add(STAT_stream_resets, 1);
        listener_advance(l);
        feed_pump(l->fanout);
}

void listener_free(struct listener *l) {
        struct fanout *fo = l->fanout;
        struct outlet *o = l->out;
        bool others = false;

        if (l->pass) {
                struct stream *s = l->pass->stream;

                others = feed_leave(l);
                leave(l);
                TAILQ_REMOVE(&o->listeners, l, along);
                s->listening[o->wire->format]--;
                s->used = text_mono_micros();
                pass_leave(l->pass);
                stat_set(STAT_streams_open, --fo->listeners);
        } else {
                fo->opening[l->opening]--;
        }
        l->who->streams--;
        l->who->tenant->streams--;
        who_unref(fo, l->who);
        free(l);
        if (others)
                outlet_turn(o);
}

/* ---- moving on ---- */

bool listener_send(struct listener *l, const struct run runs[FORMATS]) {
        struct outlet *o = l->out;
        const struct run *run = &runs[o->wire->format];

        while (o->ready && run_follows(run, l->cursor)) {
                uint64_t last;
                struct slice bytes = run_after(run, l->cursor, FANOUT_QUEUE, &last);

                if (o->wire->queued(o) > FANOUT_QUEUE || !put(o, bytes)) {
                        o->ready = false;
                        return false;
                }
                stat_add(STAT_stream_events, (int64_t)(last - l->cursor));
                l->cursor = last;
        }
        return o->ready;
}

void listener_reset(struct listener *l, const char *reason, uint64_t from, uint64_t latest) {
        struct buf out;

        buf_init(&out, FANOUT_SAY);
        l->out->wire->reset(&out, l, reason, from, latest);
        (void)outlet_say(l->out, &out);
        l->cursor = from;
        stat_add(STAT_stream_resets, 1);
}

void listener_advance(struct listener *l) {
        struct stream *s = l->pass->stream;

        if (!pass_valid(l->pass)) {
                feed_want(s);
                return;
        }
        if (!listener_send(l, s->recent))
                return;
        listener_live(l, s->verified && l->cursor >= s->head);
        if (!l->live)
                feed_want(s);
}
