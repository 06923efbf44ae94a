/* chat_say.c - frames of the UI contract v1.0, and how much of them a client takes. */
#include "chat.h"

#include <sodium.h>
#include <stdlib.h>

#include "jsonw.h"
#include "sse.h"

#define FRAME_MAX (2u << 20)

static size_t held; /* by all of them */

static void count(struct chat *c) {
        held += c->out.n - c->held;
        c->held = c->out.n;
        if (c->out.over || held > CHAT_HELD_MAX)
                c->broken = true;
}

static void put(struct chat *c, const char *type, struct slice payload) {
        struct buf data;
        struct jsonw w;

        buf_init(&data, FRAME_MAX);
        jsonw_init(&w, &data);
        jsonw_object(&w);
        jsonw_key_cstr(&w, "v", "1.0");
        jsonw_key_cstr(&w, "type", type);
        jsonw_key_raw(&w, "payload", payload);
        jsonw_key_int(&w, "ts", text_now_micros() / 1000);
        jsonw_end(&w, '}');
        if (data.over)
                c->broken = true;
        else
                sse_named(&c->out, type, buf_view(&data));
        buf_free(&data);
        count(c);
}

/* What is known of the text and not told. */
static void put_owed(struct chat *c) {
        struct buf data;
        struct jsonw w;

        if (c->told >= c->text.n)
                return;
        buf_init(&data, FRAME_MAX);
        jsonw_init(&w, &data);
        jsonw_object(&w);
        jsonw_key_str(&w, "delta", (struct slice){ c->text.p + c->told, (uint32_t)(c->text.n - c->told) });
        if (c->text.n <= CHAT_FULL_MAX)
                jsonw_key_str(&w, "fullText", buf_view(&c->text));
        jsonw_key_cstr(&w, "messageId", c->message);
        jsonw_end(&w, '}');
        c->told = c->text.n;
        put(c, "text.delta", buf_view(&data));
        buf_free(&data);
}

void chat_frame(struct chat *c, const char *type, struct slice payload) {
        put_owed(c); /* in the order it was said */
        put(c, type, payload);
}

void chat_status(struct chat *c, const char *type, const char *message) {
        struct buf data;
        struct jsonw w;

        buf_init(&data, 1024);
        jsonw_init(&w, &data);
        jsonw_object(&w);
        jsonw_key_cstr(&w, "type", type);
        jsonw_key_cstr(&w, "message", message);
        if (c->conversation[0])
                jsonw_key_cstr(&w, "conversationId", c->conversation);
        jsonw_end(&w, '}');
        chat_frame(c, "status", buf_view(&data));
        buf_free(&data);
}

/* ---- the text ---- */

/* Another answer than the one told so far (its runner died and another began anew): clients replace theirs by fullText,
 * or at the latest by text.done's. */
static void begin_anew(struct chat *c) {
        buf_clear(&c->text);
        c->told = 0;
}

/* Several may tell us the same: what is known already is not told again. */
void chat_text(struct chat *c, int64_t offset, struct slice text) {
        size_t next = c->anew ? 0 : c->text.n, at = offset < 0 ? next : (size_t)offset;

        if (text.n == 0 || at > (c->anew ? 0 : c->text.n) || c->text.over)
                return; /* some is missing: the end has it */
        if (c->anew)
                begin_anew(c);
        c->anew = false;

        size_t known = c->text.n - at < text.n ? c->text.n - at : text.n;

        if (known && memcmp(c->text.p + at, text.p, known) != 0) {
                if (at > 0)
                        return;
                begin_anew(c);
                known = 0;
        }
        buf_add(&c->text, text.p + known, text.n - known);
}

void chat_whole(struct chat *c, struct slice text) {
        if (text.n < c->text.n || memcmp(text.p, c->text.p ? c->text.p : "", c->text.n) != 0)
                begin_anew(c);
        if (!c->text.over)
                buf_add(&c->text, text.p + c->text.n, text.n - c->text.n);
        put_owed(c);
}

