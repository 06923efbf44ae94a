/* status.c - lifeosctl status: do the daemons that serve the operator answer, and does the database? */
#include <stdio.h>

#include "ask.h"

static bool print_up(const struct ctl *ctl, enum daemon_id kind, const char *name) {
        char why[256] = "";
        bool up = ask_up(ctl, kind, why);

        printf("%-9s %s%s%s\n", name, up ? "up" : "down", up ? "" : ": ", why);
        return up;
}

int run_status(const struct ctl *ctl, int argc, char **argv) {
        struct op_key_list m = { 0 };
        bool writer, issuer, database = false;
        int r = ctl_options(ctl, argc, argv, NULL, 0, NULL, 0, NULL);

        if (r != CTL_DONE)
                return r;
        writer = print_up(ctl, WRITER, "writer");
        issuer = print_up(ctl, ISSUER, "issuer");
        if (writer) {
                /* The cheapest question the writer takes to the database: the keys of nobody. */
                OP_SET(key_list, &m, account_id, SLICE(" "));
                database = ask(ctl, WRITER, OP_key_list, &m, NULL) == CTL_DONE;
                printf("%-9s %s\n", "database", database ? "up" : "down");
        }
        return writer && issuer && database ? CTL_DONE : CTL_FAILED;
}
