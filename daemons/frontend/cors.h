/* cors.h - which web pages may read us, from the setting cors_origins; appends response header lines. */
#pragma once

#include "buf.h"

#define CORS_ORIGINS_MAX 64

struct cors {
        bool any; /* "*" */
        unsigned n;
        struct slice origins[CORS_ORIGINS_MAX]; /* borrowed from the setting */
};

/* "*", or origins separated by spaces. False: more than CORS_ORIGINS_MAX. */
bool cors_init(struct cors *c, const char *setting);
/* May a page of this origin read us? */
bool cors_allowed(const struct cors *c, struct slice origin);
/* Lines for any response. origin: the request's, may be empty. */
void cors_response(const struct cors *c, struct slice origin, struct buf *out);
/* Further lines for the answer to a preflight. asked: Access-Control-Request-Headers, untrusted. */
void cors_preflight(const struct cors *c, struct slice origin, struct slice asked, const char *methods,
                    struct buf *out);
