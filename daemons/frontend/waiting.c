/* waiting.c - the requests of this process that wait for turns. */
#include "waiting.h"

#include <sodium.h>
#include <stdlib.h>

#include "log.h"

LIST_HEAD(waiters, waiter);

struct waiting {
        struct frontend *frontend;
        struct waiters buckets[WAITING_BUCKETS];
        unsigned n;
        bool draining;
        ev_timer tick;
};

static void hash(struct slice account, struct slice actor, struct slice command, unsigned char to[static 16]) {
        struct slice parts[] = { account, actor, command };
        crypto_generichash_state h;

        crypto_generichash_init(&h, NULL, 0, 16);
        for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
                unsigned char n[4];

                put_le32(n, parts[i].n);
                crypto_generichash_update(&h, n, sizeof n);
                crypto_generichash_update(&h, (const unsigned char *)parts[i].p, parts[i].n);
        }
        crypto_generichash_final(&h, to, 16);
}

static struct waiters *bucket(struct waiting *t, const unsigned char key[static 16]) {
        return &t->buckets[get_le32(key) % WAITING_BUCKETS];
}

static bool same(const struct waiter *w, const unsigned char key[static 16]) {
        return memcmp(w->key, key, sizeof w->key) == 0;
}

enum status waiter_join(struct frontend *f, struct waiter *w, const struct op_turn_run *m,
                        const struct waiter_events *ev) {
        struct waiting *t = frontend_waiting(f);

        if (t->draining)
                return STATUS_OPENCLAW_UNAVAILABLE;
        if (t->n >= WAITING_MAX)
                return STATUS_BUSY;
        *w = (struct waiter){ .ev = ev };
        if (!slice_copy(m->account_id, w->account, sizeof w->account) ||
            !slice_copy(m->actor_id, w->actor, sizeof w->actor) ||
            !slice_copy(m->command_id, w->command, sizeof w->command))
                return STATUS_INTERNAL;
        hash(m->account_id, m->actor_id, m->command_id, w->key);
        LIST_INSERT_HEAD(bucket(t, w->key), w, link);
        t->n++;
        return STATUS_OK;
}

struct waiter *waiter_before(const struct waiter *w) {
        struct waiter *other;

        for (other = LIST_NEXT(w, link); other; other = LIST_NEXT(other, link))
                if (other->ev == w->ev && same(other, w->key))
                        return other;
        return NULL;
}

static bool waited_for(struct waiting *t, const unsigned char key[static 16]) {
        const struct waiter *w;

        LIST_FOREACH(w, bucket(t, key), link)
        if (same(w, key))
                return true;
        return false;
}

void waiter_leave(struct frontend *f, struct waiter *w, bool left) {
        struct channel *to = frontend_peer(f, OPENCLAW);
        struct waiting *t = frontend_waiting(f);
        struct op_turn_left m = { 0 };

        LIST_REMOVE(w, link);
        t->n--;
        if (!left || !to || waited_for(t, w->key))
                return;
        OP_SET(turn_left, &m, account_id, slice_of(w->account));
        OP_SET(turn_left, &m, actor_id, slice_of(w->actor));
        OP_SET(turn_left, &m, command_id, slice_of(w->command));
        (void)channel_cast(to, OP_turn_left, &m); /* its deadline ends it too */
}

void waiting_event(struct frontend *f, const struct op_turn_event *m) {
        struct waiting *t = frontend_waiting(f);
        unsigned char key[16];
        struct waiter *next;

        hash(m->account_id, m->actor_id, m->command_id, key);
        for (struct waiter *w = LIST_FIRST(bucket(t, key)); w; w = next) {
                next = LIST_NEXT(w, link);
                if (w->ev->event && same(w, key))
                        w->ev->event(w, m);
        }
}

void waiting_down(struct frontend *f, struct channel *c) {
        struct waiting *t = frontend_waiting(f);
        struct waiter *next;

        if (channel_kind(c) != OPENCLAW)
                return;
        for (unsigned i = 0; i < WAITING_BUCKETS; i++)
                for (struct waiter *w = LIST_FIRST(&t->buckets[i]); w; w = next) {
                        next = LIST_NEXT(w, link);
                        if (w->ev->away)
                                w->ev->away(w);
                }
}

void waiting_drain(struct frontend *f, bool late) {
        struct waiting *t = frontend_waiting(f);
        struct waiter *next;

        t->draining = true;
        for (unsigned i = 0; t->n > 0 && i < WAITING_BUCKETS; i++)
                for (struct waiter *w = LIST_FIRST(&t->buckets[i]); w; w = next) {
                        next = LIST_NEXT(w, link);
                        w->ev->stop(w, late);
                }
}

void waiting_tick(struct waiting *t, int64_t now) {
        struct waiter *next;

        for (unsigned i = 0; t->n > 0 && i < WAITING_BUCKETS; i++)
                for (struct waiter *w = LIST_FIRST(&t->buckets[i]); w; w = next) {
                        next = LIST_NEXT(w, link);
                        if (w->ev->beat)
                                w->ev->beat(w, now);
                }
}

static void tick(struct ev_loop *loop, ev_timer *timer, int revents) {
        (void)loop;
        (void)revents;
        waiting_tick(timer->data, text_mono_micros());
}

struct waiting *waiting_new(struct frontend *f) {
        struct waiting *t = calloc(1, sizeof *t);

        if (!t)
                die("out of memory");
        t->frontend = f;
        for (unsigned i = 0; i < WAITING_BUCKETS; i++)
                LIST_INIT(&t->buckets[i]);
        ev_timer_init(&t->tick, tick, 1., 1.);
        t->tick.data = t;
        ev_timer_start(frontend_loop(f), &t->tick);
        return t;
}

void waiting_free(struct waiting *t) {
        if (!t)
                return;
        ev_timer_stop(frontend_loop(t->frontend), &t->tick);
        free(t);
}
