/* pg_setup.c - what a fresh connection must agree to before it may carry anything. */
#include <stdio.h>

#include "pg.h"
#include "plan.h"
#include "schema_hash.h"
#include "settings.h"

static const char *const lane_settings[] = {
        "SET synchronous_commit = on",
        "SET statement_timeout = '10s'",
        "SET lock_timeout = '2s'",
        "SET idle_in_transaction_session_timeout = '10s'",
};
static const char *const reader_settings[] = {
        "SET default_transaction_read_only = on",
        "SET statement_timeout = '5s'",
        "SET idle_in_transaction_session_timeout = '10s'",
};
#define COUNT(a) ((int)(sizeof(a) / sizeof *(a)))

static bool query(PGconn *conn, const char *sql) {
        return PQsendQueryParams(conn, sql, 0, NULL, NULL, NULL, NULL, 0);
}

static int settings_of(enum pg_role role, const char *const **ret) {
        *ret = role == PG_LANE ? lane_settings : reader_settings;
        return role == PG_LANE ? COUNT(lane_settings) : COUNT(reader_settings);
}

static bool session_send(PGconn *conn, enum pg_role role) {
        const char *const *sql;
        int n = settings_of(role, &sql);

        for (int i = 0; i < n; i++)
                if (!query(conn, sql[i]))
                        return false;
        return query(conn, "SELECT api.schema_hash()");
}

static bool mine(enum pg_role role, int op) {
        return role == PG_LANE ? plan_lane((enum op)op) : plan_reader((enum op)op);
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
        const char *const *sql;
        int n = settings_of(role, &sql);
        ExecStatusType s = PQresultStatus(res);

        if (nth < n) {
                if (s == PGRES_COMMAND_OK)
                        return true;
                snprintf(why, 256, "%s: %s", sql[nth], words(res));
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
