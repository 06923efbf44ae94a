/* fake_turns.c - what surrounds the turns, scripted. */
#include "fake_turns.h"

#include "turn.h"

struct channel {
        enum daemon_id kind;
};
static struct channel front = { FRONTEND }, other = { FRONTEND }, writer = { WRITER };
struct channel *fake_front = &front, *fake_other = &other, *fake_writer = &writer, *fake_asking = &front;

struct fake_call *fake_calls;
bool fake_full;
struct gateway_ask *fake_asks;
enum status fake_gateway_status;
struct fake_reply fake_replies[FAKE_REPLIES];
struct buf fake_events;
struct ev_loop *fake_loop;
struct turns *fake_turns;
int64_t fake_settings[SETTING_COUNT], fake_stats[STAT_COUNT];
char fake_stat_word[64];
static int64_t passed;
static unsigned last_id;

/* ---- the clock, settings, statistics ---- */

int64_t __real_text_mono_micros(void);
int64_t __wrap_text_mono_micros(void);
int64_t __wrap_text_mono_micros(void) {
        return __real_text_mono_micros() + passed;
}

int64_t setting_int(enum setting s) {
        return fake_settings[s];
}

const char *setting_text(enum setting s) {
        return s == SETTING_openclaw_agent ? "recruiter" : "";
}

void stat_add(enum stat_id s, int64_t n) {
        fake_stats[s] += n;
}

void stat_set(enum stat_id s, int64_t v) {
        fake_stats[s] = v;
}

void stat_observe(enum stat_id s, int64_t micros) {
        fake_stats[s]++;
        assert_true(micros >= 0);
}

void stat_add_word(enum stat_id s, const char *word, int64_t n) {
        fake_stats[s] += n;
        (void)snprintf(fake_stat_word, sizeof fake_stat_word, "%s", word);
}

/* ---- channels ---- */

enum daemon_id channel_kind(const struct channel *c) {
        return c->kind;
}

enum status channel_call(struct channel *c, enum op op, const void *msg, unsigned timeout_ms, channel_answer_fn *fn,
                         void *arg) {
        struct fake_call *q, **at = &fake_calls;
        assert_ptr_equal(c, fake_writer);
        assert_true(timeout_ms > 0);
        assert_int_equal(op_check(op, msg), 0);
        if (fake_full)
                return STATUS_BUSY;
        q = calloc(1, sizeof *q);
        assert_non_null(q);
        q->op = op;
        q->fn = fn;
        q->arg = arg;
        q->msg = calloc(1, op_desc(op)->size);
        buf_init(&q->bytes, OP_BYTES_MAX);
        op_encode(op, msg, &q->bytes);
        assert_int_equal(op_decode(op, buf_view(&q->bytes), q->msg), 0);
        while (*at)
                at = &(*at)->next;
        *at = q;
        return STATUS_OK;
}

void channel_forget(struct channel *c, void *arg) {
        assert_ptr_equal(c, fake_writer);
        for (struct fake_call *q = fake_calls; q; q = q->next)
                if (q->arg == arg)
                        q->forgotten = true;
}

bool channel_cast(struct channel *c, enum op op, const void *msg) {
        const struct op_turn_event *m = msg;
        assert_true(c == fake_front || c == fake_other);
        assert_int_equal(op, OP_turn_event);
        assert_int_equal(op_check(op, msg), 0);
        if (OP_HAS(turn_event, m, offset))
                buf_fmt(&fake_events, "%lld:", (long long)m->offset);
        buf_fmt(&fake_events, "%.*s|%.*s|%.*s\n", SLICE_FMT(m->type), SLICE_FMT(m->text), SLICE_FMT(m->payload));
        return true;
}

void channel_reply(const struct request *r, enum status s, struct slice detail, struct slice body) {
        struct fake_reply *reply = &fake_replies[r->id];
        assert_true(r->id < FAKE_REPLIES);
        reply->n++;
        reply->status = s;
        (void)snprintf(reply->detail, sizeof reply->detail, "%.*s", SLICE_FMT(detail));
        buf_init(&reply->body, 1u << 20);
        buf_slice(&reply->body, body);
}

/* ---- the gateway ---- */

enum status gateway_ask(struct gateway *g, const struct gateway_request *q, const struct gateway_events *ev,
                        void *arg, struct gateway_ask **ret) {
        struct gateway_ask *a, **at = &fake_asks;
        (void)g;
        if (fake_gateway_status != STATUS_OK)
                return fake_gateway_status;
        assert_true(q->first_ms > 0 && q->gap_ms > 0 && q->total_ms > 0);
        a = calloc(1, sizeof *a);
        assert_non_null(a);
        assert_true(slice_copy(q->session, a->session, sizeof a->session));
        a->ev = ev;
        a->arg = arg;
        buf_init(&a->body, 1u << 20);
        buf_slice(&a->body, q->body);
        buf_init(&a->text, GATEWAY_TEXT_MAX);
        while (*at)
                at = &(*at)->next;
        *at = a;
        *ret = a;
        return STATUS_OK;
}

void gateway_cancel(struct gateway_ask *a) {
        assert_false(a->over);
        a->over = a->cancelled = true;
}

unsigned fake_running(void) {
        unsigned n = 0;
        for (struct gateway_ask *a = fake_asks; a; a = a->next)
                n += !a->over;
        return n;
}

void fake_delta(struct gateway_ask *a, const char *text) {
        assert_false(a->over);
        buf_str(&a->text, text);
        a->ev->delta(a->arg, slice_of(text));
}

