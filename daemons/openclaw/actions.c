/* actions.c - who asks for an action, and until it is ours: places, waiting, the writer's leave, the lease. */
#include "actions.h"

#include <sodium.h>
#include <stdlib.h>

#include "action.h"
#include "log.h"
#include "settings.h"

#define PAUSE_MIN_MS 100u
#define PAUSE_MAX_MS 500u

struct actions *actions_new(struct ev_loop *loop, struct gateway *gateway, struct channel *writer, const char *runner,
                            struct places *places) {
        struct actions *all = calloc(1, sizeof *all);
        if (all == NULL)
                die("out of memory");
        *all = (struct actions){
                .loop = loop, .gateway = gateway, .writer = writer, .runner = runner, .places = places
        };
        randombytes_buf(all->secret, sizeof all->secret);
        return all;
}

static void destroy(struct action *a) {
        ev_timer_stop(a->all->loop, &a->timer);
        if (a->gateway != NULL)
                gateway_cancel(a->gateway);
        if (a->calling)
                channel_forget(a->all->writer, a);
        for (struct action_waiter *w = a->waiters, *next; w != NULL; w = next) {
                next = w->next;
                free(w);
        }
        arena_free(&a->arena);
        arena_free(&a->run_arena);
        buf_free(&a->said);
        buf_free(&a->title);
        buf_free(&a->markdown);
        buf_free(&a->data);
        free(a);
}

void action_free(struct action *a) {
        struct places *places = a->all->places;
        if (a->link != NULL) {
                *a->link = a->next;
                if (a->next != NULL)
                        a->next->link = a->link;
        }
        place_leave(places, &a->place);
        destroy(a);
}

void actions_free(struct actions *all) {
        if (all == NULL)
                return;
        for (struct action *a = all->first, *next; a != NULL; a = next) {
                next = a->next;
                destroy(a);
        }
        sodium_memzero(all->secret, sizeof all->secret);
        free(all);
}

void action_answer(struct action *a, enum status s, struct slice detail, struct slice body) {
        for (struct action_waiter *w = a->waiters; w != NULL; w = w->next)
                channel_reply(&w->request, s, detail, body);
        action_free(a);
}

static void refuse(struct action *a, enum status s) {
        action_answer(a, s, (struct slice){ 0 }, (struct slice){ 0 });
}

void action_wake(struct action *a, int64_t ms) {
        ev_timer_stop(a->all->loop, &a->timer);
        ev_timer_set(&a->timer, ms > 0 ? (double)ms / 1e3 : 0., 0.);
        ev_now_update(a->all->loop);
        ev_timer_start(a->all->loop, &a->timer);
}

static int64_t left_ms(const struct action *a) {
        int64_t left = a->until - text_mono_micros();
        return left > 0 ? left / 1000 : 0;
}

/* ---- the writer's leave ---- */

static void wait_more(struct action *a) {
        int64_t left = left_ms(a);
        if (left == 0 || a->all->drain_at != 0) {
                refuse(a, a->all->drain_at != 0 ? STATUS_OPENCLAW_UNAVAILABLE : STATUS_TURN_BUSY);
                return;
        }
        a->wait_ms = a->wait_ms == 0 ? PAUSE_MIN_MS : a->wait_ms * 2 < PAUSE_MAX_MS ? a->wait_ms * 2 : PAUSE_MAX_MS;
        a->state = ACTION_PAUSED;
        action_wake(a, a->wait_ms < left ? (int64_t)a->wait_ms : left);
        place_aside(a->all->places, &a->place);
}

static void ended_before(struct action *a) {
        struct slice name = { 0 }, detail = { 0 };
        struct json answer = json_get(a->run, "answer");
        (void)json_str(json_get(a->run, "status"), &name);
        (void)json_str(json_get(a->run, "message"), &detail);
        enum status s = status_by_name(name);
        struct slice body = json_type(answer) == JSON_OBJECT ? json_raw(answer) : (struct slice){ 0 };
        if (s >= STATUS_COUNT || (s == STATUS_OK && body.n == 0))
                refuse(a, STATUS_INTERNAL);
        else
                action_answer(a, s, detail, body);
}

