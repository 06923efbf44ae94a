/* uitag_read.c - attributes of a tag: in any order, quoted, guarded by backslashes. */
#include "uitag_read.h"

#include "json_check.h"

#define MODE_MAX    40u
#define ID_MAX      100u
#define MESSAGE_MAX 4096u
#define TIER_MAX    64u
#define TIMEOUT_MAX 86400000

static bool is_space(char c) {
        return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_word(char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

bool uitag_speaker(struct slice s) {
        return slice_is(s, "antonio") || slice_is(s, "mariana") || slice_is(s, "both") || slice_is(s, "executor");
}

/* The quoted value at *at, which moves behind it. Only a quote and a backslash are guarded: all else is the value's own,
 * so that JSON keeps its escapes. */
static void take_value(struct slice head, uint32_t *at, struct buf *to) {
        char quote = head.p[*at];
        uint32_t i = *at + 1;
        for (; i < head.n && head.p[i] != quote; i++) {
                if (head.p[i] == '\\' && i + 1 < head.n && (head.p[i + 1] == quote || head.p[i + 1] == '\\'))
                        i++;
                if (to != NULL)
                        buf_char(to, head.p[i]);
        }
        *at = i < head.n ? i + 1 : i;
}

bool uitag_attribute(struct slice head, const char *name, struct buf *to) {
        uint32_t at = 0;
        while (at < head.n) {
                uint32_t from = at;
                while (at < head.n && is_word(head.p[at]))
                        at++;
                struct slice key = { head.p + from, at - from };
                if (at + 1 < head.n && key.n > 0 && head.p[at] == '=' &&
                    (head.p[at + 1] == '"' || head.p[at + 1] == '\'')) {
                        bool wanted = slice_is(key, name);
                        at++;
                        take_value(head, &at, wanted ? to : NULL);
                        if (wanted)
                                return true;
                } else {
                        at = at > from ? at : at + 1;
                }
        }
        return false;
}

/* The attribute as a slice of room, which does not move: it was sized for all of them. */
static bool attribute(struct slice head, const char *name, uint32_t max, struct buf *room, struct slice *ret) {
        size_t from = room->n;
        if (!uitag_attribute(head, name, room) || room->over)
                return false;
        struct slice s = { room->p + from, (uint32_t)(room->n - from) };
        while (s.n > 0 && is_space(s.p[0]))
                s = (struct slice){ s.p + 1, s.n - 1 };
        while (s.n > 0 && is_space(s.p[s.n - 1]))
                s.n--;
        *ret = s;
        return s.n > 0 && s.n <= max;
}

static bool is_mode(struct slice s) {
        for (uint32_t i = 0; i < s.n; i++)
                if (!is_word(s.p[i]))
                        return false;
        return s.n > 0;
}

static bool read_mode(struct slice head, struct buf *room, struct uitag *ret) {
        if (!attribute(head, "mode", MODE_MAX, room, &ret->name) || !is_mode(ret->name))
                return false;
        if (!attribute(head, "context", UITAG_JSON_MAX, room, &ret->json) || !json_check_object(ret->json))
                ret->json = SLICE("{}");
        return true;
}

static bool read_confirm(struct slice head, struct buf *room, struct uitag *ret) {
        struct slice number;
        if (!attribute(head, "actionId", ID_MAX, room, &ret->action_id) || !text_id(ret->action_id) ||
            !attribute(head, "message", MESSAGE_MAX, room, &ret->message))
                return false;
        if (!attribute(head, "riskTier", TIER_MAX, room, &ret->risk_tier))
                ret->risk_tier = (struct slice){ 0 };
        if (!attribute(head, "timeout", 20, room, &number) || !text_int(number, &ret->timeout) || ret->timeout < 1 ||
            ret->timeout > TIMEOUT_MAX)
                ret->timeout = 0;
        return true;
}

bool uitag_read(enum uitag_kind kind, struct slice head, struct buf *room, struct uitag *ret) {
        ret->kind = kind;
        buf_clear(room);
        if (buf_room(room, (size_t)head.n + 1) == NULL)
                return false;
        switch (kind) {
        case UITAG_SPEAKER:
                return attribute(head, "speaker", 16, room, &ret->name) && uitag_speaker(ret->name);
        case UITAG_MODE_ON:
        case UITAG_MODE_OFF:
                return read_mode(head, room, ret);
        case UITAG_CONFIRM:
                return read_confirm(head, room, ret);
        case UITAG_DELIVERABLE:
                return true;
        }
        return false;
}