void chat_learn(struct chat *c, struct json about) {
        struct slice id;

        if (c->told == 0 && json_str(json_get(about, "messageId"), &id) && text_id(id))
                (void)slice_copy(id, c->message, sizeof c->message);
        if (!c->conversation[0] && json_str(json_get(about, "conversationId"), &id) && text_id(id))
                (void)slice_copy(id, c->conversation, sizeof c->conversation);
}

/* ---- events ---- */

static void learn(struct chat *c, struct slice payload) {
        struct arena memory;
        struct json about;
        const char *why;
        size_t at;

        arena_init(&memory, 1u << 20);
        if (payload.n <= 4096 && json_parse(payload, &memory, &about, &why, &at) == 0)
                chat_learn(c, about);
        arena_free(&memory);
}

static uint64_t fingerprint(struct slice type, struct slice payload) {
        struct slice id, what = payload;
        crypto_generichash_state h;
        unsigned char sum[16];
        struct arena memory;
        struct buf text;
        struct json doc;
        const char *why;
        size_t at;

        arena_init(&memory, 8u << 20);
        buf_init(&text, payload.n);
        if (json_parse(payload, &memory, &doc, &why, &at) == 0) {
                if (slice_is(type, "confirm.required") && json_str(json_get(doc, "actionId"), &id)) {
                        what = id;
                } else {
                        json_canonical(doc, &text);
                        what = text.over ? payload : buf_view(&text);
                }
        }
        crypto_generichash_init(&h, NULL, 0, sizeof sum);
        crypto_generichash_update(&h, (const unsigned char *)type.p, type.n);
        crypto_generichash_update(&h, (const unsigned char *)"", 1);
        crypto_generichash_update(&h, (const unsigned char *)what.p, what.n);
        crypto_generichash_final(&h, sum, sizeof sum);
        buf_free(&text);
        arena_free(&memory);
        return get_le64(sum);
}

static bool is_seen(const struct chat *c, uint64_t mark) {
        for (unsigned i = 0; i < c->n_seen && i < CHAT_SEEN_MAX; i++)
                if (c->seen[i] == mark)
                        return true;
        return false;
}

/* How it ends is ours to say. */
static bool is_ours(struct slice type) {
        return slice_is(type, "done") || slice_is(type, "error") || (type.n >= 5 && memcmp(type.p, "text.", 5) == 0);
}

void chat_event(struct chat *c, struct slice type, struct slice payload, bool again) {
        bool kept = !slice_is(type, "status"); /* the others are in the answer too */
        uint64_t mark = kept ? fingerprint(type, payload) : 0;
        bool seen = kept && is_seen(c, mark);
        char name[65];

        if (!kept)
                learn(c, payload);
        if (!text_id(type) || is_ours(type) || !slice_copy(type, name, sizeof name) || (seen && !again))
                return;
        if (kept && !seen)
                c->seen[c->n_seen++ % CHAT_SEEN_MAX] = mark;
        chat_frame(c, name, payload);
}

/* ---- to the client ---- */

/* True if `out` is empty now. */
static bool pour(struct chat *c) {
        while (c->out.n > 0) {
                size_t most = c->stopping ? HTTP_STREAM_QUEUE : CHAT_ROOM;
                size_t queued = http_stream_queued(c->http), room = queued < most ? most - queued : 0;
                size_t n = c->out.n < room ? c->out.n : room;

                if (queued == 0)
                        c->since = text_mono_micros();
                if (n == 0 || !http_stream_write(c->http, (struct slice){ c->out.p, (uint32_t)n }))
                        return false;
                buf_drop(&c->out, n);
                c->spoke = text_mono_micros();
                count(c);
        }
        return true;
}

bool chat_push(struct chat *c) {
        if (!pour(c))
                return false;
        put_owed(c);
        return pour(c) && c->last;
}

void chat_forget(struct chat *c) {
        held -= c->held;
        buf_free(&c->out);
        buf_free(&c->text);
        free(c);
}
