/* socket_ack.c - acknowledgements on their way: one a subscription, a few an actor, and the newest waits its turn. */
#include <sodium.h>
#include <stdlib.h>

#include "call.h"
#include "settings.h"
#include "socket.h"

#define CONSUMER_MAX 100u /* bytes, as checkpoint takes them */
#define ACTOR        "actor_"
#define ACTOR_SIZE   (sizeof ACTOR + 32)

/* A checkpoint on its way; it is stored also when nobody waits for the answer any more. */
struct ack {
        struct subscription *subscription; /* NULL: gone */
        struct fanout *fanout;
        struct who *who;
        uint64_t sequence;
};

static void answered(void *arg, const struct answer *a);

/* Of whom it is if the client names no consumer: of the actor, whose id may hold what no consumer's may. */
static struct slice consumer_of(const struct subscription *s, struct slice actor, char to[static ACTOR_SIZE]) {
        unsigned char sum[16];

        if (s->consumer.n)
                return s->consumer;
        if (actor.n <= CONSUMER_MAX && text_id(actor))
                return actor;
        crypto_generichash(sum, sizeof sum, (const unsigned char *)actor.p, actor.n, NULL, 0);
        memcpy(to, ACTOR, sizeof ACTOR);
        (void)sodium_bin2hex(to + sizeof ACTOR - 1, ACTOR_SIZE - (sizeof ACTOR - 1), sum, sizeof sum);
        return slice_of(to);
}

static bool ask(struct ack *k, const struct subscription *s, struct channel *to, enum status *ret_why) {
        struct op_checkpoint m = { 0 };
        struct actor a = socket_actor(s->socket);
        unsigned timeout = (unsigned)setting_int(SETTING_http_request_seconds) * 1000;
        char name[ACTOR_SIZE];

        call_actor(OP_checkpoint, &m, &a);
        OP_SET(checkpoint, &m, session_id, s->session);
        OP_SET(checkpoint, &m, consumer_id, consumer_of(s, a.id, name));
        OP_SET(checkpoint, &m, watermark_sequence, (int64_t)k->sequence);
        *ret_why = op_check(OP_checkpoint, &m) == 0 ? channel_call(to, OP_checkpoint, &m, timeout, answered, k)
                                                    : STATUS_INVALID_REQUEST;
        return *ret_why == STATUS_OK;
}

static bool ack_send(struct subscription *s, uint64_t sequence, enum status *ret_why) {
        struct channel *to = frontend_peer(s->socket->frontend, WRITER);
        struct ack *k = to ? malloc(sizeof *k) : NULL;

        *ret_why = to ? STATUS_BUSY : STATUS_WRITER_UNAVAILABLE;
        if (!k)
                return false;
        *k = (struct ack){ s, s->socket->outlet.fanout, s->socket->who, sequence };
        if (!ask(k, s, to, ret_why)) {
                free(k);
                return false;
        }
        who_ref(k->who)->acks++;
        s->ack = k;
        return true;
}

/* ---- turns ---- */

static void turn_wait(struct subscription *s) {
        if (!s->waits)
                TAILQ_INSERT_TAIL(&s->socket->who->acking, s, turn);
        s->waits = true;
}

static void turn_leave(struct subscription *s) {
        if (s->waits)
                TAILQ_REMOVE(&s->socket->who->acking, s, turn);
        s->waits = false;
}

/* No actor's acknowledgements fill the writer's queue, however many sockets they come on. */
static void turns(struct who *w) {
        struct subscription *s;

        while (w->acks < SOCKET_ACKS && (s = TAILQ_FIRST(&w->acking))) {
                uint64_t sequence = s->newest;
                enum status why;

                turn_leave(s);
                s->newest = 0;
                if (!ack_send(s, sequence, &why))
                        say_error(s->socket, "ack", why, (struct slice){ 0 }, s->session);
        }
}

static void answered(void *arg, const struct answer *a) {
        struct ack *k = arg;
        struct subscription *s = k->subscription;

        if (s) {
                s->ack = NULL;
                if (a->status == STATUS_OK) {
                        s->acked = k->sequence > s->acked ? k->sequence : s->acked;
                        say_acked(s->socket, s->session, k->sequence);
                } else {
                        say_error(s->socket, "ack", a->status, a->detail, s->session);
                }
                if (s->newest)
                        turn_wait(s);
        }
        k->who->acks--;
        turns(k->who);
        who_unref(k->fanout, k->who);
        free(k);
}

void subscription_ack(struct subscription *s, uint64_t sequence) {
        if (sequence <= s->acked) { /* it never falls: true without asking */
                say_acked(s->socket, s->session, sequence);
                return;
        }
        if (sequence > s->newest)
                s->newest = sequence;
        if (s->ack)
                return;
        turn_wait(s);
        turns(s->socket->who);
}

/* What is acknowledged is stored, whoever hears of it. */
void subscription_ack_end(struct subscription *s) {
        enum status why;

        turn_leave(s);
        if (s->ack)
                s->ack->subscription = NULL;
        if (s->newest && ack_send(s, s->newest, &why))
                s->ack->subscription = NULL;
}
