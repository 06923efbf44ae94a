/* translate.c - LiveKit's WebhookEvent (protobuf's JSON, either dialect) read into op provider_event. */
#include "translate.h"

#include <stdio.h>

#include "jsonw.h"
#include "redact.h"

#define DETAIL_MAX   65536u
#define EVENT_ID_MAX 100u

/* One body being read; `wrong` names the first member that is not what it must be. */
struct reading {
        struct arena *a;
        struct json root;
        const char *wrong;
};

/* ParticipantInfo.Kind and DisconnectReason by number; NULL where LiveKit has none. */
static const char *const kinds[] = { "STANDARD", "INGRESS", "EGRESS",    "SIP",   "AGENT",
                                     NULL,       NULL,      "CONNECTOR", "BRIDGE" };
static const char *const reasons[] = {
        NULL, /* UNKNOWN_REASON says nothing */
        "CLIENT_INITIATED",
        "DUPLICATE_IDENTITY",
        "SERVER_SHUTDOWN",
        "PARTICIPANT_REMOVED",
        "ROOM_DELETED",
        "STATE_MISMATCH",
        "JOIN_FAILURE",
        "MIGRATION",
        "SIGNAL_CLOSE",
        "ROOM_CLOSED",
        "USER_UNAVAILABLE",
        "USER_REJECTED",
        "SIP_TRUNK_FAILURE",
        "CONNECTION_TIMEOUT",
        "MEDIA_FAILURE",
        "AGENT_ERROR",
};

/* roomName -> room_name. */
static void snake(const char *camel, char to[static 64]) {
        size_t n = 0;

        for (; *camel && n < 62; camel++) {
                if (*camel >= 'A' && *camel <= 'Z') {
                        to[n++] = '_';
                        to[n++] = (char)(*camel - 'A' + 'a');
                } else {
                        to[n++] = *camel;
                }
        }
        to[n] = 0;
}

/* A member under its camelCase or snake_case name; null means absent. */
static struct json member(struct json obj, const char *camel) {
        struct json v = json_get(obj, camel);
        char other[64];

        if (json_type(v) == JSON_NONE) {
                snake(camel, other);
                v = json_get(obj, other);
        }
        if (json_type(v) == JSON_NULL)
                v = (struct json){ 0 };
        return v;
}

static struct json read_object(struct reading *r, struct json obj, const char *name) {
        struct json v = member(obj, name);

        if (json_type(v) != JSON_NONE && json_type(v) != JSON_OBJECT)
                r->wrong = name;
        return v;
}

/* Absent reads as the empty text. */
static struct slice read_text(struct reading *r, struct json obj, const char *name, uint32_t max) {
        struct json v = member(obj, name);
        struct slice s = { 0 };

        if (json_type(v) != JSON_NONE && (!json_str(v, &s) || s.n > max))
                r->wrong = name;
        return s;
}

/* Absent reads as 0; protobuf writes 64-bit integers as texts. */
static int64_t read_int(struct reading *r, struct json obj, const char *name, int64_t max) {
        struct json v = member(obj, name);
        struct slice s;
        int64_t n = 0;

        if (json_type(v) == JSON_NONE)
                return 0;
        if (!(json_str(v, &s) ? text_int(s, &n) : json_int(v, &n)) || n < 0 || n > max) {
                r->wrong = name;
                return 0;
        }
        return n;
}

static bool enum_word(struct slice s) {
        for (uint32_t i = 0; i < s.n; i++)
                if (!(s.p[i] >= 'A' && s.p[i] <= 'Z') && !(s.p[i] >= '0' && s.p[i] <= '9') && s.p[i] != '_')
                        return false;
        return s.n != 0;
}

/* A word newer than this table is kept as it is; a number newer than it reads like none. */
static struct slice read_enum(struct reading *r, struct json obj, const char *name, uint32_t max,
                              const char *const *words, size_t n_words) {
        struct json v = member(obj, name);
        struct slice s;
        int64_t n;

        if (json_type(v) == JSON_NONE)
                return slice_of(words[0]);
        if (json_int(v, &n))
                return slice_of(n >= 0 && n < (int64_t)n_words ? words[n] : NULL);
        if (!json_str(v, &s)) {
                r->wrong = name;
                return (struct slice){ 0 };
        }
        return s.n <= max && enum_word(s) ? s : slice_of(words[0]);
}

static void read_room(struct reading *r, struct op_provider_event *e) {
        struct json room = read_object(r, r->root, "room"), job = read_object(r, r->root, "job");
        struct json egress = read_object(r, r->root, "egressInfo"), ingress = read_object(r, r->root, "ingressInfo");
        struct slice name, sid;

        if (json_type(room) == JSON_NONE)
                room = read_object(r, job, "room");
        name = read_text(r, room, "name", 256);
        sid = read_text(r, room, "sid", 64);
        if (name.n == 0)
                name = read_text(r, egress, "roomName", 256);
        if (name.n == 0)
                name = read_text(r, ingress, "roomName", 256);
        if (sid.n == 0)
                sid = read_text(r, egress, "roomId", 64);
        if (name.n != 0)
                OP_SET(provider_event, e, room_name, name);
        if (sid.n != 0)
                OP_SET(provider_event, e, room_sid, sid);
}

