/* nodes.c - a connection of its own: signs of life, one NOTIFY for many commits, LISTEN, and polls of heads. */
#include "nodes.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "errors.h"
#include "log.h"
#include "round.h"
#include "rows.h"
#include "settings.h"
#include "stats.h"

#define BEAT_SECONDS 5.
#define ALONE        5u /* nobody else is seen: polls are this much rarer */
#define SILENCE      (30 * INT64_C(1000000))
#define COMPLAINTS   (60 * INT64_C(1000000))
#define PAUSE        INT64_C(1000000) /* after a NOTIFY that failed */

/* What flies on the connection, each at most once, each a transaction of its own. */
enum errand { HEAR, BEAT, TELL, POLL, ERRANDS };
static const char *const names[] = {
        [HEAR] = "LISTEN", [BEAT] = "node_beat", [TELL] = "node_notify", [POLL] = "heads_moved"
};

struct nodes {
        struct ev_loop *loop;
        struct pg *pg;
        struct subs *subs;
        struct publish *publish;
        struct notes *notes;
        struct params params;
        struct buf rows;
        struct round round;
        ev_prepare prepare;
        ev_timer beat, poll, wait; /* wait: until the next NOTIFY may be sent */
        int64_t heard;             /* when something last came in, or was sent after a pause */
        int64_t nodes;             /* seen, this one included; 0: not known yet */
        int64_t next;              /* when a NOTIFY may be sent */
        int64_t complained;
        enum errand flying[ERRANDS];
        unsigned n_flying;
        unsigned telling; /* notices in the NOTIFY that flies */
        unsigned skipped;
        bool failed;    /* the errand that is coming in */
        bool listening; /* PostgreSQL took our LISTEN */
        bool restored;  /* a stream ends before what its listeners were told */
        char id[17];
};

/* ---- sending ---- */

static bool flies(const struct nodes *n, enum errand e) {
        for (unsigned i = 0; i < n->n_flying; i++)
                if (n->flying[i] == e)
                        return true;
        return false;
}

static bool may(const struct nodes *n, enum errand e) {
        return pg_ready(n->pg) && !flies(n, e);
}

static void sent(struct nodes *n, enum errand e) {
        if (!n->n_flying)
                n->heard = text_mono_micros();
        n->flying[n->n_flying++] = e;
}

static void ask(struct nodes *n, enum errand e, enum op op, const void *msg) {
        params_one(&n->params, op, msg, (struct slice){ 0 });
        if (pg_call(n->pg, op, &n->params) && pg_sync(n->pg)) /* else lost() follows */
                sent(n, e);
}

static void beat(struct nodes *n) {
        struct op_node_beat m = { 0 };

        if (!may(n, BEAT))
                return;
        OP_SET(node_beat, &m, node_id, slice_of(n->id));
        ask(n, BEAT, OP_node_beat, &m);
}

static void tell(struct nodes *n) {
        struct op_node_notify m = { 0 };

        n->telling = notes_take(n->notes, n->id, &n->rows);
        OP_SET(node_notify, &m, notice, buf_view(&n->rows));
        n->next = text_mono_micros() + setting_int(SETTING_node_notify_ms) * 1000;
        ask(n, TELL, OP_node_notify, &m);
}

/* The next piece of the round. */
static void poll(struct nodes *n) {
        struct op_heads_moved m = { 0 };

        if (!may(n, POLL) || !round_next(&n->round, &n->rows))
                return;
        OP_SET(heads_moved, &m, stream, buf_view(&n->rows));
        ask(n, POLL, OP_heads_moved, &m);
}

static void poll_all(struct nodes *n) {
        round_all(&n->round);
        poll(n);
}

/* ---- what comes in ---- */

static void seen(struct nodes *n, int64_t nodes) {
        n->nodes = nodes;
        notes_want(n->notes, nodes != 1);
        stat_set(STAT_nodes, nodes);
}

static void complain(struct nodes *n, const char *what, const char *why) {
        int64_t now = text_mono_micros();

        if (n->complained && now - n->complained < COMPLAINTS)
                return;
        n->complained = now;
        log_warn("other appliances: %s %s", what, why);
}

static void read_count(struct nodes *n, const PGresult *res) {
        struct op_node_count m;
        struct rows_map map;

        rows_map(res, OP_node_count, &map);
        if (PQntuples(res) == 1 && rows_read(&map, res, 0, &m) == 0)
                seen(n, m.nodes);
}

static void read_heads(struct nodes *n, const PGresult *res) {
        struct rows_map map;

        rows_map(res, OP_node_head, &map);
        for (int i = 0; i < PQntuples(res); i++) {
                struct op_node_head m;

                if (rows_read(&map, res, i, &m) != 0)
                        continue;
                if (rows_status(&map, res, i) == STATUS_CURSOR_AHEAD)
                        n->restored = true;
                else
                        stat_add(STAT_node_heads_polled,
                                 publish_told(n->publish, m.account_id, m.session_id, m.head));
        }
}

static void failed(struct nodes *n, enum errand e, const PGresult *res) {
        struct failure f;

        n->failed = true;
        errors_of(res, &f);
        complain(n, names[e], f.sqlstate);
        if (errors_what(f.sqlstate) == ERRORS_RECONNECT)
                pg_reset(n->pg, "a prepared statement is out of date");
}

static void ended(struct nodes *n, enum errand e) {
        memmove(n->flying, n->flying + 1, --n->n_flying * sizeof *n->flying);
        if (e == HEAR) {
                n->listening = !n->failed;
        } else if (e == TELL && !n->failed) {
                stat_add(STAT_node_notices_sent, n->telling);
        } else if (e == TELL) {
                notes_all(n->notes);
                n->next = text_mono_micros() + PAUSE;
        } else if (e == POLL && n->failed) {
                round_all(&n->round); /* when it is polled next */
        } else if (e == POLL && n->round.whole) {
                poll(n);
        }
        n->failed = false;
}

