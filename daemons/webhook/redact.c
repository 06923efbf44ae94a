/* redact.c - what LiveKit puts into webhooks although nobody but LiveKit may know it. */
#include "redact.h"

#include "jsonw.h"

/* turnPassword opens the room's TURN relay, streamKey an ingress; the rest opens the storage an egress writes to. */
static const char *const secrets[] = {
        "turnPassword", "turn_password", "streamKey",   "stream_key",   "secret",        "accessKey",
        "access_key",   "accountKey",    "account_key", "sessionToken", "session_token", "signingKey",
        "signing_key",  "credentials",   "password",    "token",
};

static bool is_secret(struct slice key) {
        for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++)
                if (slice_is(key, secrets[i]))
                        return true;
        return false;
}

static void put(struct jsonw *w, struct json v) {
        bool object = json_type(v) == JSON_OBJECT;
        struct slice key, s;
        char name[256];
        struct json member;
        uint32_t it = 0;

        if (!object && json_type(v) != JSON_ARRAY) {
                if (json_str(v, &s))
                        jsonw_str(w, s);
                else
                        jsonw_raw(w, json_raw(v));
                return;
        }
        if (object)
                jsonw_object(w);
        else
                jsonw_array(w);
        while (json_next(v, &it, &key, &member)) {
                if (object && (is_secret(key) || !slice_copy(key, name, sizeof name)))
                        continue; /* nobody's field is named with 256 bytes */
                if (object)
                        jsonw_key(w, name);
                put(w, member);
        }
        jsonw_end(w, object ? '}' : ']');
}

void redact_json(struct json v, struct buf *out) {
        struct jsonw w;

        jsonw_init(&w, out);
        put(&w, v);
}
