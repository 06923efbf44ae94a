/* daemon_args.h - the command line every daemon understands; see daemon.h. */
#pragma once

#include "daemon.h"

struct daemon_args {
        const char *config, *runtime;
        uint8_t instance;
        bool trap;
};

/* Prints and exits for --help, --version and for anything it does not understand (status 2). */
void daemon_args_parse(enum daemon_id id, int argc, char **argv, struct daemon_args *ret);
