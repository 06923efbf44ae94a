/* subs.c - an open-addressing table of streams, and lists of who listens to them. */
#include "subs.h"

#include <sodium.h>
#include <stdlib.h>

#include "log.h"

struct subs {
        struct stream **slot; /* linear probing; a power of two, at most half full */
        size_t cap, n;
        bool moved; /* a stream changed its slot since subs_walk() came by */
        unsigned max;
        struct peer *peers;
        unsigned char key[crypto_shorthash_KEYBYTES]; /* session ids may be chosen by clients */
};

/* ---- the table ---- */

static uint64_t hash_of(const struct subs *s, struct slice account, struct slice session) {
        unsigned char text[512];
        uint64_t h = 0;
        size_t n = 0;

        memcpy(text, account.p, n = account.n < 255 ? account.n : 255);
        text[n++] = 0;
        memcpy(text + n, session.p, session.n < 255 ? session.n : 255);
        n += session.n < 255 ? session.n : 255;
        crypto_shorthash((unsigned char *)&h, text, n, s->key);
        return h;
}

static size_t place(const struct subs *s, uint64_t hash, struct slice account, struct slice session) {
        size_t i = hash & (s->cap - 1);

        while (s->slot[i] && !(s->slot[i]->hash == hash && slice_eq(s->slot[i]->session, session) &&
                               slice_eq(s->slot[i]->account, account)))
                i = (i + 1) & (s->cap - 1);
        return i;
}

static bool grow(struct subs *s) {
        size_t was = s->cap, cap = was ? was * 2 : 1024;
        struct stream **old = s->slot, **slot = calloc(cap, sizeof *slot);

        if (!slot)
                return false;
        s->slot = slot;
        s->cap = cap;
        s->moved = true;
        for (size_t i = 0; i < was; i++)
                if (old[i])
                        slot[place(s, old[i]->hash, old[i]->account, old[i]->session)] = old[i];
        free(old);
        return true;
}

/* Closes the gap, so that no probe stops short. */
static void take_out(struct subs *s, const struct stream *st) {
        size_t hole = place(s, st->hash, st->account, st->session), mask = s->cap - 1;

        for (size_t i = (hole + 1) & mask; s->slot[i]; i = (i + 1) & mask) {
                size_t home = s->slot[i]->hash & mask;

                if (((i - home) & mask) < ((i - hole) & mask))
                        continue;
                s->slot[hole] = s->slot[i];
                hole = i;
                s->moved = true;
        }
        s->slot[hole] = NULL;
        s->n--;
}

struct stream *subs_find(const struct subs *s, struct slice account, struct slice session) {
        return s->n ? s->slot[place(s, hash_of(s, account, session), account, session)] : NULL;
}

struct stream *subs_walk(struct subs *s, uint64_t round, size_t *at) {
        if (*at == 0)
                s->moved = false;
        for (;;) {
                while (*at < s->cap) {
                        struct stream *st = s->slot[(*at)++];

                        if (st && st->round != round) {
                                st->round = round;
                                return st;
                        }
                }
                *at = 0;
                if (!s->moved)
                        return NULL;
                s->moved = false;
        }
}

static struct stream *find_or_add(struct subs *s, struct slice account, struct slice session, int64_t head) {
        uint64_t hash = hash_of(s, account, session);

        if (s->n * 2 >= s->cap && !grow(s))
                return NULL;

        size_t i = place(s, hash, account, session);
        struct stream *st = s->slot[i];

        if (st || !(st = malloc(sizeof *st + account.n + session.n + 1)))
                return st;
        *st = (struct stream){ .hash = hash, .head = head };
        memcpy(st->text, account.p, account.n);
        memcpy(st->text + account.n, session.p, session.n);
        st->account = (struct slice){ st->text, account.n };
        st->session = (struct slice){ st->text + account.n, session.n };
        s->slot[i] = st;
        s->n++;
        return st;
}

