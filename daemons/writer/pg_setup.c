/* pg_setup.c - what a fresh connection must agree to before it may carry anything. */
#include <stdio.h>

#include "pg.h"
#include "plan.h"
#include "schema_hash.h"
#include "settings.h"

#define SETTINGS_MAX 6

struct session {
        const char *sql[SETTINGS_MAX];
        int n;
};

/* A plan is made once and kept: what reads a whole table while it is small must not go on doing so. */
#define BY_INDEX "SET enable_seqscan = off"

/* A read that hangs, a lock that is never given back, a client that is gone: each has its limit here. */
static struct session session_of(enum pg_role role) {
        static char parked[64];

        if (role == PG_READER)
                return (struct session){ { "SET default_transaction_read_only = on", "SET statement_timeout = '5s'",
                                           "SET idle_in_transaction_session_timeout = '10s'", BY_INDEX },
                                         4 };
        if (role == PG_UPKEEP)
                return (struct session){ { "SET synchronous_commit = on", "SET statement_timeout = '30s'",
                                           "SET lock_timeout = '2s'" },
                                         3 };
        if (role == PG_NODES) /* what is said here is said again: it need not survive, nor wait for a standby */
                return (struct session){ { "SET synchronous_commit = off", "SET statement_timeout = '5s'",
                                           "SET lock_timeout = '2s'",
                                           "SET idle_in_transaction_session_timeout = '10s'" },
                                         4 };
        snprintf(parked, sizeof parked, "SET lifeos.webhooks_parked_max = %lld",
                 (long long)setting_int(SETTING_webhooks_parked_max));
        return (struct session){ { "SET synchronous_commit = on", "SET statement_timeout = '10s'",
                                   "SET lock_timeout = '2s'", "SET idle_in_transaction_session_timeout = '10s'",
                                   parked, BY_INDEX },
                                 6 };
}

static bool query(PGconn *conn, const char *sql) {
        return PQsendQueryParams(conn, sql, 0, NULL, NULL, NULL, NULL, 0);
}

static bool session_send(PGconn *conn, enum pg_role role) {
        struct session s = session_of(role);

        for (int i = 0; i < s.n; i++)
                if (!query(conn, s.sql[i]))
                        return false;
        return query(conn, "SELECT api.schema_hash()");
}

static bool mine(enum pg_role role, int op) {
        if (role == PG_NODES)
                return plan_node((enum op)op);
        return role == PG_LANE ? plan_lane((enum op)op) : role == PG_READER && plan_reader((enum op)op);
}

bool pg_setup_send(PGconn *conn, enum pg_role role, int step) {
        if (step == 0)
                return session_send(conn, role) && PQpipelineSync(conn);
        for (int op = 0; op < OP_COUNT; op++) {
                const struct plan *p = plan_of((enum op)op);

                if (mine(role, op) && !PQsendPrepare(conn, p->desc->name, p->sql, p->n_params, NULL))
                        return false;
        }
        return PQpipelineSync(conn);
}

/* PostgreSQL's own words: no values of ours are in these statements. */
static const char *words(const PGresult *res) {
        const char *m = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);

        return m ? m : "connection lost";
}

static bool session_result(enum pg_role role, int nth, const PGresult *res, char why[static 256]) {
        struct session session = session_of(role);
        ExecStatusType s = PQresultStatus(res);

        if (nth < session.n) {
                if (s == PGRES_COMMAND_OK)
                        return true;
                snprintf(why, 256, "%s: %s", session.sql[nth], words(res));
                return false;
        }
        if (s != PGRES_TUPLES_OK || PQntuples(res) != 1) {
                snprintf(why, 256, "the database has no schema of ours (%s): run lifeos-migrate", words(res));
                return false;
        }

        const char *theirs = PQgetvalue(res, 0, 0);

        if (strcmp(theirs, LIFEOS_SCHEMA_HASH) == 0)
                return true;
        snprintf(why, 256,
                 "the database's schema is %.12s and this writer was built for %.12s: run lifeos-migrate; if the "
                 "database was migrated by a newer package, this writer is older than the database: upgrade it",
                 theirs, LIFEOS_SCHEMA_HASH);
        return false;
}

bool pg_setup_result(enum pg_role role, int step, int nth, const PGresult *res, char why[static 256]) {
        if (step == 0)
                return session_result(role, nth, res, why);
        if (PQresultStatus(res) == PGRES_COMMAND_OK)
                return true;
        for (int op = 0; op < OP_COUNT; op++)
                if (mine(role, op) && nth-- == 0)
                        snprintf(why, 256, "the statement of op %s does not prepare: %s", op_desc((enum op)op)->name,
                                 words(res));
        return false;
}
