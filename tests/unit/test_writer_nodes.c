/* test_writer_nodes.c - one NOTIFY for many commits, what others say is passed on, and polling goes on without. */
#include "nodes.h"
#include "writer_rig.h"

/* PostgreSQL's end of the connection: what was asked, in order, and answers by hand. */
#define ASKED 64
static struct {
        bool ready, given_up;
        const struct pg_events *ev;
        void *arg;
        void (*on_ready)(void *arg);
        void (*notice)(void *arg, struct slice payload);
        const char *asked[ASKED]; /* names of statements, since the last look */
        unsigned n;
        char array[70000]; /* the first parameter of the last op */
        size_t array_n;
} db;

struct pg *pg_new(struct ev_loop *loop, enum pg_role role, const struct pg_events *ev, void *arg) {
        (void)loop;
        assert_int_equal(role, PG_NODES);
        db.ev = ev;
        db.arg = arg;
        return (void *)&db;
}

void pg_hear(struct pg *p, void (*ready)(void *arg), void (*notice)(void *arg, struct slice payload)) {
        (void)p;
        db.on_ready = ready;
        db.notice = notice;
}

bool pg_ready(const struct pg *p) {
        (void)p;
        return db.ready;
}

bool pg_call(struct pg *p, enum op op, const struct params *params) {
        (void)p;
        assert_true(db.ready && db.n < ASKED && !params->over);
        db.asked[db.n++] = op_desc(op)->name;
        db.array_n = (size_t)params->length[0] < sizeof db.array ? (size_t)params->length[0] : 0;
        memcpy(db.array, params->value[0], db.array_n);
        return true;
}

bool pg_query(struct pg *p, const char *sql) {
        (void)p;
        assert_true(db.ready && db.n < ASKED);
        db.asked[db.n++] = sql;
        return true;
}

bool pg_sync(struct pg *p) {
        (void)p;
        return true;
}

void pg_reset(struct pg *p, const char *why) {
        (void)p, (void)why;
        db.given_up = true;
}

static struct ev_loop *loop;
static struct subs *subs;
static struct watch *watch;
static struct publish *publish;
static struct nodes *nodes;
static ev_timer tick; /* what is asked at the end of a turn is seen soon */

static void on_tick(struct ev_loop *l, ev_timer *w, int revents) {
        (void)l, (void)w, (void)revents;
}

static void turn(void) {
        ev_run(loop, EVRUN_NOWAIT);
}

/* Turns until this was asked for. */
static void turn_until(unsigned n) {
        while (db.n < n)
                ev_run(loop, EVRUN_ONCE);
        assert_int_equal(db.n, n);
}

static void assert_asked(unsigned i, const char *name) {
        assert_true(i < db.n);
        assert_string_equal(db.asked[i], name);
}

/* The answer of the oldest errand that is not answered. */
static void answer(PGresult *res) {
        db.ev->result(db.arg, res);
        db.ev->result(db.arg, PQmakeEmptyPGresult(NULL, PGRES_PIPELINE_SYNC));
}

static void done(void) {
        answer(PQmakeEmptyPGresult(NULL, PGRES_COMMAND_OK));
}

static void count(int64_t n) {
        static const char *const columns[] = { "status", "nodes" };
        PGresult *res = rig_result(2, columns);

        rig_text(res, 0, "status", "OK");
        rig_int(res, 0, "nodes", n, 8);
        answer(res);
}

static void fails(void) {
        answer(PQmakeEmptyPGresult(NULL, PGRES_FATAL_ERROR));
}

static void found(const char *status, const char *session, int64_t head) {
        static const char *const columns[] = { "status", "account_id", "session_id", "head" };
        PGresult *res = rig_result(4, columns);

        if (session) {
                rig_text(res, 0, "status", status);
                rig_text(res, 0, "account_id", "a");
                rig_text(res, 0, "session_id", session);
                rig_int(res, 0, "head", head, 8);
        }
        answer(res);
}

static void moved(const char *session, int64_t head) {
        found("OK", session, head);
}

static void listener(const char *session, int64_t head) {
        assert_non_null(subs_peer(subs, peer_no(1)));
        assert_int_equal(subs_add(subs, peer_no(1), SLICE("a"), slice_of(session), head), STATUS_OK);
}

