/* ctl.h - what every subcommand of lifeosctl gets, and the subcommands. */
#pragma once

#include "buf.h"

struct ctl {
        const char *runtime, *keys, *config;
        const struct command *command;
};

/* Exit statuses: done, refused or failed, called the wrong way. */
enum { CTL_DONE, CTL_FAILED, CTL_USAGE };

/* The arguments after the subcommand's words. Results go to stdout, everything for people to stderr. */
typedef int ctl_fn(const struct ctl *ctl, int argc, char **argv);
ctl_fn run_token, run_key_create, run_key_list, run_key_revoke, run_account_set, run_keys_init, run_keys_rotate,
        run_livekit_set_keys, run_config_example, run_config_check, run_status, run_erase, run_tls,
        run_openclaw_set_token, run_openclaw_set_ca, run_openclaw_pin, run_prices_set, run_prices_list;

struct command {
        const char *words; /* "key create" */
        const char *args, *summary;
        const char *help; /* lines, each ending in a newline */
        ctl_fn *run;
};

/* "lifeosctl: " and a line on stderr; returns CTL_FAILED. */
int ctl_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Options of one subcommand. An option with `flag` takes no value. Up to max positional arguments are put in pos;
 * *ret_n is their number. CTL_DONE, or CTL_USAGE after having said what is wrong. */
struct option_row {
        const char *name; /* "--user" */
        const char **value;
        bool *flag;
};
int ctl_options(const struct ctl *ctl, int argc, char **argv, const struct option_row *rows, size_t n_rows,
                const char **pos, int max, int *ret_n);
/* Takes the options that every command has out of argv. The new argc, or -1 after having said what is wrong. */
int ctl_global_options(struct ctl *ctl, int argc, char **argv);
/* Says what is missing; returns CTL_USAGE. */
int ctl_usage(const struct ctl *ctl, const char *what);