/* ---- a peer's list ---- */

static void unlink_sub(struct sub *sub) {
        struct peer *p = sub->peer;

        *(sub->prev ? &sub->prev->next : &p->first) = sub->next;
        *(sub->next ? &sub->next->prev : &p->last) = sub->prev;
}

static void link_sub(struct sub *sub, bool in_front) {
        struct peer *p = sub->peer;

        sub->prev = in_front ? NULL : p->last;
        sub->next = in_front ? p->first : NULL;
        *(sub->prev ? &sub->prev->next : &p->first) = sub;
        *(sub->next ? &sub->next->prev : &p->last) = sub;
}

void subs_mark(struct sub *sub, bool dirty) {
        if (sub->dirty == dirty)
                return;
        sub->dirty = dirty;
        unlink_sub(sub);
        link_sub(sub, dirty);
}

static struct sub **find_sub(struct stream *st, const struct channel *c) {
        struct sub **at = &st->subs;

        while (*at && (*at)->peer->channel != c)
                at = &(*at)->of_stream;
        return at;
}

static void remove_sub(struct subs *s, struct sub **at) {
        struct sub *sub = *at;
        struct stream *st = sub->stream; /* NOLINT(clang-analyzer-core.NullDereference): callers found *at */

        *at = sub->of_stream;
        unlink_sub(sub);
        sub->peer->n--;
        free(sub);
        if (!st->subs) {
                take_out(s, st);
                free(st);
        }
}

/* ---- from outside ---- */

enum status subs_add(struct subs *s, struct channel *c, struct slice account, struct slice session, int64_t head) {
        struct peer *p = subs_peer(s, c);
        struct stream *st = subs_find(s, account, session);

        if (st && *find_sub(st, c))
                return STATUS_OK;
        if (!p || p->n >= s->max || !(st = find_or_add(s, account, session, head)))
                return STATUS_BUSY;

        struct sub *sub = malloc(sizeof *sub);

        if (sub) {
                *sub = (struct sub){ .stream = st, .peer = p, .of_stream = st->subs };
                st->subs = sub;
                link_sub(sub, false);
                p->n++;
        } else if (!st->subs) {
                take_out(s, st);
                free(st);
        }
        return sub ? STATUS_OK : STATUS_BUSY;
}

void subs_remove(struct subs *s, const struct channel *c, struct slice account, struct slice session) {
        struct stream *st = subs_find(s, account, session);
        struct sub **at = st ? find_sub(st, c) : NULL;

        if (at && *at)
                remove_sub(s, at);
}

struct peer *subs_peer(struct subs *s, struct channel *c) {
        for (struct peer *p = s->peers; p; p = p->next)
                if (p->channel == c)
                        return p;

        struct peer *p = calloc(1, sizeof *p);

        if (p) {
                p->channel = c;
                p->next = s->peers;
                s->peers = p;
        }
        return p;
}

struct peer *subs_peers(const struct subs *s) {
        return s->peers;
}

unsigned subs_count(const struct subs *s) {
        unsigned n = 0;

        for (const struct peer *p = s->peers; p; p = p->next)
                n += p->n;
        return n;
}

void subs_drop(struct subs *s, const struct channel *c) {
        struct peer **at = &s->peers, *p;

        while (*at && (*at)->channel != c)
                at = &(*at)->next;
        if (!(p = *at))
                return;
        while (p->first)
                remove_sub(s, find_sub(p->first->stream, c));
        *at = p->next;
        buf_free(&p->report);
        free(p);
}

struct subs *subs_new(unsigned max_per_peer) {
        struct subs *s = calloc(1, sizeof *s);

        if (!s || !grow(s))
                die("out of memory");
        s->max = max_per_peer;
        randombytes_buf(s->key, sizeof s->key);
        return s;
}

void subs_free(struct subs *s) {
        while (s->peers)
                subs_drop(s, s->peers->channel);
        free(s->slot);
        free(s);
}