static void on_result(void *arg, PGresult *res) {
        struct nodes *n = arg;
        enum errand e = n->flying[0];
        ExecStatusType s = PQresultStatus(res);

        n->heard = text_mono_micros();
        if (!n->n_flying)
                pg_reset(n->pg, "a result nobody asked for");
        else if (s == PGRES_PIPELINE_SYNC)
                ended(n, e);
        else if (s == PGRES_TUPLES_OK && e == BEAT)
                read_count(n, res);
        else if (s == PGRES_TUPLES_OK && e == POLL)
                read_heads(n, res);
        else if (s != PGRES_TUPLES_OK && s != PGRES_COMMAND_OK)
                failed(n, e, res);
        PQclear(res);
}

static void on_notice(void *arg, struct slice payload) {
        struct nodes *n = arg;
        struct slice node;
        struct notice m;
        size_t at = 0;
        int more = -1;

        if (notice_from(payload, &node, &at)) {
                if (slice_is(node, n->id))
                        return;
                while ((more = notice_next(payload, &at, &m)) > 0) {
                        if (m.all)
                                poll_all(n);
                        else
                                publish_told(n->publish, m.account, m.session, m.head);
                }
        }
        stat_add(STAT_node_notices_received, 1);
        if (more < 0)
                complain(n, "a notice", "that is none of ours");
        else if (n->nodes < 2) { /* somebody new: he is told from now on */
                seen(n, 2);
                beat(n);
        }
}

/* ---- coming and going ---- */

/* What was committed while nobody heard is found by looking, here and there. */
static void on_ready(void *arg) {
        struct nodes *n = arg;

        if (pg_query(n->pg, "LISTEN lifeos_heads") && pg_sync(n->pg))
                sent(n, HEAR);
        beat(n);
        notes_all(n->notes);
        poll_all(n);
}

static void on_lost(void *arg) {
        struct nodes *n = arg;

        n->n_flying = 0;
        n->failed = n->listening = false;
}

/* Once per loop turn, after what was committed in it was noted. */
static void on_prepare(struct ev_loop *loop, ev_prepare *w, int revents) {
        struct nodes *n = w->data;
        int64_t left;

        (void)revents;
        if (!notes_any(n->notes) || !may(n, TELL) || ev_is_active(&n->wait))
                return;
        left = n->next - text_mono_micros();
        if (left > 0) {
                ev_timer_set(&n->wait, (double)left / 1e6, 0.);
                ev_timer_start(loop, &n->wait);
                return;
        }
        tell(n);
}

static void on_wait(struct ev_loop *loop, ev_timer *w, int revents) {
        (void)loop, (void)w, (void)revents; /* the turn it wakes ends in on_prepare */
}

static void on_beat(struct ev_loop *loop, ev_timer *w, int revents) {
        struct nodes *n = w->data;

        (void)loop, (void)revents;
        if (n->n_flying && text_mono_micros() - n->heard > SILENCE)
                pg_reset(n->pg, "no answer in time");
        beat(n);
}

/* Told or not: everything is looked at in turn. If notices do not reach us, all of it each time. */
static void on_poll(struct ev_loop *loop, ev_timer *w, int revents) {
        struct nodes *n = w->data;

        (void)loop, (void)revents;
        if (n->nodes == 1 && ++n->skipped < ALONE)
                return;
        n->skipped = 0;
        if (!n->listening && !n->round.whole)
                round_all(&n->round);
        poll(n);
}

void nodes_doubt(struct nodes *n) {
        notes_all(n->notes);
}

bool nodes_restored(struct nodes *n) {
        bool restored = n->restored;

        n->restored = false;
        return restored;
}

struct nodes *nodes_new(struct ev_loop *loop, struct subs *subs, struct publish *publish) {
        static const struct pg_events events = { on_result, on_lost };
        struct nodes *n = calloc(1, sizeof *n);
        double every = (double)setting_int(SETTING_node_poll_ms) / 1000;
        unsigned char id[8];

        if (!n)
                die("out of memory");
        *n = (struct nodes){ .loop = loop, .subs = subs, .publish = publish, .notes = notes_new() };
        round_init(&n->round, subs);
        randombytes_buf(id, sizeof id);
        text_hex(id, sizeof id, n->id);
        params_init(&n->params);
        buf_init(&n->rows, OP_BYTES_MAX);
        publish_notes(publish, n->notes);
        n->pg = pg_new(loop, PG_NODES, &events, n);
        pg_hear(n->pg, on_ready, on_notice);
        ev_prepare_init(&n->prepare, on_prepare);
        ev_timer_init(&n->beat, on_beat, BEAT_SECONDS, BEAT_SECONDS);
        ev_timer_init(&n->poll, on_poll, every, every);
        ev_timer_init(&n->wait, on_wait, 0., 0.);
        n->prepare.data = n->beat.data = n->poll.data = n->wait.data = n;
        ev_prepare_start(loop, &n->prepare);
        ev_timer_start(loop, &n->beat);
        ev_timer_start(loop, &n->poll);
        return n;
}

void nodes_free(struct nodes *n) {
        ev_prepare_stop(n->loop, &n->prepare);
        ev_timer_stop(n->loop, &n->beat);
        ev_timer_stop(n->loop, &n->poll);
        ev_timer_stop(n->loop, &n->wait);
        publish_notes(n->publish, NULL);
        notes_free(n->notes);
        params_free(&n->params);
        buf_free(&n->rows);
        free(n);
}
