/* answer_batch.c - every ask gets exactly its rows, or one refusal; anything else is a fault of the function's. */
#include "answer_batch.h"

#include <stdio.h>
#include <stdlib.h>

#include "answer.h"
#include "log.h"
#include "plan.h"
#include "rows.h"
#include "stats.h"

struct deal {
        struct answer_batch *b;
        struct ask *const *asks;
        uint32_t n;
        const struct opdesc *rec;
        int op, row; /* the record's fields that say where a row belongs */
};

/* Room for `need` units, or NULL (and what was there stays). */
static void *roomy(void *mem, size_t *cap, size_t need, size_t unit) {
        if (need > *cap || !mem) {
                if (!(mem = realloc(mem, (need + 1) * 2 * unit)))
                        return NULL;
                *cap = (need + 1) * 2;
        }
        return mem;
}

static const void *record(const struct deal *d, uint32_t slot) {
        return d->b->records + (size_t)(slot - 1) * d->rec->size;
}

/* Puts one decoded row where it belongs; false if it belongs nowhere. */
static bool place(struct deal *d, const uint32_t *base, uint32_t i, enum status s) {
        const void *rec = record(d, i + 1);
        int64_t op = op_get_int(d->rec, d->op, rec), row = op_get_int(d->rec, d->row, rec);

        if (s == STATUS_COUNT || op < 0 || op >= d->n || row < 0 || row >= d->asks[op]->rows)
                return false;
        d->b->slot[base[op] + row] = i + 1;
        if (s != STATUS_OK && d->asks[op]->verdict == STATUS_OK) {
                d->asks[op]->verdict = s;
                d->asks[op]->culprit = (uint32_t)row;
        }
        return true;
}

static bool read_all(struct deal *d, const PGresult *res, const uint32_t *base) {
        uint32_t n = (uint32_t)PQntuples(res);
        char *records = roomy(d->b->records, &d->b->records_cap, n, d->rec->size);
        struct rows_map map;

        if (!records)
                return false;
        d->b->records = records;
        rows_map(res, plan_of(d->asks[0]->op)->desc->reply, &map);
        for (uint32_t i = 0; i < n; i++)
                if (rows_read(&map, res, (int)i, d->b->records + i * d->rec->size) < 0 ||
                    !place(d, base, i, rows_status(&map, res, (int)i)))
                        return false;
        return true;
}

static bool complete(const struct deal *d, const uint32_t *base, uint32_t k) {
        for (uint32_t i = 0; i < d->asks[k]->rows; i++)
                if (!d->b->slot[base[k] + i])
                        return false;
        return true;
}

static void refuse(const struct ask *a) {
        char text[200];
        int n = snprintf(text, sizeof text, "events[%u]: %s", a->culprit, status_row(a->verdict)->text);

        stat_add(STAT_events_refused, a->rows);
        if (a->rows == 1 || n < 0) /* a request of one event has no list to point into */
                ask_status(a, a->verdict);
        else
                ask_reply(a, a->verdict, slice_of(text), (struct slice){ 0 });
}

static void answer_one(const struct deal *d, const uint32_t *base, uint32_t k) {
        const struct ask *a = d->asks[k];
        struct buf *rows = &d->b->rows;

        if (a->verdict != STATUS_OK) {
                refuse(a);
                return;
        }
        buf_clear(rows);
        for (uint32_t i = 0; i < a->rows; i++)
                op_rows_add(rows, plan_of(a->op)->desc->reply, record(d, d->b->slot[base[k] + i]));
        if (rows->over)
                ask_status(a, STATUS_INTERNAL);
        else
                ask_reply(a, STATUS_OK, (struct slice){ 0 }, buf_view(rows));
}

/* event_append: the stored events of one ask, in the order of its rows. A repeat is usually old news, unless its
 * first answer was lost with its connection: then it is told after what is new, as a head. */
