/* docgen - prints what is generated from the tables: two documents and the policy in SQL; tests/lint compares them. */
#include <stdio.h>
#include <string.h>

#include "bind.h"
#include "events.h"
#include "ops.h"
#include "policy.h"
#include "status.h"

struct route_row {
        const char *name, *method, *path, *auth, *rate, *body, *op, *summary;
};
static const struct route_row route_rows[] = {
#define ROUTE(name, method, path, auth, rate, body, handler, op, summary)                                            \
        { #name, #method, path, #auth, #rate, #body, #op, summary },
#include "daemons/frontend/routes.def"
};
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const char *who(const char *auth) {
        static const char *const words[][2] = {
                { "PUBLIC", "anybody" },
                { "USER", "a user's token" },
                { "USER_OR_INGEST", "a user's token, or an API key of scope ingest" },
                { "USER_OR_OPERATOR", "a user's token, or an API key of scope operator" },
                { "OPERATOR", "an API key of scope operator" },
                { "LATER", "a user's token, or an API key of scope ingest; also after the upgrade" },
        };

        for (size_t i = 0; i < COUNT(words); i++)
                if (strcmp(words[i][0], auth) == 0)
                        return words[i][1];
        return auth;
}

static const char *type_of(const struct field *f, char to[static 200]) {
        switch (f->kind) {
        case K_ID:
                snprintf(to, 200, "identifier, 1 to %lld of letters, digits and `_.:-`", (long long)f->max);
                return to;
        case K_ACTOR:
        case K_COMMAND:
        case K_STR:
                snprintf(to, 200, "text, %lld to %lld bytes", (long long)f->min, (long long)f->max);
                return to;
        case K_ENUM: {
                size_t n = 0;

                for (const char *p = f->words; *p && n < 190; p++)
                        n += (size_t)snprintf(to + n, 200 - n, *p == '|' ? "` or `" : "%c", *p);
                return to;
        }
        case K_JSON:
                snprintf(to, 200, "object, at most %lld bytes", (long long)f->max);
                return to;
        case K_VALUE:
                snprintf(to, 200, "any JSON, at most %lld bytes", (long long)f->max);
                return to;
        case K_INT:
                snprintf(to, 200, "integer, %lld to %lld", (long long)f->min, (long long)f->max);
                return to;
        case K_CLAMP:
                snprintf(to, 200, "number, clamped into %lld to %lld", (long long)f->min, (long long)f->max);
                return to;
        case K_BOOL:
                return "boolean";
        case K_BLOB:
        case K_ROWS:
                return "bytes";
        }
        return "";
}

static void fields(const struct route_row *r, const struct opdesc *d) {
        bool snake = strcmp(d->name, "token_standard") == 0, any = false;

        for (size_t i = 0; i < d->n; i++) {
                const struct field *f = &d->fields[i];
                char name[64], type[200];

                if (f->kind == K_ACTOR || f->kind == K_COMMAND)
                        continue;
                bind_camel(f->name, name);
                char in_path[80];

                snprintf(in_path, sizeof in_path, "/:%s", name);

                bool path = strstr(r->path, in_path) != NULL;

                if (strcmp(d->name, "turn_run") == 0 && strcmp(name, "sessionId") == 0 && !path)
                        continue; /* a chat has none, and is refused with one */
                if (!any)
                        printf("\n| field | in | type | |\n|---|---|---|---|\n");
                any = true;
                const char *q = f->kind == K_ENUM ? "`" : "";

                printf("| `%s` | %s | %s%s%s | %s |\n", snake && !path ? f->name : name,
                       path                             ? "path"
                       : strcmp(r->body, "NOBODY") == 0 ? "query"
                                                        : "body",
                       q, type_of(f, type), q, path || f->need == REQ ? "required" : "");
        }
}

static void api(void) {
        printf("# HTTP API\n\nGenerated from `daemons/frontend/routes.def`, `common/ops.def`, `common/events.def` "
               "and "
               "`common/status.def`; do not edit.\n\n");
        printf("Every body is JSON. Every answer has `ok`; every refusal is `{ok:false, code, message, retryable, "
               "requestId, traceId}`. Unknown and\nduplicate keys are refused. State changes take an "
               "`Idempotency-Key` "
               "header: the same key and request is answered with the first result.\nAfter a `503` or a lost "
               "connection, send the same request with the same key again.\nWhat answers hold: "
               "[AI.md](AI.md) for the assistant, [REALTIME.md](REALTIME.md) for events.\n");
        for (size_t i = 0; i < COUNT(route_rows); i++) {
                const struct route_row *r = &route_rows[i];

                printf("\n## %s %s\n\n%s (`%s`). For %s.\n", r->method, r->path, r->summary, r->name, who(r->auth));
                if (strcmp(r->body, "RAW") != 0 && strcmp(r->body, "EVENTS") != 0 && strcmp(r->op, "NONE") != 0 &&
                    strcmp(r->op, "health") != 0)
                        fields(r, op_desc(op_by_name(r->op)));
                if (strcmp(r->body, "EVENTS") == 0)
                        printf("\nThe body is one event, an array of up to 1000, or `application/x-ndjson` with one "
                               "event a line. An event is\n`{sessionId, type, payload, eventId?, ts?, "
                               "schemaVersion?}`; types are listed below. An array is stored whole or not at all.\n");
        }
        printf("\n## Event types\n\n| type | who may send it |\n|---|---|\n");
        for (int t = 0; t < event_type_count(); t++)
                printf("| `%s` | %s |\n", event_type_name(t),
                       event_type_who(t) == OWNER ? "the session's owner, or an ingest key" : "an ingest key");
        printf("\n## Codes\n\n| code | HTTP | retry | meaning |\n|---|---|---|---|\n");
        for (int s = 0; s < STATUS_COUNT; s++) {
                const struct status_row *row = status_row((enum status)s);

                printf("| `%s` | %d | %s | %s |\n", row->name, row->http, row->retry == RETRYABLE ? "yes" : "",
                       row->text);
        }
}

static void reference(void) {
        printf("# Reference\n\nGenerated from `common/settings.def`, `common/stats.def`, `policy/daemons.def` and "
               "`common/ops.def`; do not edit.\n\n");
        printf("## Settings\n\n`/etc/lifeos/gateway.conf`, one `name = value` a line. `lifeosctl config check FILE` "
               "reads one like the daemons do.\n\n| name | read by | values | default | meaning "
               "|\n|---|---|---|---|---|\n");
#define INTEGER(name, reader, min, max, dflt, meaning)                                                               \
        printf("| `%s` | %s | %lld to %lld | %lld | %s |\n", #name, #reader, (long long)(min), (long long)(max),     \
               (long long)(dflt), meaning);
#define TEXT(name, reader, max, dflt, meaning)                                                                       \
        printf("| `%s` | %s | at most %d bytes | `%s` | %s |\n", #name, #reader, max, dflt, meaning);
#include "settings.def"
        printf("\n## Metrics\n\n| metric | type | meaning |\n|---|---|---|\n");
#define COUNTER(name, help)                  printf("| `lifeos_%s_total` | counter | %s |\n", #name, help);
#define GAUGE(name, help)                    printf("| `lifeos_%s` | gauge | %s |\n", #name, help);
#define HISTOGRAM(name, help)                printf("| `lifeos_%s_seconds` | histogram | %s |\n", #name, help);
#define COUNTER_BY(name, label, words, help) printf("| `lifeos_%s_total{%s}` | counter | %s |\n", #name, label, help);
#include "stats.def"
        printf("\n## Daemons\n\n| name | unix user | what |\n|---|---|---|\n");
#define DAEMON(id, name, user, socket, what) printf("| `%s` | `%s` | %s |\n", #name, user, what);
#include "policy/daemons.def"
        printf("\n## Internal messages\n\nWho may say what to whom; anything else closes the connection it came "
               "on.\n\n"
               "| message | from | to | mode |\n|---|---|---|---|\n");
#define ACTOR(f)
#define COMMAND(f)
#define ID(need, f)
#define STR(need, f, a, b)
#define ENUM(need, f, words)
#define JSON(need, f, b)
#define VALUE(need, f, b)
#define BLOB(need, f, a, b)
#define INT(need, f, a, b)
#define CLAMP(need, f, a, b)
#define BOOL(need, f)
#define ROWS(need, f, rec, b)
#define OP(name, from, to, mode, reply, fields) printf("| `%s` | %s | %s | %s |\n", #name, #from, #to, #mode);
#include "ops.def"
}

int main(int argc, char **argv) {
        if (argc == 2 && strcmp(argv[1], "api") == 0)
                api();
        else if (argc == 2 && strcmp(argv[1], "reference") == 0)
                reference();
        else if (argc == 2 && strcmp(argv[1], "policy") == 0)
                policy_sql();
        else
                return fprintf(stderr, "usage: docgen api|reference|policy\n"), 2;
        return 0;
}
