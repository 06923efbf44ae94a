/* options.c - the options of a subcommand, and what is said when they are wrong. */
#include <stdarg.h>
#include <stdio.h>

#include "ctl.h"

int ctl_fail(const char *fmt, ...) {
        char text[2048];
        va_list args;

        va_start(args, fmt);
        (void)vsnprintf(text, sizeof text, fmt, args);
        va_end(args);
        fprintf(stderr, "lifeosctl: %s\n", text);
        return CTL_FAILED;
}

int ctl_usage(const struct ctl *ctl, const char *what) {
        ctl_fail("%s\nusage: lifeosctl %s %s", what, ctl->command->words, ctl->command->args);
        return CTL_USAGE;
}

/* argv's word up to an equals sign, among the rows. */
static const struct option_row *find_option(const char *word, const struct option_row *rows, size_t n_rows) {
        size_t n = strcspn(word, "=");

        for (size_t i = 0; i < n_rows; i++)
                if (strlen(rows[i].name) == n && memcmp(rows[i].name, word, n) == 0)
                        return &rows[i];
        return NULL;
}

int ctl_options(const struct ctl *ctl, int argc, char **argv, const struct option_row *rows, size_t n_rows,
                const char **pos, int max, int *ret_n) {
        int n = 0;

        for (int i = 0; i < argc; i++) {
                const char *equals = strchr(argv[i], '=');
                const struct option_row *row;

                if (strncmp(argv[i], "--", 2) != 0) {
                        if (n == max)
                                return ctl_usage(ctl, "too many arguments");
                        pos[n++] = argv[i];
                        continue;
                }
                row = find_option(argv[i], rows, n_rows);
                if (!row || (row->flag && equals))
                        return ctl_usage(ctl, "unknown option");
                if (row->flag)
                        *row->flag = true;
                else if (equals)
                        *row->value = equals + 1;
                else if (i + 1 < argc)
                        *row->value = argv[++i];
                else
                        return ctl_usage(ctl, "an option lacks its value");
        }
        if (ret_n)
                *ret_n = n;
        return CTL_DONE;
}

int ctl_global_options(struct ctl *ctl, int argc, char **argv) {
        const struct option_row rows[] = { { "--runtime", &ctl->runtime, NULL },
                                           { "--keys", &ctl->keys, NULL },
                                           { "--config", &ctl->config, NULL } };
        int kept = 0;

        for (int i = 0; i < argc; i++) {
                const char *equals = strchr(argv[i], '=');
                const struct option_row *row = find_option(argv[i], rows, sizeof rows / sizeof *rows);

                if (!row) {
                        argv[kept++] = argv[i];
                        continue;
                }
                if (!equals && i + 1 == argc)
                        return ctl_fail("%s lacks its value", row->name), -1;
                *row->value = equals ? equals + 1 : argv[++i];
        }
        return kept;
}
