/* place.c - the queue for places. */
#include "place.h"

#include "stats.h"

void places_init(struct places *s, unsigned max, unsigned waiting_max) {
        *s = (struct places){ .max = max, .waiting_max = waiting_max };
        s->last = &s->first;
}

static void cut(struct places *s, struct place *p) {
        *p->link = p->next;
        if (p->next != NULL)
                p->next->link = p->link;
        else
                s->last = p->link;
        p->next = NULL;
}

unsigned place_tenant(struct slice account) {
        uint32_t h = 2166136261u;
        for (uint32_t i = 0; i < account.n; i++)
                h = (h ^ (unsigned char)account.p[i]) * 16777619u;
        return (h ^ h >> 16) % PLACE_TENANTS;
}

static bool waits(enum place_at at) {
        return at == PLACE_ASIDE || at == PLACE_QUEUED;
}

static void move(struct places *s, struct place *p, enum place_at to) {
        if (p->at == PLACE_QUEUED)
                cut(s, p);
        s->in -= p->at == PLACE_IN;
        s->of[p->tenant].in -= p->at == PLACE_IN;
        s->waiting -= waits(p->at);
        s->of[p->tenant].waiting -= waits(p->at);
        p->at = to;
        s->in += to == PLACE_IN;
        s->of[p->tenant].in += to == PLACE_IN;
        s->waiting += waits(to);
        s->of[p->tenant].waiting += waits(to);
        stat_set(STAT_turns_running, s->in);
        stat_set(STAT_turns_waiting, s->waiting);
}

static bool before(const struct places *s, unsigned a, unsigned b) {
        return s->of[a].in != s->of[b].in ? s->of[a].in < s->of[b].in : s->of[a].went < s->of[b].went;
}

/* The first of the tenant that has the fewest places; of several such, of the one whose turn is the longest ago. */
static struct place *next_of(const struct places *s) {
        struct place *best = s->first;
        for (struct place *p = best; p != NULL; p = p->next)
                if (before(s, p->tenant, best->tenant))
                        best = p;
        return best;
}

/* Who goes may at once give its place back, or leave: the loop here goes on, not a deeper one. */
static void pump(struct places *s) {
        if (s->pumping)
                return;
        s->pumping = true;
        while (s->first != NULL && s->in < s->max) {
                struct place *p = next_of(s);
                move(s, p, PLACE_IN);
                s->of[p->tenant].went = ++s->gone;
                p->go(p->who);
        }
        s->pumping = false;
}

enum status place_join(struct places *s, struct place *p) {
        bool free_now = s->in < s->max && s->first == NULL;
        unsigned kept = s->of[p->tenant].waiting > 0 ? s->waiting_max / 8 : 0;
        if (!free_now && s->waiting + kept >= s->waiting_max)
                return STATUS_TURN_QUEUE_FULL;
        move(s, p, PLACE_ASIDE);
        return STATUS_OK;
}

void place_want(struct places *s, struct place *p) {
        move(s, p, PLACE_QUEUED);
        p->next = NULL;
        p->link = s->last;
        *s->last = p;
        s->last = &p->next;
        pump(s);
}

void place_aside(struct places *s, struct place *p) {
        move(s, p, PLACE_ASIDE);
        pump(s);
}

void place_take(struct places *s, struct place *p) {
        move(s, p, PLACE_IN);
}

void place_leave(struct places *s, struct place *p) {
        move(s, p, PLACE_OUT);
        pump(s);
}
