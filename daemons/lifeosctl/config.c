/* config.c - lifeosctl config: what may be set, and whether a file sets it right. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "ctl.h"
#include "settings.h"

int run_config_example(const struct ctl *ctl, int argc, char **argv) {
        int r = ctl_options(ctl, argc, argv, NULL, 0, NULL, 0, NULL);

        if (r == CTL_DONE)
                settings_print_example();
        return r;
}

int run_config_check(const struct ctl *ctl, int argc, char **argv) {
        const char *file = ctl->config;
        char why[256];
        int r = ctl_options(ctl, argc, argv, NULL, 0, &file, 1, NULL);

        if (r != CTL_DONE)
                return r;
        /* A daemon without a file runs on the defaults; who names one to check wants it read. */
        if (access(file, R_OK) != 0)
                return ctl_fail("%s: %s", file, strerror(errno));
        if (settings_load(file, why) != 0)
                return ctl_fail("%s", why);
        printf("%s is good\n", file);
        return CTL_DONE;
}
