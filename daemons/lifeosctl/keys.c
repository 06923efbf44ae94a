/* keys.c - lifeosctl keys init, keys rotate and livekit set-keys: what is on disk before any daemon starts. */
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <unistd.h>

#include "ctl.h"
#include "files.h"
#include "keytree.h"

#define LIVEKIT_FILE_MAX 65536u

int run_keys_init(const struct ctl *ctl, int argc, char **argv) {
        bool current_user = false;
        const struct option_row rows[] = { { "--current-user", NULL, &current_user } };
        const char *dir = ctl->keys;
        struct keytree t;
        int r = ctl_options(ctl, argc, argv, rows, 1, &dir, 1, NULL);

        if (r != CTL_DONE)
                return r;
        r = keytree_open(&t, dir, current_user);
        if (r == CTL_DONE)
                r = keytree_complete(&t);
        keytree_close(&t);
        if (r == CTL_DONE)
                fprintf(stderr, "keys are complete in %s\n", dir);
        return r;
}

int run_keys_rotate(const struct ctl *ctl, int argc, char **argv) {
        bool forget_old = false;
        const struct option_row rows[] = { { "--forget-old", NULL, &forget_old } };
        const char *word = NULL;
        enum daemon_id kind = NOBODY;
        struct keytree t;
        int r = ctl_options(ctl, argc, argv, rows, 1, &word, 1, NULL);
        bool tokens, billing;

        if (r != CTL_DONE)
                return r;
        tokens = word && strcmp(word, "tokens") == 0;
        billing = word && strcmp(word, "billing") == 0;
        if (word && !tokens && !billing)
                kind = daemon_by_name(word);
        if (!tokens && !billing && kind == NOBODY)
                return ctl_usage(ctl, "KIND is one of frontend, webhook, writer, issuer, ctl, reconcile, openclaw, "
                                      "tokens, billing");
        r = keytree_open(&t, ctl->keys, false);
        if (r == CTL_DONE)
                r = tokens    ? token_key_rotate(&t, forget_old)
                    : billing ? billing_file_rotate(&t, forget_old)
                              : keytree_rotate_peer(&t, kind, forget_old);
        keytree_close(&t);
        if (r == CTL_DONE)
                fputs("rotated; the daemons read it when they start: systemctl restart 'lifeos-*.service'\n", stderr);
        return r;
}

/* NULL, or what is wrong. Counts keys. */
static const char *check_livekit_line(struct slice line, unsigned *n) {
        const char *space;
        struct slice secret;

        line = slice_trim(line);
        if (line.n == 0 || line.p[0] == '#')
                return NULL;
        for (uint32_t i = 0; i < line.n; i++)
                if (line.p[i] < ' ' || line.p[i] > '~')
                        return "keys and secrets are printable ASCII";
        space = memchr(line.p, ' ', line.n);
        if (!space)
                return "expected: <api key> <secret>";
        secret = slice_trim((struct slice){ space, line.n - (uint32_t)(space - line.p) });
        if (memchr(secret.p, ' ', secret.n) || space - line.p > 128 || secret.n > 512)
                return "expected: <api key> <secret>, at most 128 and 512 characters";
        if (secret.n < 32)
                fputs("a secret has fewer than 32 characters; LiveKit warns about it too\n", stderr);
        ++*n;
        return NULL;
}

static int check_livekit(const struct buf *b, unsigned *ret_n) {
        unsigned line = 0;
        size_t at = 0;

        *ret_n = 0;
        while (at < b->n) {
                const char *end = memchr(b->p + at, '\n', b->n - at), *wrong;
                size_t n = end ? (size_t)(end - b->p) - at : b->n - at;

                line++;
                wrong = check_livekit_line((struct slice){ b->p + at, (uint32_t)n }, ret_n);
                if (wrong)
                        return ctl_fail("line %u: %s", line, wrong);
                at += n + 1;
        }
        return *ret_n <= 16 ? CTL_DONE : ctl_fail("at most 16 keys");
}

int run_livekit_set_keys(const struct ctl *ctl, int argc, char **argv) {
        struct buf b;
        struct keytree t;
        unsigned n = 0;
        int r = ctl_options(ctl, argc, argv, NULL, 0, NULL, 0, NULL);

        if (r != CTL_DONE)
                return r;
        buf_init(&b, LIVEKIT_FILE_MAX);
        if (file_read_open(STDIN_FILENO, &b) != 0)
                r = ctl_fail("stdin: %s", strerror(errno));
        if (r == CTL_DONE)
                r = check_livekit(&b, &n);
        if (r == CTL_DONE) {
                r = keytree_open(&t, ctl->keys, false);
                if (r == CTL_DONE && file_replace(t.dir[WEBHOOK], "livekit-keys", buf_view(&b), 0400) != 0)
                        r = keytree_fail(&t, WEBHOOK, "livekit-keys");
                keytree_close(&t);
        }
        if (b.p)
                sodium_memzero(b.p, b.cap);
        buf_free(&b);
        if (r == CTL_DONE)
                fprintf(stderr, "%u LiveKit key%s set; now: systemctl restart lifeos-webhook\n", n,
                        n == 1 ? "" : "s");
        return r;
}
