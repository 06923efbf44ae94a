/* prices.c - lifeosctl prices set and list: what usage costs. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "ask.h"
#include "files.h"

#define PRICES_MAX 16384u

static int read_file(const char *path, struct buf *to) {
        int fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
        int r = fd < 0 ? -1 : file_read_open(fd, to);

        if (r != 0)
                r = ctl_fail("%s: %s", path, strerror(errno));
        if (fd > STDIN_FILENO)
                close(fd);
        return r == 0 ? CTL_DONE : CTL_FAILED;
}

static int print_answer(const struct ctl *ctl, enum op op, const void *m) {
        struct buf body;
        int r;

        buf_init(&body, 16u << 20);
        r = ask(ctl, WRITER, op, m, &body);
        if (r == CTL_DONE)
                printf("%.*s\n", SLICE_FMT(buf_view(&body)));
        buf_free(&body);
        return r;
}

int run_prices_set(const struct ctl *ctl, int argc, char **argv) {
        const char *account = "*", *currency = NULL, *from = NULL, *file = NULL;
        const struct option_row rows[] = { { "--account", &account, NULL },
                                           { "--currency", &currency, NULL },
                                           { "--from", &from, NULL } };
        struct op_price_set m = { 0 };
        char command[40];
        struct buf prices;
        int64_t micros;
        int r = ctl_options(ctl, argc, argv, rows, sizeof rows / sizeof *rows, &file, 1, NULL);

        if (r != CTL_DONE)
                return r;
        if (!currency || !file)
                return ctl_usage(ctl, "a currency and a file of prices are needed");
        if (from && (!text_time(slice_of(from), &micros) || micros < 0))
                return ctl_usage(ctl, "--from takes a time like 2026-01-31T00:00:00Z");
        buf_init(&prices, PRICES_MAX);
        r = read_file(file, &prices);
        text_new_id("cmd", command);
        OP_SET(price_set, &m, command_id, slice_of(command));
        OP_SET(price_set, &m, account_id, slice_of(account));
        OP_SET(price_set, &m, currency, slice_of(currency));
        if (from)
                OP_SET(price_set, &m, valid_from_ms, micros / 1000);
        OP_SET(price_set, &m, prices, slice_trim(buf_view(&prices)));
        if (r == CTL_DONE)
                r = print_answer(ctl, OP_price_set, &m);
        buf_free(&prices);
        return r;
}

int run_prices_list(const struct ctl *ctl, int argc, char **argv) {
        const char *account = NULL;
        const struct option_row rows[] = { { "--account", &account, NULL } };
        struct op_price_list m = { 0 };
        int r = ctl_options(ctl, argc, argv, rows, 1, NULL, 0, NULL);

        if (r != CTL_DONE)
                return r;
        if (account)
                OP_SET(price_list, &m, account_id, slice_of(account));
        return print_answer(ctl, OP_price_list, &m);
}
