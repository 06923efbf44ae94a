/* pg.h - one connection to PostgreSQL: either ready, with every statement prepared, or on its way there by itself. */
#pragma once

#include <ev.h>
#include <libpq-fe.h>

#include "params.h"

struct pg;
struct pg_events {
        /* In the order sent, one per pg_call(), pg_query() and pg_sync() (PGRES_PIPELINE_SYNC). The callee clears
         * it. */
        void (*result)(void *arg, PGresult *res);
        /* The connection broke: how what was sent ended is not known. */
        void (*lost)(void *arg);
};

enum pg_role { PG_LANE, PG_READER, PG_UPKEEP, PG_NODES };

struct pg *pg_new(struct ev_loop *loop, enum pg_role role, const struct pg_events *ev, void *arg);
/* Also say when it became ready, and hand on what others notify of once it has asked to LISTEN; same arg. */
void pg_hear(struct pg *p, void (*ready)(void *arg), void (*notice)(void *arg, struct slice payload));
bool pg_ready(const struct pg *p);
/* Why it is not ready, for people; never NULL. */
const char *pg_trouble(const struct pg *p);
/* Monotonic microseconds since which it is not ready; 0 if it is. */
int64_t pg_down_since(const struct pg *p);

/* Only while ready. Parameters are copied. false: the connection is given up; lost() follows on a later turn. */
bool pg_call(struct pg *p, enum op op, const struct params *params);
/* A statement without parameters, with its result as text. */
bool pg_query(struct pg *p, const char *sql);
/* Ends a transaction, and sends. */
bool pg_sync(struct pg *p);
/* Give the connection up and make a new one; lost() follows on a later turn. */
void pg_reset(struct pg *p, const char *why);

/* pg_setup.c: sends what makes a fresh connection ours. Step 0 sets the session up and asks for the schema's hash;
 * step 1 prepares the statements. Both end with a Sync. */
bool pg_setup_send(PGconn *conn, enum pg_role role, int step);
/* Judges one result of a step; false with a reason for people. */
bool pg_setup_result(enum pg_role role, int step, int nth, const PGresult *res, char why[static 256]);
