/* schema.c - reading and advancing lifeos.schema_migration, under its own lock. */
#include "schema.h"

#include <stdio.h>

#include "log.h"

static void finish(PGconn *conn, PGresult *r, const char *what) {
        ExecStatusType s = PQresultStatus(r);

        if (s != PGRES_COMMAND_OK && s != PGRES_TUPLES_OK)
                die("%s: %s", what, PQerrorMessage(conn));
        PQclear(r);
}

static void run(PGconn *conn, const char *what, const char *sql) {
        finish(conn, PQexec(conn, sql), what);
}

static PGresult *ask(PGconn *conn, const char *sql, const char *a, const char *b) {
        const char *value[] = { a, b };
        PGresult *r = PQexecParams(conn, sql, !!a + !!b, NULL, value, NULL, NULL, 0);

        if (PQresultStatus(r) != PGRES_TUPLES_OK && PQresultStatus(r) != PGRES_COMMAND_OK)
                die("%s", PQerrorMessage(conn));
        return r;
}

PGconn *schema_connect(const char *conninfo) {
        /* What the operator wrote may override what stands before it. */
        static const char *const name[] = { "gssencmode", "sslmode",         "fallback_application_name",
                                            "dbname",     "client_encoding", "options",
                                            NULL };
        const char *const value[] = { "disable",
                                      "disable",
                                      "lifeos-migrate",
                                      conninfo,
                                      "UTF8",
                                      "-c lock_timeout=60s -c client_min_messages=warning -c "
                                      "default_transaction_isolation=read\\ committed",
                                      NULL };
        PGconn *conn = PQconnectdbParams(name, value, 1);

        if (!conn || PQstatus(conn) != CONNECTION_OK)
                die("%s", conn ? PQerrorMessage(conn) : "out of memory");
        return conn;
}

/* The one table that no file makes: it says which files were applied. */
static void bootstrap(PGconn *conn) {
        run(conn, "lifeos.schema_migration",
            "BEGIN;"
            "SELECT pg_advisory_xact_lock(7812013305);"
            "CREATE SCHEMA IF NOT EXISTS lifeos;"
            "CREATE TABLE IF NOT EXISTS lifeos.schema_migration ("
            "        name text PRIMARY KEY, sha256 text NOT NULL, applied_at bigint NOT NULL);"
            "COMMIT");
}

static bool bootstrapped(PGconn *conn) {
        PGresult *r = ask(conn, "SELECT to_regclass('lifeos.schema_migration') IS NOT NULL", NULL, NULL);
        bool yes = PQgetvalue(r, 0, 0)[0] == 't';

        PQclear(r);
        return yes;
}

/* The hash under which a file (or "schema", the whole) was applied; false: it was not. */
static bool applied(PGconn *conn, const char *name, char sha256[static 65]) {
        PGresult *r = ask(conn, "SELECT sha256 FROM lifeos.schema_migration WHERE name = $1", name, NULL);
        bool found = PQntuples(r) == 1;

        if (found)
                snprintf(sha256, 65, "%s", PQgetvalue(r, 0, 0));
        PQclear(r);
        return found;
}

/* Forwards only, and history stays as it was written. */
static void judge(PGconn *conn, const struct files *f) {
        PGresult *r =
                ask(conn, "SELECT name, sha256 FROM lifeos.schema_migration WHERE name LIKE 'tables/%' ORDER BY name",
                    NULL, NULL);
        const char *last = "";
        char sha256[65];

        for (int i = 0; i < PQntuples(r); i++) {
                const struct file *file = files_find(f, PQgetvalue(r, i, 0));

                if (!file)
                        die("the database is newer than this program: it has %s, which is not among the files; "
                            "install the newer package",
                            PQgetvalue(r, i, 0));
                if (strcmp(file->sha256, PQgetvalue(r, i, 1)) != 0)
                        die("%s was changed after it was applied: restore it, and put the change into a new file",
                            file->name);
                last = file->name;
        }
        for (size_t i = 0; i < f->n; i++)
                if (file_is_table(&f->file[i]) && strcmp(f->file[i].name, last) < 0 &&
                    !applied(conn, f->file[i].name, sha256))
                        die("%s comes before %s, which is applied already: give it a higher number", f->file[i].name,
                            last);
        PQclear(r);
}

static void record(PGconn *conn, const char *name, const char *sha256) {
        PQclear(ask(conn,
                    "INSERT INTO lifeos.schema_migration (name, sha256, applied_at)"
                    " VALUES ($1, $2, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)"
                    " ON CONFLICT (name) DO UPDATE SET sha256 = excluded.sha256, applied_at = excluded.applied_at",
                    name, sha256));
}

/* Begins a transaction in which nobody else migrates; readers of the schema's hash are not held up. */
static void begin(PGconn *conn, const struct files *f) {
        run(conn, "waiting for another migration", "BEGIN; LOCK TABLE lifeos.schema_migration IN EXCLUSIVE MODE");
        judge(conn, f);
}

static void execute(PGconn *conn, const struct file *file) {
        int64_t t = text_mono_micros();

        printf("applying %s", file->name);
        fflush(stdout);
        run(conn, file->name, file->text.p);
        printf(" (%lld ms)\n", (long long)((text_mono_micros() - t) / 1000));
}

static void apply_table(PGconn *conn, const struct files *f, const struct file *file) {
        char sha256[65];

        begin(conn, f);
        if (!applied(conn, file->name, sha256)) {
                execute(conn, file);
                record(conn, file->name, file->sha256);
        }
        run(conn, file->name, "COMMIT");
}

/* The code schemas depend on nothing but the tables and are made anew; half of them would be worse than none. */
static void apply_code(PGconn *conn, const struct files *f) {
        char sha256[65];

        begin(conn, f);
        if (!applied(conn, "schema", sha256) || strcmp(sha256, f->sha256) != 0) {
                PQclear(ask(conn, "DELETE FROM lifeos.schema_migration WHERE name NOT LIKE 'tables/%'", NULL, NULL));
                for (size_t i = 0; i < f->n; i++)
                        if (!file_is_table(&f->file[i])) {
                                execute(conn, &f->file[i]);
                                record(conn, f->file[i].name, f->file[i].sha256);
                        }
                record(conn, "schema", f->sha256);
        }
        run(conn, "schema", "COMMIT");
}

bool schema_check(PGconn *conn, const struct files *f) {
        char sha256[65];
        bool complete = true;

        if (!bootstrapped(conn)) {
                printf("the database is empty\n");
                return false;
        }
        judge(conn, f);
        for (size_t i = 0; i < f->n; i++)
                /* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): the checksum is an array in the row */
                if (!applied(conn, f->file[i].name, sha256) || strcmp(sha256, f->file[i].sha256) != 0) {
                        printf("to apply: %s\n", f->file[i].name);
                        complete = false;
                }
        return applied(conn, "schema", sha256) && strcmp(sha256, f->sha256) == 0 && complete;
}

void schema_apply(PGconn *conn, const struct files *f) {
        bootstrap(conn);
        judge(conn, f);
        for (size_t i = 0; i < f->n; i++)
                if (file_is_table(&f->file[i]))
                        apply_table(conn, f, &f->file[i]);
        apply_code(conn, f);
}
