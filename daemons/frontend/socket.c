/* socket.c - a WebSocket from its upgrade to its close frame. */
#include "socket.h"

#include <stdlib.h>

#include "call.h"
#include "settings.h"
#include "stats.h"

static struct socket *socket_of(struct outlet *o) {
        return (struct socket *)o;
}

/* ---- going ---- */

static void count(unsigned code, bool ours) {
        static const struct {
                unsigned code;
                const char *why;
        } rows[] = { { WS_GOING_AWAY, "shutdown" },  { WS_SLOW, "slow" },         { WS_IDENTITY, "expired" },
                     { WS_REVOKED, "revoked" },      { WS_ABNORMAL, "lost" },     { WS_PROTOCOL, "protocol" },
                     { WS_UNSUPPORTED, "protocol" }, { WS_NOT_UTF8, "protocol" }, { WS_POLICY, "protocol" },
                     { WS_TOO_LARGE, "protocol" },   { WS_TOO_MANY, "protocol" }, { WS_UNKNOWN_OP, "protocol" } };
        const char *why = "client";

        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
                if (rows[i].code == code && (ours || code != WS_GOING_AWAY)) /* browsers that leave say 1001 */
                        why = rows[i].why;
        stat_add_word(STAT_sockets_closed, why, 1);
}

static void stranger_free(struct socket *so) {
        if (!so->stranger)
                return;
        auth_cancel(&so->stranger->ask);
        free(so->stranger);
        so->stranger = NULL;
}

static void let_go(struct socket *so) {
        struct fanout *fo = so->outlet.fanout;
        struct subscription *s;

        so->outlet.ready = false;
        while ((s = TAILQ_FIRST(&so->subscriptions)))
                subscription_free(s);
        outlet_close(&so->outlet);
        stranger_free(so);
        if (so->who) {
                so->who->sockets--;
                who_unref(fo, so->who);
        }
        stat_set(STAT_sockets_open, --fo->sockets);
        free(so);
}

void socket_end(struct socket *so, unsigned code, const char *reason) {
        count(code, true);
        ws_close(so->ws, code, reason);
        let_go(so);
}

/* ---- the fan-out's side ---- */

static size_t queued(const struct outlet *o) {
        return ws_queued(((const struct socket *)o)->ws);
}

static bool put(struct outlet *o, struct slice frames) {
        return ws_write(socket_of(o)->ws, frames);
}

/* He is refused, or this one session is. */
static void revoked(struct listener *l, enum status s) {
        struct subscription *sub = l->owner;
        struct socket *so = sub->socket;

        if (status_row(s)->http == 401 || s == STATUS_ACCOUNT_SUSPENDED) {
                socket_end(so, WS_REVOKED, "revoked");
                return;
        }
        say_unsubscribed(so, sub->session, "revoked");
        subscription_free(sub);
}

/* A peer that is there answers pings; while it takes what we send it may be late with that. */
static bool silent(const struct socket *so, int64_t now) {
        int64_t took = ws_progress(so->ws), last = took > so->pinged ? took : so->pinged;

        return so->pinged > ws_heard(so->ws) && now - last >= setting_int(SETTING_sse_stall_seconds) * 1000000;
}

static void beat(struct socket *so, int64_t now) {
        if (so->pinged > ws_heard(so->ws) ||
            now - ws_heard(so->ws) < setting_int(SETTING_sse_heartbeat_seconds) * 1000000)
                return;
        if (ws_ping(so->ws))
                so->pinged = text_mono_micros();
}

static void tend(struct outlet *o, int64_t now, int64_t real) {
        struct socket *so = socket_of(o);

        if (so->stranger && now >= so->stranger->deadline) {
                socket_end(so, WS_IDENTITY, "no identity in time");
        } else if (outlet_expired(o, real)) {
                socket_end(so, WS_IDENTITY, "expired");
        } else if (o->broken || outlet_stalled(o, ws_progress(so->ws), now) || silent(so, now)) {
                stat_add(STAT_stream_stalled, 1);
                socket_end(so, WS_SLOW, "slow");
        } else {
                beat(so, now);
        }
}

