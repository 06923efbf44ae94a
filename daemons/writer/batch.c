/* batch.c - the order of a batch, its statements, and their results as they come in. */
#include "batch.h"

#include <stdlib.h>

#include "log.h"
#include "plan.h"

void batch_init(struct batch *b, uint32_t max) {
        *b = (struct batch){ .max = max };
        b->asks = calloc(max, sizeof(struct ask *));
        b->msgs = calloc(max, sizeof(void *));
        b->calls = calloc(max, sizeof(struct call));
        if (!b->asks || !b->msgs || !b->calls)
                die("out of memory");
}

void batch_free(struct batch *b) {
        batch_rewind(b);
        for (uint32_t i = 0; i < b->n; i++)
                ask_free(b->asks[i]);
        free(b->asks);
        free(b->msgs);
        free(b->calls);
}

static int compare_slices(struct slice a, struct slice b) {
        uint32_t n = a.n < b.n ? a.n : b.n;
        int c = n ? memcmp(a.p, b.p, n) : 0;

        return c ? c : (a.n > b.n) - (a.n < b.n);
}

static bool is_batch(enum op op) {
        return plan_of(op)->desc->mode == BATCH;
}

/* The set-based ops first: they lock the streams of calls, and the account's own streams, which all lanes share,
 * should be held for the shortest time. Then account by account, stream by stream, as they arrived. What names neither
 * comes last: presence touches sessions of anybody, waits for none of them, and should not be waited for. */
static int compare_asks(const void *pa, const void *pb) {
        const struct ask *a = *(struct ask *const *)pa, *b = *(struct ask *const *)pb;
        bool set_a = is_batch(a->op), set_b = is_batch(b->op);
        bool none_a = !a->account.n && !a->session.n, none_b = !b->account.n && !b->session.n;
        int c;

        if (set_a != set_b)
                return set_a ? -1 : 1;
        if (set_a && a->op != b->op)
                return a->op < b->op ? -1 : 1;
        if (none_a != none_b)
                return none_a ? 1 : -1;
        if ((c = compare_slices(a->account, b->account)) || (c = compare_slices(a->session, b->session)))
                return c;
        return a->number < b->number ? -1 : 1;
}

void batch_fill(struct batch *b, struct asks *from) {
        while (from->head && b->n < b->max) {
                const struct ask *a = from->head;

                if (b->n && (b->bytes + a->bytes.n > BATCH_BYTES_MAX || b->rows + a->rows > BATCH_ROWS_MAX))
                        break;
                b->bytes += a->bytes.n;
                b->rows += a->rows;
                b->asks[b->n++] = asks_take(from);
        }
        qsort(b->asks, b->n, sizeof(struct ask *), compare_asks);
        b->singles = false;
}

static void make_calls(struct batch *b) {
        b->n_calls = 0;
        for (uint32_t i = 0; i < b->n; i++) {
                struct call *last = b->n_calls ? &b->calls[b->n_calls - 1] : NULL;
                enum op op = b->asks[i]->op;

                if (last && last->op == op && is_batch(op) && !b->singles)
                        last->n++;
                else
                        b->calls[b->n_calls++] = (struct call){ .op = op, .first = i, .n = 1 };
        }
}

static bool send_call(struct batch *b, const struct call *c, struct pg *pg, struct params *params) {
        if (is_batch(c->op)) {
                for (uint32_t i = 0; i < c->n; i++)
                        b->msgs[i] = b->asks[c->first + i]->msg;
                params_batch(params, c->op, b->msgs, c->n);
        } else {
                params_one(params, c->op, b->asks[c->first]->msg, b->asks[c->first]->bytes);
        }
        if (!params->over)
                return pg_call(pg, c->op, params);
        pg_reset(pg, "the parameters of a batch do not fit into memory");
        return false;
}

bool batch_send(struct batch *b, struct pg *pg, struct params *params) {
        make_calls(b);
        b->at = b->from = 0;
        b->failed = false;
        b->sent = true;
        for (uint32_t i = 0; i < b->n_calls; i++) {
                if (!send_call(b, &b->calls[i], pg, params))
                        return false;
                if ((b->singles || i == b->n_calls - 1) && !pg_sync(pg))
                        return false;
        }
        return true;
}

void batch_result(struct batch *b, PGresult *res) {
        bool ok = PQresultStatus(res) == PGRES_TUPLES_OK;
        uint32_t end = b->singles ? b->from + 1 : b->n_calls;

        if (!ok && !b->failed) {
                b->failed = true;
                errors_of(res, &b->failure);
        }
        /* COMMIT itself may fail, after every statement's own result. */
        if (b->at < end) {
                b->calls[b->at++].res = ok ? res : NULL;
                if (ok)
                        return;
        }
        PQclear(res);
}

void batch_rewind(struct batch *b) {
        uint32_t kept = 0;

        for (uint32_t i = 0; i < b->n_calls; i++)
                PQclear(b->calls[i].res);
        b->n_calls = b->at = b->from = 0;
        b->sent = b->failed = false;
        b->bytes = b->rows = 0;
        for (uint32_t i = 0; i < b->n; i++) {
                struct ask *a = b->asks[i];

                if (!a)
                        continue;
                b->bytes += a->bytes.n;
                b->rows += a->rows;
                b->asks[kept++] = a;
        }
        b->n = kept;
}
