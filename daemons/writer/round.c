/* round.c - a walk over the table of streams that survives its changes. */
#include "round.h"

void round_init(struct round *r, struct subs *subs) {
        *r = (struct round){ .subs = subs, .number = 1 };
}

/* One that runs is not begun anew, or the last streams would never have their turn. */
void round_all(struct round *r) {
        if (r->whole) {
                r->again = true;
                return;
        }
        r->number++;
        r->at = 0;
        r->whole = true;
}

unsigned round_next(struct round *r, struct buf *rows) {
        struct stream *st;
        unsigned n = 0;

        buf_clear(rows);
        while (n < ROUND_PIECE && (st = subs_walk(r->subs, r->number, &r->at))) {
                struct op_node_head h = { 0 };

                OP_SET(node_head, &h, account_id, st->account);
                OP_SET(node_head, &h, session_id, st->session);
                OP_SET(node_head, &h, head, st->head);
                op_rows_add(rows, OP_node_head, &h);
                n++;
        }
        if (n < ROUND_PIECE) {
                r->number++;
                r->at = 0;
                r->whole = r->again;
                r->again = false;
        }
        return n;
}