static void publish_one(const struct deal *d, struct publish *publish, const uint32_t *base, uint32_t k,
                        bool repeats) {
        const struct op_event_append *m = d->asks[k]->msg;
        size_t at = 0, from;
        struct op_event_in in;

        for (uint32_t i = 0; i < d->asks[k]->rows; i++) {
                const struct op_event_out *out = record(d, d->b->slot[base[k] + i]);

                from = at;
                if (!op_rows_next(m->events, OP_event_in, &at, &in) || out->deduped != repeats)
                        continue;
                if (repeats)
                        publish_head(publish, out->account_id, in.session_id, out->sequence);
                else
                        publish_add(publish, &in, out, m->events, from);
        }
}

/* The legs of an event's way so far. Without a stamp of its emitter, the time of receipt stands for it. */
static void measure(const struct op_event_out *out, int64_t committed) {
        if (out->ts != out->received)
                stat_observe(STAT_event_emit_delay, out->received - out->ts);
        stat_observe(STAT_event_commit_delay, committed - out->received);
}

/* True if there are repeats among the rows of this ask. */
static bool count(const struct deal *d, const uint32_t *base, uint32_t k, int64_t committed) {
        int64_t repeats = 0, n = d->asks[k]->rows;

        for (uint32_t i = 0; i < n; i++) {
                const struct op_event_out *out = record(d, d->b->slot[base[k] + i]);

                repeats += out->deduped;
                if (!out->deduped)
                        measure(out, committed);
        }
        stat_add(STAT_events_appended, n - repeats);
        stat_add(STAT_events_deduped, repeats);
        return repeats > 0;
}

static void publish_all(const struct deal *d, struct publish *publish, const uint32_t *base) {
        bool wanted = publish_wanted(publish), repeats = false;
        int64_t now = text_now_micros();

        for (uint32_t k = 0; k < d->n; k++) {
                if (d->asks[k]->verdict != STATUS_OK)
                        continue;
                repeats = count(d, base, k, now) || repeats;
                if (wanted)
                        publish_one(d, publish, base, k, false);
        }
        publish_send(publish);
        for (uint32_t k = 0; wanted && repeats && k < d->n; k++)
                if (d->asks[k]->verdict == STATUS_OK)
                        publish_one(d, publish, base, k, true);
}

static void all_broken(const struct deal *d) {
        log_error("api.%s answered rows that do not match what was asked", plan_of(d->asks[0]->op)->desc->name);
        for (uint32_t k = 0; k < d->n; k++)
                ask_status(d->asks[k], STATUS_INTERNAL);
}

/* Where the rows of each ask begin; NULL when memory is short. */
static uint32_t *bases(const struct deal *d) {
        uint32_t *base = calloc(d->n, sizeof *base), total = 0;

        for (uint32_t k = 0; base && k < d->n; k++) {
                base[k] = total;
                total += d->asks[k]->rows;
                d->asks[k]->verdict = STATUS_OK;
        }

        uint32_t *slot = roomy(d->b->slot, &d->b->slot_cap, total, sizeof *slot);

        if (slot)
                d->b->slot = slot;
        if (!base || !slot) {
                free(base);
                return NULL;
        }
        memset(slot, 0, total * sizeof *slot);
        return base;
}

void answer_batch(struct answer_batch *b, struct publish *publish, struct ask *const *asks, uint32_t n,
                  const PGresult *res) {
        enum op rec = plan_of(asks[0]->op)->desc->reply;
        struct deal d = { b, asks, n, op_desc(rec), op_field(op_desc(rec), "op"), op_field(op_desc(rec), "row") };
        uint32_t *base = bases(&d);
        bool ok = base && read_all(&d, res, base);

        for (uint32_t k = 0; ok && k < n; k++)
                ok = asks[k]->verdict != STATUS_OK || complete(&d, base, k);
        if (!ok) {
                all_broken(&d);
                free(base);
                return;
        }
        if (asks[0]->op == OP_event_append)
                publish_all(&d, publish, base);
        for (uint32_t k = 0; k < n; k++)
                answer_one(&d, base, k);
        free(base);
}

void answer_batch_init(struct answer_batch *b) {
        *b = (struct answer_batch){ 0 };
        buf_init(&b->rows, ANSWER_BYTES_MAX);
}

void answer_batch_free(struct answer_batch *b) {
        free(b->records);
        free(b->slot);
        buf_free(&b->rows);
}
