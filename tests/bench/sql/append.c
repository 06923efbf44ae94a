/* append.c - how many events a second one connection puts through api.event_append, and what a single one costs. */
#include <libpq-fe.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/*
 * append CONNINFO OPS EVENTS SECONDS [same]
 *     OPS requests of EVENTS events a call, each request with a session of its own; `same`: repeat the event ids
 *     of the first call, so that everything is a duplicate
 */

#define TEXT_OID   25
#define INT4_OID   23
#define INT8_OID   20
#define BOOL_OID   16
#define COLUMNS    12
#define COLUMN_MAX (8u << 20)

struct column {
        unsigned oid;
        char *bytes;
        size_t n;
        uint32_t count;
};

static void stop(const char *what) {
        fprintf(stderr, "append: %s\n", what);
        exit(1);
}

static void put32(struct column *c, uint32_t v) {
        unsigned char b[4] = { (unsigned char)(v >> 24), (unsigned char)(v >> 16), (unsigned char)(v >> 8),
                               (unsigned char)v };

        if (c->n + 4 > COLUMN_MAX)
                stop("too many events for one call");
        memcpy(c->bytes + c->n, b, 4);
        c->n += 4;
}

static void column_start(struct column *c, unsigned oid) {
        c->oid = oid;
        c->n = 0;
        c->count = 0;
        put32(c, 1);
        put32(c, 0);
        put32(c, oid);
        put32(c, 0);
        put32(c, 1);
}

static void column_text(struct column *c, const char *s) {
        size_t n = strlen(s);

        put32(c, (uint32_t)n);
        if (c->n + n > COLUMN_MAX)
                stop("too many events for one call");
        memcpy(c->bytes + c->n, s, n);
        c->n += n;
        c->count++;
}

static void column_int(struct column *c, int64_t v) {
        put32(c, c->oid == INT8_OID ? 8 : 4);
        if (c->oid == INT8_OID)
                put32(c, (uint32_t)((uint64_t)v >> 32));
        put32(c, (uint32_t)v);
        c->count++;
}

static void column_bool(struct column *c, int v) {
        put32(c, 1);
        c->bytes[c->n++] = (char)v;
        c->count++;
}

static void column_end(struct column *c) {
        size_t n = c->n;

        c->n = 12;
        put32(c, c->count);
        c->n = n;
}

