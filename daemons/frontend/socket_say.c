/* socket_say.c - what the server says on a socket, as frames. */
#include "jsonw.h"
#include "settings.h"
#include "socket.h"

#define DETAIL 500u /* bytes of a reason; with escapes it fits FANOUT_SAY */

void socket_event(struct buf *out, uint64_t sequence, struct slice event) {
        struct buf text;

        (void)sequence; /* the event has it */
        buf_init(&text, event.n + 64u);
        buf_str(&text, "{\"op\":\"event\",\"event\":");
        buf_slice(&text, event);
        buf_char(&text, '}');
        if (text.over)
                out->over = true;
        ws_frame(out, buf_view(&text));
        buf_free(&text);
}

/* One message; its members are written between begin() and end(). */
static struct jsonw begin(struct buf *text, const char *op) {
        struct jsonw w;

        buf_init(text, FANOUT_SAY);
        jsonw_init(&w, text);
        jsonw_object(&w);
        jsonw_key_cstr(&w, "op", op);
        return w;
}

static void end(struct jsonw *w, struct buf *out) {
        jsonw_end(w, '}');
        if (w->out->over)
                out->over = true;
        ws_frame(out, buf_view(w->out));
        buf_free(w->out);
}

static void say(struct socket *so, struct jsonw *w) {
        struct buf out;

        buf_init(&out, FANOUT_SAY + 16);
        end(w, &out);
        (void)outlet_say(&so->outlet, &out);
}

void say_ready(struct socket *so) {
        struct buf text;
        struct jsonw w = begin(&text, "ready");

        jsonw_key_int(&w, "heartbeatSeconds", setting_int(SETTING_sse_heartbeat_seconds));
        jsonw_key_str(&w, "userId", so->who->id);
        jsonw_key_str(&w, "accountId", so->who->account);
        say(so, &w);
}

void say_error(struct socket *so, const char *about, enum status s, struct slice detail, struct slice session) {
        const struct status_row *row = status_row(s);
        struct buf text;
        struct jsonw w = begin(&text, "error");

        jsonw_key_cstr(&w, "code", row->name);
        jsonw_key_str(&w, "message", detail.n && detail.n <= DETAIL ? detail : slice_of(row->text));
        jsonw_key_bool(&w, "retryable", row->retry == RETRYABLE);
        if (about)
                jsonw_key_cstr(&w, "for", about);
        if (session.n)
                jsonw_key_str(&w, "sessionId", session);
        say(so, &w);
}

void say_pong(struct socket *so, struct slice id) {
        struct buf text;
        struct jsonw w = begin(&text, "pong");

        if (id.n)
                jsonw_key_str(&w, "id", id);
        say(so, &w);
}

void say_acked(struct socket *so, struct slice session, uint64_t sequence) {
        struct buf text;
        struct jsonw w = begin(&text, "acked");

        jsonw_key_str(&w, "sessionId", session);
        jsonw_key_int(&w, "sequence", (int64_t)sequence);
        say(so, &w);
}

void say_unsubscribed(struct socket *so, struct slice session, const char *reason) {
        struct buf text;
        struct jsonw w = begin(&text, "unsubscribed");

        jsonw_key_str(&w, "sessionId", session);
        jsonw_key_cstr(&w, "reason", reason);
        say(so, &w);
}

void say_reset(struct buf *out, const struct listener *l, const char *reason, uint64_t from, uint64_t latest) {
        struct buf text;
        struct jsonw w = begin(&text, "reset");

        jsonw_key_str(&w, "sessionId", l->pass->stream->session);
        jsonw_key_cstr(&w, "reason", reason);
        jsonw_key_int(&w, "fromSequence", (int64_t)from);
        jsonw_key_int(&w, "latestSequence", (int64_t)latest);
        end(&w, out);
}

void say_subscribed(struct buf *out, const struct listener *l, const struct fanout_start *st) {
        const struct subscription *s = l->owner;
        struct buf text;
        struct jsonw w = begin(&text, "subscribed");

        jsonw_key_str(&w, "sessionId", s->session);
        jsonw_key_int(&w, "fromSequence", (int64_t)l->cursor);
        jsonw_key_int(&w, "latestSequence", (int64_t)st->latest);
        if (st->status.n)
                jsonw_key_str(&w, "status", st->status);
        if (s->resume)
                jsonw_key_cstr(&w, "resumeToken", s->resume);
        end(&w, out);
        if (st->reset)
                say_reset(out, l, st->reset, l->cursor, st->latest);
}
