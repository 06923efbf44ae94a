/* fake_ws.c - WebSockets without sockets: what the server says waits until the client takes it. */
#include "fake_ws.h"

struct ws {
        struct fake_socket *client;
        const struct ws_events *ev;
        void *arg;
        struct buf queue;
        int64_t progress, heard;
        bool fed;
};

void ws_frame(struct buf *out, struct slice text) {
        char head[10] = { (char)0x81, (char)(text.n > 65535 ? 127 : text.n > 125 ? 126 : text.n) };
        unsigned size = text.n > 65535 ? 8 : text.n > 125 ? 2 : 0;

        for (unsigned i = 0; i < size && i < 4; i++)
                head[1 + size - i] = (char)(text.n >> 8 * i);
        buf_add(out, head, 2 + size);
        buf_slice(out, text);
}

enum status ws_wanted(const struct http_request *r, const char **ret_why) {
        bool good = slice_is(http_header(r, "sec-websocket-version"), "13");

        *ret_why = NULL;
        return good ? STATUS_OK : STATUS_UPGRADE_REQUIRED;
}

struct ws *ws_begin(struct http_request *r, struct slice protocol, const struct ws_events *ev, void *arg) {
        union {
                struct fake_client *in;
                struct fake_socket *out;
        } c = { .in = fake_upgraded(r) };
        struct ws *w = calloc(1, sizeof *w);

        assert_non_null(w);
        assert_true(slice_copy(protocol, c.out->protocol, sizeof c.out->protocol));
        *w = (struct ws){ .client = c.out, .ev = ev, .arg = arg };
        w->progress = w->heard = text_mono_micros();
        buf_init(&w->queue, HTTP_STREAM_QUEUE);
        arena_free(&r->arena);
        return c.out->ws = w;
}

bool ws_write(struct ws *w, struct slice frames) {
        if (w->queue.n + frames.n > HTTP_STREAM_QUEUE - 1024)
                return false;
        buf_slice(&w->queue, frames);
        w->fed = true;
        return true;
}

bool ws_send(struct ws *w, struct slice text) {
        struct buf b;
        bool ok;

        buf_init(&b, text.n + 16u);
        ws_frame(&b, text);
        ok = ws_write(w, buf_view(&b));
        buf_free(&b);
        return ok;
}

bool ws_ping(struct ws *w) {
        w->client->pings++;
        return true;
}

size_t ws_queued(const struct ws *w) {
        return w->queue.n;
}

int64_t ws_progress(const struct ws *w) {
        return w->progress;
}

int64_t ws_heard(const struct ws *w) {
        return w->heard;
}

const char *ws_request_id(const struct ws *w) {
        (void)w;
        return "req_1";
}

void ws_spare(struct ws *w, bool spare) {
        w->client->spare = spare;
}

static void hear(struct fake_socket *c, struct slice frame) {
        if (c->take)
                c->take(c, frame);
}

/* Whole frames out of `in`. */
static void frames(struct fake_socket *c) {
        while (c->in.n >= 2) {
                size_t n = (unsigned char)c->in.p[1], head = 2;

                if (n >= 126) {
                        unsigned size = n == 127 ? 8 : 2;

                        if (c->in.n < 2 + size)
                                return;
                        n = 0;
                        for (unsigned i = 0; i < size; i++)
                                n = n << 8 | (unsigned char)c->in.p[2 + i];
                        head += size;
                }
                assert_int_equal((unsigned char)c->in.p[0], 0x81);
                if (c->in.n < head + n)
                        return;
                hear(c, (struct slice){ c->in.p + head, (uint32_t)n });
                buf_drop(&c->in, head + n);
        }
}

static void gone(struct fake_socket *c) {
        struct ws *w = c->ws;

        c->ws = NULL;
        buf_free(&w->queue);
        free(w);
}

void ws_close(struct ws *w, unsigned code, const char *reason) {
        struct fake_socket *c = w->client;

        assert_int_equal(c->close_code, 0);
        assert_true(strlen(reason) > 0 && strlen(reason) <= WS_REASON_MAX);
        c->close_code = code;
        (void)snprintf(c->close_reason, sizeof c->close_reason, "%s", reason);
        buf_slice(&c->in, buf_view(&w->queue));
        gone(c);
        frames(c);
}

bool fake_socket_take(struct fake_socket *c, size_t n) {
        struct ws *w = c->ws;

        if (!w || w->queue.n == 0 || n == 0)
                return false;
        n = n < w->queue.n ? n : w->queue.n;
        buf_add(&c->in, w->queue.p, n);
        buf_drop(&w->queue, n);
        w->progress = text_mono_micros();
        frames(c);
        if (w->queue.n == 0 && w->fed) {
                w->fed = false;
                w->ev->drained(w->arg);
        }
        return true;
}

void fake_socket_say(struct fake_socket *c, const char *text) {
        if (!c->ws)
                return;
        c->ws->heard = text_mono_micros();

        struct slice s = exact(slice_of(text));

        c->ws->ev->message(c->ws->arg, s);
        exact_free(s);
}

void fake_socket_leave(struct fake_socket *c, unsigned code) {
        struct ws *w = c->ws;

        if (w) {
                w->ev->closed(w->arg, code);
                gone(c);
        }
        fake_client_free(&c->http);
        buf_free(&c->in);
}

void *fake_socket_arg(const struct fake_socket *c) {
        return c->ws->arg;
}
