/* daemon_args.c - the command line every daemon understands. */
#include "daemon_args.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const what[DAEMON_COUNT] = {
#define DAEMON(id, name, user, socket, what) [id] = what,
#include "../policy/daemons.def"
};

#ifndef NDEBUG
#define TRAP_HELP "  --sandbox=trap   name the system call that has no row instead of dying silently\n"
#else
#define TRAP_HELP ""
#endif

static void help(enum daemon_id id) {
        (void)printf("lifeos-%s - %s\n\n"
                     "  --config FILE    settings, default /etc/lifeos/gateway.conf\n"
                     "  --runtime DIR    where peers' sockets are, default /run/lifeos\n"
                     "  --instance N     which of several, default 1\n" TRAP_HELP "  --version, --help\n\n"
                     "Started by systemd: sockets come from the socket units, keys from $CREDENTIALS_DIRECTORY.\n",
                     cred_kind_name(id), what[id]);
}

static _Noreturn void refuse(enum daemon_id id, const char *why) {
        (void)fprintf(stderr, "lifeos-%s: %s; see --help\n", cred_kind_name(id), why);
        exit(2);
}

static uint8_t take_instance(enum daemon_id id, const char *text) {
        int64_t n;
        if (!text_int(slice_of(text), &n) || n < 1 || n > 64)
                refuse(id, "--instance takes 1..64");
        return (uint8_t)n;
}

static bool take_sandbox(enum daemon_id id, const char *text) {
#ifndef NDEBUG
        if (strcmp(text, "trap") == 0)
                return true;
        refuse(id, "--sandbox takes trap");
#else
        (void)text;
        refuse(id, "--sandbox exists in debug builds only");
#endif
}

void daemon_args_parse(enum daemon_id id, int argc, char **argv, struct daemon_args *ret) {
        static const struct option options[] = {
                { "config", required_argument, NULL, 'c' },
                { "runtime", required_argument, NULL, 'r' },
                { "instance", required_argument, NULL, 'i' },
                { "sandbox", required_argument, NULL, 's' },
                { "version", no_argument, NULL, 'v' },
                { "help", no_argument, NULL, 'h' },
                { NULL, 0, NULL, 0 },
        };
        struct daemon_args a = { .config = "/etc/lifeos/gateway.conf", .runtime = "/run/lifeos", .instance = 1 };
        int c;
        while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
                switch (c) {
                case 'c':
                        a.config = optarg;
                        break;
                case 'r':
                        a.runtime = optarg;
                        break;
                case 'i':
                        a.instance = take_instance(id, optarg);
                        break;
                case 's':
                        a.trap = take_sandbox(id, optarg);
                        break;
                case 'v':
                        (void)printf("lifeos-%s %s\n", cred_kind_name(id), LIFEOS_VERSION);
                        exit(EXIT_SUCCESS);
                case 'h':
                        help(id);
                        exit(EXIT_SUCCESS);
                default:
                        exit(2); /* getopt_long said why */
                }
        }
        if (optind < argc)
                refuse(id, "it takes options only");
        *ret = a;
}
