/* lane.c - a lane's turns: fill a batch, send it, and settle how each transaction of it ended. */
#include "lane.h"

#include <sodium.h>
#include <stdlib.h>

#include "batch.h"
#include "log.h"
#include "settings.h"
#include "stats.h"

/* Small ops share the first lane: the larger the group that commits at once, the less each costs. A request of this many
 * rows is a group by itself, and worth a core of its own. What one session's two lanes commit may be told out of order;
 * its listeners see the gap and read. */
#define LARGE             32u
#define BACKLOG_BYTES_MAX (256u << 20)
#define TRIES_MAX         10u                     /* of an op on its own, or with a connection that broke */
#define BATCH_TRIES_MAX   4u                      /* of a batch, before it falls apart */
#define PATIENCE          (10 * INT64_C(1000000)) /* how long an op waits for a database that is away */
#define SILENCE           (30 * INT64_C(1000000)) /* how long a batch may take before its connection is given up */

struct lane {
        struct lanes *all;
        struct pg *pg;
        struct asks queue;
        struct batch batch;
        unsigned tries; /* of the batch as a whole */
        int64_t sent;
        bool chance;    /* what failed may succeed by waiting a little */
        bool doubt;     /* an ask was given up that may be committed */
        ev_timer again; /* active: the batch waits for its next try */
};

struct lanes {
        struct ev_loop *loop;
        struct answerer *answerer;
        struct params params;
        ev_prepare prepare;
        ev_timer tick;
        unsigned n;
        struct lane lane[];
};

/* ---- going out ---- */

static void start(struct lane *l) {
        if (!pg_ready(l->pg) || l->batch.sent || ev_is_active(&l->again))
                return;
        if (!l->batch.n) {
                batch_fill(&l->batch, &l->queue);
                l->tries = 0;
        }
        if (!l->batch.n)
                return;
        l->sent = text_mono_micros();
        batch_send(&l->batch, l->pg, &l->all->params); /* if it fails, lost() follows */
}

/* Once per loop turn, after everything that arrived in it: what came together is committed together. */
static void on_prepare(struct ev_loop *loop, ev_prepare *w, int revents) {
        struct lanes *all = w->data;

        (void)loop, (void)revents;
        for (unsigned i = 0; i < all->n; i++)
                start(&all->lane[i]);
}

static void on_again(struct ev_loop *loop, ev_timer *w, int revents) {
        (void)loop, (void)w, (void)revents; /* the turn it wakes ends in on_prepare */
}

static void again(struct lane *l) {
        stat_add(STAT_writer_retries, 1);
        ev_timer_set(&l->again, (5. + randombytes_uniform(46)) / 1000, 0.);
        ev_timer_start(l->all->loop, &l->again);
}

/* ---- coming in ---- */

static void done(struct lane *l, uint32_t i) {
        ask_free(l->batch.asks[i]);
        l->batch.asks[i] = NULL;
}

static void committed(struct lane *l) {
        struct batch *b = &l->batch;

        stat_add(STAT_writer_batches, 1);
        stat_observe(STAT_writer_commit, text_mono_micros() - l->sent);
        for (uint32_t k = b->from; k < b->at; k++) {
                const struct call *c = &b->calls[k];

                answer_call(l->all->answerer, &b->asks[c->first], c->n, c->res);
                for (uint32_t i = 0; i < c->n; i++)
                        done(l, c->first + i);
        }
}

/* A transaction of one op failed. Nothing of it is stored. */
static void refused(struct lane *l, const struct call *c) {
        struct ask *a = l->batch.asks[c->first];
        enum errors_what what = errors_what(l->batch.failure.sqlstate);

        if (what == ERRORS_AGAIN && ++a->tries < TRIES_MAX) {
                l->chance = true;
                return;
        }
        if (what == ERRORS_RECONNECT && ++a->tries < TRIES_MAX) {
                pg_reset(l->pg, "a prepared statement is out of date");
                return;
        }
        ask_status(a, errors_status(a, &l->batch.failure));
        done(l, c->first);
}

/* The whole batch failed: as it was once more if it was chance, else every op on its own. */
static void fell_apart(struct lane *l) {
        struct batch *b = &l->batch;
        enum errors_what what = errors_what(b->failure.sqlstate);

        if (b->n == 1) {
                refused(l, &b->calls[0]);
        } else if (++l->tries < BATCH_TRIES_MAX && what == ERRORS_AGAIN) {
                l->chance = true;
        } else if (l->tries < BATCH_TRIES_MAX && what == ERRORS_RECONNECT) {
                pg_reset(l->pg, "a prepared statement is out of date");
        } else {
                b->singles = true;
                stat_add(STAT_writer_singles, b->n);
        }
}

static void transaction_end(struct lane *l) {
        struct batch *b = &l->batch;

        if (!b->failed)
                committed(l);
        else if (b->singles)
                refused(l, &b->calls[b->from]);
        else
                fell_apart(l);
        b->from = b->at;
        b->failed = false;
        if (b->at < b->n_calls)
                return;
        batch_rewind(b);
        if (b->n && l->chance)
                again(l);
        l->chance = false;
}

static void on_result(void *arg, PGresult *res) {
        struct lane *l = arg;

        if (PQresultStatus(res) != PGRES_PIPELINE_SYNC) {
                batch_result(&l->batch, res);
                return;
        }
        PQclear(res);
        transaction_end(l);
}

