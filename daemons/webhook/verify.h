/* verify.h - a webhook is LiveKit's, fresh and unchanged: decided over its raw bytes, before its JSON is read. */
#pragma once

#include "keys.h"
#include "ops.h"
#include "status.h"

struct webhook_verified {
        struct slice api_key;        /* lives as long as the keys */
        unsigned char body_hash[32]; /* SHA-256 of the raw body */
};

/* `now` in seconds. STATUS_OK, or the refusal; *ret_why is a constant that says more, or NULL. */
enum status webhook_verify(const struct livekit_keys *keys, const struct op_webhook_raw *raw, int64_t now,
                           int64_t leeway, struct arena *a, struct webhook_verified *ret, const char **ret_why);
