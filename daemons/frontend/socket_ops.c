/* socket_ops.c - what clients say on a socket: a message is a row of the table, bound by its record. */
#include "bind.h"
#include "settings.h"
#include "socket.h"
#include "stats.h"

#define MESSAGE_ARENA (2u << 20) /* a message of WS_MESSAGE_MAX bytes, parsed twice */

static const struct slice nobody = { 0 };

/* ---- auth ---- */

static void auth_done(struct auth_ask *q, enum status s, const struct actor *a) {
        struct stranger *st = (struct stranger *)q;
        struct socket *so = st->socket;

        st->asking = false;
        if (s == STATUS_OK) {
                (void)socket_known(so, a);
                return;
        }
        say_error(so, "auth", s, nobody, nobody);
        if (status_row(s)->retry == RETRYABLE) /* he may try again in what is left of his time */
                return;
        stat_add(STAT_http_auth_failures, 1);
        rate_address_charge(so->frontend, st->address);
        socket_end(so, WS_IDENTITY, s == STATUS_AUTH_EXPIRED ? "expired" : "identity refused");
}

static void on_auth(struct socket *so, const void *msg) {
        const struct op_socket_auth *m = msg;
        struct arena scratch;

        if (!so->stranger || so->stranger->asking) {
                say_error(so, "auth", STATUS_INVALID_REQUEST, SLICE("this socket has its identity"), nobody);
                return;
        }
        so->stranger->asking = true;
        so->stranger->ask = (struct auth_ask){ .done = auth_done };
        arena_init(&scratch, MESSAGE_ARENA);
        auth_check(so->frontend, so->stranger->address, m->token, &scratch, &so->stranger->ask);
        arena_free(&scratch);
}

/* ---- the others ---- */

static void on_subscribe(struct socket *so, const void *msg) {
        const struct op_socket_subscribe *m = msg;
        struct actor a = socket_actor(so);
        const char *why = NULL;
        unsigned retry;
        enum status s = STATUS_RATE_LIMITED;

        if (rate_actor(so->frontend, STREAM_RATE, &a, &retry))
                s = subscription_start(so, m, &why);
        if (s != STATUS_OK)
                say_error(so, "subscribe", s, slice_of(why), m->session_id);
}

static void on_unsubscribe(struct socket *so, const void *msg) {
        const struct op_socket_unsubscribe *m = msg;
        struct subscription *s = subscription_find(so, m->session_id);

        if (!s) {
                say_error(so, "unsubscribe", STATUS_INVALID_REQUEST,
                          SLICE("this socket does not follow this session"), m->session_id);
                return;
        }
        subscription_free(s);
        say_unsubscribed(so, m->session_id, "client");
}

static void on_ack(struct socket *so, const void *msg) {
        const struct op_socket_ack *m = msg;
        struct subscription *s = subscription_find(so, m->session_id);

        if (s && subscription_live(s))
                subscription_ack(s, (uint64_t)m->sequence);
        else
                say_error(so, "ack", STATUS_INVALID_REQUEST, SLICE("this socket does not follow this session"),
                          m->session_id);
}

static void on_ping(struct socket *so, const void *msg) {
        const struct op_socket_ping *m = msg;

        say_pong(so, m->id);
}

/* ---- which one is it ---- */

static const struct said {
        const char *word;
        enum op record;
        bool known; /* only from somebody whose identity is known */
        void (*handle)(struct socket *so, const void *msg);
} table[] = {
        { "auth", OP_socket_auth, false, on_auth },
        { "subscribe", OP_socket_subscribe, true, on_subscribe },
        { "unsubscribe", OP_socket_unsubscribe, true, on_unsubscribe },
        { "ack", OP_socket_ack, true, on_ack },
        { "ping", OP_socket_ping, false, on_ping },
};

/* Any of the records; they are read one at a time. */
union message {
        struct op_socket_auth auth;
        struct op_socket_subscribe subscribe;
        struct op_socket_unsubscribe unsubscribe;
        struct op_socket_ack ack;
        struct op_socket_ping ping;
};

/* Its row, or NULL with the status to tell. */
static const struct said *row_of(struct slice text, struct arena *a, enum status *ret_why) {
        struct json v;
        struct slice word;
        const char *why;
        size_t at;

        *ret_why = STATUS_INVALID_JSON;
        if (json_parse(text, a, &v, &why, &at) != 0)
                return NULL;
        *ret_why = STATUS_INVALID_REQUEST;
        if (!json_str(json_get(v, "op"), &word))
                return NULL;
        for (size_t i = 0; i < sizeof table / sizeof *table; i++)
                if (slice_is(word, table[i].word))
                        return &table[i];
        return NULL;
}

static void no_message(struct socket *so, enum status s) {
        static const char op[] = "op must be one of auth, subscribe, unsubscribe, ack, ping";

        say_error(so, NULL, s, s == STATUS_INVALID_JSON ? SLICE("the message is not valid JSON") : SLICE(op), nobody);
        if (++so->strikes >= SOCKET_STRIKES)
                socket_end(so, WS_UNKNOWN_OP, "three messages that are none");
}

static void handle(struct socket *so, const struct said *row, struct slice text, struct arena *a) {
        union message m = { 0 };
        struct bind b = { .op = row->record, .msg = &m, .arena = a };
        enum status s = STATUS_AUTH_REQUIRED;

        if (!row->known || so->who) {
                s = bind_body(&b, text);
                if (s == STATUS_OK)
                        s = bind_finish(&b);
        }
        if (s == STATUS_OK)
                row->handle(so, &m);
        else
                say_error(so, row->word, s,
                          s == STATUS_AUTH_REQUIRED ? SLICE("say who you are first: auth") : slice_of(b.why), nobody);
}

/* A bucket of SOCKET_BURST that fills again at SOCKET_PER_SECOND. */
static bool may_speak(struct socket *so) {
        static const int64_t each = 1000000 / SOCKET_PER_SECOND;
        int64_t now = text_mono_micros();

        if (so->messages < now)
                so->messages = now;
        so->messages += each;
        return so->messages - now <= SOCKET_BURST * each;
}

void socket_message(struct socket *so, struct slice text) {
        const struct said *row;
        struct arena a;
        enum status s;

        if (!may_speak(so)) {
                socket_end(so, WS_POLICY, "too many messages");
                return;
        }
        arena_init(&a, MESSAGE_ARENA);
        row = row_of(text, &a, &s);
        if (row)
                handle(so, row, text, &a);
        else
                no_message(so, s);
        arena_free(&a);
}
