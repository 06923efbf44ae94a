/* token.c - lifeosctl token: the issuer signs, stdout gets the token and nothing else. */
#include <sodium.h>
#include <stdio.h>

#include "arena.h"
#include "ask.h"
#include "json.h"

#define DAY 86400

static int print_token(struct slice body, bool quiet) {
        struct arena a;
        struct json reply;
        struct slice token, expires = { 0 };
        const char *why;
        size_t at;
        int r = CTL_DONE;

        arena_init(&a, 1u << 20);
        if (json_parse(body, &a, &reply, &why, &at) == 0 && json_str(json_get(reply, "token"), &token)) {
                (void)json_str(json_get(reply, "expiresAt"), &expires);
                printf("%.*s\n", SLICE_FMT(token));
                if (!quiet)
                        fprintf(stderr, "valid until %.*s; send it as  Authorization: Bearer <token>\n",
                                SLICE_FMT(expires));
        } else {
                r = ctl_fail("the issuer's answer holds no token");
        }
        arena_free(&a);
        return r;
}

int run_token(const struct ctl *ctl, int argc, char **argv) {
        const char *user = NULL, *account = NULL, *role = "owner", *ttl = NULL;
        bool quiet = false;
        const struct option_row rows[] = { { "--user", &user, NULL },
                                           { "--account", &account, NULL },
                                           { "--role", &role, NULL },
                                           { "--ttl", &ttl, NULL },
                                           { "--quiet", NULL, &quiet } };
        struct op_token_issue m = { 0 };
        struct buf body;
        int64_t seconds = DAY;
        int r = ctl_options(ctl, argc, argv, rows, 5, NULL, 0, NULL);

        if (r != CTL_DONE)
                return r;
        if (!user || !*user)
                return ctl_usage(ctl, "--user is missing");
        if (ttl && !text_int(slice_of(ttl), &seconds))
                return ctl_usage(ctl, "--ttl takes seconds");
        OP_SET(token_issue, &m, user_id, slice_of(user));
        OP_SET(token_issue, &m, account_id, slice_of(account ? account : user));
        OP_SET(token_issue, &m, role, slice_of(role));
        OP_SET(token_issue, &m, ttl_seconds, seconds);
        buf_init(&body, 65536);
        r = ask(ctl, ISSUER, OP_token_issue, &m, &body);
        if (r == CTL_DONE)
                r = print_token(buf_view(&body), quiet);
        if (body.p)
                sodium_memzero(body.p, body.cap);
        buf_free(&body);
        return r;
}
