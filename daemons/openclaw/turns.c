/* turns.c - who comes and who leaves: admission, order within a conversation, stop, drain. */
#include "turns.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "log.h"
#include "settings.h"
#include "stats.h"
#include "turn.h"

#define ARENA_MAX (512u << 10)

/* ---- the book of turns ---- */

struct turns *turns_new(struct ev_loop *loop, struct gateway *gateway, struct channel *writer, const char *runner) {
        struct turns *all = calloc(1, sizeof *all);
        if (all == NULL)
                die("out of memory");
        all->loop = loop;
        all->gateway = gateway;
        all->writer = writer;
        all->runner = runner;
        places_init(&all->places, (unsigned)setting_int(SETTING_openclaw_turns_max),
                    (unsigned)setting_int(SETTING_openclaw_waiting_max));
        return all;
}

struct places *turns_places(struct turns *t) {
        return &t->places;
}

static struct turn **bucket_of(struct turns *all, struct slice account, struct slice session) {
        uint32_t h = 2166136261u;
        for (uint32_t i = 0; i < account.n; i++)
                h = (h ^ (unsigned char)account.p[i]) * 16777619u;
        for (uint32_t i = 0; i < session.n; i++)
                h = (h ^ (unsigned char)session.p[i]) * 16777619u;
        return &all->bucket[h % TURN_BUCKETS];
}

static bool is_of(const struct turn *t, struct slice account, struct slice session) {
        return slice_eq(t->ask.account_id, account) && slice_eq(t->ask.session_id, session);
}

static struct turn *find(struct turns *all, struct slice account, struct slice session, struct slice id) {
        struct turn *t = *bucket_of(all, account, session);
        while (t != NULL && !(is_of(t, account, session) && slice_eq(t->ask.turn_id, id)))
                t = t->next;
        return t;
}

static void link_turn(struct turn *t) {
        struct turn **at = bucket_of(t->all, t->ask.account_id, t->ask.session_id);
        while (*at != NULL)
                at = &(*at)->next;
        t->link = at;
        *at = t;
        t->all->count++;
}

/* ---- one turn's frame ---- */

static void drop_waiter(struct waiter **at) {
        struct waiter *w = *at;
        *at = w->next;
        free(w);
}

static void destroy(struct turn *t) {
        ev_timer_stop(t->all->loop, &t->timer);
        if (t->gateway != NULL)
                gateway_cancel(t->gateway);
        if (t->calling)
                channel_forget(t->all->writer, t);
        while (t->waiters != NULL)
                drop_waiter(&t->waiters);
        uitag_free(&t->tags);
        buf_free(&t->shown);
        buf_free(&t->proposals);
        arena_free(&t->arena);
        free(t);
}

void turn_free(struct turn *t) {
        struct turns *all = t->all;
        if (t->link != NULL) {
                *t->link = t->next;
                if (t->next != NULL)
                        t->next->link = t->link;
                all->count--;
                turn_pass_lead(all, t->ask.account_id, t->ask.session_id);
        }
        place_leave(&all->places, &t->place);
        destroy(t);
}

void turns_free(struct turns *all) {
        if (all == NULL)
                return;
        for (unsigned i = 0; i < TURN_BUCKETS; i++)
                for (struct turn *t = all->bucket[i], *next; t != NULL; t = next) {
                        next = t->next;
                        destroy(t);
                }
        free(all);
}

void turn_wake(struct turn *t, int64_t micros) {
        ev_timer_stop(t->all->loop, &t->timer);
        ev_timer_set(&t->timer, micros > 0 ? (double)micros / 1e6 : 0., 0.);
        ev_now_update(t->all->loop);
        ev_timer_start(t->all->loop, &t->timer);
}

static void on_timer(struct ev_loop *loop, ev_timer *w, int revents) {
        struct turn *t = w->data;
        (void)loop;
        (void)revents;
        switch (t->state) {
        case TURN_WAITING:
        case TURN_FOLLOWING:
        case TURN_PAUSED:
                turn_waited(t);
                break;
        case TURN_RUNNING:
        case TURN_STORING:
                turn_store(t);
                break;
        case TURN_ENDING:
                if (!t->calling) /* the timer may be one that was set before */
                        turn_end(t);
                break;
        case TURN_ASKING:
                break;
        }
}

static void go(void *who) {
        turn_begin(who);
}

