/* fanout.c - followed streams, their listeners, and what the writer publishes to them. */
#include "fanout.h"

#include <sodium.h>
#include <stdlib.h>

#include "follow.h"
#include "log.h"
#include "presence.h"
#include "stats.h"

#define LINGER 5000000  /* a stream without listeners stays followed: browsers reconnect */
#define FRESH  10000000 /* recent events nobody adds to are forgotten */

/* ---- what the writer says ---- */

/* Hands on what is recent; who cannot take it up to the head falls back to reading. */
static unsigned spread(struct stream *s) {
        unsigned reached = 0;

        for (struct listener *l = TAILQ_FIRST(&s->live), *next; l; l = next) {
                bool ready = listener_send(l, s->recent);

                next = TAILQ_NEXT(l, link);
                if (l->cursor >= s->head) {
                        reached++;
                        continue;
                }
                listener_live(l, false);
                if (!run_follows(&s->recent[l->out->wire->format], l->cursor))
                        stat_add(STAT_stream_catchups, 1);
                if (ready)
                        feed_want(s);
        }
        return reached;
}

/* Nobody is here for it. While a client's stream_open is on its way, closing could undo what that one opens. */
static void unknown(struct fanout *fo, struct channel *from, struct slice account, struct slice session) {
        struct op_stream_close m = { 0 };

        if (fo->opening[stream_opening(fo, session)])
                return;
        OP_SET(stream_close, &m, account_id, account);
        OP_SET(stream_close, &m, session_id, session);
        (void)channel_cast(from, OP_stream_close, &m);
}

static void charge(struct stream *s) {
        size_t bytes = 0;

        for (unsigned i = 0; i < FORMATS; i++)
                bytes += s->recent[i].bytes.cap + s->recent[i].room * sizeof *s->recent[i].ends;

        s->fanout->recent_bytes += bytes - s->charged;
        s->charged = bytes;
        if (s->fanout->recent_bytes > FANOUT_RECENT_ALL)
                stream_forget(s);
}

/* What is told again, after a heal or by two nodes, was sent before. */
static void told_again(const struct stream *s, uint64_t sequence) {
        const struct listener *l;

        TAILQ_FOREACH(l, &s->live, link)
        stat_add(STAT_stream_duplicates, l->cursor >= sequence);
}

static void keep(struct stream *s, const struct op_event_stored *e) {
        uint64_t sequence = (uint64_t)e->sequence;

        for (unsigned i = 0; i < FORMATS; i++)
                if (s->listening[i])
                        (void)run_add(&s->recent[i], sequence, e->event); /* if not, they read it */
        if (sequence > s->head)
                s->head = sequence;
        else
                told_again(s, sequence);
}

static void published(struct fanout *fo, struct channel *from, const struct op_event_publish *m) {
        struct stream *s = stream_find(fo, m->account_id, m->session_id);
        struct op_event_stored e;
        size_t at = 0, pending = 0;
        unsigned reached = 0;

        if (!s) {
                unknown(fo, from, m->account_id, m->session_id);
                return;
        }
        s->used = text_mono_micros();
        while (op_rows_next(m->events, OP_event_stored, &at, &e)) {
                keep(s, &e);
                pending += e.event.n;
                if (pending > FANOUT_QUEUE) {
                        reached = spread(s);
                        pending = 0;
                }
        }
        if (pending)
                reached = spread(s);
        if (reached)
                stat_observe(STAT_publish_delay, text_now_micros() - m->committed);
        charge(s);
}

static void head_moved(struct fanout *fo, struct channel *from, const struct op_stream_head *m) {
        struct stream *s = stream_find(fo, m->account_id, m->session_id);

        if (!s) {
                unknown(fo, from, m->account_id, m->session_id);
        } else if ((uint64_t)m->head > s->head) {
                s->head = (uint64_t)m->head;
                (void)spread(s);
        }
}

