/* turn_read.c - what a turn_run asks for: which turn of which conversation, what the user says, what was said before. */
#include <sodium.h>
#include <stdio.h>

#include "settings.h"
#include "turn.h"

#define TEXT_MAX     16384u
#define CONTEXT_MAX  65536u
#define CONTEXT_LAST 30u
#define PARSE_MAX    (16u << 20)

static void hash_field(crypto_generichash_state *h, struct slice s) {
        unsigned char n[4];
        put_le32(n, s.n);
        (void)crypto_generichash_update(h, n, sizeof n);
        (void)crypto_generichash_update(h, (const unsigned char *)s.p, s.n);
}

/* The same command of the same actor gives the same id: a request that is sent again finds its turn. */
static struct slice derive(const char *prefix, const struct op_turn_run *m, char room[48]) {
        crypto_generichash_state h;
        unsigned char hash[16];
        char hex[33];
        (void)crypto_generichash_init(&h, NULL, 0, sizeof hash);
        hash_field(&h, slice_of(prefix));
        hash_field(&h, m->account_id);
        hash_field(&h, m->actor_id);
        hash_field(&h, m->command_id);
        (void)crypto_generichash_final(&h, hash, sizeof hash);
        text_hex(hash, sizeof hash, hex);
        (void)snprintf(room, 48, "%s%s", prefix, hex);
        return slice_of(room);
}

void turn_ids(const struct op_turn_run *m, struct slice *ret_session, struct slice *ret_turn, char room[2][48]) {
        *ret_session = m->session_id.n > 0        ? m->session_id
                       : m->conversation_id.n > 0 ? m->conversation_id
                                                  : derive("conv_", m, room[0]);
        *ret_turn = m->turn_id.n > 0 ? m->turn_id : derive("turn_", m, room[1]);
}

static bool is_space(char c) {
        return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static struct slice trim(struct slice s) {
        while (s.n > 0 && is_space(s.p[0]))
                s = (struct slice){ s.p + 1, s.n - 1 };
        while (s.n > 0 && is_space(s.p[s.n - 1]))
                s.n--;
        return s;
}

static bool is_user(struct json message) {
        struct slice role;
        return json_str(json_get(message, "role"), &role) && slice_is(role, "user");
}

static struct json last_of(struct json messages) {
        struct json v = { 0 }, last = { 0 };
        struct slice key;
        uint32_t it = 0;
        while (json_next(messages, &it, &key, &v))
                last = v;
        return last;
}

/* The newest CONTEXT_LAST of the first n messages, as the history has them. */
static void keep_context(struct turn *t, struct json messages, uint32_t n) {
        struct slice key, content;
        struct jsonw w;
        struct json v;
        struct buf out;
        uint32_t it = 0, i = 0;
        buf_init(&out, CONTEXT_MAX);
        jsonw_init(&w, &out);
        jsonw_array(&w);
        for (; json_next(messages, &it, &key, &v) && i < n; i++) {
                if (i + CONTEXT_LAST < n || !json_str(json_get(v, "content"), &content))
                        continue;
                jsonw_object(&w);
                jsonw_key_cstr(&w, "role", is_user(v) ? "user" : "assistant");
                jsonw_key_str(&w, "content", content);
                jsonw_end(&w, '}');
        }
        jsonw_end(&w, ']');
        const char *copy = out.over || out.n <= 2 ? NULL : arena_copy(&t->arena, buf_view(&out));
        if (copy != NULL)
                t->context = (struct slice){ copy, (uint32_t)out.n };
        buf_free(&out);
}

/* What the user says: `text`, or the last of `messages`, whose earlier ones are context. */
static struct slice read_words(struct turn *t, const struct op_turn_run *m, struct arena *a) {
        struct slice text = trim(m->text), content;
        struct json messages;
        const char *why;
        size_t at;
        if (m->messages.n == 0 || json_parse(m->messages, a, &messages, &why, &at) != 0 ||
            json_type(messages) != JSON_ARRAY)
                return text;
        struct json last = last_of(messages);
        uint32_t n = json_count(messages);
        if (n > 0 && is_user(last)) {
                n--;
                if (text.n == 0 && json_str(json_get(last, "content"), &content))
                        text = trim(content);
        }
        keep_context(t, messages, n);
        return text;
}

static struct slice kept(struct turn *t, struct slice s) {
        const char *copy = arena_copy(&t->arena, s);
        return copy != NULL ? (struct slice){ copy, s.n } : (struct slice){ 0 };
}

static const char *persona_of(struct slice s) {
        return slice_is(s, "antonio") ? "antonio" : slice_is(s, "mariana") ? "mariana" : "both";
}

static void fill(struct turn *t, const struct op_turn_run *m, struct slice text) {
        struct op_turn_begin *b = &t->ask;
        struct slice session, turn;
        char room[2][48];
        turn_ids(m, &session, &turn, room);
        OP_SET(turn_begin, b, account_id, kept(t, m->account_id));
        OP_SET(turn_begin, b, actor_id, kept(t, m->actor_id));
        OP_SET(turn_begin, b, actor_role, kept(t, m->actor_role));
        OP_SET(turn_begin, b, session_id, kept(t, session));
        if (m->session_id.n == 0)
                OP_SET(turn_begin, b, chat, true);
        OP_SET(turn_begin, b, turn_id, kept(t, turn));
        OP_SET(turn_begin, b, text, kept(t, text));
        OP_SET(turn_begin, b, persona, slice_of(persona_of(m->persona)));
        if (OP_HAS(turn_run, m, capture_at_ms))
                OP_SET(turn_begin, b, capture_at_ms, m->capture_at_ms);
        OP_SET(turn_begin, b, received, text_now_micros());
        OP_SET(turn_begin, b, runner, slice_of(t->all->runner));
        OP_SET(turn_begin, b, lease_ms, LEASE_MS);
        OP_SET(turn_begin, b, history, setting_int(SETTING_turn_history));
        OP_SET(turn_begin, b, session_tokens, setting_int(SETTING_session_tokens_max));
        OP_SET(turn_begin, b, account_tokens, setting_int(SETTING_account_tokens_per_day));
        if (t->busy == BUSY_REPLACE)
                OP_SET(turn_begin, b, replace, true);
}

enum status turn_read(struct turn *t, const struct op_turn_run *m, const char **why) {
        struct arena a;
        enum status s = STATUS_OK;
        *why = NULL;
        t->busy = slice_is(m->when_busy, "refuse")    ? BUSY_REFUSE
                  : slice_is(m->when_busy, "replace") ? BUSY_REPLACE
                                                      : BUSY_QUEUE;
        t->speaker = persona_of(m->persona);
        arena_init(&a, PARSE_MAX);
        struct slice text = read_words(t, m, &a);
        if (text.n == 0)
                *why = "text is required";
        else if (text.n > TEXT_MAX)
                *why = "text is at most 16384 bytes";
        if (*why != NULL)
                s = STATUS_INVALID_REQUEST;
        else
                fill(t, m, text);
        arena_free(&a);
        if (s == STATUS_OK && op_check(OP_turn_begin, &t->ask) != 0)
                s = STATUS_BUSY; /* out of memory: a copy is empty */
        return s;
}