static struct turn *turn_new(struct turns *all) {
        struct turn *t = calloc(1, sizeof *t);
        if (t == NULL)
                return NULL;
        t->all = all;
        t->place = (struct place){ .go = go, .who = t };
        t->arrived = text_mono_micros();
        t->until = t->arrived + setting_int(SETTING_turn_queue_seconds) * 1000000;
        arena_init(&t->arena, ARENA_MAX);
        buf_init(&t->shown, UITAG_TEXT_MAX);
        buf_init(&t->proposals, PROPOSALS_MAX);
        ev_timer_init(&t->timer, on_timer, 0., 0.);
        t->timer.data = t;
        return t;
}

/* ---- order within a conversation ---- */

void turn_pass_lead(struct turns *all, struct slice account, struct slice session) {
        struct turn *best = NULL;
        for (struct turn *t = *bucket_of(all, account, session); t != NULL; t = t->next) {
                if (!is_of(t, account, session))
                        continue;
                if (t->lead)
                        return;
                if (best == NULL || (best->busy != BUSY_REPLACE && t->busy == BUSY_REPLACE))
                        best = t;
        }
        if (best == NULL)
                return;
        best->lead = true;
        if (best->state != TURN_FOLLOWING)
                return; /* it is just asking, and goes on as the lead */
        best->state = TURN_WAITING;
        place_want(&all->places, &best->place);
}

/* How many stand behind the lead; *ret_replacing: one of them replaces it. */
static unsigned followers(struct turn *of, bool *ret_lead, bool *ret_replacing) {
        unsigned n = 0;
        *ret_lead = *ret_replacing = false;
        for (struct turn *t = *bucket_of(of->all, of->ask.account_id, of->ask.session_id); t != NULL; t = t->next) {
                if (!is_of(t, of->ask.account_id, of->ask.session_id))
                        continue;
                *ret_lead |= t->lead;
                *ret_replacing |= !t->lead && t->busy == BUSY_REPLACE;
                n += !t->lead;
        }
        return n;
}

/* Behind a turn that runs here the writer is asked all the same: whether he may, and whether this turn has ended before.
 * It says `wait`, and then we do. */
static void admit(struct turn *t) {
        bool lead, replacing;
        unsigned n = followers(t, &lead, &replacing);
        if (lead && (t->busy == BUSY_REPLACE ? replacing : n >= setting_int(SETTING_turn_queue_max)) &&
            t->busy != BUSY_REFUSE) {
                turn_refuse(t, STATUS_TURN_QUEUE_FULL);
                return;
        }
        t->place.tenant = place_tenant(t->ask.account_id);
        enum status s = place_join(&t->all->places, &t->place);
        if (s != STATUS_OK) {
                turn_refuse(t, s);
                return;
        }
        t->lead = !lead;
        link_turn(t);
        if (lead) {
                turn_begin(t);
                return;
        }
        t->state = TURN_WAITING;
        turn_wake(t, t->until - t->arrived);
        place_want(&t->all->places, &t->place);
}

/* ---- ops ---- */

static struct waiter *add_waiter(struct turn *t, const struct request *r, const struct op_turn_run *m) {
        struct waiter **at = &t->waiters, *w;
        unsigned n = 0;
        for (; *at != NULL; at = &(*at)->next)
                n++;
        w = n < WAITERS_MAX ? calloc(1, sizeof *w) : NULL;
        if (w == NULL)
                return NULL;
        w->request = *r;
        w->stream = m->stream;
        (void)slice_copy(m->command_id, w->command, sizeof w->command);
        *at = w;
        return w;
}

/* The same turn again while it is here: one answer for both, if it is the same person saying the same. */
static void join(struct turn *t, const struct request *r, const struct op_turn_run *m, const struct turn *asked) {
        enum status s = STATUS_OK;
        struct waiter *w = NULL;
        if (!slice_eq(t->ask.actor_id, m->actor_id))
                s = STATUS_TURN_BUSY;
        else if (!slice_eq(t->ask.text, asked->ask.text))
                s = STATUS_IDEMPOTENCY_CONFLICT;
        else if ((w = add_waiter(t, r, m)) == NULL)
                s = STATUS_TURN_QUEUE_FULL;
        if (s != STATUS_OK)
                channel_reply(r, s, (struct slice){ 0 }, (struct slice){ 0 });
        else
                turn_catch_up(t, w);
}

