/* main.c - lifeos-migrate: brings a database to the schema this package was built with, or says why it cannot. */
#include <getopt.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "log.h"
#include "schema.h"
#include "schema_hash.h"

#define CONNINFO "host=/run/lifeos-postgresql port=5499 dbname=lifeos user=lifeos-migrate"
#define DIR_PATH "/usr/share/lifeos/migrations"

static const char help[] =
        "lifeos-migrate - bring the database to this package's schema\n"
        "\n"
        "  --conninfo S   where PostgreSQL is (default " CONNINFO ")\n"
        "  --dir D        the migrations (default " DIR_PATH ")\n"
        "  --check        change nothing: 0 if the database is up to date, 2 if something is to be applied\n"
        "  --version, --help\n"
        "\n"
        "Files of tables/ that were applied are never changed and never taken back; a database that is newer\n"
        "than the program is left alone.\n";

struct arguments {
        const char *conninfo, *dir;
        bool check;
};

static void arguments(struct arguments *a, int argc, char **argv) {
        static const struct option options[] = {
                { "conninfo", required_argument, NULL, 'c' }, { "dir", required_argument, NULL, 'd' },
                { "check", no_argument, NULL, 'n' },          { "version", no_argument, NULL, 'v' },
                { "help", no_argument, NULL, 'h' },           { 0 }
        };
        int c;

        while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
                if (c == 'c') {
                        a->conninfo = optarg;
                } else if (c == 'd') {
                        a->dir = optarg;
                } else if (c == 'n') {
                        a->check = true;
                } else if (c == 'v') {
                        puts("lifeos-migrate " LIFEOS_VERSION " schema " LIFEOS_SCHEMA_HASH);
                        exit(0);
                } else {
                        fputs(help, c == 'h' ? stdout : stderr);
                        exit(c == 'h' ? 0 : 64);
                }
        }
        if (optind < argc) {
                fputs(help, stderr);
                exit(64);
        }
}

int main(int argc, char **argv) {
        struct arguments a = { CONNINFO, DIR_PATH, false };
        struct files f;
        PGconn *conn;
        bool complete = true;

        arguments(&a, argc, argv);
        log_open("lifeos-migrate");
        if (sodium_init() < 0)
                die("libsodium does not start");
        files_read(&f, a.dir);
        if (strcmp(f.sha256, LIFEOS_SCHEMA_HASH) != 0)
                die("the files of %s are not those this program was built with (%.12s, not %.12s)", a.dir, f.sha256,
                    LIFEOS_SCHEMA_HASH);
        conn = schema_connect(a.conninfo);
        if (a.check)
                complete = schema_check(conn, &f);
        else
                schema_apply(conn, &f);
        printf("schema %.12s is %s\n", f.sha256, complete ? "in place" : "not in place");
        PQfinish(conn);
        files_free(&f);
        return complete ? 0 : 2;
}
