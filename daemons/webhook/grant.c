/* grant.c - op token_mint, and what both ways of asking share: the writer says whether and as whom, then we sign. */
#include "grant.h"

#include <sodium.h>
#include <stdlib.h>

#include "jsonw.h"
#include "mint.h"
#include "settings.h"
#include "stats.h"

#define TOKEN_MAX 65536u
#define ARENA_MAX (2u << 20)

/* api.token_grant's answer. */
struct granted {
        struct slice room, identity, name, metadata, agent;
        struct slice session; /* JSON as it stood */
};

static void wish_free(struct wish *wish) {
        arena_free(&wish->arena);
        free(wish);
}

struct wish *wish_new(struct webhook *w, const struct request *r, void **ret_msg) {
        struct wish *wish = calloc(1, sizeof *wish);
        char *bytes = NULL;
        void *msg = NULL;

        if (wish) {
                arena_init(&wish->arena, ARENA_MAX);
                wish->webhook = w;
                wish->request = *r;
                bytes = arena_copy(&wish->arena, r->bytes);
                msg = arena_alloc(&wish->arena, op_desc(r->op)->size);
        }
        if (!bytes || !msg || op_decode(r->op, (struct slice){ bytes, r->bytes.n }, msg) != 0) {
                channel_reply(r, STATUS_BUSY, slice_of(NULL), slice_of(NULL));
                if (wish)
                        wish_free(wish);
                return NULL;
        }
        *ret_msg = msg;
        return wish;
}

void wish_refuse(struct wish *wish, enum status s, const char *detail) {
        channel_reply(&wish->request, s, slice_of(detail), slice_of(NULL));
        wish_free(wish);
}

/* The agent asked for, which the writer has allowed; else the tenant's, if it has exactly one. Which of several is meant
 * only the caller can say. */
static struct slice agent_of(const struct wish *wish, struct json agents) {
        struct slice key, only = { 0 };
        struct json first;
        uint32_t it = 0;

        if (wish->grant.agent_name.n != 0)
                return wish->grant.agent_name;
        if (json_count(agents) == 1 && json_next(agents, &it, &key, &first))
                (void)json_str(first, &only);
        return only;
}

static bool read_granted(struct wish *wish, struct slice body, struct granted *ret) {
        struct json reply, session;
        const char *why;
        size_t at;

        if (json_parse(body, &wish->arena, &reply, &why, &at) != 0)
                return false;
        session = json_get(reply, "session");
        if (!json_str(json_get(reply, "room"), &ret->room) ||
            !json_str(json_get(reply, "identity"), &ret->identity) ||
            !json_str(json_get(reply, "name"), &ret->name) ||
            !json_str(json_get(reply, "metadata"), &ret->metadata) || json_type(session) != JSON_OBJECT)
                return false;
        ret->agent = agent_of(wish, json_get(reply, "agents"));
        ret->session = json_raw(session);
        return true;
}

static void put_token(const struct wish *wish, const struct granted *g, int64_t now, struct buf *out) {
        const struct livekit_key *key = &wish->webhook->keys.key[0];
        const struct mint m = {
                .api_key = key->name,
                .identity = g->identity,
                .name = g->name,
                .metadata = g->metadata,
                .room = g->room,
                .now = now,
                .ttl = wish->grant.ttl_seconds,
                .can_publish = wish->can_publish,
                .can_subscribe = wish->can_subscribe,
                .can_publish_data = wish->can_publish_data,
                .agent = g->agent,
                .agent_metadata = wish->agent_metadata,
        };
        struct buf claims;

        buf_init(&claims, TOKEN_MAX);
        mint_claims(&m, &claims);
        jwt_sign_hs256(buf_view(&claims), key->secret.p, key->secret.n, out);
        out->over |= claims.over;
        buf_free(&claims);
}

static void put_reply(const struct wish *wish, const struct granted *g, int64_t now, struct slice token,
                      struct buf *out) {
        char issued[28];
        size_t issued_n = text_time_put(now * 1000000, issued);
        struct jsonw w;

        jsonw_init(&w, out);
        jsonw_object(&w);
        if (wish->standard) {
                jsonw_key_cstr(&w, "server_url", setting_text(SETTING_livekit_url));
                jsonw_key_str(&w, "participant_token", token);
                jsonw_end(&w, '}');
                return;
        }
        jsonw_key_bool(&w, "ok", true);
        jsonw_key(&w, "transport");
        jsonw_object(&w);
        jsonw_key_cstr(&w, "provider", "livekit");
        jsonw_key_cstr(&w, "wsUrl", setting_text(SETTING_livekit_url));
        jsonw_key_str(&w, "roomName", g->room);
        jsonw_key_str(&w, "participantIdentity", g->identity);
        jsonw_key_str(&w, "accessToken", token);
        jsonw_key_int(&w, "expiresInSeconds", wish->grant.ttl_seconds);
        jsonw_key_str(&w, "issuedAt", (struct slice){ issued, (uint32_t)issued_n });
        jsonw_end(&w, '}');
        jsonw_key_raw(&w, "session", g->session);
        jsonw_end(&w, '}');
}

