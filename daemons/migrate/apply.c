/* apply - compares what is recorded with what there is, and runs the difference. */
#include "apply.h"

#include <stdio.h>

static bool run(PGconn *pg, const char *sql, const char *name, char why[static 512]) {
        PGresult *r = PQexec(pg, sql);
        ExecStatusType st = PQresultStatus(r);
        bool ok = st == PGRES_COMMAND_OK || st == PGRES_TUPLES_OK || st == PGRES_EMPTY_QUERY;

        if (!ok)
                snprintf(why, 512, "%s: %s", name, PQresultErrorMessage(r));
        PQclear(r);
        return ok;
}

static bool begin(PGconn *pg, char why[static 512]) {
        return run(pg, "SET client_min_messages = warning; BEGIN", "begin", why) &&
               run(pg,
                   "CREATE SCHEMA IF NOT EXISTS lifeos;"
                   "CREATE TABLE IF NOT EXISTS lifeos.schema_migration ("
                   "        name text COLLATE \"C\" PRIMARY KEY,"
                   "        sha256 text NOT NULL,"
                   "        applied_at timestamptz NOT NULL DEFAULT clock_timestamp());"
                   "LOCK TABLE lifeos.schema_migration IN ACCESS EXCLUSIVE MODE",
                   "lock", why);
}

/* The recorded checksum of a name: 1 found, 0 not, -1 failed. */
static int recorded(PGconn *pg, const char *name, char to[static 65], char why[static 512]) {
        PGresult *r = PQexecParams(pg, "SELECT sha256 FROM lifeos.schema_migration WHERE name = $1", 1, NULL, &name, NULL,
                                   NULL, 0);
        int rc = -1;

        if (PQresultStatus(r) == PGRES_TUPLES_OK) {
                rc = PQntuples(r) == 1;
                if (rc)
                        snprintf(to, 65, "%s", PQgetvalue(r, 0, 0));
        } else {
                snprintf(why, 512, "reading what is applied: %s", PQresultErrorMessage(r));
        }
        PQclear(r);
        return rc;
}

static bool record(PGconn *pg, const char *name, const char *sha256, char why[static 512]) {
        const char *v[] = { name, sha256 };
        PGresult *r = PQexecParams(pg,
                                   "INSERT INTO lifeos.schema_migration (name, sha256) VALUES ($1, $2) ON CONFLICT (name) "
                                   "DO UPDATE SET sha256 = excluded.sha256, applied_at = clock_timestamp()",
                                   2, NULL, v, NULL, NULL, 0);
        bool ok = PQresultStatus(r) == PGRES_COMMAND_OK;

        if (!ok)
                snprintf(why, 512, "recording %s: %s", name, PQresultErrorMessage(r));
        PQclear(r);
        return ok;
}

static bool have(const struct files *files, const char *name) {
        for (unsigned i = 0; i < files->n; i++)
                if (strcmp(files->file[i].name, name) == 0)
                        return true;
        return false;
}

/* A table file that the database has and we have not: a later version was here. */
static bool not_newer(PGconn *pg, const struct files *files, char why[static 512]) {
        PGresult *r = PQexec(pg, "SELECT name FROM lifeos.schema_migration WHERE name LIKE 'tables/%' ORDER BY name");
        bool ok = PQresultStatus(r) == PGRES_TUPLES_OK;

        if (!ok)
                snprintf(why, 512, "reading what is applied: %s", PQresultErrorMessage(r));
        for (int i = 0; ok && i < PQntuples(r); i++) {
                ok = have(files, PQgetvalue(r, i, 0));
                if (!ok)
                        snprintf(why, 512,
                                 "the database is newer than this program: it has %s; install the newer package, there "
                                 "is no way back",
                                 PQgetvalue(r, i, 0));
        }
        PQclear(r);
        return ok;
}

static bool apply_file(PGconn *pg, const struct file *f, char why[static 512]) {
        printf("  %s\n", f->name);
        fflush(stdout);
        return run(pg, f->text.p, f->name, why) &&
               (f->kind != FILE_TABLES || record(pg, f->name, f->sha256, why));
}

/* Table files: once, and never edited afterwards. 1 something is to be done, 0 nothing, -1 refused. */
static int tables(PGconn *pg, const struct files *files, bool check_only, char why[static 512]) {
        int todo = 0;
        char was[65];

        for (unsigned i = 0; i < files->n; i++) {
                const struct file *f = &files->file[i];
                int known = f->kind == FILE_TABLES ? recorded(pg, f->name, was, why) : 1;

                if (known < 0)
                        return -1;
                if (f->kind == FILE_TABLES && known && strcmp(was, f->sha256) != 0) {
                        snprintf(why, 512, "%s was edited after it had been applied; put a change into a new file", f->name);
                        return -1;
                }
                if (known)
                        continue;
                todo = 1;
                if (!check_only && !apply_file(pg, f, why))
                        return -1;
        }
        return todo;
}

/* Functions and roles: made anew whenever any of them changed. */
static int functions(PGconn *pg, const struct files *files, bool check_only, char why[static 512]) {
        char was[65] = "";
        int known = recorded(pg, "schema", was, why);

        if (known < 0)
                return -1;
        if (known && strcmp(was, files->sha256) == 0)
                return 0;
        for (unsigned i = 0; !check_only && i < files->n; i++)
                if (files->file[i].kind != FILE_TABLES && !apply_file(pg, &files->file[i], why))
                        return -1;
        return check_only || record(pg, "schema", files->sha256, why) ? 1 : -1;
}

enum apply_result apply(PGconn *pg, const struct files *files, bool check_only, char why[static 512]) {
        if (!begin(pg, why) || !not_newer(pg, files, why))
                return APPLY_REFUSED;

        int t = tables(pg, files, check_only, why);
        int f = t < 0 ? -1 : functions(pg, files, check_only, why);

        if (t < 0 || f < 0)
                return APPLY_REFUSED;
        if (check_only)
                return t || f ? APPLY_NEEDED : APPLY_UP_TO_DATE;
        if (!run(pg, "COMMIT", "commit", why))
                return APPLY_REFUSED;
        return t || f ? APPLY_DONE : APPLY_UP_TO_DATE;
}
