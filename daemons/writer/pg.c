/* pg.c - a pipeline-mode libpq connection on libev: never blocks, and comes back by itself. */
#include "pg.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "log.h"
#include "settings.h"

#define CONNECT_SECONDS 10.0
#define RETRY_FIRST     0.05
#define RETRY_LAST      1.0

enum pg_state { DOWN, CONNECTING, SETTING_UP, READY };

struct pg {
        struct ev_loop *loop;
        enum pg_role role;
        const struct pg_events *ev;
        void *arg;
        void (*ready)(void *arg); /* pg_hear() */
        void (*notice)(void *arg, struct slice payload);
        PGconn *conn;
        enum pg_state state;
        ev_io io;
        ev_timer timer; /* DOWN: when to try again; CONNECTING, SETTING_UP: the patience left */
        double wait;
        unsigned syncs; /* Syncs sent whose result has not come */
        int step, nth;  /* SETTING_UP */
        bool broken;    /* given up; the next turn closes it */
        int64_t since;  /* not ready since */
        char trouble[256], said[256];
};

static const char *const roles[] = {
        [PG_LANE] = "lane", [PG_READER] = "reader", [PG_UPKEEP] = "upkeep", [PG_NODES] = "nodes"
};

static void connect_now(struct pg *p);

static void trouble(struct pg *p, const char *why) {
        size_t n = strcspn(why, "\n");

        snprintf(p->trouble, sizeof p->trouble, "%.*s", (int)(n < 255 ? n : 255), why);
        if (strcmp(p->trouble, p->said) != 0) {
                log_warn("PostgreSQL, %s: %s", roles[p->role], p->trouble);
                memcpy(p->said, p->trouble, sizeof p->said);
        }
}

/* Another try, later each time, with jitter so that lanes do not come back in step. */
static void retry_later(struct pg *p, double at_least) {
        double wait = p->wait > at_least ? p->wait : at_least;

        p->wait = p->wait * 2 < RETRY_LAST ? p->wait * 2 : RETRY_LAST;
        ev_timer_stop(p->loop, &p->timer);
        ev_timer_set(&p->timer, wait * (0.75 + 0.5 * (double)randombytes_uniform(1024) / 1024), 0.);
        ev_timer_start(p->loop, &p->timer);
}

static void close_now(struct pg *p, double at_least) {
        bool was_ready = p->state == READY;

        ev_io_stop(p->loop, &p->io);
        PQfinish(p->conn);
        p->conn = NULL;
        p->state = DOWN;
        p->syncs = 0;
        p->broken = false;
        if (was_ready)
                p->since = text_mono_micros();
        retry_later(p, at_least);
        if (was_ready)
                p->ev->lost(p->arg);
}

static void watch(struct pg *p, int events) {
        /* While connecting, libpq may have put another socket behind the same number. */
        if (p->state != CONNECTING && ev_is_active(&p->io) && (p->io.events & (EV_READ | EV_WRITE)) == events)
                return;
        ev_io_stop(p->loop, &p->io);
        ev_io_set(&p->io, PQsocket(p->conn), events);
        ev_io_start(p->loop, &p->io);
}

static bool flush(struct pg *p) {
        int left = PQflush(p->conn);

        if (left < 0)
                return false;
        watch(p, left ? EV_READ | EV_WRITE : EV_READ);
        return true;
}

static void now_ready(struct pg *p) {
        ev_timer_stop(p->loop, &p->timer);
        p->state = READY;
        p->wait = RETRY_FIRST;
        p->since = 0;
        if (p->said[0])
                log_note("PostgreSQL, %s: connected again", roles[p->role]);
        p->trouble[0] = p->said[0] = '\0';
        if (p->ready)
                p->ready(p->arg);
}

/* false: the connection is not usable; trouble says why. */
static bool setup_step(struct pg *p, PGresult *res) {
        char why[256];
        bool ok = true, end = PQresultStatus(res) == PGRES_PIPELINE_SYNC;

        if (end) {
                p->syncs--;
                p->nth = 0;
                if (++p->step > 1)
                        now_ready(p);
                else if ((ok = pg_setup_send(p->conn, p->role, p->step)))
                        p->syncs++;
                if (!ok)
                        trouble(p, PQerrorMessage(p->conn));
        } else if (!pg_setup_result(p->role, p->step, p->nth++, res, why)) {
                trouble(p, why);
                ok = false;
        }
        PQclear(res);
        return ok;
}

static void notices(struct pg *p) {
        PGnotify *n;

        while (!p->broken && p->notice && (n = PQnotifies(p->conn))) {
                p->notice(p->arg, slice_of(n->extra));
                PQfreemem(n);
        }
}

/* Hands over what has arrived. false: close. */
static bool receive(struct pg *p) {
        if (!PQconsumeInput(p->conn)) {
                trouble(p, PQerrorMessage(p->conn));
                return false;
        }
        while (p->syncs > 0 && !PQisBusy(p->conn) && !p->broken) {
                PGresult *res = PQgetResult(p->conn);

                if (!res) /* separates the results of two statements */
                        continue;
                if (p->state != READY) {
                        if (!setup_step(p, res))
                                return false;
                        continue;
                }
                p->syncs -= PQresultStatus(res) == PGRES_PIPELINE_SYNC;
                p->ev->result(p->arg, res);
        }
        notices(p);
        if (PQstatus(p->conn) == CONNECTION_BAD) {
                trouble(p, PQerrorMessage(p->conn));
                return false;
        }
        return true;
}

