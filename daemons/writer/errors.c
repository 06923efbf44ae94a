/* errors.c - SQLSTATEs sorted. */
#include "errors.h"

#include <stdio.h>

#include "log.h"
#include "plan.h"

static bool in_class(const char *sqlstate, const char *class) {
        return strncmp(sqlstate, class, strlen(class)) == 0;
}

/* The context's lines name functions and lines of ours, but those of input errors quote the input. */
static void where(const char *context, char *to, size_t cap) {
        static const char lead[] = "PL/pgSQL function ";
        const char *from = context ? strstr(context, lead) : NULL;

        if (from && (from == context || from[-1] == '\n')) {
                from += sizeof lead - 1;
                snprintf(to, cap, "%.*s", (int)strcspn(from, "\n"), from);
        }
}

void errors_of(const PGresult *res, struct failure *ret) {
        const char *state = PQresultErrorField(res, PG_DIAG_SQLSTATE);
        const char *constraint = PQresultErrorField(res, PG_DIAG_CONSTRAINT_NAME);

        *ret = (struct failure){ .sqlstate = "XX000" };
        if (state && strlen(state) == 5)
                memcpy(ret->sqlstate, state, 6);
        if (constraint)
                snprintf(ret->where, sizeof ret->where, "constraint %s", constraint);
        else
                where(PQresultErrorField(res, PG_DIAG_CONTEXT), ret->where, sizeof ret->where);
}

enum errors_what errors_what(const char *s) {
        /* 23505: somebody else stores the same command or event at this moment; the next try finds it there. */
        if (in_class(s, "40") || strcmp(s, "55P03") == 0 || strcmp(s, "23505") == 0)
                return ERRORS_AGAIN;
        if (strcmp(s, "26000") == 0 || strcmp(s, "0A000") == 0 || strcmp(s, "25006") == 0)
                return ERRORS_RECONNECT;
        return ERRORS_FINAL;
}

enum status errors_status(const struct ask *a, const struct failure *f) {
        enum status s = status_by_sqlstate(f->sqlstate);

        if (s != STATUS_COUNT)
                return s;
        if (in_class(f->sqlstate, "40") || strcmp(f->sqlstate, "55P03") == 0 || strcmp(f->sqlstate, "57014") == 0)
                s = STATUS_BUSY;
        else if (errors_what(f->sqlstate) == ERRORS_RECONNECT || in_class(f->sqlstate, "53") ||
                 in_class(f->sqlstate, "57P") || in_class(f->sqlstate, "58"))
                s = STATUS_DATABASE_UNAVAILABLE;
        else
                s = STATUS_INTERNAL;

        struct log_fields fields = { .op = plan_of(a->op)->desc->name,
                                     .status = status_row(s)->name,
                                     .session = a->session };

        log_line(LOG_ERROR, &fields, "api.%s failed: SQLSTATE %s%s%s", fields.op, f->sqlstate, *f->where ? ", " : "",
                 f->where);
        return s;
}
