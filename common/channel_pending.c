/* channel_pending.c - calls that wait for their answer: by id, in order, and by deadline on a timing wheel. */
#include <stdlib.h>

#include "conn.h"

int pending_init(struct pendings *t, unsigned max) {
        uint32_t size = 16;
        while (size < max && size < 1u << 20)
                size *= 2;
        t->hash = calloc(size, sizeof *t->hash);
        t->mask = size - 1;
        return t->hash == NULL ? -1 : 0;
}

static int64_t tick_of(int64_t micros) {
        return micros / (HUB_TICK_MS * INT64_C(1000));
}

static void wheel_put(struct hub *h, struct pending *p) {
        struct pending **slot = &h->slots[(uint64_t)(tick_of(p->deadline) + 1) % HUB_SLOTS];
        p->slot_next = *slot;
        p->slot_link = slot;
        if (*slot != NULL)
                (*slot)->slot_link = &p->slot_next;
        *slot = p;
}

static void wheel_cut(struct pending *p) {
        if (p->slot_link == NULL)
                return;
        *p->slot_link = p->slot_next;
        if (p->slot_next != NULL)
                p->slot_next->slot_link = p->slot_link;
        p->slot_link = NULL;
}

/* Ids of a channel are consecutive, so the low bits are a perfect hash as long as calls are answered in time. */
struct pending *pending_find(const struct pendings *t, uint64_t id) {
        struct pending *p = t->hash[id & t->mask];
        while (p != NULL && p->id != id)
                p = p->hash_next;
        return p;
}

struct pending *pending_add(struct channel *c, enum op op, uint32_t n, unsigned timeout_ms) {
        struct pendings *t = &c->pend;
        struct pending *p = malloc(sizeof *p + n);
        if (p == NULL)
                return NULL;
        *p = (struct pending){ .channel = c, .id = ++c->last_id, .op = op, .n = n, .prev = t->last };
        p->deadline = text_mono_micros() + (int64_t)timeout_ms * 1000;
        struct pending **bucket = &t->hash[p->id & t->mask];
        p->hash_next = *bucket;
        *bucket = p;
        if (t->last != NULL)
                t->last->next = p;
        else
                t->first = p;
        t->last = p;
        t->count++;
        t->bytes += n;
        wheel_put(c->hub, p);
        c->hub->n_pending++;
        hub_tick_start(c->hub);
        return p;
}

void pending_remove(struct pending *p) {
        struct pendings *t = &p->channel->pend;
        struct pending **at = &t->hash[p->id & t->mask];
        while (*at != p)
                at = &(*at)->hash_next;
        *at = p->hash_next;
        if (p->prev != NULL)
                p->prev->next = p->next;
        else
                t->first = p->next;
        if (p->next != NULL)
                p->next->prev = p->prev;
        else
                t->last = p->prev;
        wheel_cut(p);
        t->count--;
        t->late -= p->late;
        t->bytes -= p->n;
        p->channel->hub->n_pending--;
        free(p);
}

/* The handler may call, forget, anything: the entry is gone before it runs. */
void pending_answer(struct pending *p, const struct answer *a) {
        channel_answer_fn *fn = p->late ? NULL : p->fn;
        void *arg = p->arg;
        pending_remove(p);
        if (fn != NULL)
                fn(arg, a);
}

static struct answer no_answer(enum daemon_id kind) {
        return (struct answer){ .status = kind == WRITER     ? STATUS_WRITER_UNAVAILABLE
                                          : kind == WEBHOOK  ? STATUS_WEBHOOK_UNAVAILABLE
                                          : kind == OPENCLAW ? STATUS_OPENCLAW_UNAVAILABLE
                                                             : STATUS_NOT_READY };
}

/* The peer has it, or will get it before anything else can happen to it: then its answer may still come and must find
 * its call, or it would look like an answer to nothing. */
static void expire(struct pending *p) {
        struct answer a = no_answer(p->channel->kind);
        channel_answer_fn *fn = p->fn;
        void *arg = p->arg;
        if (p->channel->conn == NULL) {
                pending_answer(p, &a);
                return;
        }
        p->late = true;
        p->channel->pend.late++;
        p->fn = NULL;
        if (fn != NULL)
                fn(arg, &a);
}

void pending_expire(struct hub *h, int64_t now) {
        int64_t to = tick_of(now), from = to - h->ticks > (int64_t)HUB_SLOTS ? to - (int64_t)HUB_SLOTS : h->ticks;
        h->ticks = to;
        for (int64_t tick = from + 1; tick <= to; tick++) {
                struct pending **slot = &h->slots[(uint64_t)tick % HUB_SLOTS], *due = NULL, *p = *slot, *next;
                for (; p != NULL; p = next) {
                        next = p->slot_next;
                        if (p->deadline > now)
                                continue;
                        wheel_cut(p);
                        p->slot_next = due;
                        p->slot_link = &due;
                        if (due != NULL)
                                due->slot_link = &p->slot_next;
                        due = p;
                }
                while ((p = due) != NULL) { /* a handler may add calls to any slot, and take this list's away */
                        wheel_cut(p);
                        expire(p);
                }
        }
}

void pending_drop_late(struct pendings *t) {
        for (struct pending *p = t->first, *next; p != NULL; p = next) {
                next = p->next;
                if (p->late)
                        pending_remove(p);
        }
}

void pending_fail_all(struct pendings *t) {
        while (t->first != NULL) {
                struct answer a = no_answer(t->first->channel->kind);
                pending_answer(t->first, &a);
        }
}

void pending_free(struct pendings *t) {
        while (t->first != NULL)
                pending_remove(t->first); /* NOLINT(clang-analyzer-unix.Malloc): removing one moves `first` on */
        free(t->hash);
        t->hash = NULL;
}
