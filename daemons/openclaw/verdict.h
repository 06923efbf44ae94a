/* verdict.h - which status a failure of the gateway is, and whether another try may do better: one table each. */
#pragma once

#include "json.h"
#include "status.h"

struct verdict {
        enum status status;
        bool again;      /* before the first word, another try may do better */
        const char *why; /* for people: a constant text */
};

/* The run failed although the gateway is fine: its error {"code":...,"message":...}. */
struct verdict verdict_run(struct json error);
/* Anything but 200: the code, and what of the body arrived (its JSON, if it is some). */
struct verdict verdict_http(long code, struct slice body);
/* The transfer broke: libcurl's code, and whether the answer's head had arrived. */
struct verdict verdict_transfer(int curl_code, bool answered);
