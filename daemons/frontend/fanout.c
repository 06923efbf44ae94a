/* fanout.c - followed streams, their listeners, and what the writer publishes to them. */
#include "fanout.h"

#include <sodium.h>
#include <stdlib.h>

#include "call.h"
#include "follow.h"
#include "log.h"
#include "settings.h"
#include "stats.h"

#define LINGER 5000000  /* a stream without listeners stays followed: browsers reconnect */
#define FRESH  10000000 /* recent events nobody adds to are forgotten */

/* ---- tables ---- */

/* Keyed: clients choose session ids, and must not choose buckets. */
static uint64_t hash(const struct fanout *fo, struct slice s) {
        unsigned char out[crypto_shorthash_BYTES];

        crypto_shorthash(out, (const unsigned char *)s.p, s.n, fo->hash_key);
        return get_le64(out);
}

static struct stream **bucket(struct fanout *fo, struct slice account, struct slice session) {
        return &fo->table[(hash(fo, account) * 31 + hash(fo, session)) % FANOUT_BUCKETS];
}

static unsigned opening_of(const struct fanout *fo, struct slice session) {
        return (unsigned)(hash(fo, session) % FANOUT_OPENING);
}

static char *append(char *to, struct slice s, struct slice *ret) {
        if (s.n)
                memcpy(to, s.p, s.n);
        *ret = (struct slice){ to, s.n };
        return to + s.n;
}

static struct stream *stream_find(struct fanout *fo, struct slice account, struct slice session) {
        for (struct stream *s = *bucket(fo, account, session); s; s = s->next)
                if (slice_eq(s->session, session) && slice_eq(s->account, account))
                        return s;
        return NULL;
}

static struct stream *stream_get(struct fanout *fo, struct slice account, struct slice session) {
        struct stream *s = stream_find(fo, account, session), **b = bucket(fo, account, session);

        if (s)
                return s;
        s = malloc(sizeof *s + account.n + session.n);
        if (!s)
                return NULL;
        *s = (struct stream){ .fanout = fo, .next = *b, .page = FANOUT_PAGE, .used = text_mono_micros() };
        append(append((char *)(s + 1), account, &s->account), session, &s->session);
        TAILQ_INIT(&s->live);
        TAILQ_INIT(&s->behind);
        run_init(&s->recent, FANOUT_RECENT);
        *b = s;
        return s;
}

static bool stream_empty(const struct stream *s) {
        return TAILQ_EMPTY(&s->live) && TAILQ_EMPTY(&s->behind);
}

static void stream_free(struct stream **at) {
        struct stream *s = *at;

        *at = s->next;
        feed_forget(s);
        stream_forget(s);
        free(s);
}

static struct who *who_get(struct fanout *fo, const struct actor *a) {
        struct who **b = &fo->whos[(hash(fo, a->account) * 31 + hash(fo, a->id)) % FANOUT_BUCKETS], *w;

        for (w = *b; w; w = w->next)
                if (slice_eq(w->id, a->id) && slice_eq(w->account, a->account) && slice_eq(w->role, a->role))
                        return who_ref(w);
        w = malloc(sizeof *w + a->account.n + a->id.n + a->role.n);
        if (!w)
                return NULL;
        *w = (struct who){ .next = *b, .refs = 1 };
        append(append(append((char *)(w + 1), a->account, &w->account), a->id, &w->id), a->role, &w->role);
        return *b = w;
}

struct who *who_ref(struct who *w) {
        w->refs++;
        return w;
}

void who_unref(struct fanout *fo, struct who *w) {
        struct who **at = &fo->whos[(hash(fo, w->account) * 31 + hash(fo, w->id)) % FANOUT_BUCKETS];

        if (--w->refs)
                return;
        while (*at != w)
                at = &(*at)->next;
        *at = w->next;
        free(w);
}

/* ---- listeners come and go ---- */

