/* webhook.h - what the rooms of this daemon share: the LiveKit keys and the way to the writer. */
#pragma once

#include "daemon.h"
#include "keys.h"

struct webhook {
        struct livekit_keys keys;
        struct channel *writer;
};

#define WRITER_TIMEOUT_MS 10000u

/* One op each; the handler answers through channel_reply, now or after the writer did. */
typedef void webhook_fn(struct webhook *w, const struct request *r);
webhook_fn receive_webhook; /* receive.c: webhook_raw */
webhook_fn grant_mint;      /* grant.c: token_mint */
webhook_fn grant_standard;  /* standard.c: token_standard */