static void assert_told(unsigned casts_so_far, const char *session, int64_t head) {
        assert_int_equal(n_casts, casts_so_far);
        assert_int_equal(casts[n_casts - 1].op, OP_stream_head);
        assert_string_equal(casts[n_casts - 1].session, session);
        assert_int_equal(casts[n_casts - 1].head, head);
}

static bool said(const char *text) {
        return memmem(db.array, db.array_n, text, strlen(text)) != NULL;
}

static void hear(const char *text) {
        db.notice(db.arg, slice_of(text));
}

static int setup(void **state) {
        rig_setup(state);
        memset(&db, 0, sizeof db);
        loop = ev_loop_new(EVFLAG_AUTO);
        subs = subs_new(10000);
        watch = watch_new();
        publish = publish_new(loop, subs, watch);
        nodes = nodes_new(loop, subs, publish);
        ev_timer_init(&tick, on_tick, 0.002, 0.002);
        ev_timer_start(loop, &tick);
        return 0;
}

static int teardown(void **state) {
        nodes_free(nodes);
        publish_free(publish);
        watch_free(watch);
        subs_free(subs);
        ev_loop_destroy(loop);
        return rig_teardown(state);
}

/* Connected, two appliances, everything that was asked at first answered. */
static void together(void) {
        db.ready = true;
        db.on_ready(db.arg);
        turn();
        assert_int_equal(db.n, 3);
        done();
        count(2);
        done();
        db.n = 0;
}

TEST(a_connection_begins_with_listening_then_looking_at_everything_and_telling_others_to) {
        listener("s", 1);
        turn();
        assert_int_equal(db.n, 0);
        db.ready = true;
        db.on_ready(db.arg);
        turn();
        assert_int_equal(db.n, 4);
        assert_asked(0, "LISTEN lifeos_heads");
        assert_asked(1, "node_beat");
        assert_asked(2, "heads_moved");
        assert_asked(3, "node_notify");
        assert_true(said("\n*"));
        done();
        count(1);
        moved("s", 3);
        assert_told(1, "s", 3);
        assert_int_equal(counted[STAT_node_heads_polled], 1);
        assert_int_equal(counted[STAT_node_notices_sent], 0);
        done();
        assert_int_equal(counted[STAT_node_notices_sent], 1);
        assert_int_equal(counted[STAT_nodes], 1);
}

TEST(a_stream_that_ends_before_what_was_told_means_a_restored_database_once) {
        listener("s", 5);
        db.ready = true;
        db.on_ready(db.arg);
        turn();
        done();
        count(1);
        assert_false(nodes_restored(nodes));
        found("CURSOR_AHEAD", "s", 3);
        assert_int_equal(n_casts, 0);
        assert_int_equal(counted[STAT_node_heads_polled], 0);
        assert_true(nodes_restored(nodes));
        assert_false(nodes_restored(nodes));
}

TEST(commits_while_a_notify_flies_share_the_next_one) {
        together();
        publish_head(publish, SLICE("a"), SLICE("s1"), 1);
        turn_until(1);
        assert_asked(0, "node_notify");
        assert_true(said("1 s1 a"));
        for (int64_t i = 2; i < 1000; i++) {
                publish_head(publish, SLICE("a"), SLICE("s1"), i);
                publish_head(publish, SLICE("a"), SLICE("s2"), i);
        }
        turn();
        assert_int_equal(db.n, 1);
        done();
        turn_until(2); /* some milliseconds later */
        assert_true(said("999 s1 a\n999 s2 a"));
        done();
        assert_int_equal(counted[STAT_node_notices_sent], 3);
        turn();
        assert_int_equal(db.n, 2);
}

TEST(a_single_appliance_sends_no_notice_until_another_speaks) {
        db.ready = true;
        db.on_ready(db.arg);
        turn();
        assert_int_equal(db.n, 3);
        done();
        count(1);
        done();
        db.n = 0;
        assert_false(publish_wanted(publish));
        publish_head(publish, SLICE("a"), SLICE("s"), 1);
        turn();
        assert_int_equal(db.n, 0);
        hear("feedfeedfeedfeed\n*");
        assert_int_equal(counted[STAT_nodes], 2);
        assert_asked(0, "node_beat");
        publish_head(publish, SLICE("a"), SLICE("s"), 2);
        turn_until(2);
        assert_asked(1, "node_notify");
        assert_true(said("2 s a"));
}

