/* events_bind.c - event envelopes: as a client sends them, and as every reader gets them. */
#include <stdarg.h>
#include <stdio.h>

#include "events.h"
#include "jsonw.h"

#define SCHEMA_VERSION "1.0"

static enum status invalid(char why[static 160], const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static enum status invalid(char why[static 160], const char *fmt, ...) {
        va_list args;

        va_start(args, fmt);
        (void)vsnprintf(why, 160, fmt, args);
        va_end(args);
        return STATUS_INVALID_REALTIME_EVENT;
}

/* The envelope's keys, as they were found; JSON null is absent. */
struct envelope {
        struct json event_id, session_id, ts, timestamp, type, payload, schema_version, version;
};

static struct json *place(struct envelope *e, struct slice key) {
        const struct {
                const char *key;
                struct json *to;
        } keys[] = {
                { "eventId", &e->event_id },
                { "sessionId", &e->session_id },
                { "ts", &e->ts },
                { "timestamp", &e->timestamp },
                { "type", &e->type },
                { "payload", &e->payload },
                { "version", &e->version },
                { "schemaVersion", &e->schema_version },
        };

        for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
                if (slice_is(key, keys[i].key))
                        return keys[i].to;
        return NULL;
}

/* Unknown keys are listed as far as they fit, and only those that are safe to show. */
static void list_key(struct slice key, char why[static 160]) {
        size_t n = strlen(why);

        if (n == 0)
                n = (size_t)snprintf(why, 160, "unsupported envelope key(s):");
        if (text_id(key) && n + key.n + 2 < 160)
                (void)snprintf(why + n, 160 - n, "%s %.*s", why[n - 1] == ':' ? "" : ",", SLICE_FMT(key));
}

static enum status sort_keys(struct json envelope, struct envelope *e, char why[static 160]) {
        struct slice key;
        struct json v;

        if (json_type(envelope) != JSON_OBJECT)
                return invalid(why, "the event must be an object");
        why[0] = 0;
        for (uint32_t it = 0; json_next(envelope, &it, &key, &v);) {
                struct json *to = place(e, key);

                if (!to)
                        list_key(key, why);
                else if (json_type(v) != JSON_NULL)
                        *to = v;
        }
        return why[0] ? STATUS_INVALID_REALTIME_EVENT : STATUS_OK;
}

static bool id_of(struct json v, struct slice *ret) {
        return json_str(v, ret) && ret->n <= 100 && text_id(*ret);
}

static enum status bind_ids(const struct envelope *e, struct slice fallback, struct op_event_in *ret,
                            char why[static 160]) {
        struct slice id = fallback;

        if (json_type(e->event_id) != JSON_NONE ? !id_of(e->event_id, &id) : !text_id(fallback))
                return invalid(why, "eventId must be 1 to 100 of letters, digits and _.:-");
        OP_SET(event_in, ret, event_id, id);
        if (!id_of(e->session_id, &id))
                return invalid(why, "sessionId must be 1 to 100 of letters, digits and _.:-");
        OP_SET(event_in, ret, session_id, id);
        return STATUS_OK;
}

static enum status bind_time(const struct envelope *e, int64_t now, struct op_event_in *ret, char why[static 160]) {
        struct json first = json_type(e->ts) != JSON_NONE ? e->ts : e->timestamp;
        bool given = json_type(first) != JSON_NONE;
        int64_t at = now, other;
        struct slice s;

        if (given && (!json_str(first, &s) || !text_time(s, &at)))
                return invalid(why, "ts must be an RFC 3339 date and time");
        if (json_type(e->timestamp) != JSON_NONE &&
            (!json_str(e->timestamp, &s) || !text_time(s, &other) || other != at))
                return invalid(why, "timestamp must be the same as ts");
        OP_SET(event_in, ret, ts_given, given);
        OP_SET(event_in, ret, ts, at);
        return STATUS_OK;
}

static bool version_ok(struct json v) {
        struct slice s;

        return json_type(v) == JSON_NONE || (json_str(v, &s) && slice_is(s, SCHEMA_VERSION));
}

static enum status bind_payload(const struct envelope *e, int type, struct arena *a, struct op_event_in *ret,
                                char why[static 160]) {
        const struct field *f = &op_desc(OP_event_in)->fields[OP_FIELD(event_in, payload)];
        struct slice canonical;

        if (event_payload_check(type, e->payload, why) != 0)
                return STATUS_INVALID_REALTIME_EVENT;
        if (!json_canonical_in(e->payload, a, (size_t)f->max, &canonical))
                return invalid(why, "payload must be at most %lld bytes", (long long)f->max);
        OP_SET(event_in, ret, payload, canonical);
        return STATUS_OK;
}

enum status event_bind(struct json envelope, enum event_who who, int64_t now, struct slice fallback_id,
                       struct arena *a, struct op_event_in *ret, char why[static 160]) {
        struct envelope e = { 0 };
        struct op_event_in in = { 0 };
        enum status s;
        struct slice name;
        int type;

        if ((s = sort_keys(envelope, &e, why)) != STATUS_OK ||
            (s = bind_ids(&e, fallback_id, &in, why)) != STATUS_OK || (s = bind_time(&e, now, &in, why)) != STATUS_OK)
                return s;
        if (!version_ok(e.schema_version) || !version_ok(e.version))
                return invalid(why, "schemaVersion must be " SCHEMA_VERSION);
        if (!json_str(e.type, &name))
                return invalid(why, "type must be a string");
        if ((type = event_type(name)) < 0)
                return invalid(why, "unsupported event type");
        if (who == OWNER && event_type_who(type) != OWNER) {
                (void)invalid(why, "only a service key may report %s", event_type_name(type));
                return STATUS_FORBIDDEN;
        }
        OP_SET(event_in, &in, type, slice_of(event_type_name(type)));
        if ((s = bind_payload(&e, type, a, &in, why)) != STATUS_OK)
                return s;
        *ret = in;
        return STATUS_OK;
}

static void time_put(struct jsonw *w, const char *key, int64_t micros) {
        char text[28];
        size_t n = text_time_put(micros, text);

        jsonw_key_str(w, key, (struct slice){ text, (uint32_t)n });
}

void event_json(const struct op_event_in *in, const struct op_event_out *out, struct buf *to) {
        struct jsonw w;

        jsonw_init(&w, to);
        jsonw_object(&w);
        jsonw_key_str(&w, "eventId", in->event_id);
        jsonw_key_int(&w, "sequence", out->sequence);
        jsonw_key_str(&w, "sessionId", in->session_id);
        time_put(&w, "ts", out->ts);
        time_put(&w, "timestamp", out->ts);
        jsonw_key_str(&w, "type", in->type);
        jsonw_key_raw(&w, "payload", in->payload);
        jsonw_key_cstr(&w, "schemaVersion", SCHEMA_VERSION);
        jsonw_key_str(&w, "origin", out->origin);
        time_put(&w, "receivedAt", out->received);
        time_put(&w, "recordedAt", out->recorded);
        jsonw_end(&w, '}');
}