struct listener *fanout_reserve(struct fanout *fo, const struct actor *a, struct slice session,
                                enum status *ret_why) {
        struct who *w = fo->draining ? NULL : who_get(fo, a);
        struct listener *l = NULL;

        *ret_why = STATUS_BUSY;
        if (w && w->streams >= setting_int(SETTING_streams_per_actor))
                *ret_why = STATUS_TOO_MANY_STREAMS;
        else if (w)
                l = malloc(sizeof *l);
        if (!l) {
                if (w)
                        who_unref(fo, w);
                return NULL;
        }
        *l = (struct listener){ .fanout = fo, .who = w, .until = a->until, .opening = opening_of(fo, session) };
        w->streams++;
        fo->opening[l->opening]++;
        return l;
}

void listener_free(struct listener *l) {
        struct fanout *fo = l->fanout;
        struct stream *s = l->stream;

        if (s) {
                TAILQ_REMOVE(l->live ? &s->live : &s->behind, l, link);
                s->used = text_mono_micros();
                stat_set(STAT_streams_open, --fo->listeners);
        } else {
                fo->opening[l->opening]--;
        }
        l->who->streams--;
        who_unref(fo, l->who);
        free(l);
}

void fanout_release(struct listener *l) {
        listener_free(l);
}

static void drained(void *arg) {
        struct listener *l = arg;

        l->ready = true;
        if (l->live)
                return;
        stream_advance(l);
        feed_pump(l->fanout);
}

static void closed(void *arg) {
        listener_free(arg);
}

void fanout_attach(struct listener *l, struct http_request *r, const struct fanout_start *st) {
        static const struct http_stream_events events = { .drained = drained, .closed = closed };
        struct fanout *fo = l->fanout;
        struct stream *s = fo->draining ? NULL : stream_get(fo, st->account, st->session);

        if (!s) {
                listener_free(l);
                call_fail(r, STATUS_BUSY, (struct slice){ 0 });
                return;
        }
        if (st->latest > s->head)
                s->head = st->latest;
        fo->opening[l->opening]--;
        l->stream = s;
        l->cursor = st->cursor;
        l->epoch = fo->epoch;
        l->ready = true;
        TAILQ_INSERT_TAIL(&s->behind, l, link);
        stat_set(STAT_streams_open, ++fo->listeners);
        l->out = http_stream_begin(r, "text/event-stream", &events, l);
        if (!l->out) { /* it has answered */
                listener_free(l);
                return;
        }
        listener_greet(l, st->latest, st->reset);
        stream_advance(l);
        feed_pump(fo);
}

/* ---- moving on ---- */

void stream_live(struct listener *l, bool live) {
        struct stream *s = l->stream;

        if (l->live == live)
                return;
        TAILQ_REMOVE(live ? &s->behind : &s->live, l, link);
        l->live = live;
        TAILQ_INSERT_TAIL(live ? &s->live : &s->behind, l, link);
}

void stream_advance(struct listener *l) {
        struct stream *s = l->stream;

        if (l->epoch != l->fanout->epoch) {
                feed_want(s);
                return;
        }
        if (!listener_send(l, &s->recent))
                return;
        stream_live(l, s->verified && l->cursor >= s->head);
        if (!l->live)
                feed_want(s);
}

/* Hands on what is recent; who cannot take it up to the head falls back to reading. */
static unsigned spread(struct stream *s) {
        unsigned reached = 0;

        for (struct listener *l = TAILQ_FIRST(&s->live), *next; l; l = next) {
                bool ready = listener_send(l, &s->recent);

                next = TAILQ_NEXT(l, link);
                if (l->cursor >= s->head) {
                        reached++;
                        continue;
                }
                stream_live(l, false);
                if (!run_follows(&s->recent, l->cursor))
                        stat_add(STAT_stream_catchups, 1);
                if (ready)
                        feed_want(s);
        }
        return reached;
}

/* ---- what the writer says ---- */

/* Nobody is here for it. While a client's stream_open is on its way, closing could undo what that one opens. */
static void unknown(struct fanout *fo, struct channel *from, struct slice account, struct slice session) {
        struct op_stream_close m = { 0 };

        if (fo->opening[opening_of(fo, session)])
                return;
        OP_SET(stream_close, &m, account_id, account);
        OP_SET(stream_close, &m, session_id, session);
        (void)channel_cast(from, OP_stream_close, &m);
}

