/* ask.c - requests copied out of their frames, and their queues. */
#include "ask.h"

#include <sodium.h>
#include <stdlib.h>

#include "plan.h"

#define ROOM_PREFIX   "lk_room_"
#define ROOM_PREFIX_N ((uint32_t)sizeof ROOM_PREFIX - 1)

static size_t aligned(size_t n) {
        return (n + 15) & ~(size_t)15;
}

static struct slice key(const struct plan *p, int field, const void *msg) {
        return field >= 0 && op_has(msg, field) ? op_get_slice(p->desc, field, msg) : (struct slice){ 0 };
}

/* Of an op with rows: the session of the first. Correctness does not depend on it, only which lane it takes. */
static struct slice first_session(const struct plan *p, const void *msg) {
        const struct field *f = &p->desc->fields[p->rows];
        union plan_row row;
        int session = op_field(op_desc(f->rec), "session_id");
        size_t at = 0;

        if (session < 0 || !op_rows_next(op_get_slice(p->desc, p->rows, msg), f->rec, &at, &row))
                return (struct slice){ 0 };
        return op_get_slice(op_desc(f->rec), session, &row);
}

static void find_keys(struct ask *a) {
        const struct plan *p = plan_of(a->op);
        struct slice room = key(p, p->room, a->msg);

        a->account = key(p, p->account, a->msg);
        a->session = key(p, p->session, a->msg);
        if (p->rows >= 0 && op_has(a->msg, p->rows)) {
                a->rows = op_rows_count(op_get_slice(p->desc, p->rows, a->msg));
                if (!a->session.n)
                        a->session = first_session(p, a->msg);
        }
        if (!a->session.n && room.n > ROOM_PREFIX_N && memcmp(room.p, ROOM_PREFIX, ROOM_PREFIX_N) == 0)
                a->session = (struct slice){ room.p + ROOM_PREFIX_N, room.n - ROOM_PREFIX_N };

        struct slice by = a->session.n ? a->session : a->account;
        static const unsigned char fixed[crypto_shorthash_KEYBYTES];

        crypto_shorthash((unsigned char *)&a->hash, (const unsigned char *)(by.n ? by.p : ""), by.n, fixed);
}

static struct ask *make(enum op op, struct slice bytes) {
        static uint64_t arrivals;
        size_t head = aligned(sizeof(struct ask)), size = aligned(op_desc(op)->size);
        char *mem = malloc(head + size + bytes.n + 1);
        struct ask *a = (void *)mem;

        if (!mem)
                return NULL;
        *a = (struct ask){ .op = op, .number = arrivals++, .at = text_mono_micros() };
        if (bytes.n)
                memcpy(mem + head + size, bytes.p, bytes.n);
        a->bytes = (struct slice){ mem + head + size, bytes.n };
        a->msg = mem + head;
        if (op_decode(op, a->bytes, mem + head) < 0) { /* it was decoded before: memory is not what it seems */
                free(mem);
                return NULL;
        }
        find_keys(a);
        return a;
}

struct ask *ask_new(const struct request *r) {
        struct ask *a = make(r->op, r->bytes);

        if (a) {
                a->from = *r;
                a->from.msg = a->msg;
                a->from.bytes = a->bytes;
        }
        return a;
}

struct ask *ask_own(enum op op, const void *msg, ask_done_fn *done, void *arg) {
        struct buf b;

        buf_init(&b, OP_BYTES_MAX);
        op_encode(op, msg, &b);

        struct ask *a = b.over ? NULL : make(op, buf_view(&b));

        buf_free(&b);
        if (a) {
                a->done = done;
                a->arg = arg;
        }
        return a;
}

void ask_free(struct ask *a) {
        free(a);
}

void ask_reply(const struct ask *a, enum status s, struct slice detail, struct slice body) {
        if (a->done)
                a->done(a->arg, &(struct answer){ s, detail, body });
        else if (a->from.from)
                channel_reply(&a->from, s, detail, body);
}

void asks_add(struct asks *q, struct ask *a) {
        a->next = NULL;
        if (q->tail)
                q->tail->next = a;
        else
                q->head = a;
        q->tail = a;
        q->n++;
        q->bytes += a->bytes.n;
}

void asks_add_front(struct asks *q, struct ask *a) {
        a->next = q->head;
        q->head = a;
        if (!q->tail)
                q->tail = a;
        q->n++;
        q->bytes += a->bytes.n;
}

void asks_remove_after(struct asks *q, struct ask *prev) {
        struct ask *a = prev ? prev->next : q->head;

        if (prev)
                prev->next = a->next;
        else
                q->head = a->next;
        if (q->tail == a)
                q->tail = prev;
        q->n--;
        q->bytes -= a->bytes.n;
        a->next = NULL;
}

struct ask *asks_take(struct asks *q) {
        struct ask *a = q->head;

        if (a)
                asks_remove_after(q, NULL);
        return a;
}

void asks_forget(struct asks *q, const struct channel *c) {
        struct ask *prev = NULL;

        for (struct ask *a = q->head; a; a = prev ? prev->next : q->head) {
                if (a->from.from != c) {
                        prev = a;
                        continue;
                }
                asks_remove_after(q, prev);
                ask_free(a);
        }
}
