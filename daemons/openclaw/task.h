/* task.h - what the model is asked when an action is carried out: one document, through one function. */
#pragma once

#include "json.h"

struct task {
        struct slice type, kind; /* the action's; the deliverable's */
        struct json run;         /* action_begin's reply: arguments, deliverable, history */
        int64_t max_tokens;
        const char *wrong; /* what was wrong with the answer before; NULL: none */
};

/* The members of gateway_request.body, at most PROMPT_MAX bytes. False: it does not fit. */
bool task_put(const struct task *t, struct buf *out);
/* Names the instructions of this build: 16 hex digits. */
const char *task_version(void);
