/* answer.c - the answers of single statements: api.reply, or rows of a record. */
#include "answer.h"

#include <stdlib.h>

#include "after.h"
#include "answer_batch.h"
#include "log.h"
#include "plan.h"
#include "rows.h"

struct answerer {
        struct hub *hub;
        struct subs *subs;
        struct publish *publish;
        struct buf rows;
        struct answer_batch batch;
};

static void broken(const struct ask *a, const char *what) {
        struct log_fields fields = { .op = plan_of(a->op)->desc->name, .session = a->session };

        log_line(LOG_ERROR, &fields, "api.%s answered %s", fields.op, what);
        ask_status(a, STATUS_INTERNAL);
}

/* Subscribes before answering, and says what was committed since the read that is being answered. */
static void open_stream(struct answerer *an, struct ask *a, const struct rows_reply *r) {
        int64_t seen = watch_seen(a, r->account);
        struct channel *c = a->from.from;

        if (!c)
                return;

        enum status s = subs_add(an->subs, c, r->account, r->session, seen > r->head ? seen : r->head);

        if (s != STATUS_OK) {
                ask_status(a, s);
                return;
        }
        ask_reply(a, STATUS_OK, r->detail, r->body);
        if (seen > r->head)
                publish_missed(an->publish, c, r->account, r->session);
}

static void answer_json(struct answerer *an, struct ask *a, const PGresult *res) {
        enum mode mode = plan_of(a->op)->desc->mode;
        struct rows_reply r;

        if (rows_reply(res, &r) < 0 || (mode == LISTEN && r.status == STATUS_OK && !r.has_head)) {
                broken(a, "no reply of ours");
        } else if (r.body.n > ANSWER_JSON_MAX && mode == READ) {
                ask_reply(a, STATUS_INVALID_REQUEST, SLICE("the answer is over 4 MiB; ask with a smaller limit"),
                          (struct slice){ 0 });
        } else if (mode == LISTEN && r.status == STATUS_OK) {
                open_stream(an, a, &r);
        } else {
                if (mode == WRITE && r.has_head)
                        publish_head(an->publish, r.account, r.session, r.head);
                after_answer(an->hub, a, &r);
                ask_reply(a, r.status, r.detail, r.body);
        }
}

/* A table: no rows is an answer too; a first row that is not OK is a refusal. What does not fit is left for the next
 * page. */
static void answer_table(struct answerer *an, struct ask *a, const PGresult *res) {
        union plan_row row;
        struct rows_map map;

        rows_map(res, plan_of(a->op)->desc->reply, &map);
        buf_clear(&an->rows);
        for (int i = 0; i < PQntuples(res); i++) {
                enum status s = rows_status(&map, res, i);
                size_t before = an->rows.n;

                if (s != STATUS_OK && s != STATUS_COUNT) {
                        ask_status(a, s);
                        return;
                }
                if (s == STATUS_COUNT || rows_read(&map, res, i, &row) < 0) {
                        broken(a, "a row that is none");
                        return;
                }
                op_rows_add(&an->rows, map.rec, &row);
                if (an->rows.over) {
                        an->rows.over = false;
                        an->rows.n = before;
                        put_le32(an->rows.p, (uint32_t)i);
                        break;
                }
        }
        after_answer(an->hub, a, &(struct rows_reply){ .status = STATUS_OK });
        ask_reply(a, STATUS_OK, (struct slice){ 0 }, buf_view(&an->rows));
}

void answer_call(struct answerer *an, struct ask *const *asks, uint32_t n, const PGresult *res) {
        const struct opdesc *d = plan_of(asks[0]->op)->desc;

        if (d->mode == BATCH)
                answer_batch(&an->batch, an->publish, asks, n, res);
        else if (d->reply == OP_NONE)
                answer_json(an, asks[0], res);
        else
                answer_table(an, asks[0], res);
}

struct answerer *answerer_new(struct hub *hub, struct subs *subs, struct publish *publish) {
        struct answerer *an = calloc(1, sizeof *an);

        if (!an)
                die("out of memory");
        *an = (struct answerer){ .hub = hub, .subs = subs, .publish = publish };
        buf_init(&an->rows, ANSWER_BYTES_MAX);
        answer_batch_init(&an->batch);
        return an;
}

void answerer_free(struct answerer *an) {
        buf_free(&an->rows);
        answer_batch_free(&an->batch);
        free(an);
}
