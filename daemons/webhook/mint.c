/* mint.c - LiveKit's claims, spelled once. */
#include "mint.h"

#include "jsonw.h"

static void put_video(struct jsonw *w, const struct mint *m) {
        jsonw_key(w, "video");
        jsonw_object(w);
        jsonw_key_str(w, "room", m->room);
        jsonw_key_bool(w, "roomJoin", true);
        jsonw_key_bool(w, "canPublish", m->can_publish);
        jsonw_key_bool(w, "canSubscribe", m->can_subscribe);
        jsonw_key_bool(w, "canPublishData", m->can_publish_data);
        jsonw_end(w, '}');
}

static void put_agent(struct jsonw *w, const struct mint *m) {
        jsonw_key(w, "roomConfig");
        jsonw_object(w);
        jsonw_key(w, "agents");
        jsonw_array(w);
        jsonw_object(w);
        jsonw_key_str(w, "agentName", m->agent);
        if (m->agent_metadata.n != 0)
                jsonw_key_str(w, "metadata", m->agent_metadata);
        jsonw_end(w, '}');
        jsonw_end(w, ']');
        jsonw_end(w, '}');
}

void mint_claims(const struct mint *m, struct buf *out) {
        struct jsonw w;

        jsonw_init(&w, out);
        jsonw_object(&w);
        jsonw_key_str(&w, "iss", m->api_key);
        jsonw_key_str(&w, "sub", m->identity);
        jsonw_key_int(&w, "nbf", m->now);
        jsonw_key_int(&w, "iat", m->now);
        jsonw_key_int(&w, "exp", m->now + m->ttl);
        jsonw_key_str(&w, "name", m->name);
        if (m->metadata.n != 0)
                jsonw_key_str(&w, "metadata", m->metadata);
        put_video(&w, m);
        if (m->agent.n != 0)
                put_agent(&w, m);
        jsonw_end(&w, '}');
}
