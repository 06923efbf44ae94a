/* listener.c - one client of a live stream: what is written to it, and how it ends. */
#include <stdlib.h>

#include "follow.h"
#include "jsonw.h"
#include "settings.h"
#include "sse.h"
#include "stats.h"

#define SMALL 1024u /* control events; the session id in them is at most 100 bytes */

static bool put(struct listener *l, struct slice bytes) {
        bool empty = http_stream_queued(l->out) == 0;

        if (!http_stream_write(l->out, bytes))
                return false;
        l->wrote = text_mono_micros();
        if (empty)
                l->since = l->wrote;
        return true;
}

bool listener_send(struct listener *l, const struct run *run) {
        while (l->ready && run_follows(run, l->cursor)) {
                uint64_t last;
                struct slice bytes = run_after(run, l->cursor, FANOUT_QUEUE, &last);

                if (http_stream_queued(l->out) > FANOUT_QUEUE || !put(l, bytes)) {
                        l->ready = false;
                        return false;
                }
                stat_add(STAT_stream_events, (int64_t)(last - l->cursor));
                l->cursor = last;
        }
        return l->ready;
}

static void named(struct buf *out, const char *event, struct buf *data) {
        sse_named(out, event, buf_view(data));
        buf_free(data);
}

static void put_reset(struct buf *out, const char *reason, uint64_t from, uint64_t latest) {
        struct buf data;
        struct jsonw w;

        buf_init(&data, SMALL);
        jsonw_init(&w, &data);
        jsonw_object(&w);
        jsonw_key_cstr(&w, "reason", reason);
        jsonw_key_int(&w, "latestSequence", (int64_t)latest);
        jsonw_key_int(&w, "fromSequence", (int64_t)from);
        jsonw_end(&w, '}');
        named(out, "reset", &data);
        stat_add(STAT_stream_resets, 1);
}

void listener_greet(struct listener *l, uint64_t latest, const char *reset) {
        struct buf out, data;
        struct jsonw w;

        buf_init(&data, SMALL);
        jsonw_init(&w, &data);
        jsonw_object(&w);
        jsonw_key_str(&w, "sessionId", l->stream->session);
        jsonw_key_int(&w, "fromSequence", (int64_t)l->cursor);
        jsonw_key_int(&w, "latestSequence", (int64_t)latest);
        jsonw_end(&w, '}');
        buf_init(&out, 2 * (size_t)SMALL);
        sse_retry(&out, 1000);
        named(&out, "ready", &data);
        if (reset)
                put_reset(&out, reset, l->cursor, latest);
        (void)put(l, buf_view(&out)); /* the first bytes of an empty queue */
        buf_free(&out);
}

void listener_reset(struct listener *l, const char *reason, uint64_t from, uint64_t latest) {
        struct buf out;

        buf_init(&out, SMALL);
        put_reset(&out, reason, from, latest);
        (void)put(l, buf_view(&out)); /* FANOUT_QUEUE leaves room for it */
        l->cursor = from;
        buf_free(&out);
}

void listener_heartbeat(struct listener *l, int64_t now) {
        static const char beat[] = ": hb\n\n";

        if (now - l->wrote >= setting_int(SETTING_sse_heartbeat_seconds) * 1000000 && !http_stream_queued(l->out))
                (void)put(l, SLICE(beat));
}

bool listener_stalled(const struct listener *l, int64_t now) {
        int64_t took = http_stream_progress(l->out), last = took > l->since ? took : l->since;

        return http_stream_queued(l->out) && now - last >= setting_int(SETTING_sse_stall_seconds) * 1000000;
}

bool listener_expired(const struct listener *l, int64_t real) {
        return l->until && real >= l->until;
}

void listener_close(struct listener *l, const char *reason) {
        struct buf out, data;
        struct jsonw w;

        buf_init(&data, SMALL);
        jsonw_init(&w, &data);
        jsonw_object(&w);
        jsonw_key_cstr(&w, "reason", reason);
        jsonw_end(&w, '}');
        buf_init(&out, SMALL);
        named(&out, "close", &data);
        (void)put(l, buf_view(&out)); /* best effort: a full queue has no room for a reason */
        buf_free(&out);
        http_stream_end(l->out);
        listener_free(l);
}