static bool read_reply(struct action *a, struct slice body) {
        const char *why;
        size_t at;
        buf_clear(&a->said);
        arena_reset(&a->run_arena);
        buf_slice(&a->said, body);
        return !a->said.over && json_parse(buf_view(&a->said), &a->run_arena, &a->run, &why, &at) == 0;
}

static void on_begin(void *arg, const struct answer *answer) {
        struct action *a = arg;
        struct slice state = { 0 };
        a->calling = false;
        if (answer->status != STATUS_OK) {
                action_answer(a, answer->status, answer->detail, answer->body);
        } else if (!read_reply(a, answer->body) || !json_str(json_get(a->run, "state"), &state)) {
                refuse(a, STATUS_INTERNAL);
        } else if (slice_is(state, "run")) {
                action_make(a);
        } else if (slice_is(state, "done")) {
                ended_before(a);
        } else {
                wait_more(a);
        }
}

/* Not from inside whoever called: what walks over actions must find them again. */
static void refuse_later(struct action *a, enum status s) {
        a->refused = s;
        a->state = ACTION_PAUSED;
        action_wake(a, 0);
}

static void go(void *who) {
        struct action *a = who;
        enum status s = STATUS_OPENCLAW_UNAVAILABLE;
        ev_timer_stop(a->all->loop, &a->timer);
        a->state = ACTION_ASKING;
        if (a->all->drain_at == 0)
                s = channel_call(a->all->writer, OP_action_begin, &a->ask, ACTION_WRITER_MS, on_begin, a);
        a->calling = s == STATUS_OK;
        if (s != STATUS_OK)
                refuse_later(a, s);
}

/* ---- the lease ---- */

static void on_renewed(void *arg, const struct answer *answer) {
        struct action *a = arg;
        struct arena arena;
        struct json reply;
        struct slice state = { 0 };
        const char *why;
        size_t at;
        a->calling = false;
        arena_init(&arena, ACTION_RUN_MAX);
        if (answer->status == STATUS_OK && json_parse(answer->body, &arena, &reply, &why, &at) == 0)
                (void)json_str(json_get(reply, "state"), &state);
        bool ours = slice_is(state, "run") || openclaw_unheard(answer->status);
        arena_free(&arena);
        if (a->state == ACTION_ENDING)
                action_end(a);
        else if (!ours) /* ended or taken: action_end finds out which, and stores nothing */
                action_cancel(a, STATUS_ACTION_EXECUTION_FAILED, "its time was over");
        else
                action_wake(a, ACTION_LIFE_MS);
}

static void renew(struct action *a) {
        enum status s = STATUS_OK;
        if (!a->calling)
                s = channel_call(a->all->writer, OP_action_begin, &a->ask, ACTION_WRITER_MS, on_renewed, a);
        a->calling = a->calling || s == STATUS_OK;
        if (s != STATUS_OK)
                action_wake(a, ACTION_LIFE_MS / 4);
}

static void waited(struct action *a) {
        if (a->refused != STATUS_OK) {
                refuse(a, a->refused);
        } else if (left_ms(a) == 0) {
                refuse(a, a->state == ACTION_WAITING ? STATUS_TURN_QUEUE_FULL : STATUS_TURN_BUSY);
        } else {
                action_wake(a, left_ms(a));
                if (a->state == ACTION_WAITING)
                        return;
                a->state = ACTION_WAITING;
                place_want(a->all->places, &a->place);
        }
}

static void on_timer(struct ev_loop *loop, ev_timer *w, int revents) {
        struct action *a = w->data;
        (void)loop;
        (void)revents;
        if (a->state == ACTION_WAITING || a->state == ACTION_PAUSED)
                waited(a);
        else if (a->state == ACTION_MAKING)
                renew(a);
        else if (a->state == ACTION_ENDING && !a->calling)
                action_end(a);
}

/* ---- ops ---- */

static bool add_waiter(struct action *a, const struct request *r) {
        struct action_waiter **at = &a->waiters;
        unsigned n = 0;
        for (; *at != NULL; at = &(*at)->next)
                n++;
        *at = n < ACTION_WAITERS_MAX ? calloc(1, sizeof **at) : NULL;
        if (*at == NULL)
                return false;
        (*at)->request = *r;
        return true;
}