static void access_changed(struct fanout *fo, const struct op_access_changed *m) {
        auth_forget(fo->frontend, m->account_id, m->key_id);
        for (struct outlet *o = TAILQ_FIRST(&fo->outlets), *next; o; o = next) {
                next = TAILQ_NEXT(o, link);
                if (o->wire->changed)
                        o->wire->changed(o, m->account_id, m->key_id);
        }
        pass_recheck(fo, m->account_id, m->key_id);
}

void fanout_request(struct frontend *f, struct request *r) {
        struct fanout *fo = frontend_fanout(f);

        if (r->op == OP_event_publish)
                published(fo, r->from, r->msg);
        else if (r->op == OP_stream_head)
                head_moved(fo, r->from, r->msg);
        else if (r->op == OP_access_changed)
                access_changed(fo, r->msg);
        feed_pump(fo);
}

void fanout_up(struct frontend *f, struct channel *c) {
        if (channel_kind(c) == WRITER)
                feed_restart(frontend_fanout(f));
}

/* Streams stay open and hear heartbeats; what is published meanwhile is read when the writer is back. */
void fanout_down(struct frontend *f, struct channel *c) {
        (void)f;
        (void)c;
}

/* ---- once a second ---- */

/* Nobody came back for it. */
static bool abandoned(const struct stream *s, int64_t now) {
        return stream_empty(s) && now - s->used > LINGER &&
               !s->fanout->opening[stream_opening(s->fanout, s->session)];
}

static void leave(struct stream **at) {
        struct stream *s = *at;
        struct channel *writer = frontend_peer(s->fanout->frontend, WRITER);

        if (writer && channel_up(writer))
                unknown(s->fanout, writer, s->account, s->session);
        stream_free(at);
}

static void tend_clients(struct fanout *fo, int64_t now) {
        int64_t real = text_now_micros();

        for (struct outlet *o = TAILQ_FIRST(&fo->outlets), *next; o; o = next) {
                next = TAILQ_NEXT(o, link);
                o->wire->tend(o, now, real);
        }
}

static void tend_stream(struct stream *s, int64_t now) {
        pass_tend(s, now);
        (void)spread(s); /* a head that was told without its event */
        if (s->charged && now - s->used > FRESH)
                stream_forget(s);
}

static void tick(struct ev_loop *loop, ev_timer *w, int revents) {
        struct fanout *fo = w->data;
        int64_t now = text_mono_micros();

        (void)loop;
        (void)revents;
        tend_clients(fo, now);
        for (unsigned i = 0; i < FANOUT_BUCKETS; i++) {
                for (struct stream **at = &fo->table[i]; *at;) {
                        tend_stream(*at, now);
                        if (abandoned(*at, now))
                                leave(at);
                        else
                                at = &(*at)->next;
                }
        }
        presence_tick(fo->presence);
        feed_pump(fo);
}

/* ---- life ---- */

struct fanout *fanout_new(struct frontend *f) {
        struct fanout *fo = calloc(1, sizeof *fo);

        if (!fo)
                die("out of memory");
        fo->frontend = f;
        randombytes_buf(fo->hash_key, sizeof fo->hash_key);
        TAILQ_INIT(&fo->outlets);
        feed_init(fo);
        fo->presence = presence_new(fo);
        ev_timer_init(&fo->tick, tick, 1., 1.);
        fo->tick.data = fo;
        ev_timer_start(frontend_loop(f), &fo->tick);
        return fo;
}

void fanout_drain(struct frontend *f) {
        struct fanout *fo = frontend_fanout(f);
        struct outlet *o;

        fo->draining = true;
        while ((o = TAILQ_FIRST(&fo->outlets)))
                o->wire->shut(o);
}

unsigned fanout_listeners(const struct fanout *fo) {
        return fo->listeners;
}

void fanout_free(struct fanout *fo) {
        if (!fo)
                return;
        fanout_drain(fo->frontend);
        for (unsigned i = 0; i < FANOUT_BUCKETS; i++)
                while (fo->table[i])
                        stream_free(&fo->table[i]);
        feed_free(fo);
        presence_free(fo->presence);
        ev_timer_stop(frontend_loop(fo->frontend), &fo->tick);
        free(fo);
}
