/* turn_say.c - events of the UI contract to the frontends whose clients stream this turn. */
#include "proposal.h"
#include "turn.h"

#define ENDED_PARSE_MAX (16u << 20)

/* A frontend that is down or does not read loses deltas: its client gets the whole text with the answer. */
static void tell(struct turn *t, const struct waiter *w, const char *type, struct slice text, struct slice payload) {
        struct op_turn_event m = { 0 };
        OP_SET(turn_event, &m, account_id, t->ask.account_id);
        OP_SET(turn_event, &m, actor_id, t->ask.actor_id);
        OP_SET(turn_event, &m, command_id, slice_of(w->command));
        OP_SET(turn_event, &m, type, slice_of(type));
        if (text.n > 0) { /* always the last of what is shown */
                OP_SET(turn_event, &m, offset, (int64_t)(t->shown.n - text.n));
                OP_SET(turn_event, &m, text, text);
        }
        if (payload.n > 0)
                OP_SET(turn_event, &m, payload, payload);
        if (w->stream && op_check(OP_turn_event, &m) == 0)
                (void)channel_cast(w->request.from, OP_turn_event, &m);
}

static void tell_all(struct turn *t, const char *type, struct slice text, struct slice payload) {
        for (struct waiter *w = t->waiters; w != NULL; w = w->next)
                if (w->stream)
                        tell(t, w, type, text, payload);
}

void turn_say_text(struct turn *t, struct slice text) {
        tell_all(t, "text.delta", text, (struct slice){ 0 });
}

void turn_say(struct turn *t, const char *type, struct slice payload) {
        tell_all(t, type, (struct slice){ 0 }, payload);
}

void turn_say_status(struct turn *t, const char *type, const char *message, struct slice message_id) {
        struct buf out;
        struct jsonw w;
        buf_init(&out, 4096);
        jsonw_init(&w, &out);
        jsonw_object(&w);
        jsonw_key_cstr(&w, "type", type);
        jsonw_key_cstr(&w, "message", message);
        jsonw_key_str(&w, "conversationId", t->ask.session_id);
        jsonw_key_str(&w, "turnId", t->ask.turn_id);
        if (message_id.n > 0)
                jsonw_key_str(&w, "messageId", message_id);
        jsonw_end(&w, '}');
        turn_say(t, "status", buf_view(&out));
        buf_free(&out);
}

/* What needs an id waits for the answer. */
void turn_say_tag(struct turn *t, const struct uitag *tag) {
        struct buf payload;
        if (tag->kind == UITAG_DELIVERABLE || tag->kind == UITAG_CONFIRM)
                return;
        buf_init(&payload, UITAG_JSON_MAX + 4096);
        const char *type = proposal_event(tag, &payload);
        if (!payload.over)
                turn_say(t, type, buf_view(&payload));
        buf_free(&payload);
}

/* Who joins late is told at once what was said so far. */
void turn_catch_up(struct turn *t, struct waiter *w) {
        if (t->shown.n > 0)
                tell(t, w, "text.delta", buf_view(&t->shown), (struct slice){ 0 });
}

static bool begins(struct slice s, const char *with) {
        size_t n = strlen(with);
        return s.n >= n && memcmp(s.p, with, n) == 0;
}

/* {"type":..,"payload":..} of a chat's answer; in a call's, the same stands as uiEvent in the payload. */
static void say_event(struct turn *t, struct json event) {
        struct json payload = json_get(event, "payload"), ui = json_get(payload, "uiEvent");
        struct slice type;
        char name[65];
        if (json_type(ui) == JSON_OBJECT) {
                event = ui;
                payload = json_get(ui, "payload");
        }
        if (json_str(json_get(event, "type"), &type) && json_type(payload) == JSON_OBJECT &&
            (begins(type, "deliverable.") || slice_is(type, "confirm.required")) &&
            slice_copy(type, name, sizeof name))
                turn_say(t, name, json_raw(payload));
}

void turn_say_ended(struct turn *t, struct slice answer) {
        struct json reply, event;
        struct arena a;
        struct slice key;
        const char *why;
        uint32_t it = 0;
        size_t at;
        bool streams = false;
        for (struct waiter *w = t->waiters; w != NULL; w = w->next)
                streams |= w->stream;
        if (!streams)
                return;
        arena_init(&a, ENDED_PARSE_MAX);
        if (json_parse(answer, &a, &reply, &why, &at) == 0) {
                struct json events = json_get(reply, "events");
                while (json_next(events, &it, &key, &event))
                        say_event(t, event);
        }
        arena_free(&a);
}
