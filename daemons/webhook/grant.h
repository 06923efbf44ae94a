/* grant.h - a wish for a room token, however it was asked for; granted by the writer, minted here. */
#pragma once

#include "webhook.h"

#define GRANT_TTL_DEFAULT 300

struct wish {
        struct arena arena; /* holds every text below */
        struct webhook *webhook;
        struct request request; /* whom to answer */
        struct op_token_grant grant;
        struct slice agent_metadata;
        struct slice room, identity; /* if not empty, what the writer's answer must say */
        bool can_publish, can_subscribe, can_publish_data;
        bool standard; /* answered in LiveKit's own shape */
};

/* A wish with its own copy of the request's message, decoded into *ret_msg; NULL after having answered BUSY. */
struct wish *wish_new(struct webhook *w, const struct request *r, void **ret_msg);
/* Asks the writer; takes the wish over. */
void wish_ask(struct wish *wish);
/* Answers with a refusal and forgets the wish. */
void wish_refuse(struct wish *wish, enum status s, const char *detail);