/* Only a key that is revoked is named. */
static void changed(struct outlet *o, struct slice account, struct slice key) {
        struct socket *so = socket_of(o);

        (void)account;
        if (key.n && so->who && so->who->service && slice_eq(so->who->id, key))
                socket_end(so, WS_REVOKED, "revoked");
}

static void shut(struct outlet *o) {
        socket_end(socket_of(o), WS_GOING_AWAY, "shutdown");
}

static const struct wire wire = { .format = FORMAT_SOCKET,
                                  .queued = queued,
                                  .write = put,
                                  .greet = say_subscribed,
                                  .reset = say_reset,
                                  .revoked = revoked,
                                  .changed = changed,
                                  .tend = tend,
                                  .shut = shut };

/* ---- the connection's side ---- */

static void message(void *arg, struct slice text) {
        socket_message(arg, text);
}

static void drained(void *arg) {
        struct socket *so = arg;

        outlet_drained(&so->outlet);
}

static void closed(void *arg, unsigned code) {
        count(code, false);
        let_go(arg);
}

/* ---- coming ---- */

struct actor socket_actor(const struct socket *so) {
        const struct who *w = so->who;

        return (struct actor){ w->account, w->id, w->role, w->service, so->outlet.until };
}

static bool take_identity(struct socket *so, const struct actor *a) {
        so->who = who_get(so->outlet.fanout, a);
        if (!so->who)
                return false;
        so->who->sockets++;
        so->outlet.until = a->until;
        return true;
}

/* Too many: told in a way that browsers show, which is not a response to the upgrade. */
static bool welcome(struct socket *so) {
        if (so->who->sockets > setting_int(SETTING_sockets_per_actor)) {
                socket_end(so, WS_TOO_MANY, "too many sockets");
                return false;
        }
        say_ready(so);
        return true;
}

bool socket_known(struct socket *so, const struct actor *a) {
        stranger_free(so);
        if (!take_identity(so, a)) {
                socket_end(so, WS_SLOW, "busy");
                return false;
        }
        ws_spare(so->ws, false);
        return welcome(so);
}

static struct stranger *stranger_new(struct socket *so, const struct http_request *r) {
        struct stranger *s = calloc(1, sizeof *s);

        if (!s)
                return NULL;
        s->socket = so;
        s->deadline = text_mono_micros() + setting_int(SETTING_socket_auth_seconds) * 1000000;
        memcpy(s->address, r->address, sizeof s->address);
        return s;
}

static struct socket *socket_new(struct frontend *f, const struct http_request *r, const struct actor *a) {
        struct fanout *fo = frontend_fanout(f);
        struct socket *so = fo->draining ? NULL : calloc(1, sizeof *so);
        bool ok;

        if (!so)
                return NULL;
        outlet_open(&so->outlet, fo, &wire, 0);
        so->frontend = f;
        TAILQ_INIT(&so->subscriptions);
        stat_set(STAT_sockets_open, ++fo->sockets);
        ok = a ? take_identity(so, a) : (so->stranger = stranger_new(so, r)) != NULL;
        if (ok)
                return so;
        let_go(so);
        return NULL;
}

void route_socket(struct frontend *f, struct http_request *r, const struct route *route, const struct actor *a) {
        static const struct ws_events events = { .message = message, .drained = drained, .closed = closed };
        const char *why = NULL;
        enum status s = socket_upgrade(r, &why);
        struct socket *so;

        (void)route;
        if (s != STATUS_OK) {
                http_fail(r, s, s == STATUS_INVALID_REQUEST ? slice_of(why) : (struct slice){ 0 },
                          &(struct http_extra){ .upgrade = s == STATUS_UPGRADE_REQUIRED });
                return;
        }
        so = socket_new(f, r, a);
        if (!so) {
                call_fail(r, STATUS_BUSY, (struct slice){ 0 });
                return;
        }
        so->ws = ws_begin(r, socket_protocol(r) ? SLICE(SOCKET_PROTOCOL) : (struct slice){ 0 }, &events, so);
        if (!so->ws) /* it has answered */
                let_go(so);
        else if (so->who)
                (void)welcome(so);
        else
                ws_spare(so->ws, true); /* strangers must not keep others out */
}
