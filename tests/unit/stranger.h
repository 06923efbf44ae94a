/* stranger.h - a hand-made peer that says what it likes, to a frontend that also has an honest writer. */
#pragma once

#include "peer_rig.h"

static struct side *frontend, *writer;

/* A hand-made peer on a blocking socket; says what it likes. */
struct stranger {
        int fd;
        struct frame_end us, them;
        uint64_t sent, received;
        struct cred_ring *ring;
};

static inline int setup(void **state) {
        (void)state;
        rig_start();
        frontend = side_new(FRONTEND, 1);
        writer = side_new(WRITER, 1);
        writer->echo = true;
        side_up(frontend);
        side_listen(frontend);
        side_up(writer);
        return 0;
}

static inline int teardown(void **state) {
        (void)state;
        side_free(frontend);
        side_free(writer);
        rig_stop();
        return 0;
}

static inline void stranger_connect(struct stranger *s, enum daemon_id to) {
        struct sockaddr_un at = { .sun_family = AF_UNIX };
        rig_path(at.sun_path, to);
        s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_true(s->fd >= 0 && connect(s->fd, (const struct sockaddr *)&at, sizeof at) == 0);
}

static inline void put(struct stranger *s, const struct buf *b) {
        assert_false(b->over);
        assert_int_equal(send(s->fd, b->p, b->n, MSG_NOSIGNAL), (ssize_t)b->n);
}

/* Reads exactly n bytes while the loop turns. */
static inline void get(struct stranger *s, char *to, size_t n) {
        size_t have = 0;
        int64_t end = text_mono_micros() + 10000000;
        while (have < n && text_mono_micros() < end) {
                ssize_t got = recv(s->fd, to + have, n - have, MSG_DONTWAIT);
                if (got > 0)
                        have += (size_t)got;
                else
                        ev_run(loop, EVRUN_NOWAIT);
        }
        assert_int_equal(have, n);
}

static inline bool closed(const struct stranger *s) {
        char sink[4096];
        ssize_t n;
        do
                n = recv(s->fd, sink, sizeof sink, MSG_DONTWAIT);
        while (n > 0);
        return n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK);
}

static inline void hello(struct stranger *s, enum daemon_id kind, uint8_t instance) {
        char theirs[FRAME_HELLO];
        const char *why;
        struct buf b;
        s->us = (struct frame_end){ .kind = kind, .instance = instance };
        randombytes_buf(s->us.nonce, sizeof s->us.nonce);
        buf_init(&b, FRAME_HELLO);
        frame_hello_put(&s->us, &b);
        put(s, &b);
        buf_free(&b);
        get(s, theirs, sizeof theirs);
        assert_int_equal(frame_hello_get((struct slice){ theirs, FRAME_HELLO }, &s->them, &why), 0);
}

static inline void put_frame(struct stranger *s, struct slice payload) {
        struct buf b;
        buf_init(&b, FRAME_HEADER + (size_t)payload.n);
        frame_seal(s->ring, &s->us, &s->them, ++s->sent, payload, &b);
        put(s, &b);
        buf_free(&b);
}

/* A proven writer to the frontend, by hand. */
static inline void prove(struct stranger *s) {
        char frame[FRAME_HEADER];
        struct slice payload;
        unsigned ups = frontend->ups;
        *s = (struct stranger){ .ring = &writer->ring };
        stranger_connect(s, FRONTEND);
        hello(s, WRITER, 1);
        put_frame(s, (struct slice){ 0 });
        get(s, frame, sizeof frame);
        assert_int_equal(
                frame_open(s->ring, &s->them, &s->us, ++s->received, (struct slice){ frame, sizeof frame }, &payload),
                0);
        until(frontend->ups == ups + 1);
}

static inline void message(struct buf *b, unsigned type, unsigned op, uint64_t id, struct slice body) {
        buf_le32(b, 11 + body.n);
        buf_char(b, (char)type);
        buf_char(b, (char)(op & 0xff));
        buf_char(b, (char)(op >> 8));
        buf_le64(b, id);
        buf_slice(b, body);
}

/* The frontend still serves an honest writer. */
static inline void still_serves(void) {
        struct heard h = { 0 };
        unsigned ups = frontend->ups;
        if (hub_find(writer->hub, FRONTEND, 1) == NULL)
                side_dial(writer, FRONTEND, 1);
        until(frontend->ups > ups && channel_up(hub_find(writer->hub, FRONTEND, 1)));
        assert_int_equal(ask(frontend, "call-1", 5000, &h), STATUS_OK);
        until(h.n == 1);
        assert_int_equal(h.status, STATUS_OK);
}

static inline void refused(struct stranger *s) {
        until(closed(s));
        (void)close(s->fd);
        still_serves();
}
