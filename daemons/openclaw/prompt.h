/* prompt.h - what the model is asked: who it is, what was said, what the user says now. */
#pragma once

#include "json.h"

/* A request's body is never longer; the oldest of the conversation is left out first. */
#define PROMPT_MAX 512000u

struct prompt {
        struct slice persona; /* antonio, mariana; anything else is both */
        bool chat;            /* read, not heard */
        struct json history;  /* [{"role":..,"content":..,"cut"?},...], oldest first; absent: none */
        struct json outcomes; /* [{"actionId":..,"actionType":..,"status":..,"summary":..},...]; absent: none */
        struct slice text;    /* what the user says now */
        int64_t max_tokens;   /* of the answer */
};

/* The members of gateway_request.body. False: it does not fit even without any history. */
bool prompt_turn(const struct prompt *p, struct buf *out);
/* Names the instructions and tools of this build: 16 hex digits. */
const char *prompt_version(void);
