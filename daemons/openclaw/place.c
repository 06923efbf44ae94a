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

static void move(struct places *s, struct place *p, enum place_at to) {
        if (p->at == PLACE_QUEUED)
                cut(s, p);
        s->in -= p->at == PLACE_IN;
        s->waiting -= p->at == PLACE_ASIDE || p->at == PLACE_QUEUED;
        p->at = to;
        s->in += to == PLACE_IN;
        s->waiting += to == PLACE_ASIDE || to == PLACE_QUEUED;
        stat_set(STAT_turns_running, s->in);
        stat_set(STAT_turns_waiting, s->waiting);
}

/* Who goes may at once give its place back, or leave: the loop here goes on, not a deeper one. */
static void pump(struct places *s) {
        if (s->pumping)
                return;
        s->pumping = true;
        while (s->first != NULL && s->in < s->max) {
                struct place *p = s->first;
                move(s, p, PLACE_IN);
                p->go(p->who);
        }
        s->pumping = false;
}

enum status place_join(struct places *s, struct place *p) {
        bool free_now = s->in < s->max && s->first == NULL;
        if (!free_now && s->waiting >= s->waiting_max)
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