static void reply_granted(struct wish *wish, const struct granted *g) {
        int64_t now = text_now_micros() / 1000000;
        struct buf token, body;

        buf_init(&token, TOKEN_MAX);
        buf_init(&body, 1u << 20);
        put_token(wish, g, now, &token);
        put_reply(wish, g, now, buf_view(&token), &body);
        if (token.over || body.over) {
                channel_reply(&wish->request, STATUS_INTERNAL, slice_of(NULL), slice_of(NULL));
        } else {
                stat_add(STAT_livekit_tokens, 1);
                channel_reply(&wish->request, STATUS_OK, slice_of(NULL), buf_view(&body));
        }
        if (token.p)
                sodium_memzero(token.p, token.cap);
        if (body.p)
                sodium_memzero(body.p, body.cap);
        buf_free(&token);
        buf_free(&body);
        wish_free(wish);
}

static void on_answer(void *arg, const struct answer *a) {
        struct wish *wish = arg;
        struct granted g;

        if (a->status != STATUS_OK) {
                channel_reply(&wish->request, a->status, a->detail, slice_of(NULL));
                wish_free(wish);
        } else if (!read_granted(wish, a->body, &g)) {
                wish_refuse(wish, STATUS_INTERNAL, NULL);
        } else if (wish->room.n != 0 && !slice_eq(wish->room, g.room)) {
                wish_refuse(wish, STATUS_LIVEKIT_FIELD_REFUSED, "room_name is not this session's room; leave it out");
        } else if (wish->identity.n != 0 && !slice_eq(wish->identity, g.identity)) {
                wish_refuse(wish, STATUS_LIVEKIT_FIELD_REFUSED,
                            "participant_identity is not yours in this session; leave it out");
        } else {
                reply_granted(wish, &g);
        }
}

void wish_ask(struct wish *wish) {
        const char *url = setting_text(SETTING_livekit_url);
        enum status s;

        if (wish->webhook->keys.n == 0 || !*url) {
                wish_refuse(wish, STATUS_LIVEKIT_UNAVAILABLE, NULL);
                return;
        }
        OP_SET(token_grant, &wish->grant, livekit_url, slice_of(url));
        s = channel_call(wish->webhook->writer, OP_token_grant, &wish->grant, WRITER_TIMEOUT_MS, on_answer, wish);
        if (s != STATUS_OK)
                wish_refuse(wish, s, NULL);
}

void grant_mint(struct webhook *w, const struct request *r) {
        struct op_token_mint *m;
        void *msg;
        struct wish *wish = wish_new(w, r, &msg);

        if (!wish)
                return;
        m = msg;
        if (m->agent_metadata.n != 0 && m->agent_name.n == 0) {
                wish_refuse(wish, STATUS_INVALID_REQUEST, "agentMetadata needs agentName");
                return;
        }
        OP_SET(token_grant, &wish->grant, account_id, m->account_id);
        OP_SET(token_grant, &wish->grant, actor_id, m->actor_id);
        OP_SET(token_grant, &wish->grant, actor_role, m->actor_role);
        OP_SET(token_grant, &wish->grant, command_id, m->command_id);
        OP_SET(token_grant, &wish->grant, session_id, m->session_id);
        OP_SET(token_grant, &wish->grant, ttl_seconds,
               OP_HAS(token_mint, m, ttl_seconds) ? m->ttl_seconds : GRANT_TTL_DEFAULT);
        if (m->participant_name.n != 0)
                OP_SET(token_grant, &wish->grant, participant_name, m->participant_name);
        if (m->agent_name.n != 0)
                OP_SET(token_grant, &wish->grant, agent_name, m->agent_name);
        wish->agent_metadata = m->agent_metadata;
        wish->can_publish = !OP_HAS(token_mint, m, can_publish) || m->can_publish;
        wish->can_subscribe = !OP_HAS(token_mint, m, can_subscribe) || m->can_subscribe;
        wish->can_publish_data = !OP_HAS(token_mint, m, can_publish_data) || m->can_publish_data;
        wish_ask(wish);
}
