/* pass.c - which actor may listen to which stream: asked when he comes, and again and again while he listens. */
#include <sodium.h>
#include <stdlib.h>

#include "follow.h"
#include "presence.h"
#include "settings.h"

static struct pass **bucket(struct fanout *fo, const struct stream *s, const struct who *w) {
        uint64_t h = (uint64_t)(uintptr_t)s / 16 * 31 + (uint64_t)(uintptr_t)w / 16; /* no client chooses these */

        return &fo->passes[(h ^ h >> 17) % FANOUT_BUCKETS];
}

struct pass *pass_find(const struct stream *s, const struct who *w) {
        struct pass *p = *bucket(s->fanout, s, w);

        while (p && (p->stream != s || p->who != w))
                p = p->next;
        return p;
}

/* In the last quarter of the time: those who came together are not asked for together. */
static int64_t next_due(void) {
        uint32_t period = (uint32_t)setting_int(SETTING_stream_recheck_seconds) * 1000;

        return text_mono_micros() + (int64_t)(period - randombytes_uniform(period / 4 + 1)) * 1000;
}

struct pass *pass_get(struct stream *s, struct who *w) {
        struct pass *p = pass_find(s, w), **b = bucket(s->fanout, s, w);

        if (!p) {
                p = malloc(sizeof *p);
                if (!p)
                        return NULL;
                *p = (struct pass){
                        .next = *b, .stream = s, .who = who_ref(w), .epoch = s->fanout->epoch, .due = next_due()
                };
                TAILQ_INSERT_TAIL(&s->passes, p, link);
                *b = p;
        }
        p->listeners++;
        return p;
}

void pass_leave(struct pass *p) {
        struct stream *s = p->stream;
        struct pass **at = bucket(s->fanout, s, p->who);

        if (--p->listeners)
                return;
        presence_left(p);
        while (*at != p)
                at = &(*at)->next;
        *at = p->next;
        TAILQ_REMOVE(p->stranger ? &s->strangers : &s->passes, p, link);
        who_unref(s->fanout, p->who);
        free(p);
}

bool pass_valid(const struct pass *p) {
        return p->epoch == p->stream->fanout->epoch;
}

void pass_stranger(struct pass *p, bool stranger) {
        struct stream *s = p->stream;

        if (p->stranger == stranger)
                return;
        TAILQ_REMOVE(stranger ? &s->passes : &s->strangers, p, link);
        TAILQ_INSERT_TAIL(stranger ? &s->strangers : &s->passes, p, link);
        p->stranger = stranger;
}

void pass_given(struct pass *p, uint64_t latest) {
        struct stream *s = p->stream;
        bool anew = !pass_valid(p);

        p->epoch = s->fanout->epoch;
        p->due = next_due();
        pass_stranger(p, false);
        if (latest > s->head)
                s->head = latest;
        if (!anew)
                return;
        for (struct listener *l = TAILQ_FIRST(&s->behind); l; l = TAILQ_NEXT(l, link))
                /* What it has heard was committed once; a stream that ends before it is another one now. */
                if (l->pass == p && l->cursor > latest)
                        listener_reset(l, "cursor_ahead", 0, latest);
}

static struct listener *first_of(const struct listeners *list, const struct pass *p) {
        struct listener *l = TAILQ_FIRST(list);

        while (l && l->pass != p)
                l = TAILQ_NEXT(l, link);
        return l;
}

/* Telling one may end others, so each round looks from the start. The pass goes with the last. */
void pass_refused(struct pass *p, enum status s) {
        struct stream *st = p->stream;
        struct listener *l;

        while ((l = first_of(&st->behind, p)) || (l = first_of(&st->live, p)))
                l->out->wire->revoked(l, s);
}

void pass_tend(struct stream *s, int64_t now) {
        for (struct pass *p = TAILQ_FIRST(&s->passes), *next; p; p = next) {
                next = TAILQ_NEXT(p, link);
                if (p->asked || p->due > now)
                        continue;
                pass_stranger(p, true);
                feed_want(s);
        }
}

/* An appliance-wide key reads any account's streams, so its passes are told by the stream's account. */
static bool concerns(const struct pass *p, struct slice account, struct slice key) {
        const struct who *w = p->who;

        if (key.n)
                return w->service && slice_eq(w->id, key);
        return slice_eq(w->account, account) || slice_eq(p->stream->account, account);
}

/* Until he is let in anew he hears nothing. */
static void doubt(struct pass *p) {
        struct stream *s = p->stream;

        p->epoch = s->fanout->epoch - 1;
        p->again = p->asked;
        for (struct listener *l = TAILQ_FIRST(&s->live), *next; l; l = next) {
                next = TAILQ_NEXT(l, link);
                if (l->pass == p)
                        listener_live(l, false);
        }
        if (!p->asked)
                pass_stranger(p, true);
        feed_want(s);
}

void pass_recheck(struct fanout *fo, struct slice account, struct slice key) {
        fo->changes++;
        for (unsigned i = 0; i < FANOUT_BUCKETS; i++) {
                for (struct pass *p = fo->passes[i]; p; p = p->next) {
                        if (concerns(p, account, key))
                                doubt(p);
                }
        }
        feed_pump(fo);
}
