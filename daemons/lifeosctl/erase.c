/* erase.c - lifeosctl erase: what was said in a call goes for good; that it was said stays. */
#include <stdio.h>

#include "arena.h"
#include "ask.h"
#include "json.h"

struct erasing {
        struct op_event_erase m;
        char command[40];
        int64_t erased;
        bool more, broken;
};

static void set_command(struct erasing *e) {
        text_new_id("cmd", e->command);
        OP_SET(event_erase, &e->m, command_id, slice_of(e->command));
}

/* One answer: counts, and makes the next question of it. False: that was all. */
static bool on_erased(void *arg, struct slice body) {
        struct erasing *e = arg;
        struct arena a;
        struct json reply;
        const char *why;
        int64_t n = 0, next = 0;
        size_t at;

        arena_init(&a, 1u << 20);
        e->broken = json_parse(body, &a, &reply, &why, &at) != 0 || !json_int(json_get(reply, "erasedCount"), &n) ||
                    !json_int(json_get(reply, "nextSequence"), &next) ||
                    !json_bool(json_get(reply, "more"), &e->more);
        arena_free(&a);
        e->more = e->more && !e->broken && n > 0;
        e->erased += n;
        if (e->more) {
                set_command(e);
                OP_SET(event_erase, &e->m, from_sequence, next);
        }
        return e->more;
}

static bool sequence(const char *text, int64_t *ret) {
        return text_int(slice_of(text), ret) && *ret >= 1;
}

int run_erase(const struct ctl *ctl, int argc, char **argv) {
        const char *account = NULL, *session = NULL, *from = NULL, *to = NULL;
        bool yes = false;
        const struct option_row rows[] = { { "--account", &account, NULL },
                                           { "--session", &session, NULL },
                                           { "--from", &from, NULL },
                                           { "--to", &to, NULL },
                                           { "--yes", NULL, &yes } };
        struct erasing e = { 0 };
        int64_t since = 1, till = INT64_MAX;
        int r = ctl_options(ctl, argc, argv, rows, 5, NULL, 0, NULL);

        if (r != CTL_DONE)
                return r;
        if (!account || !*account || !session || !*session)
                return ctl_usage(ctl, "--account and --session are missing");
        if ((from && !sequence(from, &since)) || (to && !sequence(to, &till)) || since > till)
                return ctl_usage(ctl, "--from and --to take sequence numbers, the lower first");
        if (!yes)
                return ctl_usage(ctl, "nothing was erased: this cannot be undone; say --yes");
        set_command(&e);
        OP_SET(event_erase, &e.m, account_id, slice_of(account));
        OP_SET(event_erase, &e.m, session_id, slice_of(session));
        if (from)
                OP_SET(event_erase, &e.m, from_sequence, since);
        if (to)
                OP_SET(event_erase, &e.m, to_sequence, till);
        r = ask_on(ctl, WRITER, OP_event_erase, &e.m, on_erased, &e);
        if (r == CTL_DONE && e.broken)
                r = ctl_fail("the writer's answer does not say what was erased");
        fprintf(stderr, "%lld payloads of session %s of account %s are erased%s\n", (long long)e.erased, session,
                account, r == CTL_DONE ? "" : "; the rest is not: run it again");
        return r;
}