/* Unknown how it ended: receipts and event ids settle that when it is sent again. */
static void on_lost(void *arg) {
        struct lane *l = arg;
        struct batch *b = &l->batch;

        if (b->sent)
                stat_add(STAT_writer_retries, 1);
        batch_rewind(b);
        for (uint32_t i = 0; i < b->n; i++) { /* it may be what breaks the connection */
                if (++b->asks[i]->tries < TRIES_MAX)
                        continue;
                l->doubt = true;
                ask_status(b->asks[i], STATUS_DATABASE_UNAVAILABLE);
                done(l, i);
        }
        batch_rewind(b);
        l->chance = false;
}

/* ---- patience ---- */

static void expire(struct lane *l, int64_t now) {
        struct batch *b = &l->batch;

        while (l->queue.head && now - l->queue.head->at > PATIENCE) {
                struct ask *a = asks_take(&l->queue);

                ask_status(a, STATUS_DATABASE_UNAVAILABLE);
                ask_free(a);
        }
        for (uint32_t i = 0; i < b->n; i++) {
                if (now - b->asks[i]->at <= PATIENCE)
                        continue;
                l->doubt = l->doubt || b->asks[i]->tries > 0;
                ask_status(b->asks[i], STATUS_DATABASE_UNAVAILABLE);
                done(l, i);
        }
        batch_rewind(b);
}

static void on_tick(struct ev_loop *loop, ev_timer *w, int revents) {
        struct lanes *all = w->data;
        int64_t now = text_mono_micros();

        (void)loop, (void)revents;
        for (unsigned i = 0; i < all->n; i++) {
                struct lane *l = &all->lane[i];

                if (!pg_ready(l->pg) && !l->batch.sent)
                        expire(l, now);
                else if (l->batch.sent && now - l->sent > SILENCE)
                        pg_reset(l->pg, "a batch was not answered in time");
        }
        stat_set(STAT_writer_backlog, lanes_backlog(all));
}

/* ---- from outside ---- */

static size_t backlog_bytes(const struct lanes *all) {
        size_t n = 0;

        for (unsigned i = 0; i < all->n; i++)
                n += all->lane[i].queue.bytes + all->lane[i].batch.bytes;
        return n;
}

unsigned lanes_backlog(const struct lanes *all) {
        unsigned n = 0;

        for (unsigned i = 0; i < all->n; i++)
                n += all->lane[i].queue.n + all->lane[i].batch.n;
        return n;
}

void lanes_ask(struct lanes *all, struct ask *a) {
        struct lane *l = &all->lane[a->rows < LARGE ? 0 : a->hash % all->n];
        int64_t down = pg_down_since(l->pg);

        if (down && text_mono_micros() - down > PATIENCE) {
                ask_status(a, STATUS_DATABASE_UNAVAILABLE);
                ask_free(a);
                return;
        }
        asks_add(&l->queue, a);
}

void lanes_add(struct lanes *all, const struct request *r) {
        struct ask *a = NULL;

        if (lanes_backlog(all) < (unsigned)setting_int(SETTING_backlog_ops) && backlog_bytes(all) < BACKLOG_BYTES_MAX)
                a = ask_new(r);
        if (!a) {
                channel_reply(r, STATUS_BUSY, (struct slice){ 0 }, (struct slice){ 0 });
                return;
        }
        lanes_ask(all, a);
}

void lanes_forget(struct lanes *all, const struct channel *c) {
        for (unsigned i = 0; i < all->n; i++) {
                struct lane *l = &all->lane[i];

                asks_forget(&l->queue, c);
                for (uint32_t k = 0; k < l->batch.n; k++)
                        if (l->batch.asks[k] && l->batch.asks[k]->from.from == c)
                                l->batch.asks[k]->from.from = NULL;
        }
}

bool lanes_ready(const struct lanes *all) {
        for (unsigned i = 0; i < all->n; i++)
                if (!pg_ready(all->lane[i].pg))
                        return false;
        return true;
}

const char *lanes_trouble(const struct lanes *all) {
        for (unsigned i = 0; i < all->n; i++)
                if (!pg_ready(all->lane[i].pg))
                        return pg_trouble(all->lane[i].pg);
        return "";
}

bool lanes_doubt(struct lanes *all) {
        bool doubt = false;

        for (unsigned i = 0; i < all->n; i++) {
                struct lane *l = &all->lane[i];

                if (!l->doubt || !pg_ready(l->pg))
                        continue;
                l->doubt = false;
                doubt = true;
        }
        return doubt;
}

bool lanes_idle(const struct lanes *all) {
        for (unsigned i = 0; i < all->n; i++)
                if (pg_ready(all->lane[i].pg) && (all->lane[i].batch.n || all->lane[i].queue.n))
                        return false;
        return true;
}

struct lanes *lanes_new(struct ev_loop *loop, struct answerer *answerer) {
        static const struct pg_events events = { on_result, on_lost };
        unsigned n = (unsigned)setting_int(SETTING_lanes);
        struct lanes *all = calloc(1, sizeof *all + n * sizeof(struct lane));

        if (!all)
                die("out of memory");
        all->loop = loop;
        all->answerer = answerer;
        all->n = n;
        params_init(&all->params);
        for (unsigned i = 0; i < n; i++) {
                struct lane *l = &all->lane[i];

                l->all = all;
                batch_init(&l->batch, (uint32_t)setting_int(SETTING_batch_ops));
                ev_init(&l->again, on_again);
                l->pg = pg_new(loop, PG_LANE, &events, l);
        }
        ev_prepare_init(&all->prepare, on_prepare);
        ev_timer_init(&all->tick, on_tick, 1., 1.);
        all->prepare.data = all->tick.data = all;
        ev_prepare_start(loop, &all->prepare);
        ev_timer_start(loop, &all->tick);
        return all;
}