static void end_with(struct gateway_ask *a, enum status s, const struct gateway_call *calls, unsigned n) {
        const struct gateway_end end = {
                .status = s,
                .spoken = a->text.n > 0,
                .text = buf_view(&a->text),
                .response_id = SLICE("resp_1"),
                .model = SLICE("fake/one"),
                .input_tokens = 100,
                .output_tokens = 20,
                .calls = calls,
                .n_calls = n,
        };
        assert_false(a->over);
        a->over = true;
        a->ev->end(a->arg, &end);
}

void fake_end(struct gateway_ask *a, enum status s) {
        end_with(a, s, NULL, 0);
}

void fake_end_calls(struct gateway_ask *a, const struct gateway_call *calls, unsigned n) {
        end_with(a, STATUS_OK, calls, n);
}

/* ---- the world ---- */

void fake_start(void) {
        static const struct {
                enum setting s;
                int64_t v;
        } defaults[] = {
#define INTEGER(name, reader, min, max, dflt, meaning) { SETTING_##name, dflt },
#define TEXT(name, reader, max, dflt, meaning)
#include "settings.def"
        };
        for (size_t i = 0; i < COUNT(defaults); i++)
                fake_settings[defaults[i].s] = defaults[i].v;
        memset(fake_stats, 0, sizeof fake_stats);
        buf_init(&fake_events, 8u << 20);
        fake_gateway_status = STATUS_OK;
        fake_full = false;
        fake_asking = fake_front;
        last_id = 0;
        fake_loop = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
        fake_turns = turns_new(fake_loop, NULL, fake_writer, "run_one");
}

static void call_free(struct fake_call *q) {
        buf_free(&q->bytes);
        free(q->msg);
        free(q);
}

void fake_stop(void) {
        turns_free(fake_turns);
        while (fake_calls) {
                struct fake_call *q = fake_calls;
                fake_calls = q->next;
                call_free(q);
        }
        while (fake_asks) {
                struct gateway_ask *a = fake_asks;
                fake_asks = a->next;
                buf_free(&a->body);
                buf_free(&a->text);
                free(a);
        }
        for (unsigned i = 0; i < FAKE_REPLIES; i++) {
                buf_free(&fake_replies[i].body);
                fake_replies[i] = (struct fake_reply){ 0 };
        }
        buf_free(&fake_events);
        ev_loop_destroy(fake_loop);
}

void fake_settle(void) {
        for (int i = 0; i < 8; i++)
                ev_run(fake_loop, EVRUN_NOWAIT);
}

void fake_pass(int64_t ms) {
        passed += ms * 1000;
        for (unsigned i = 0; i < TURN_BUCKETS; i++)
                for (struct turn *t = fake_turns->bucket[i]; t; t = t->next)
                        if (ev_is_active(&t->timer)) {
                                ev_timer_stop(fake_loop, &t->timer);
                                ev_feed_event(fake_loop, &t->timer, EV_TIMER);
                        }
        fake_settle();
}

/* ---- what others do ---- */

unsigned fake_turn(const char *session, const char *turn, const char *text, void (*more)(struct op_turn_run *m)) {
        struct op_turn_run m = { 0 };
        struct request r = { .from = fake_asking, .op = OP_turn_run, .id = ++last_id };
        struct buf bytes;
        char command[32];
        (void)snprintf(command, sizeof command, "c%u", last_id);
        OP_SET(turn_run, &m, account_id, SLICE("acme"));
        OP_SET(turn_run, &m, actor_id, SLICE("ann"));
        OP_SET(turn_run, &m, actor_role, SLICE("member"));
        OP_SET(turn_run, &m, command_id, slice_of(command));
        if (session)
                OP_SET(turn_run, &m, session_id, slice_of(session));
        if (turn)
                OP_SET(turn_run, &m, turn_id, slice_of(turn));
        if (text)
                OP_SET(turn_run, &m, text, slice_of(text));
        if (more)
                more(&m);
        assert_int_equal(op_check(OP_turn_run, &m), 0);
        buf_init(&bytes, OP_BYTES_MAX);
        op_encode(OP_turn_run, &m, &bytes);
        struct slice copy = exact(buf_view(&bytes));
        assert_int_equal(op_decode(OP_turn_run, copy, &m), 0);
        r.msg = &m;
        r.bytes = copy;
        turns_run(fake_turns, &r);
        exact_free(copy);
        buf_free(&bytes);
        return last_id;
}

void fake_left(const char *command) {
        struct op_turn_left m = { 0 };
        struct request r = { .from = fake_asking, .op = OP_turn_left, .msg = &m };
        OP_SET(turn_left, &m, account_id, SLICE("acme"));
        OP_SET(turn_left, &m, actor_id, SLICE("ann"));
        OP_SET(turn_left, &m, command_id, slice_of(command));
        turns_left(fake_turns, &r);
}

unsigned fake_waiting(enum op op) {
        unsigned n = 0;
        for (struct fake_call *q = fake_calls; q; q = q->next)
                n += q->op == op && !q->forgotten;
        return n;
}

struct fake_call *fake_next(enum op op) {
        struct fake_call *q = fake_calls;
        while (q && (q->op != op || q->forgotten))
                q = q->next;
        if (!q)
                fail_msg("the writer was not asked %s", op_desc(op)->name);
        return q;
}

void fake_answer(struct fake_call *q, enum status s, const char *body) {
        struct fake_call **at = &fake_calls;
        struct answer a = { .status = s, .body = exact(slice_of(body)) };
        while (*at != q)
                at = &(*at)->next;
        *at = q->next;
        if (!q->forgotten)
                q->fn(q->arg, &a);
        exact_free(a.body);
        call_free(q);
        fake_settle();
}

void fake_says(enum op op, enum status s, const char *body) {
        fake_answer(fake_next(op), s, body);
}