void stream_forget(struct stream *s) {
        run_free(&s->recent);
        s->fanout->recent_bytes -= s->charged;
        s->charged = 0;
}

static void charge(struct stream *s) {
        size_t bytes = s->recent.bytes.cap + s->recent.room * sizeof *s->recent.ends;

        s->fanout->recent_bytes += bytes - s->charged;
        s->charged = bytes;
        if (s->fanout->recent_bytes > FANOUT_RECENT_ALL)
                stream_forget(s);
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
                (void)run_add(&s->recent, (uint64_t)e.sequence, e.event); /* if not, they read it */
                if ((uint64_t)e.sequence > s->head)
                        s->head = (uint64_t)e.sequence;
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

void fanout_request(struct frontend *f, struct request *r) {
        struct fanout *fo = frontend_fanout(f);

        if (r->op == OP_event_publish)
                published(fo, r->from, r->msg);
        else if (r->op == OP_stream_head)
                head_moved(fo, r->from, r->msg);
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

static void tend(struct listeners *list, int64_t now, int64_t real) {
        for (struct listener *l = TAILQ_FIRST(list), *next; l; l = next) {
                next = TAILQ_NEXT(l, link);
                if (listener_expired(l, real)) {
                        listener_close(l, "expired");
                } else if (listener_stalled(l, now)) {
                        stat_add(STAT_stream_stalled, 1);
                        listener_close(l, "slow");
                } else {
                        listener_heartbeat(l, now);
                }
        }
}

/* Nobody came back for it. */
static bool abandoned(const struct stream *s, int64_t now) {
        return stream_empty(s) && now - s->used > LINGER && !s->fanout->opening[opening_of(s->fanout, s->session)];
}

static void leave(struct stream **at) {
        struct stream *s = *at;
        struct channel *writer = frontend_peer(s->fanout->frontend, WRITER);

        if (writer && channel_up(writer))
                unknown(s->fanout, writer, s->account, s->session);
        stream_free(at);
}

static void tend_stream(struct stream *s, int64_t now, int64_t real) {
        tend(&s->live, now, real);
        tend(&s->behind, now, real);
        (void)spread(s); /* a head that was told without its event */
        if (s->charged && now - s->used > FRESH)
                stream_forget(s);
}

static void tick(struct ev_loop *loop, ev_timer *w, int revents) {
        struct fanout *fo = w->data;
        int64_t now = text_mono_micros(), real = text_now_micros();

        (void)loop;
        (void)revents;
        for (unsigned i = 0; i < FANOUT_BUCKETS; i++) {
                for (struct stream **at = &fo->table[i]; *at;) {
                        tend_stream(*at, now, real);
                        if (abandoned(*at, now))
                                leave(at);
                        else
                                at = &(*at)->next;
                }
        }
        feed_pump(fo);
}

/* ---- life ---- */

struct fanout *fanout_new(struct frontend *f) {
        struct fanout *fo = calloc(1, sizeof *fo);

        if (!fo)
                die("out of memory");
        fo->frontend = f;
        randombytes_buf(fo->hash_key, sizeof fo->hash_key);
        feed_init(fo);
        ev_timer_init(&fo->tick, tick, 1., 1.);
        fo->tick.data = fo;
        ev_timer_start(frontend_loop(f), &fo->tick);
        return fo;
}

static void close_all(struct listeners *list) {
        struct listener *l;

        while ((l = TAILQ_FIRST(list)))
                listener_close(l, "shutdown");
}

void fanout_drain(struct frontend *f) {
        struct fanout *fo = frontend_fanout(f);

        fo->draining = true;
        for (unsigned i = 0; i < FANOUT_BUCKETS; i++) {
                for (struct stream *s = fo->table[i]; s; s = s->next) {
                        close_all(&s->live);
                        close_all(&s->behind);
                }
        }
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
        ev_timer_stop(frontend_loop(fo->frontend), &fo->tick);
        free(fo);
}
