/* mint.h - the claims of a LiveKit access token: one room, one identity, the narrowest grant. */
#pragma once

#include "buf.h"

struct mint {
        struct slice api_key, identity, name;
        struct slice metadata; /* opaque text, commonly JSON */
        struct slice room;
        int64_t now, ttl; /* seconds */
        bool can_publish, can_subscribe, can_publish_data;
        struct slice agent, agent_metadata; /* dispatched when the room is created; empty: none */
};

/* The claims in LiveKit's order, as one JSON object. */
void mint_claims(const struct mint *m, struct buf *out);
