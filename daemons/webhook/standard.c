/* standard.c - op token_standard: LiveKit's own token request; what the caller may not choose is refused by name. */
#include <stdio.h>

#include "grant.h"

#define AGENT_NAME_MAX     128u
#define AGENT_METADATA_MAX 4096u

/* NULL, or what is refused. */
static const char *read_agent(struct wish *wish, struct json agent) {
        struct slice key, s, name = { 0 };
        struct json v;
        uint32_t it = 0;

        if (json_type(agent) != JSON_OBJECT)
                return "room_config.agents holds objects";
        while (json_next(agent, &it, &key, &v)) {
                bool is_name = slice_is(key, "agent_name") || slice_is(key, "agentName");

                if (!is_name && !slice_is(key, "metadata"))
                        return "room_config.agents may hold agent_name and metadata only";
                if (!json_str(v, &s) || s.n > (is_name ? AGENT_NAME_MAX : AGENT_METADATA_MAX))
                        return "room_config.agents: agent_name and metadata are texts of at most 128 and 4096 bytes";
                if (is_name && name.n != 0)
                        return "room_config.agents names an agent twice";
                if (is_name)
                        name = s;
                else
                        wish->agent_metadata = s;
        }
        if (name.n == 0)
                return "room_config.agents needs agent_name";
        OP_SET(token_grant, &wish->grant, agent_name, name);
        return NULL;
}

static const char *read_room_config(struct wish *wish, struct slice text) {
        struct json config, agents, agent;
        struct slice key;
        uint32_t it = 0, first = 0;
        const char *why;
        size_t at;

        if (json_parse(text, &wish->arena, &config, &why, &at) != 0)
                return "room_config is not valid JSON";
        while (json_next(config, &it, &key, &agents)) {
                if (!slice_is(key, "agents"))
                        return "room_config may hold agents only";
                if (json_type(agents) != JSON_ARRAY || json_count(agents) > 1)
                        return "room_config.agents is a list of at most one agent";
                if (json_next(agents, &first, &key, &agent))
                        return read_agent(wish, agent);
        }
        return NULL;
}

/* The first member that is not the caller's to choose, or NULL. */
static const char *refused(struct wish *wish, const struct op_token_standard *m) {
        struct json attributes;
        const char *why;
        size_t at;

        if (m->participant_metadata.n != 0)
                return "participant_metadata is not yours to choose; leave it out";
        if (m->participant_attributes.n != 0 &&
            (json_parse(m->participant_attributes, &wish->arena, &attributes, &why, &at) != 0 ||
             json_count(attributes) != 0))
                return "participant_attributes are not yours to choose; leave them out";
        return m->room_config.n != 0 ? read_room_config(wish, m->room_config) : NULL;
}

void grant_standard(struct webhook *w, const struct request *r) {
        struct op_token_standard *m;
        const char *why;
        void *msg;
        struct wish *wish = wish_new(w, r, &msg);

        if (!wish)
                return;
        m = msg;
        why = refused(wish, m);
        if (why) {
                wish_refuse(wish, STATUS_LIVEKIT_FIELD_REFUSED, why);
                return;
        }
        OP_SET(token_grant, &wish->grant, account_id, m->account_id);
        OP_SET(token_grant, &wish->grant, actor_id, m->actor_id);
        OP_SET(token_grant, &wish->grant, actor_role, m->actor_role);
        OP_SET(token_grant, &wish->grant, command_id, m->command_id);
        OP_SET(token_grant, &wish->grant, session_id, m->session_id);
        OP_SET(token_grant, &wish->grant, ttl_seconds, GRANT_TTL_DEFAULT);
        if (m->participant_name.n != 0)
                OP_SET(token_grant, &wish->grant, participant_name, m->participant_name);
        wish->room = m->room_name;
        wish->identity = m->participant_identity;
        wish->can_publish = wish->can_subscribe = wish->can_publish_data = wish->standard = true;
        wish_ask(wish);
}
