/* listener_sse.c - a listener that is a text/event-stream response. */
#include <stdlib.h>

#include "call.h"
#include "follow.h"
#include "jsonw.h"
#include "settings.h"
#include "sse.h"
#include "stats.h"

struct client {
        struct outlet outlet; /* first: what the fan-out knows of it */
        struct http_stream *http;
};

static struct client *client_of(struct outlet *o) {
        return (struct client *)o;
}

static size_t queued(const struct outlet *o) {
        return http_stream_queued(((const struct client *)o)->http);
}

static bool put(struct outlet *o, struct slice bytes) {
        return http_stream_write(client_of(o)->http, bytes);
}

/* One control event; its members are written between begin() and named(). */
static struct jsonw begin(struct buf *data) {
        struct jsonw w;

        buf_init(data, FANOUT_SAY);
        jsonw_init(&w, data);
        jsonw_object(&w);
        return w;
}

static void named(struct buf *out, const char *event, struct jsonw *w) {
        jsonw_end(w, '}');
        sse_named(out, event, buf_view(w->out));
        buf_free(w->out);
}

static void put_reset(struct buf *out, const struct listener *l, const char *reason, uint64_t from, uint64_t latest) {
        struct buf data;
        struct jsonw w = begin(&data);

        (void)l;
        jsonw_key_cstr(&w, "reason", reason);
        jsonw_key_int(&w, "latestSequence", (int64_t)latest);
        jsonw_key_int(&w, "fromSequence", (int64_t)from);
        named(out, "reset", &w);
}

static void greet(struct buf *out, const struct listener *l, const struct fanout_start *st) {
        struct buf data;
        struct jsonw w = begin(&data);

        jsonw_key_str(&w, "sessionId", l->pass->stream->session);
        jsonw_key_int(&w, "fromSequence", (int64_t)l->cursor);
        jsonw_key_int(&w, "latestSequence", (int64_t)st->latest);
        jsonw_key_int(&w, "heartbeatSeconds", setting_int(SETTING_sse_heartbeat_seconds));
        sse_retry(out, 1000);
        named(out, "ready", &w);
        if (st->reset)
                put_reset(out, l, st->reset, l->cursor, st->latest);
}

static void end(struct outlet *o, const char *reason) {
        struct client *c = client_of(o);
        struct buf out, data;
        struct jsonw w = begin(&data);

        jsonw_key_cstr(&w, "reason", reason);
        buf_init(&out, FANOUT_SAY);
        named(&out, "close", &w);
        (void)outlet_say(o, &out); /* best effort: a full queue has no room for a reason */
        outlet_close(o);
        http_stream_end(c->http);
        free(c);
}

static void revoked(struct listener *l, enum status s) {
        (void)s;
        end(l->out, "revoked");
}

static void shut(struct outlet *o) {
        end(o, "shutdown");
}

static void tend(struct outlet *o, int64_t now, int64_t real) {
        static const char beat[] = ": hb\n\n";
        struct buf out;

        if (outlet_expired(o, real)) {
                end(o, "expired");
        } else if (o->broken || outlet_stalled(o, http_stream_progress(client_of(o)->http), now)) {
                stat_add(STAT_stream_stalled, 1);
                end(o, "slow");
        } else if (outlet_idle(o, now)) {
                buf_init(&out, FANOUT_SAY);
                buf_str(&out, beat);
                (void)outlet_say(o, &out);
        }
}

static const struct wire wire = { .format = FORMAT_SSE,
                                  .queued = queued,
                                  .write = put,
                                  .greet = greet,
                                  .reset = put_reset,
                                  .revoked = revoked,
                                  .tend = tend,
                                  .shut = shut };

static void drained(void *arg) {
        outlet_drained(arg);
}

static void closed(void *arg) {
        struct client *c = arg;

        outlet_close(&c->outlet);
        free(c);
}

void fanout_attach(struct listener *l, struct http_request *r, const struct fanout_start *st) {
        static const struct http_stream_events events = { .drained = drained, .closed = closed };
        struct fanout *fo = l->fanout;
        struct client *c = fo->draining ? NULL : malloc(sizeof *c);

        if (!c) {
                listener_free(l);
                call_fail(r, STATUS_BUSY, (struct slice){ 0 });
                return;
        }
        outlet_open(&c->outlet, fo, &wire, l->until);
        if (!listener_join(l, &c->outlet, st)) {
                listener_free(l);
                outlet_close(&c->outlet);
                free(c);
                call_fail(r, STATUS_BUSY, (struct slice){ 0 });
                return;
        }
        c->http = http_stream_begin(r, "text/event-stream", &events, c); /* and the request's memory is gone */
        if (!c->http) {                                                  /* it has answered */
                outlet_close(&c->outlet);
                free(c);
                return;
        }
        listener_begin(l, st);
}
