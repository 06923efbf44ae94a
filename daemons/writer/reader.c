/* reader.c - a queue, a window of reads in flight, and their results in the order they were sent. */
#include "reader.h"

#include <stdlib.h>

#include "errors.h"
#include "log.h"
#include "pg.h"
#include "plan.h"
#include "settings.h"

#define WINDOW          64u
#define QUEUE_BYTES_MAX (64u << 20)
#define TRIES_MAX       5u
#define PATIENCE        (2 * INT64_C(1000000))  /* how long a read waits for a database that is away */
#define SILENCE         (30 * INT64_C(1000000)) /* how long it may take before the connection is given up */

struct reader {
        struct ev_loop *loop;
        struct answerer *answerer;
        struct watch *watch;
        struct pg *pg;
        struct asks queue, flying;
        struct params params;
        PGresult *res; /* of the first that flies, until its Sync's own result */
        bool failed;
        struct failure failure;
        int64_t heard; /* when something last came in, or was sent after a pause */
        ev_prepare prepare;
        ev_timer tick;
};

/* ---- going out ---- */

static void on_prepare(struct ev_loop *loop, ev_prepare *w, int revents) {
        struct reader *r = w->data;

        (void)loop, (void)revents;
        while (r->queue.head && r->flying.n < WINDOW && pg_ready(r->pg)) {
                struct ask *a = asks_take(&r->queue);

                if (!r->flying.n)
                        r->heard = text_mono_micros();
                asks_add(&r->flying, a);
                params_one(&r->params, a->op, a->msg, a->bytes);
                if (!pg_call(r->pg, a->op, &r->params) || !pg_sync(r->pg))
                        return; /* lost() follows */
        }
}

/* ---- coming in ---- */

static void settle(struct reader *r, struct ask *a) {
        if (plan_of(a->op)->desc->mode == LISTEN)
                watch_remove(r->watch, a);
        ask_free(a);
}

static void refused(struct reader *r, struct ask *a) {
        enum errors_what what = errors_what(r->failure.sqlstate);

        if (what != ERRORS_FINAL && ++a->tries < TRIES_MAX) {
                asks_add(&r->queue, a);
                if (what == ERRORS_RECONNECT)
                        pg_reset(r->pg, "a prepared statement is out of date");
                return;
        }
        ask_status(a, errors_status(a, &r->failure));
        settle(r, a);
}

static void read_end(struct reader *r) {
        struct ask *a = asks_take(&r->flying);

        if (r->failed || !r->res) {
                refused(r, a);
        } else {
                answer_call(r->answerer, &a, 1, r->res);
                settle(r, a);
        }
        PQclear(r->res);
        r->res = NULL;
        r->failed = false;
}

static void on_result(void *arg, PGresult *res) {
        struct reader *r = arg;
        ExecStatusType s = PQresultStatus(res);

        r->heard = text_mono_micros();
        if (s == PGRES_TUPLES_OK && !r->res) {
                r->res = res;
                return;
        }
        if (s == PGRES_PIPELINE_SYNC) {
                read_end(r);
        } else if (!r->failed) {
                r->failed = true;
                errors_of(res, &r->failure);
        }
        PQclear(res);
}

/* Reads change nothing: they are simply sent again, the oldest first. */
static void on_lost(void *arg) {
        struct reader *r = arg;
        struct asks all = r->flying;

        PQclear(r->res);
        r->res = NULL;
        r->failed = false;
        r->flying = (struct asks){ 0 };
        for (struct ask *a; (a = asks_take(&r->queue));)
                asks_add(&all, a);
        r->queue = all;
}

/* ---- patience ---- */

static void on_tick(struct ev_loop *loop, ev_timer *w, int revents) {
        struct reader *r = w->data;
        int64_t now = text_mono_micros();

        (void)loop, (void)revents;
        if (r->flying.n && now - r->heard > SILENCE)
                pg_reset(r->pg, "a read was not answered in time");
        while (!pg_ready(r->pg) && r->queue.head && now - r->queue.head->at > PATIENCE) {
                struct ask *a = asks_take(&r->queue);

                ask_status(a, STATUS_DATABASE_UNAVAILABLE);
                settle(r, a);
        }
}

/* ---- from outside ---- */

void reader_ask(struct reader *r, struct ask *a) {
        int64_t down = pg_down_since(r->pg);

        if (down && text_mono_micros() - down > PATIENCE) {
                ask_status(a, STATUS_DATABASE_UNAVAILABLE);
                ask_free(a);
                return;
        }
        if (plan_of(a->op)->desc->mode == LISTEN)
                watch_add(r->watch, a);
        asks_add(&r->queue, a);
}

void reader_add(struct reader *r, const struct request *q) {
        struct ask *a = NULL;

        if (r->queue.n < (unsigned)setting_int(SETTING_backlog_ops) && r->queue.bytes < QUEUE_BYTES_MAX)
                a = ask_new(q);
        if (a)
                reader_ask(r, a);
        else
                channel_reply(q, STATUS_BUSY, (struct slice){ 0 }, (struct slice){ 0 });
}

void reader_forget(struct reader *r, const struct channel *c) {
        struct asks kept = { 0 };

        for (struct ask *a; (a = asks_take(&r->queue));) {
                if (a->from.from == c)
                        settle(r, a);
                else
                        asks_add(&kept, a);
        }
        r->queue = kept;
        for (struct ask *a = r->flying.head; a; a = a->next)
                if (a->from.from == c)
                        a->from.from = NULL;
}

bool reader_ready(const struct reader *r) {
        return pg_ready(r->pg);
}

const char *reader_trouble(const struct reader *r) {
        return pg_trouble(r->pg);
}

bool reader_idle(const struct reader *r) {
        return !pg_ready(r->pg) || (!r->queue.n && !r->flying.n);
}

struct reader *reader_new(struct ev_loop *loop, struct answerer *answerer, struct watch *watch) {
        static const struct pg_events events = { on_result, on_lost };
        struct reader *r = calloc(1, sizeof *r);

        if (!r)
                die("out of memory");
        r->loop = loop;
        r->answerer = answerer;
        r->watch = watch;
        params_init(&r->params);
        r->pg = pg_new(loop, PG_READER, &events, r);
        ev_prepare_init(&r->prepare, on_prepare);
        ev_timer_init(&r->tick, on_tick, 0.5, 0.5);
        r->prepare.data = r->tick.data = r;
        ev_prepare_start(loop, &r->prepare);
        ev_timer_start(loop, &r->tick);
        return r;
}