static void connecting(struct pg *p) {
        switch (PQconnectPoll(p->conn)) {
        case PGRES_POLLING_READING:
                watch(p, EV_READ);
                return;
        case PGRES_POLLING_WRITING:
                watch(p, EV_WRITE);
                return;
        case PGRES_POLLING_OK:
                if (PQsetnonblocking(p->conn, 1) == 0 && PQenterPipelineMode(p->conn) &&
                    pg_setup_send(p->conn, p->role, 0)) {
                        p->state = SETTING_UP;
                        p->step = p->nth = 0;
                        p->syncs = 1;
                        if (flush(p))
                                return;
                }
                break;
        case PGRES_POLLING_FAILED:
        case PGRES_POLLING_ACTIVE:
        default:
                break;
        }
        trouble(p, PQerrorMessage(p->conn));
        close_now(p, 0.);
}

static void on_io(struct ev_loop *loop, ev_io *w, int revents) {
        struct pg *p = w->data;

        (void)loop, (void)revents;
        if (p->state == CONNECTING) {
                connecting(p);
                return;
        }

        bool setting_up = p->state == SETTING_UP;

        /* A schema that is not ours, or statements that do not prepare, change by an operator's hand: look again
         * every second. */
        if (p->broken || !receive(p) || p->broken || !flush(p))
                close_now(p, setting_up ? RETRY_LAST : 0.);
}

static void on_timer(struct ev_loop *loop, ev_timer *w, int revents) {
        struct pg *p = w->data;

        (void)loop, (void)revents;
        if (p->state == DOWN) {
                connect_now(p);
        } else if (p->broken) {
                close_now(p, 0.);
        } else if (p->state != READY) {
                trouble(p, "no answer while connecting");
                close_now(p, 0.);
        }
}

/* PostgreSQL's notices are for its own log: they may quote what was sent. */
static void no_notice(void *arg, const char *text) {
        (void)arg, (void)text;
}

/* What the operator wrote may override what stands before it, not what stands after. No password file: a path that
 * cannot exist, because libpq complains about /dev/null on stderr. */
static void connect_now(struct pg *p) {
        static const char *const name[] = { "passfile", "gssencmode",      "sslmode", "fallback_application_name",
                                            "dbname",   "client_encoding", NULL };
        const char *const value[] = {
                "/dev/null/none", "disable", "disable", "lifeos-writer", setting_text(SETTING_pg_conninfo),
                "UTF8",           NULL
        };

        p->conn = PQconnectStartParams(name, value, 1);
        if (!p->conn || PQstatus(p->conn) == CONNECTION_BAD) {
                trouble(p, p->conn ? PQerrorMessage(p->conn) : "out of memory");
                close_now(p, 0.);
                return;
        }
        PQsetNoticeProcessor(p->conn, no_notice, NULL);
        p->state = CONNECTING;
        ev_timer_stop(p->loop, &p->timer);
        ev_timer_set(&p->timer, CONNECT_SECONDS, 0.);
        ev_timer_start(p->loop, &p->timer);
        watch(p, EV_WRITE);
}

struct pg *pg_new(struct ev_loop *loop, enum pg_role role, const struct pg_events *ev, void *arg) {
        struct pg *p = calloc(1, sizeof *p);

        if (!p)
                die("out of memory");
        *p = (struct pg){ .loop = loop,
                          .role = role,
                          .ev = ev,
                          .arg = arg,
                          .wait = RETRY_FIRST,
                          .since = text_mono_micros(),
                          .trouble = "not connected yet" };
        ev_init(&p->io, on_io);
        ev_init(&p->timer, on_timer);
        p->io.data = p->timer.data = p;
        ev_timer_set(&p->timer, 0., 0.);
        ev_timer_start(loop, &p->timer);
        return p;
}

void pg_hear(struct pg *p, void (*ready)(void *arg), void (*notice)(void *arg, struct slice payload)) {
        p->ready = ready;
        p->notice = notice;
}

bool pg_ready(const struct pg *p) {
        return p->state == READY && !p->broken;
}

const char *pg_trouble(const struct pg *p) {
        return p->trouble;
}

int64_t pg_down_since(const struct pg *p) {
        return p->since;
}

void pg_reset(struct pg *p, const char *why) {
        if (p->state != READY || p->broken)
                return;
        trouble(p, why);
        p->broken = true;
        ev_timer_set(&p->timer, 0., 0.);
        ev_timer_start(p->loop, &p->timer);
}

bool pg_call(struct pg *p, enum op op, const struct params *params) {
        if (PQsendQueryPrepared(p->conn, op_desc(op)->name, params->n, params->value, params->length, params->format,
                                1))
                return true;
        pg_reset(p, PQerrorMessage(p->conn));
        return false;
}

bool pg_query(struct pg *p, const char *sql) {
        if (PQsendQueryParams(p->conn, sql, 0, NULL, NULL, NULL, NULL, 0))
                return true;
        pg_reset(p, PQerrorMessage(p->conn));
        return false;
}

bool pg_sync(struct pg *p) {
        if (PQpipelineSync(p->conn) && flush(p)) {
                p->syncs++;
                return true;
        }
        pg_reset(p, PQerrorMessage(p->conn));
        return false;
}
