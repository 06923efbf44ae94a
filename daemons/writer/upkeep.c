/* upkeep.c - calls api.maintain() on a connection of its own, so that no lane ever waits for it. */
#include "upkeep.h"

#include <stdlib.h>

#include "errors.h"
#include "log.h"

#define ROWS     1000
#define TEXT(n)  TEXT_(n)
#define TEXT_(n) #n
#define FIRST    60.
#define EVERY    600.
#define MORE     0.5 /* while a call removes all it may */

struct upkeep {
        struct ev_loop *loop;
        struct pg *pg;
        ev_timer timer;
        bool asked;
        int64_t gone;
        struct failure failure;
};

static void next(struct upkeep *u, double seconds) {
        u->asked = false;
        ev_timer_stop(u->loop, &u->timer);
        ev_timer_set(&u->timer, seconds, 0.);
        ev_timer_start(u->loop, &u->timer);
}

static void on_timer(struct ev_loop *loop, ev_timer *w, int revents) {
        struct upkeep *u = w->data;

        (void)loop, (void)revents;
        if (!pg_ready(u->pg)) {
                next(u, FIRST);
                return;
        }
        u->asked = true;
        u->gone = -1;
        if (pg_query(u->pg, "SELECT api.maintain(" TEXT(ROWS) ")"))
                pg_sync(u->pg); /* if it fails, lost() follows */
}

static void on_result(void *arg, PGresult *res) {
        struct upkeep *u = arg;
        struct slice count = { 0 };

        switch ((int)PQresultStatus(res)) {
        case PGRES_TUPLES_OK:
                if (PQntuples(res) == 1)
                        count = slice_of(PQgetvalue(res, 0, 0));
                if (!text_int(count, &u->gone))
                        u->gone = 0;
                break;
        case PGRES_PIPELINE_SYNC:
                if (u->gone < 0)
                        log_error("api.maintain failed: SQLSTATE %s, %s", u->failure.sqlstate, u->failure.where);
                next(u, u->gone >= ROWS ? MORE : EVERY);
                break;
        default:
                errors_of(res, &u->failure);
        }
        PQclear(res);
}

static void on_lost(void *arg) {
        struct upkeep *u = arg;

        if (u->asked)
                next(u, FIRST);
}

struct upkeep *upkeep_new(struct ev_loop *loop) {
        static const struct pg_events events = { on_result, on_lost };
        struct upkeep *u = calloc(1, sizeof *u);

        if (!u)
                die("out of memory");
        u->loop = loop;
        u->pg = pg_new(loop, PG_UPKEEP, &events, u);
        ev_timer_init(&u->timer, on_timer, FIRST, 0.);
        u->timer.data = u;
        ev_timer_start(loop, &u->timer);
        return u;
}