/* Whoever of its people asked: to the writer all of this process is one runner, and the model is asked once. */
static struct action *find(struct actions *all, const struct op_action_run *m) {
        struct action *a = all->first;
        while (a != NULL && !(slice_eq(a->ask.account_id, m->account_id) &&
                              slice_eq(a->ask.session_id, m->session_id) && slice_eq(a->ask.action_id, m->action_id)))
                a = a->next;
        return a;
}

static struct slice kept(struct action *a, struct slice s) {
        const char *copy = arena_copy(&a->arena, s);
        return copy != NULL ? (struct slice){ copy, s.n } : (struct slice){ 0 };
}

static void fill(struct action *a, const struct op_action_run *m) {
        struct op_action_begin *b = &a->ask;
        OP_SET(action_begin, b, account_id, kept(a, m->account_id));
        OP_SET(action_begin, b, actor_id, kept(a, m->actor_id));
        OP_SET(action_begin, b, actor_role, kept(a, m->actor_role));
        OP_SET(action_begin, b, session_id, kept(a, m->session_id));
        OP_SET(action_begin, b, action_id, kept(a, m->action_id));
        OP_SET(action_begin, b, runner, slice_of(a->all->runner));
        OP_SET(action_begin, b, lease_ms, ACTION_LEASE_MS);
        OP_SET(action_begin, b, session_tokens, setting_int(SETTING_session_tokens_max));
        OP_SET(action_begin, b, account_tokens, setting_int(SETTING_account_tokens_per_day));
}

static struct action *action_new(struct actions *all, const struct op_action_run *m) {
        struct action *a = calloc(1, sizeof *a);
        if (a == NULL)
                return NULL;
        a->all = all;
        a->place = (struct place){ .go = go, .who = a, .tenant = place_tenant(m->account_id) };
        a->until = text_mono_micros() + setting_int(SETTING_turn_queue_seconds) * 1000000;
        arena_init(&a->arena, 8192);
        arena_init(&a->run_arena, ACTION_RUN_MAX);
        buf_init(&a->said, 4u << 20);
        ev_timer_init(&a->timer, on_timer, 0., 0.);
        a->timer.data = a;
        fill(a, m);
        return a;
}

void actions_run(struct actions *all, const struct request *r) {
        const struct op_action_run *m = r->msg;
        struct action *a = find(all, m);
        enum status s = all->drain_at != 0 ? STATUS_OPENCLAW_UNAVAILABLE : STATUS_OK;
        if (s == STATUS_OK && a != NULL) {
                if (!add_waiter(a, r))
                        channel_reply(r, STATUS_BUSY, (struct slice){ 0 }, (struct slice){ 0 });
                return;
        }
        a = s == STATUS_OK ? action_new(all, m) : NULL;
        if (a == NULL || op_check(OP_action_begin, &a->ask) != 0 || !add_waiter(a, r))
                s = s == STATUS_OK ? STATUS_BUSY : s;
        else
                s = place_join(all->places, &a->place);
        if (s != STATUS_OK) {
                channel_reply(r, s, (struct slice){ 0 }, (struct slice){ 0 });
                if (a != NULL)
                        destroy(a);
                return;
        }
        a->next = all->first;
        a->link = &all->first;
        if (a->next != NULL)
                a->next->link = &a->next;
        all->first = a;
        a->state = ACTION_WAITING;
        action_wake(a, left_ms(a));
        place_want(all->places, &a->place);
}

void actions_down(struct actions *all, struct channel *c) {
        for (struct action *a = all->first; a != NULL; a = a->next)
                for (struct action_waiter **at = &a->waiters, *w; (w = *at) != NULL;) {
                        if (w->request.from != c) {
                                at = &w->next;
                                continue;
                        }
                        *at = w->next;
                        free(w);
                }
}

bool actions_drain(struct actions *all) {
        int64_t now = text_mono_micros();
        if (all->drain_at == 0)
                all->drain_at = now;
        bool late = now - all->drain_at >= ACTION_DRAIN_MS * INT64_C(1000);
        for (struct action *a = all->first, *next; a != NULL; a = next) {
                next = a->next;
                if (a->state == ACTION_WAITING || a->state == ACTION_PAUSED)
                        refuse(a, STATUS_OPENCLAW_UNAVAILABLE);
                else if (a->state == ACTION_MAKING && late)
                        action_cancel(a, STATUS_ACTION_EXECUTION_FAILED, "the appliance was restarted");
        }
        return all->first == NULL;
}
