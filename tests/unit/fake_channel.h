/* fake_channel.h - the other daemons, played by the test: what was asked, what was answered, nothing on a wire. */
#pragma once

#include "settings.h"
#include "stats.h"
#include "unit.h"

/* The last question to the writer, and the way to answer it. */
static struct {
        enum op op;
        unsigned asked;
        struct buf bytes;
        channel_answer_fn *fn;
        void *arg;
        bool busy; /* refuse to queue */
} writer;

/* The last reply to whom asked us. */
static struct {
        unsigned count;
        enum status status;
        char detail[256];
        struct buf body;
} reply;

static char counted[32];
static int64_t tokens_counted;
static const char *fake_livekit_url = "wss://livekit.test";

enum status channel_call(struct channel *c, enum op op, const void *msg, unsigned timeout_ms, channel_answer_fn *fn,
                         void *arg) {
        (void)c;
        assert_true(timeout_ms > 0);
        assert_int_equal(op_check(op, msg), 0);
        if (writer.busy)
                return STATUS_BUSY;
        writer.op = op;
        writer.asked++;
        writer.fn = fn;
        writer.arg = arg;
        buf_clear(&writer.bytes);
        op_encode(op, msg, &writer.bytes);
        return STATUS_OK;
}

void channel_reply(const struct request *r, enum status s, struct slice detail, struct slice body) {
        (void)r;
        reply.count++;
        reply.status = s;
        snprintf(reply.detail, sizeof reply.detail, "%.*s", SLICE_FMT(detail));
        buf_clear(&reply.body);
        buf_slice(&reply.body, body);
}

int64_t setting_int(enum setting s) {
        assert_int_equal(s, SETTING_livekit_leeway_seconds);
        return 60;
}

const char *setting_text(enum setting s) {
        assert_int_equal(s, SETTING_livekit_url);
        return fake_livekit_url;
}

void stat_add(enum stat_id s, int64_t n) {
        assert_int_equal(s, STAT_livekit_tokens);
        tokens_counted += n;
}

void stat_add_word(enum stat_id s, const char *word, int64_t n) {
        assert_int_equal(s, STAT_webhooks);
        assert_int_equal(n, 1);
        snprintf(counted, sizeof counted, "%s", word);
}

static inline int fake_setup(void **state) {
        (void)state;
        buf_free(&writer.bytes);
        buf_free(&reply.body);
        memset(&writer, 0, sizeof writer);
        memset(&reply, 0, sizeof reply);
        buf_init(&writer.bytes, 1u << 21);
        buf_init(&reply.body, 1u << 21);
        counted[0] = 0;
        tokens_counted = 0;
        fake_livekit_url = "wss://livekit.test";
        return 0;
}

static inline int fake_teardown(void **state) {
        (void)state;
        buf_free(&writer.bytes);
        buf_free(&reply.body);
        return 0;
}

/* The writer answers what it was asked last. */
static inline void writer_says(enum status s, const char *detail, const char *body) {
        struct answer a = { s, slice_of(detail), exact(slice_of(body)) };

        assert_non_null(writer.fn);
        writer.fn(writer.arg, &a);
        writer.fn = NULL;
        exact_free(a.body);
}

/* An op as it comes from a frontend; the bytes are gone when the handler has returned. */
static inline void ask_with(void (*handle)(struct webhook *, const struct request *), struct webhook *w, enum op op,
                            const void *msg) {
        struct request r = { .op = op, .id = 1 };
        struct buf bytes;
        void *decoded = calloc(1, op_desc(op)->size);

        buf_init(&bytes, 1u << 21);
        assert_int_equal(op_check(op, msg), 0);
        op_encode(op, msg, &bytes);
        r.bytes = exact(buf_view(&bytes));
        assert_int_equal(op_decode(op, r.bytes, decoded), 0);
        r.msg = decoded;
        handle(w, &r);
        exact_free(r.bytes);
        free(decoded);
        buf_free(&bytes);
}
