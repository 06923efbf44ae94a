/* socket_sub.c - one session on a socket: resumed, opened, followed. */
#include <sodium.h>
#include <stdlib.h>

#include "call.h"
#include "json.h"
#include "settings.h"
#include "socket.h"

struct subscription *subscription_find(const struct socket *so, struct slice session) {
        struct subscription *s;

        TAILQ_FOREACH(s, &so->subscriptions, link)
        if (slice_eq(s->session, session))
                return s;
        return NULL;
}

bool subscription_live(const struct subscription *s) {
        return s->listener && s->listener->pass;
}

static unsigned timeout(void) {
        return (unsigned)setting_int(SETTING_http_request_seconds) * 1000;
}

static struct channel *writer_of(const struct socket *so) {
        return frontend_peer(so->frontend, WRITER);
}

/* ---- ending ---- */

static void resume_wipe(struct subscription *s) {
        if (!s->resume)
                return;
        sodium_memzero(s->resume, strlen(s->resume));
        free(s->resume);
        s->resume = NULL;
}

void subscription_free(struct subscription *s) {
        struct socket *so = s->socket;

        subscription_ack_end(s);
        if (s->asked)
                channel_forget(s->asked, s);
        TAILQ_REMOVE(&so->subscriptions, s, link);
        so->n--;
        if (s->listener)
                listener_free(s->listener);
        resume_wipe(s);
        free(s);
}

static void refused(struct subscription *s, enum status why, struct slice detail) {
        say_error(s->socket, "subscribe", why, detail, s->session);
        subscription_free(s);
}

/* ---- beginning ---- */

static void begin(struct subscription *s, struct fanout_start *st) {
        st->session = s->session;
        st->cursor = s->placed ? s->cursor : st->checkpoint;
        if (st->cursor > st->latest) {
                st->reset = "cursor_ahead";
                st->cursor = 0;
        }
        s->listener->owner = s;
        if (!listener_join(s->listener, &s->socket->outlet, st)) {
                refused(s, STATUS_BUSY, (struct slice){ 0 });
                return;
        }
        listener_begin(s->listener, st);
        resume_wipe(s); /* it is told */
}

static void opened(void *arg, const struct answer *a) {
        struct subscription *s = arg;
        struct fanout_start st = { 0 };
        struct arena arena;

        s->asked = NULL;
        if (a->status != STATUS_OK) {
                refused(s, a->status, a->detail);
                return;
        }
        arena_init(&arena, 1u << 16);
        if (fanout_opened(a->body, &arena, &st))
                begin(s, &st);
        else
                refused(s, STATUS_INTERNAL, (struct slice){ 0 });
        arena_free(&arena);
}

static enum status ask(struct subscription *s, enum op op, const void *m, channel_answer_fn *fn) {
        struct channel *to = writer_of(s->socket);
        enum status why = to ? channel_call(to, op, m, timeout(), fn, s) : STATUS_WRITER_UNAVAILABLE;

        if (why == STATUS_OK)
                s->asked = to;
        return why;
}

static enum status open_stream(struct subscription *s) {
        struct op_stream_open m = { 0 };
        struct actor a = socket_actor(s->socket);

        call_actor(OP_stream_open, &m, &a);
        OP_SET(stream_open, &m, session_id, s->session);
        if (s->consumer.n)
                OP_SET(stream_open, &m, consumer_id, s->consumer);
        return ask(s, OP_stream_open, &m, opened);
}

/* The reply's session.resumeToken; a session that has ended gives none. */
static bool resume_keep(struct subscription *s, struct slice body) {
        struct arena arena;
        struct json v;
        struct slice token;
        const char *why;
        size_t at;
        bool ok;

        arena_init(&arena, 16u << 20);
        ok = json_parse(body, &arena, &v, &why, &at) == 0;
        if (ok && json_str(json_get(json_get(v, "session"), "resumeToken"), &token) && token.n <= 128) {
                s->resume = malloc(token.n + 1);
                ok = s->resume && slice_copy(token, s->resume, token.n + 1);
        }
        arena_free(&arena);
        return ok;
}

/* Should the rest fail, the client's old token is good for the same answer again. */
static void resumed(void *arg, const struct answer *a) {
        struct subscription *s = arg;
        enum status why;

        s->asked = NULL;
        if (a->status != STATUS_OK) {
                refused(s, a->status, a->detail);
                return;
        }
        why = resume_keep(s, a->body) ? open_stream(s) : STATUS_INTERNAL;
        if (why != STATUS_OK)
                refused(s, why, (struct slice){ 0 });
}

static enum status resume(struct subscription *s, const struct op_socket_subscribe *m) {
        struct op_session_reconnect r = { 0 };
        struct actor a = socket_actor(s->socket);
        char command[40];

        text_new_id("cmd", command);
        call_actor(OP_session_reconnect, &r, &a);
        OP_SET(session_reconnect, &r, command_id, slice_of(command));
        OP_SET(session_reconnect, &r, session_id, s->session);
        OP_SET(session_reconnect, &r, resume_token, m->resume_token);
        if (OP_HAS(socket_subscribe, m, last_ack_sequence))
                OP_SET(session_reconnect, &r, last_ack_sequence, m->last_ack_sequence);
        OP_SET(session_reconnect, &r, limit, 1); /* the events come on the socket */
        return ask(s, OP_session_reconnect, &r, resumed);
}

static struct subscription *subscription_new(struct socket *so, const struct op_socket_subscribe *m) {
        struct subscription *s = malloc(sizeof *s + m->session_id.n + m->consumer_id.n);
        char *text;

        if (!s)
                return NULL;
        text = (char *)(s + 1);
        *s = (struct subscription){ .socket = so,
                                    .session = { text, m->session_id.n },
                                    .consumer = { text + m->session_id.n, m->consumer_id.n },
                                    .placed = OP_HAS(socket_subscribe, m, after_sequence) ||
                                              OP_HAS(socket_subscribe, m, last_ack_sequence) };
        s->cursor =
                (uint64_t)(OP_HAS(socket_subscribe, m, after_sequence) ? m->after_sequence : m->last_ack_sequence);
        memcpy(text, m->session_id.p, m->session_id.n);
        if (m->consumer_id.n)
                memcpy(text + m->session_id.n, m->consumer_id.p, m->consumer_id.n);
        TAILQ_INSERT_TAIL(&so->subscriptions, s, link);
        so->n++;
        return s;
}

enum status subscription_start(struct socket *so, const struct op_socket_subscribe *m, const char **ret_why) {
        struct actor a = socket_actor(so);
        struct subscription *s;
        struct listener *l;
        enum status why;

        if (subscription_find(so, m->session_id)) {
                *ret_why = "this socket follows this session already";
                return STATUS_INVALID_REQUEST;
        }
        if (so->n >= setting_int(SETTING_socket_subscriptions_max))
                return STATUS_TOO_MANY_SUBSCRIPTIONS;
        l = fanout_reserve(so->outlet.fanout, &a, m->session_id, &why);
        if (!l)
                return why;
        s = subscription_new(so, m);
        if (!s) {
                fanout_release(l);
                return STATUS_BUSY;
        }
        s->listener = l;
        why = OP_HAS(socket_subscribe, m, resume_token) ? resume(s, m) : open_stream(s);
        if (why != STATUS_OK)
                subscription_free(s);
        return why;
}