static int64_t micros(void) {
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static const char statement[] =
        "SELECT * FROM api.event_append(account_id => $1::text[], actor_id => $2::text[], actor_role => $3::text[], "
        "origin => $4::text[], received => $5::bigint[], events_op => $6::int[], events_session_id => $7::text[], "
        "events_event_id => $8::text[], events_type => $9::text[], events_ts_given => $10::boolean[], "
        "events_ts => $11::bigint[], events_payload => $12::text[])";

/* About 200 bytes of payload, as a partial transcript is. */
static void fill(struct column *c, int ops, int events, long call, long run) {
        static const unsigned oid[COLUMNS] = { TEXT_OID, TEXT_OID, TEXT_OID, TEXT_OID, INT8_OID, INT4_OID,
                                               TEXT_OID, TEXT_OID, TEXT_OID, BOOL_OID, INT8_OID, TEXT_OID };
        char text[512];

        for (int i = 0; i < COLUMNS; i++)
                column_start(&c[i], oid[i]);
        for (int o = 0; o < ops; o++) {
                column_text(&c[0], "bench");
                column_text(&c[1], "bench-user");
                column_text(&c[2], "owner");
                column_text(&c[3], "owner");
                column_int(&c[4], INT64_C(1763711111111111));
                for (int e = 0; e < events; e++) {
                        column_int(&c[5], o);
                        snprintf(text, sizeof text, "sess_%d", o);
                        column_text(&c[6], text);
                        snprintf(text, sizeof text, "evt_%ld_%ld_%d_%d", run, call, o, e);
                        column_text(&c[7], text);
                        column_text(&c[8], "call.turn.timing");
                        column_bool(&c[9], 1);
                        column_int(&c[10], INT64_C(1763711111000000) + e);
                        snprintf(text, sizeof text,
                                 "{\"callId\":\"sess_%d\",\"captureToBackendMs\":%d,\"orchestratorMs\":120,"
                                 "\"playbackStartMs\":40,\"sloBreached\":false,\"thresholdMs\":2500,\"totalMs\":%d,"
                                 "\"turnId\":\"turn_%ld_%d_0123456789abcdef0123456789abcdef\"}",
                                 o, e, 160 + e, call, e);
                        column_text(&c[11], text);
                }
        }
        for (int i = 0; i < COLUMNS; i++)
                column_end(&c[i]);
}

static int cmp(const void *a, const void *b) {
        int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

        return x < y ? -1 : x > y;
}

static void must(PGresult *r, ExecStatusType want) {
        if (PQresultStatus(r) != want)
                stop(PQresultErrorMessage(r));
        PQclear(r);
}

static int64_t call_once(PGconn *conn, struct column *c, int want) {
        const char *value[COLUMNS];
        int length[COLUMNS], format[COLUMNS];

        for (int i = 0; i < COLUMNS; i++) {
                value[i] = c[i].bytes;
                length[i] = (int)c[i].n;
                format[i] = 1;
        }
        must(PQexec(conn, "BEGIN"), PGRES_COMMAND_OK);

        int64_t t = micros();
        PGresult *r = PQexecPrepared(conn, "append", COLUMNS, value, length, format, 1);

        t = micros() - t;
        if (PQresultStatus(r) == PGRES_TUPLES_OK && PQntuples(r) != want)
                stop("an event was not answered");
        must(r, PGRES_TUPLES_OK);
        must(PQexec(conn, "COMMIT"), PGRES_COMMAND_OK);
        return t;
}

/* Processor time of the backend on this machine, in microseconds: steadier than the clock where others work too. */
static double backend_cpu(int pid) {
        char path[64], line[1024] = "", *after;
        unsigned long user = 0, sys = 0;
        FILE *f;

        snprintf(path, sizeof path, "/proc/%d/stat", pid);
        if (!(f = fopen(path, "re")))
                return 0;
        if (!fgets(line, sizeof line, f))
                line[0] = '\0';
        fclose(f);
        if ((after = strrchr(line, ')')))
                sscanf(after + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &sys);
        return (double)(user + sys) * 1e6 / (double)sysconf(_SC_CLK_TCK);
}

int main(int argc, char **argv) {
        if (argc < 5)
                stop("usage: append CONNINFO OPS EVENTS SECONDS [same]");

        int ops = atoi(argv[2]), events = atoi(argv[3]);
        int64_t span = (int64_t)atoi(argv[4]) * 1000000, *took = calloc(1000000, sizeof *took);
        PGconn *conn = PQconnectdb(argv[1]);
        struct column c[COLUMNS];
        long calls = 0;

        if (PQstatus(conn) != CONNECTION_OK)
                stop(PQerrorMessage(conn));
        for (int i = 0; i < COLUMNS; i++)
                if (!(c[i].bytes = malloc(COLUMN_MAX)))
                        stop("out of memory");
        must(PQprepare(conn, "append", statement, 0, NULL), PGRES_COMMAND_OK);

        double cpu = backend_cpu(PQbackendPID(conn));
        int64_t start = micros(), end = start;

        for (; end - start < span && calls < 1000000; end = micros()) {
                fill(c, ops, events, argc > 5 ? 0 : calls, (long)(start % 1000000000));
                took[calls++] = call_once(conn, c, ops * events);
        }
        qsort(took, (size_t)calls, sizeof *took, cmp);
        cpu = (backend_cpu(PQbackendPID(conn)) - cpu) / ((double)calls * ops * events);
        printf("%d x %d events a call: %.0f events/s with commits, %.1f us of the backend's CPU an event; a call "
               "takes "
               "%.3f ms (5 %%), %.3f ms (median), %.3f ms (99 %%)\n",
               ops, events, (double)calls * ops * events * 1e6 / (double)(end - start), cpu,
               (double)took[calls / 20] / 1e3, (double)took[calls / 2] / 1e3, (double)took[calls * 99 / 100] / 1e3);
        PQfinish(conn);
        return 0;
}
