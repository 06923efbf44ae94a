/* rows.c - binary columns, by name and by the record's own kinds. */
#include "rows.h"

static struct slice text_at(const PGresult *res, int row, int col) {
        if (col < 0 || PQgetisnull(res, row, col))
                return (struct slice){ 0 };
        return (struct slice){ PQgetvalue(res, row, col), (uint32_t)PQgetlength(res, row, col) };
}

/* boolean, smallint, integer and bigint differ in their length alone. */
static bool int_at(const PGresult *res, int row, int col, int64_t *ret) {
        struct slice s = text_at(res, row, col);
        uint64_t v = s.n > 1 && s.p[0] & 0x80 ? ~UINT64_C(0) : 0;

        if (s.n != 1 && s.n != 2 && s.n != 4 && s.n != 8)
                return false;
        for (uint32_t i = 0; i < s.n; i++)
                v = v << 8 | (unsigned char)s.p[i];
        *ret = (int64_t)v;
        return true;
}

int rows_reply(const PGresult *res, struct rows_reply *ret) {
        struct rows_reply r = { 0 };

        if (PQntuples(res) != 1)
                return -1;
        r.status = status_by_name(text_at(res, 0, PQfnumber(res, "status")));
        if (r.status == STATUS_COUNT)
                return -1;
        r.detail = text_at(res, 0, PQfnumber(res, "message"));
        r.body = text_at(res, 0, PQfnumber(res, "body"));
        r.account = text_at(res, 0, PQfnumber(res, "account_id"));
        r.session = text_at(res, 0, PQfnumber(res, "session_id"));
        r.has_head = int_at(res, 0, PQfnumber(res, "head"), &r.head);
        if (r.has_head && (r.head < 0 || !r.account.n || !r.session.n))
                return -1;
        *ret = r;
        return 0;
}

void rows_map(const PGresult *res, enum op rec, struct rows_map *ret) {
        const struct opdesc *d = op_desc(rec);

        ret->rec = rec;
        ret->n = (int)d->n;
        for (int i = 0; i < ret->n; i++)
                ret->column[i] = PQfnumber(res, d->fields[i].name);
        ret->status = PQfnumber(res, "status");
}

int rows_read(const struct rows_map *m, const PGresult *res, int row, void *msg) {
        const struct opdesc *d = op_desc(m->rec);

        memset(msg, 0, d->size);
        for (int i = 0; i < m->n; i++) {
                enum kind k = d->fields[i].kind;
                int col = m->column[i];
                int64_t v;

                if (col < 0 || PQgetisnull(res, row, col))
                        continue;
                if (k != K_INT && k != K_CLAMP && k != K_BOOL)
                        op_set_slice(d, i, msg, text_at(res, row, col));
                else if (int_at(res, row, col, &v))
                        op_set_int(d, i, msg, v);
                else
                        return -1;
        }
        return op_check(m->rec, msg) == 0 ? 0 : -1;
}

enum status rows_status(const struct rows_map *m, const PGresult *res, int row) {
        return m->status < 0 ? STATUS_OK : status_by_name(text_at(res, row, m->status));
}