static void read_participant(struct reading *r, struct op_provider_event *e) {
        struct json p = read_object(r, r->root, "participant");
        struct slice sid = read_text(r, p, "sid", 64), identity = read_text(r, p, "identity", 256), kind, reason;
        int64_t joined = read_int(r, p, "joinedAtMs", MILLIS_MAX);

        if (json_type(p) == JSON_NONE)
                return;
        if (joined == 0)
                joined = read_int(r, p, "joinedAt", MILLIS_MAX / 1000) * 1000;
        kind = read_enum(r, p, "kind", 32, kinds, sizeof kinds / sizeof *kinds);
        reason = read_enum(r, p, "disconnectReason", 64, reasons, sizeof reasons / sizeof *reasons);
        if (sid.n != 0)
                OP_SET(provider_event, e, participant_sid, sid);
        if (identity.n != 0)
                OP_SET(provider_event, e, participant_identity, identity);
        if (kind.n != 0)
                OP_SET(provider_event, e, participant_kind, kind);
        if (joined != 0)
                OP_SET(provider_event, e, joined_at_ms, joined);
        if (reason.n != 0 && !slice_is(reason, "UNKNOWN_REASON"))
                OP_SET(provider_event, e, disconnect_reason, reason);
}

/* LiveKit's own id is the same on every retry. A body without a usable one is named by its hash, which is too. */
static struct slice event_id(struct reading *r, const unsigned char hash[32]) {
        struct json v = member(r->root, "id");
        struct slice s;
        char *made;

        if (json_str(v, &s) && s.n >= 1 && s.n <= EVENT_ID_MAX && text_id(s))
                return s;
        made = arena_alloc(r->a, 4 + 64 + 1);
        if (!made)
                return (struct slice){ 0 };
        memcpy(made, "EVH_", sizeof "EVH_");
        text_hex(hash, 32, made + 4);
        return slice_of(made);
}

/* What is kept of a body that is too large to keep: who, where, when. */
static void reduced(const struct op_provider_event *e, uint32_t body_bytes, struct buf *out) {
        struct jsonw w;

        jsonw_init(&w, out);
        jsonw_object(&w);
        jsonw_key_str(&w, "event", e->event);
        jsonw_key_str(&w, "id", e->provider_event_id);
        jsonw_key_int(&w, "createdAtMs", e->created_at_ms);
        jsonw_key(&w, "room");
        jsonw_object(&w);
        jsonw_key_str(&w, "sid", e->room_sid);
        jsonw_key_str(&w, "name", e->room_name);
        jsonw_end(&w, '}');
        jsonw_key(&w, "participant");
        jsonw_object(&w);
        jsonw_key_str(&w, "sid", e->participant_sid);
        jsonw_key_str(&w, "identity", e->participant_identity);
        jsonw_key_str(&w, "kind", e->participant_kind);
        jsonw_key_str(&w, "disconnectReason", e->disconnect_reason);
        jsonw_end(&w, '}');
        jsonw_key_bool(&w, "reduced", true);
        jsonw_key_int(&w, "bodyBytes", body_bytes);
        jsonw_end(&w, '}');
}

static bool read_detail(struct reading *r, struct op_provider_event *e, uint32_t body_bytes) {
        struct buf out;
        char *kept = NULL;

        buf_init(&out, DETAIL_MAX);
        redact_json(r->root, &out);
        if (out.over) {
                buf_free(&out);
                buf_init(&out, DETAIL_MAX);
                reduced(e, body_bytes, &out);
        }
        if (!out.over && (kept = arena_copy(r->a, buf_view(&out))) != NULL)
                OP_SET(provider_event, e, detail, ((struct slice){ kept, (uint32_t)out.n }));
        buf_free(&out);
        return kept != NULL;
}

/* A participant may put U+0000 into what it names itself (a track, say). Our reader refuses it, and a refused webhook
 * is a lost one: nobody may hide his leaving that way. The escape becomes U+FFFD, in a copy. */
static struct slice without_nul(struct slice body, struct arena *a) {
        char *copy;

        if (body.n == 0 || !memmem(body.p, body.n, "\\u0000", 6) || !(copy = arena_copy(a, body)))
                return body;
        for (uint32_t i = 0; i + 1 < body.n; i++) {
                if (copy[i] != '\\')
                        continue;
                if (body.n - i >= 6 && memcmp(copy + i, "\\u0000", 6) == 0)
                        memcpy(copy + i, "\\ufffd", 6);
                i++; /* over what is escaped */
        }
        return (struct slice){ copy, body.n };
}

static enum status invalid(char why[static 160], const char *what, const char *more) {
        snprintf(why, 160, "the webhook's body is not a LiveKit event: %s%s", what, more);
        return STATUS_WEBHOOK_INVALID;
}

enum status translate(struct slice body, const struct webhook_verified *v, int64_t received, struct arena *a,
                      struct op_provider_event *ret, char why[static 160]) {
        struct op_provider_event e = { 0 };
        struct reading r = { .a = a };
        const char *reason;
        int64_t created;
        size_t at;

        if (json_parse(without_nul(body, a), a, &r.root, &reason, &at) != 0)
                return invalid(why, reason, "");
        if (json_type(r.root) != JSON_OBJECT)
                return invalid(why, "it is no object", "");
        OP_SET(provider_event, &e, provider_event_id, event_id(&r, v->body_hash));
        OP_SET(provider_event, &e, event, read_text(&r, r.root, "event", 64));
        if (e.event.n == 0)
                r.wrong = "event";
        OP_SET(provider_event, &e, body_hash, ((struct slice){ (const char *)v->body_hash, 32 }));
        OP_SET(provider_event, &e, api_key, v->api_key);
        OP_SET(provider_event, &e, received, received);
        created = read_int(&r, r.root, "createdAt", MILLIS_MAX / 1000) * 1000;
        OP_SET(provider_event, &e, created_at_ms, created ? created : received / 1000);
        read_room(&r, &e);
        read_participant(&r, &e);
        if (r.wrong)
                return invalid(why, r.wrong, " is missing, of the wrong type or too long");
        if (e.provider_event_id.n == 0 || !read_detail(&r, &e, body.n))
                return invalid(why, "it is too large", "");
        *ret = e;
        return STATUS_OK;
}