void turns_run(struct turns *all, const struct request *r) {
        const struct op_turn_run *m = r->msg;
        const char *why = NULL;
        struct turn *t = turn_new(all), *same;
        enum status s = t != NULL ? turn_read(t, m, &why) : STATUS_BUSY;
        if (s == STATUS_OK && all->drain_at != 0)
                s = STATUS_OPENCLAW_UNAVAILABLE;
        if (s != STATUS_OK) {
                channel_reply(r, s, slice_of(why), (struct slice){ 0 });
        } else if ((same = find(all, t->ask.account_id, t->ask.session_id, t->ask.turn_id)) != NULL) {
                join(same, r, m, t);
        } else if (add_waiter(t, r, m) == NULL) {
                channel_reply(r, STATUS_BUSY, (struct slice){ 0 }, (struct slice){ 0 });
        } else {
                admit(t);
                return;
        }
        if (t != NULL)
                destroy(t);
}

/* Nobody waits for it any more. */
static void abandon(struct turn *t) {
        switch (t->state) {
        case TURN_WAITING:
        case TURN_FOLLOWING:
        case TURN_PAUSED:
                stat_add_word(STAT_turns, "cancelled", 1);
                turn_free(t);
                break;
        case TURN_ASKING:
                t->cancelled = true;
                break;
        case TURN_RUNNING:
                turn_cancel(t, STATUS_TURN_CANCELLED);
                break;
        case TURN_STORING:
        case TURN_ENDING:
                break;
        }
}

/* Takes out who came this way, and with this command if there is one. True: nobody waits any more. */
static bool remove_waiters(struct turn *t, const struct channel *from, const struct slice *command) {
        bool removed = false;
        for (struct waiter **at = &t->waiters; *at != NULL;) {
                if ((*at)->request.from != from || (command != NULL && !slice_is(*command, (*at)->command))) {
                        at = &(*at)->next;
                        continue;
                }
                drop_waiter(at);
                removed = true;
        }
        return removed && t->waiters == NULL;
}

/* Abandoning one turn may carry others of its conversation on, never away: the next one stays. */
static void each(struct turns *all, void (*fn)(struct turn *t, const void *arg), const void *arg) {
        for (unsigned i = 0; i < TURN_BUCKETS; i++)
                for (struct turn *t = all->bucket[i], *next; t != NULL; t = next) {
                        next = t->next;
                        fn(t, arg);
                }
}

/* One of two frontends may say so of a command that the other one's client still waits for. */
static void leave(struct turn *t, const void *arg) {
        const struct request *r = arg;
        const struct op_turn_left *m = r->msg;
        if (slice_eq(t->ask.account_id, m->account_id) && slice_eq(t->ask.actor_id, m->actor_id) &&
            remove_waiters(t, r->from, &m->command_id))
                abandon(t);
}

void turns_left(struct turns *all, const struct request *r) {
        each(all, leave, r);
}

/* Nobody has left: who waited there asks again, and what has begun is answered then. */
static void lose(struct turn *t, const void *arg) {
        if (remove_waiters(t, arg, NULL) &&
            (t->state == TURN_WAITING || t->state == TURN_FOLLOWING || t->state == TURN_PAUSED))
                abandon(t);
}

void turns_down(struct turns *all, struct channel *c) {
        if (channel_kind(c) == FRONTEND)
                each(all, lose, c);
}

void turns_stopped(struct turns *all, const struct request *r) {
        const struct op_turn_stopped *m = r->msg;
        struct turn *t = find(all, m->account_id, m->session_id, m->turn_id);
        if (t != NULL && t->state == TURN_RUNNING)
                turn_cancel(t, STATUS_TURN_CANCELLED);
        else if (t != NULL && t->state == TURN_ASKING)
                t->cancelled = true;
}

/* ---- the end of the process ---- */

static void wind_up(struct turn *t, const void *arg) {
        bool late = *(const bool *)arg;
        if (t->state == TURN_WAITING || t->state == TURN_FOLLOWING || t->state == TURN_PAUSED)
                turn_refuse(t, STATUS_OPENCLAW_UNAVAILABLE);
        else if (t->state == TURN_RUNNING && late)
                turn_cancel(t, STATUS_TURN_INTERRUPTED);
}

bool turns_drain(struct turns *all) {
        int64_t now = text_mono_micros();
        if (all->drain_at == 0)
                all->drain_at = now;
        bool late = now - all->drain_at >= DRAIN_PATIENCE_MS * INT64_C(1000);
        each(all, wind_up, &late);
        return all->count == 0;
}