TEST(what_another_says_reaches_listeners_once_and_is_not_said_again) {
        listener("s", 5);
        db.ready = true;
        db.on_ready(db.arg);
        turn();
        done();
        count(2);
        moved(NULL, 0);
        done();
        db.n = 0;
        hear("feedfeedfeedfeed\n7 s a\n9 other a");
        assert_told(1, "s", 7);
        hear("feedfeedfeedfeed\n6 s a");
        hear("feedfeedfeedfeed\n7 s a");
        assert_int_equal(n_casts, 1);
        turn();
        assert_int_equal(db.n, 0);
        assert_int_equal(counted[STAT_node_notices_received], 3);
}

TEST(own_notices_and_nonsense_change_nothing) {
        char own[5000];
        const char *at;

        listener("s", 5);
        db.ready = true;
        db.on_ready(db.arg);
        turn();
        at = memmem(db.array, db.array_n, "\n*", 2);
        assert_true(at != NULL && at - db.array >= 16);
        snprintf(own, sizeof own, "%.16s\n9 s a", at - 16);
        done();
        count(2);
        moved(NULL, 0);
        done();
        db.n = 0;
        hear(own);
        assert_int_equal(counted[STAT_node_notices_received], 0);
        hear("");
        hear("hello");
        hear("feedfeedfeedfeed\n9 s");
        hear("feedfeedfeedfeed\n99999999999999999999 s a");
        assert_int_equal(counted[STAT_node_notices_received], 4);
        assert_int_equal(n_casts, 0);
        assert_false(db.given_up);
}

TEST(a_notify_that_failed_becomes_one_that_says_everything_later) {
        together();
        publish_head(publish, SLICE("a"), SLICE("s"), 1);
        turn_until(1);
        fails();
        assert_int_equal(counted[STAT_node_notices_sent], 1);
        turn();
        assert_int_equal(db.n, 1); /* not at once */
        turn_until(2);
        assert_asked(1, "node_notify");
        assert_true(said("\n*"));
}

TEST(without_listen_everything_is_polled_each_time) {
        db.ready = true;
        for (unsigned i = 0; i < 2500; i++) {
                char name[20];

                snprintf(name, sizeof name, "s%u", i);
                listener(name, 1);
        }
        db.on_ready(db.arg);
        turn();
        fails(); /* LISTEN */
        count(2);
        moved(NULL, 0); /* 3 pieces */
        done();
        moved(NULL, 0);
        moved("s7", 2);
        assert_told(1, "s7", 2);
        db.n = 0;
        turn_until(1); /* the next time */
        assert_asked(0, "heads_moved");
        moved(NULL, 0);
        moved(NULL, 0);
        moved("s8", 2);
        assert_told(2, "s8", 2);
        assert_int_equal(db.n, 3);
}

TEST(a_lost_connection_loses_no_news) {
        together();
        publish_head(publish, SLICE("a"), SLICE("s"), 1);
        turn_until(1);
        db.ready = false;
        db.ev->lost(db.arg);
        publish_head(publish, SLICE("a"), SLICE("s"), 2);
        turn();
        db.n = 0;
        db.ready = true;
        db.on_ready(db.arg);
        turn_until(3);
        assert_asked(0, "LISTEN lifeos_heads");
        assert_asked(2, "node_notify");
        assert_true(said("\n*"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(
                        a_connection_begins_with_listening_then_looking_at_everything_and_telling_others_to, setup,
                        teardown),
                cmocka_unit_test_setup_teardown(
                        a_stream_that_ends_before_what_was_told_means_a_restored_database_once, setup, teardown),
                cmocka_unit_test_setup_teardown(commits_while_a_notify_flies_share_the_next_one, setup, teardown),
                cmocka_unit_test_setup_teardown(a_single_appliance_sends_no_notice_until_another_speaks, setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(what_another_says_reaches_listeners_once_and_is_not_said_again, setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(own_notices_and_nonsense_change_nothing, setup, teardown),
                cmocka_unit_test_setup_teardown(a_notify_that_failed_becomes_one_that_says_everything_later, setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(without_listen_everything_is_polled_each_time, setup, teardown),
                cmocka_unit_test_setup_teardown(a_lost_connection_loses_no_news, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
