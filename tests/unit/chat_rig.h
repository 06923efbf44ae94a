/* chat_rig.h - a streaming client, the turn it waits for, and what it hears. */
#pragma once

#include "fake_front.h"

#include "chat.h"
#include "json.h"
#include "settings.h"
#include "stats.h"

static const struct actor ann = { { "acme", 4 }, { "ann", 3 }, { "member", 6 }, false, 0 };
static struct fake_client c, d;
static unsigned lefts;

/* ---- surroundings ---- */

static int64_t noon(void) {
        return INT64_C(1700000000123456);
}

static void cast(enum op op, const void *msg) {
        (void)msg;
        assert_int_equal(op, OP_turn_left);
        lefts++;
}

static void take(struct fake_client *who, struct slice bytes) {
        buf_slice(&who->body, bytes);
}

static int64_t (*clock_before)(void);

static int set_up(void **state) {
        (void)state;
        fake_reset();
        fake_waiting = waiting_new(NULL);
        fake_cast = cast;
        lefts = 0;
        c.take = d.take = take;
        clock_before = text_clock;
        text_clock = noon;
        return 0;
}

static int tear_down(void **state) {
        (void)state;
        fake_client_free(&c);
        fake_client_free(&d);
        waiting_free(fake_waiting);
        fake_waiting = NULL;
        fake_reset();
        text_clock = clock_before;
        return 0;
}

static void ask(struct fake_client *who, const char *body) {
        fake_client_free(who);
        fake_request(who, "", slice_of(body));
        fake_header(who, "idempotency-key", "k1");
        fake_route("chatStream")->handler(NULL, &who->r, fake_route("chatStream"), &ann);
}

static void say(const char *type, int64_t offset, const char *text, const char *payload) {
        struct op_turn_event e = { 0 };

        OP_SET(turn_event, &e, account_id, SLICE("acme"));
        OP_SET(turn_event, &e, actor_id, SLICE("ann"));
        OP_SET(turn_event, &e, command_id, SLICE("k1"));
        OP_SET(turn_event, &e, type, slice_of(type));
        if (offset >= 0)
                OP_SET(turn_event, &e, offset, offset);
        if (text)
                OP_SET(turn_event, &e, text, slice_of(text));
        if (payload)
                OP_SET(turn_event, &e, payload, slice_of(payload));
        assert_int_equal(op_check(OP_turn_event, &e), 0);
        waiting_event(NULL, &e);
}

static void delta(const char *text) {
        say("text.delta", -1, text, NULL);
}

/* Takes what is there; exactly this, since the last time. */
static inline void assert_hears(struct fake_client *who, const char *want) {
        while (fake_take(who, SIZE_MAX))
                ;
        assert_slice(buf_view(&who->body), want);
        buf_clear(&who->body);
}

static inline const char *hears(struct fake_client *who) {
        while (fake_take(who, SIZE_MAX))
                ;
        buf_char(&who->body, 0);
        who->body.n--;
        return who->body.p ? who->body.p : "";
}

static inline unsigned times(const char *in, const char *what) {
        unsigned n = 0;

        for (const char *p = in; (p = strstr(p, what)); p++)
                n++;
        return n;
}

#define ID                   "msg_9bb08982a39c2c3acc704f0d2ede1aab"
#define TS                   ",\"ts\":1700000000123}\n\n"
#define FRAME(type, payload) "event: " type "\ndata: {\"v\":\"1.0\",\"type\":\"" type "\",\"payload\":" payload TS
#define READY                FRAME("status", "{\"type\":\"ready\",\"message\":\"Starting...\"}")
#define DELTA(delta, full)                                                                                           \
        FRAME("text.delta", "{\"delta\":\"" delta "\",\"fullText\":\"" full "\",\"messageId\":\"" ID "\"}")
#define TEXT_DONE(text)                                                                                              \
        FRAME("text.done", "{\"fullText\":\"" text "\",\"messageId\":\"" ID "\",\"speaker\":\"both\"}")
#define ANSWER(text, events)                                                                                         \
        "{\"ok\":true,\"conversationId\":\"conv_1\",\"turnId\":\"turn_1\",\"contract\":\"v1.0\",\"speaker\":"        \
        "\"both\",\"text\":\"" text "\",\"events\":" events ",\"usage\":{\"inputTokens\":1,\"outputTokens\":2}}"
#define DONE                                                                                                         \
        FRAME("done", "{\"ok\":true,\"conversationId\":\"conv_1\",\"turnId\":\"turn_1\",\"speaker\":\"both\","       \
                      "\"contract\":\"v1.0\","                                                                       \
                      "\"usage\":{\"inputTokens\":1,\"outputTokens\":2}}")
#define HI "{\"text\":\"hi\"}"
