/* watch.c - chained buckets of asks; as many as the reader's queue lets in. */
#include "watch.h"

#include <sodium.h>
#include <stdlib.h>

#include "log.h"

#define BUCKETS 4096u

struct watch {
        unsigned n;
        unsigned char key[crypto_shorthash_KEYBYTES];
        struct ask *bucket[BUCKETS];
};

static struct ask **bucket(struct watch *w, struct slice session) {
        uint64_t h;

        crypto_shorthash((unsigned char *)&h, (const unsigned char *)session.p, session.n, w->key);
        return &w->bucket[h % BUCKETS];
}

struct watch *watch_new(void) {
        struct watch *w = calloc(1, sizeof *w);

        if (!w)
                die("out of memory");
        randombytes_buf(w->key, sizeof w->key);
        return w;
}

void watch_free(struct watch *w) {
        free(w);
}

void watch_add(struct watch *w, struct ask *a) {
        struct ask **b = bucket(w, a->session);

        a->watch_next = *b;
        *b = a;
        w->n++;
}

void watch_remove(struct watch *w, struct ask *a) {
        struct ask **at = bucket(w, a->session);

        while (*at && *at != a)
                at = &(*at)->watch_next;
        if (!*at)
                return;
        *at = a->watch_next;
        a->watch_next = NULL;
        w->n--;
}

bool watch_any(const struct watch *w) {
        return w->n > 0;
}

void watch_note(struct watch *w, struct slice account, struct slice session, int64_t head) {
        if (!w->n || account.n > sizeof((struct ask *)0)->seen_text)
                return;
        for (struct ask *a = *bucket(w, session); a; a = a->watch_next) {
                if (!slice_eq(a->session, session))
                        continue;
                if (!slice_eq(a->seen_account, account)) {
                        memcpy(a->seen_text, account.p, account.n);
                        a->seen_account = (struct slice){ a->seen_text, account.n };
                        a->seen = 0;
                }
                if (head > a->seen)
                        a->seen = head;
        }
}

int64_t watch_seen(const struct ask *a, struct slice account) {
        return slice_eq(a->seen_account, account) ? a->seen : 0;
}
