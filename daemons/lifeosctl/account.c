/* account.c - lifeosctl account set: what a tenant may do. */
#include <stdio.h>

#include "ask.h"

/* The words given to the account's text fields, each optional. */
struct given {
        const char *status, *agents, *tokens, *url, *rules, *adjustments;
};

static void put_text(struct op_account_set *m, const struct given *g) {
        if (g->status)
                OP_SET(account_set, m, status, slice_of(g->status));
        if (g->agents)
                OP_SET(account_set, m, livekit_agents, slice_of(g->agents));
        if (g->url)
                OP_SET(account_set, m, delivery_url, slice_of(g->url));
        if (g->rules)
                OP_SET(account_set, m, action_rules, slice_of(g->rules));
        if (g->adjustments)
                OP_SET(account_set, m, adjustments_need_two, strcmp(g->adjustments, "two-person") == 0);
}

int run_account_set(const struct ctl *ctl, int argc, char **argv) {
        const char *account = NULL;
        struct given g = { 0 };
        const struct option_row rows[] = { { "--status", &g.status, NULL },
                                           { "--livekit-agents", &g.agents, NULL },
                                           { "--ai-tokens-per-day", &g.tokens, NULL },
                                           { "--delivery-url", &g.url, NULL },
                                           { "--action-rules", &g.rules, NULL },
                                           { "--adjustments", &g.adjustments, NULL } };
        struct op_account_set m = { 0 };
        struct buf body;
        char command[40];
        int64_t tokens;
        int r = ctl_options(ctl, argc, argv, rows, sizeof rows / sizeof *rows, &account, 1, NULL);

        if (r != CTL_DONE)
                return r;
        if (!account || !*account)
                return ctl_usage(ctl, "which account?");
        if (!g.status && !g.agents && !g.tokens && !g.url && !g.rules && !g.adjustments)
                return ctl_usage(ctl, "nothing to set");
        if (g.tokens && (!text_int(slice_of(g.tokens), &tokens) || tokens < 0))
                return ctl_usage(ctl, "--ai-tokens-per-day takes a number");
        if (g.adjustments && strcmp(g.adjustments, "one-person") != 0 && strcmp(g.adjustments, "two-person") != 0)
                return ctl_usage(ctl, "--adjustments takes one-person or two-person");
        text_new_id("cmd", command);
        OP_SET(account_set, &m, command_id, slice_of(command));
        OP_SET(account_set, &m, account_id, slice_of(account));
        if (g.tokens)
                OP_SET(account_set, &m, ai_tokens_per_day, tokens);
        put_text(&m, &g);
        buf_init(&body, 65536);
        r = ask(ctl, WRITER, OP_account_set, &m, &body);
        if (r == CTL_DONE) {
                printf("%.*s\n", SLICE_FMT(buf_view(&body)));
                fprintf(stderr, "account %s is set\n", account);
        }
        buf_free(&body);
        return r;
}
