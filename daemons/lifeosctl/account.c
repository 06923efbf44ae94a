/* account.c - lifeosctl account set: what a tenant may do. */
#include <stdio.h>

#include "ask.h"

int run_account_set(const struct ctl *ctl, int argc, char **argv) {
        const char *account = NULL, *status = NULL, *agents = NULL;
        const struct option_row rows[] = { { "--status", &status, NULL }, { "--livekit-agents", &agents, NULL } };
        struct op_account_set m = { 0 };
        char command[40];
        int r = ctl_options(ctl, argc, argv, rows, 2, &account, 1, NULL);

        if (r != CTL_DONE)
                return r;
        if (!account || !*account)
                return ctl_usage(ctl, "which account?");
        if (!status && !agents)
                return ctl_usage(ctl, "nothing to set");
        text_new_id("cmd", command);
        OP_SET(account_set, &m, command_id, slice_of(command));
        OP_SET(account_set, &m, account_id, slice_of(account));
        if (status)
                OP_SET(account_set, &m, status, slice_of(status));
        if (agents)
                OP_SET(account_set, &m, livekit_agents, slice_of(agents));
        r = ask(ctl, WRITER, OP_account_set, &m, NULL);
        if (r == CTL_DONE)
                fprintf(stderr, "account %s is set\n", account);
        return r;
}
