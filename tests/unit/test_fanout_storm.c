/* test_fanout_storm.c - everything at once: whatever comes in whatever order, everybody hears everything once. */
#include "fanout.h"
#include "socket_world.h"

#define CROWD   24
#define SOCKETS 6
#ifdef LIFEOS_SANITIZED
#define SEEDS 8
#else
#define SEEDS 30
#endif

struct storm {
        uint64_t dice;
        struct listener_client c[CROWD];
        bool here[CROWD];
        struct socket_client w[SOCKETS];
        bool open[SOCKETS], follows[SOCKETS][3];
};

static void come_or_go(struct storm *st, unsigned i) {
        static const char *const actors[] = { "ann", "bob", "cid" };
        unsigned s = dice(&st->dice, 3);

        if (st->here[i]) {
                client_free(&st->c[i]);
        } else {
                uint64_t n = world.sessions[s].n;

                client_join(&st->c[i], s, actors[dice(&st->dice, 3)], n ? dice(&st->dice, (uint32_t)n + 1) : 0, NULL);
                st->c[i].pace = 1 + dice(&st->dice, 4000);
        }
        st->here[i] = !st->here[i];
}

static void follow(struct storm *st, unsigned i, unsigned s, uint64_t after) {
        say(&st->w[i], "{'op':'subscribe','sessionId':'s%u','afterSequence':%llu}", s, (unsigned long long)after);
        st->follows[i][s] = true;
}

/* A socket comes, goes, follows one session more or one less. */
static void socket_step(struct storm *st, unsigned i) {
        static const char *const actors[] = { "ann", "bob", "cid" };
        unsigned s = dice(&st->dice, 3);
        struct socket_client *c = &st->w[i];

        c->n_said = c->read = 0;
        if (!st->open[i]) {
                socket_join(c, actors[dice(&st->dice, 3)]);
                c->pace = 1 + dice(&st->dice, 6000);
                memset(st->follows[i], 0, sizeof st->follows[i]);
                st->open[i] = true;
        } else if (dice(&st->dice, 8) == 0) {
                socket_leave(c);
                st->open[i] = false;
        } else if (!st->follows[i][s]) {
                follow(st, i, s, world.sessions[s].n ? dice(&st->dice, (uint32_t)world.sessions[s].n + 1) : 0);
        } else if (dice(&st->dice, 4) == 0) {
                say(c, "{'op':'unsubscribe','sessionId':'s%u'}", s);
                st->follows[i][s] = false;
        }
        if (st->open[i])
                ((struct socket *)fake_socket_arg(&c->ws))->messages = 0;
}

/* The writer's publications get lost (then a head is told), doubled and out of order. */
static void meddle(struct storm *st) {
        struct publication *p = world.pubs;

        if (!p)
                return;
        switch (dice(&st->dice, 8)) {
        case 0:
                p->head = true;
                break;
        case 1:
                publish(p->session, p->first, p->count);
                break;
        case 2:
                if (p->next)
                        (void)deliver_pub(p->next);
                break;
        default:
                break;
        }
        (void)deliver_pub(world.pubs);
}

static struct fake_call *any_call(struct storm *st) {
        struct fake_call *q = fake_calls;

        for (uint32_t i = dice(&st->dice, 4); q && q->next && i; i--)
                q = q->next;
        return q;
}

static void storm_step(struct storm *st) {
        struct fake_call *q = any_call(st);
        unsigned i = dice(&st->dice, CROWD);

        switch (dice(&st->dice, 18)) {
        case 0:
                come_or_go(st, i);
                break;
        case 1:
        case 2:
        case 3:
                commit(dice(&st->dice, 3), 1 + dice(&st->dice, 12));
                break;
        case 4:
                tick();
                break;
        case 5:
                if (dice(&st->dice, 20) == 0)
                        writer_restart();
                break;
        case 6:
                if (q && dice(&st->dice, 4) == 0 && q->op == OP_event_read)
                        fake_answer(q, dice(&st->dice, 2) ? STATUS_BUSY : STATUS_INTERNAL, "", (struct slice){ 0 });
                break;
        case 7:
                pause_over();
                break;
        case 8:
        case 9:
                meddle(st);
                break;
        case 10:
                if (q && !q->executed)
                        execute(q);
                break;
        case 11:
        case 12:
                if (q)
                        deliver(q);
                break;
        case 13:
                socket_step(st, i % SOCKETS);
                break;
        case 14:
        case 15:
                if (st->open[i % SOCKETS])
                        (void)fake_socket_take(&st->w[i % SOCKETS].ws, st->w[i % SOCKETS].pace);
                break;
        default:
                if (st->here[i])
                        (void)fake_take(&st->c[i].http, st->c[i].pace);
        }
}

static void calm_sockets(struct storm *st) {
        for (unsigned i = 0; i < SOCKETS; i++) {
                if (!st->open[i]) {
                        socket_join(&st->w[i], "ann");
                        memset(st->follows[i], 0, sizeof st->follows[i]);
                }
                st->w[i].n_said = st->w[i].read = 0;
                st->w[i].pace = SIZE_MAX;
                for (unsigned s = 0; s < 3; s++)
                        if (!st->follows[i][s])
                                follow(st, i, s, 0);
        }
}

static void storm(uint64_t seed) {
        static struct storm st;

        world_new();
        st = (struct storm){ .dice = seed * 2654435761 + 88172645463325252 };
        world.pad = dice(&st.dice, seed % 4 ? 100 : 1500);
        world.page = dice(&st.dice, 2) ? 1 + dice(&st.dice, 30) : 0;
        for (unsigned i = 0; i < 2500; i++)
                storm_step(&st);
        /* Calm: everybody who is still here hears everything. */
        for (unsigned i = 0; i < CROWD; i++) {
                if (!st.here[i])
                        client_join(&st.c[i], i % 3, "ann", 0, NULL);
                st.c[i].pace = SIZE_MAX;
        }
        calm_sockets(&st);
        for (unsigned i = 0; i < 4; i++) {
                settle(st.c, CROWD);
                settle_sockets(st.w, SOCKETS);
                pause_over();
                tick();
        }
        settle(st.c, CROWD);
        settle_sockets(st.w, SOCKETS);
        settle(st.c, CROWD);
        for (unsigned i = 0; i < SOCKETS; i++) {
                for (unsigned s = 0; s < 3; s++)
                        assert_int_equal(st.w[i].heard[s], world.sessions[s].n);
                socket_leave(&st.w[i]);
        }
        for (unsigned i = 0; i < CROWD; i++) {
                assert_heard(&st.c[i], world.sessions[st.c[i].session].n);
                assert_int_equal(st.c[i].resets, 0);
                client_free(&st.c[i]);
        }
        assert_int_equal(fanout_listeners(fake_fanout), 0);
        world_free();
}

TEST(in_any_storm_everybody_hears_everything_once_in_order) {
        for (uint64_t seed = 1; seed <= SEEDS; seed++)
                storm(seed);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(in_any_storm_everybody_hears_everything_once_in_order),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
