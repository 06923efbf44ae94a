/* writer_rig.h - the writer's modules without peers or PostgreSQL: casts and replies are kept, results made. */
#pragma once

#include <libpq-fe.h>

#include "ask.h"
#include "plan.h"
#include "stats.h"
#include "unit.h"

/* A channel is only an address here. */
static char channels[8];
static inline struct channel *peer_no(unsigned i) {
        return (void *)&channels[i];
}

/* What was cast, in order. */
#define CASTS 4096
static struct cast {
        const struct channel *to;
        enum op op;
        int64_t head;        /* stream_head */
        int64_t first, last; /* event_publish: sequences */
        char account[130], session[110];
        char key[110]; /* access_changed; turn_stopped: the turn */
} casts[CASTS];
static unsigned n_casts;
static const struct channel *full; /* takes no cast now */
static const struct channel *restarted;

/* What was answered, by request id. */
#define REPLIES 64
static struct {
        unsigned count;
        enum status status;
        char detail[256];
        struct buf body;
} replies[REPLIES];

bool channel_cast(struct channel *c, enum op op, const void *msg) {
        struct cast *k = &casts[n_casts];

        if (c == full)
                return false;
        assert_int_equal(op_check(op, msg), 0);
        assert_true(n_casts++ < CASTS);
        *k = (struct cast){ .to = c, .op = op };
        if (op == OP_stream_head) {
                const struct op_stream_head *m = msg;

                k->head = m->head;
                assert_true(slice_copy(m->account_id, k->account, sizeof k->account));
                assert_true(slice_copy(m->session_id, k->session, sizeof k->session));
        } else if (op == OP_access_changed) {
                const struct op_access_changed *m = msg;

                assert_true(slice_copy(m->account_id, k->account, sizeof k->account));
                assert_true(slice_copy(m->key_id, k->key, sizeof k->key));
        } else if (op == OP_turn_stopped) {
                const struct op_turn_stopped *m = msg;

                assert_true(slice_copy(m->account_id, k->account, sizeof k->account));
                assert_true(slice_copy(m->session_id, k->session, sizeof k->session));
                assert_true(slice_copy(m->turn_id, k->key, sizeof k->key));
        } else {
                const struct op_event_publish *m = msg;
                struct op_event_stored e;
                size_t at = 0;

                assert_int_equal(op, OP_event_publish);
                assert_int_equal(op_rows_check(m->events, OP_event_stored, 1000), 0);
                while (op_rows_next(m->events, OP_event_stored, &at, &e)) {
                        assert_true(k->first == 0 || e.sequence == k->last + 1);
                        k->first = k->first ? k->first : e.sequence;
                        k->last = e.sequence;
                }
                assert_true(slice_copy(m->account_id, k->account, sizeof k->account));
                assert_true(slice_copy(m->session_id, k->session, sizeof k->session));
        }
        return true;
}

void channel_reply(const struct request *r, enum status s, struct slice detail, struct slice body) {
        assert_true(r->id < REPLIES);
        replies[r->id].count++;
        replies[r->id].status = s;
        snprintf(replies[r->id].detail, sizeof replies[r->id].detail, "%.*s", SLICE_FMT(detail));
        buf_clear(&replies[r->id].body);
        buf_slice(&replies[r->id].body, body);
}

/* Peer 7 is the webhook daemon, peer 4 openclaw. */
enum daemon_id channel_kind(const struct channel *c) {
        return c == peer_no(7) ? WEBHOOK : c == peer_no(4) ? OPENCLAW : FRONTEND;
}

/* Everybody connected: peers 4 to 7. */
struct channel *hub_next(struct hub *h, struct channel *it) {
        (void)h;
        return !it ? peer_no(4) : it == peer_no(7) ? NULL : peer_no((unsigned)((char *)(void *)it - channels) + 1);
}

void channel_restart(struct channel *c, const char *why) {
        (void)why;
        restarted = c;
}

uint8_t channel_instance(const struct channel *c) {
        return (uint8_t)((const char *)(const void *)c - channels);
}

static int64_t counted[STAT_COUNT];
void stat_add(enum stat_id s, int64_t n) {
        counted[s] += n;
}

static char counted_words[256]; /* "kept ended " */
void stat_add_word(enum stat_id s, const char *word, int64_t n) {
        size_t at = strlen(counted_words);

        assert_true(s == STAT_sweeps || s == STAT_actions);
        assert_int_equal(n, 1);
        (void)snprintf(counted_words + at, sizeof counted_words - at, "%s ", word);
}

static unsigned observed[STAT_COUNT];
void stat_observe(enum stat_id s, int64_t micros) {
        (void)micros;
        observed[s]++;
}

void stat_set(enum stat_id s, int64_t v) {
        counted[s] = v;
}

static inline int rig_setup(void **state) {
        (void)state;
        plan_init();
        n_casts = 0;
        full = restarted = NULL;
        memset(counted, 0, sizeof counted);
        memset(observed, 0, sizeof observed);
        counted_words[0] = '\0';
        for (unsigned i = 0; i < REPLIES; i++) {
                buf_free(&replies[i].body);
                memset(&replies[i], 0, sizeof replies[i]);
                buf_init(&replies[i].body, 4u << 20);
        }
        return 0;
}

static inline int rig_teardown(void **state) {
        (void)state;
        for (unsigned i = 0; i < REPLIES; i++)
                buf_free(&replies[i].body);
        return 0;
}

/* A request as it comes from peer 0, copied as the writer copies it. */
static inline struct ask *rig_ask(uint64_t id, enum op op, const void *msg) {
        struct buf bytes;

        buf_init(&bytes, OP_BYTES_MAX);
        op_encode(op, msg, &bytes);
        assert_false(bytes.over);

        struct request r = { .from = peer_no(0), .op = op, .id = id, .bytes = buf_view(&bytes), .msg = msg };
        struct ask *a = ask_new(&r);

        buf_free(&bytes);
        assert_non_null(a);
        return a;
}

/* An event_append of n events, ids <session>-<from>.. */
static inline struct ask *rig_append(uint64_t id, const char *account, const char *session, unsigned from, unsigned n,
                                     const char *payload) {
        struct op_event_append m = { 0 };
        struct buf rows;
        struct ask *a;

        buf_init(&rows, OP_BYTES_MAX);
        for (unsigned i = 0; i < n; i++) {
                struct op_event_in e = { 0 };
                char name[120];

                snprintf(name, sizeof name, "%s-%u", session, from + i);
                OP_SET(event_in, &e, session_id, slice_of(session));
                OP_SET(event_in, &e, event_id, slice_of(name));
                OP_SET(event_in, &e, type, SLICE("call.error"));
                OP_SET(event_in, &e, ts_given, i % 2 == 0);
                OP_SET(event_in, &e, ts, 1000 + i);
                OP_SET(event_in, &e, payload, slice_of(payload));
                op_rows_add(&rows, OP_event_in, &e);
        }
        OP_SET(event_append, &m, account_id, slice_of(account));
        OP_SET(event_append, &m, actor_id, SLICE("u1"));
        OP_SET(event_append, &m, actor_role, SLICE("owner"));
        OP_SET(event_append, &m, origin, SLICE("owner"));
        OP_SET(event_append, &m, received, 5000);
        OP_SET(event_append, &m, events, buf_view(&rows));
        a = rig_ask(id, OP_event_append, &m);
        buf_free(&rows);
        return a;
}

/* A result with these columns; cells are added in binary. */
static inline PGresult *rig_result(int n, const char *const *names) {
        PGresult *res = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
        PGresAttDesc att[32] = { 0 };
        char text[32][64];

        assert_true(res != NULL && n <= 32);
        for (int i = 0; i < n; i++) {
                snprintf(text[i], sizeof text[i], "%s", names[i]);
                att[i].name = text[i];
                att[i].format = 1;
        }
        assert_true(PQsetResultAttrs(res, n, att));
        return res;
}

static inline void rig_text(PGresult *res, int row, const char *name, const char *value) {
        char copy[4096];

        snprintf(copy, sizeof copy, "%s", value ? value : "");
        assert_true(PQsetvalue(res, row, PQfnumber(res, name), value ? copy : NULL, value ? (int)strlen(copy) : -1));
}

static inline void rig_int(PGresult *res, int row, const char *name, int64_t v, int bytes) {
        char be[8];

        for (int i = 0; i < bytes; i++)
                be[i] = (char)((uint64_t)v >> (8 * (bytes - 1 - i)));
        assert_true(PQsetvalue(res, row, PQfnumber(res, name), be, bytes));
}

static const char *const event_out_names[] = { "op",      "row", "status",   "account_id", "sequence",
                                               "deduped", "ts",  "received", "recorded",   "origin" };

/* One row of event_append's answer: stored, or a repeat. */
static inline void rig_stored(PGresult *res, int at, unsigned op, unsigned row, const char *account, int64_t sequence,
                              bool deduped) {
        rig_int(res, at, "op", op, 4);
        rig_int(res, at, "row", row, 8);
        rig_text(res, at, "status", "OK");
        rig_text(res, at, "account_id", account);
        rig_int(res, at, "sequence", sequence, 8);
        rig_int(res, at, "deduped", deduped, 1);
        rig_int(res, at, "ts", 1000, 8);
        rig_int(res, at, "received", 5000, 8);
        rig_int(res, at, "recorded", 6000, 8);
        rig_text(res, at, "origin", "owner");
}

/* And a refusal. */
static inline void rig_refused(PGresult *res, int at, unsigned op, unsigned row, const char *status) {
        rig_stored(res, at, op, row, "a", 1, false);
        rig_text(res, at, "status", status);
        for (int c = 3; c < 10; c++)
                assert_true(PQsetvalue(res, at, c, NULL, -1));
}
