/* openclaw.c - lifeosctl openclaw set-token and set-ca: how the OpenClaw gateway is entered, and whom it must be. */
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <sodium.h>
#include <stdio.h>
#include <unistd.h>

#include "ctl.h"
#include "files.h"
#include "keytree.h"

#define TOKEN_MIN 24u
#define TOKEN_MAX 512u
#define CA_MAX    65536u /* what the daemon reads of it */
#define CERTS_MAX 64u

/* One credential of the openclaw daemon, replaced whole. */
static int put(const struct ctl *ctl, const char *file, struct slice text) {
        struct keytree t;
        int r = keytree_open(&t, ctl->keys, false);

        if (r == CTL_DONE && file_replace(t.dir[OPENCLAW], file, text, 0600) != 0)
                r = keytree_fail(&t, OPENCLAW, file);
        keytree_close(&t);
        return r;
}

/* The line without its end; NULL, or what is wrong with it. */
static const char *token_wrong(const struct buf *b, struct slice *ret) {
        struct slice s = buf_view(b);

        while (s.n > 0 && (s.p[s.n - 1] == '\n' || s.p[s.n - 1] == '\r'))
                s.n--;
        *ret = s;
        for (uint32_t i = 0; i < s.n; i++)
                if (s.p[i] <= ' ' || s.p[i] > '~')
                        return "a token is one line of printable ASCII without spaces";
        if (s.n > TOKEN_MAX)
                return "a token has at most 512 characters";
        return s.n == 0 || s.n >= TOKEN_MIN ? NULL : "a token has at least 24 characters, chosen at random";
}

int run_openclaw_set_token(const struct ctl *ctl, int argc, char **argv) {
        struct slice token = { 0 };
        const char *wrong;
        struct buf b;
        int r = ctl_options(ctl, argc, argv, NULL, 0, NULL, 0, NULL);

        if (r != CTL_DONE)
                return r;
        buf_init(&b, 4096);
        if (file_read_open(STDIN_FILENO, &b) != 0)
                r = ctl_fail("stdin: %s", strerror(errno));
        else if ((wrong = token_wrong(&b, &token)))
                r = ctl_fail("%s", wrong);
        else
                r = put(ctl, "openclaw-token", token);
        if (b.p)
                sodium_memzero(b.p, b.cap);
        buf_free(&b);
        if (r != CTL_DONE)
                return r;
        if (token.n == 0)
                fputs("the AI is switched off; now: systemctl restart lifeos-openclaw\n", stderr);
        else
                fputs("the token is set; now: openclaw_url in gateway.conf, lifeosctl openclaw pin, "
                      "systemctl restart lifeos-openclaw\n",
                      stderr);
        return CTL_DONE;
}

/* NULL, or what is wrong. Every certificate in it must be one; a private key has no business here. */
static const char *ca_wrong(const struct buf *b, unsigned *ret_n) {
        BIO *bio;
        X509 *x;
        unsigned long e;

        *ret_n = 0;
        if (b->n == 0)
                return NULL;
        if (memmem(b->p, b->n, "PRIVATE KEY-----", 16))
                return "it holds a private key; only the certificates of whom to believe belong here";
        bio = BIO_new_mem_buf(b->p, (int)b->n);
        if (!bio)
                return "out of memory";
        while (*ret_n <= CERTS_MAX && (x = PEM_read_bio_X509(bio, NULL, NULL, NULL))) {
                X509_free(x);
                ++*ret_n;
        }
        e = ERR_peek_last_error();
        ERR_clear_error();
        BIO_free(bio);
        if (*ret_n > CERTS_MAX)
                return "it holds more than 64 certificates";
        if (*ret_n == 0 || ERR_GET_REASON(e) != PEM_R_NO_START_LINE)
                return *ret_n ? "one of its certificates is damaged" : "it holds no PEM certificate";
        return NULL;
}

int run_openclaw_set_ca(const struct ctl *ctl, int argc, char **argv) {
        const char *path = NULL, *wrong;
        unsigned n = 0;
        struct buf b;
        int r = ctl_options(ctl, argc, argv, NULL, 0, &path, 1, NULL), fd;

        if (r != CTL_DONE)
                return r;
        if (!path)
                return ctl_usage(ctl, "FILE is missing");
        fd = strcmp(path, "-") == 0 ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return ctl_fail("%s: %s", path, strerror(errno));
        buf_init(&b, CA_MAX);
        if (file_read_open(fd, &b) != 0)
                r = ctl_fail("%s: %s", path, strerror(errno));
        else if ((wrong = ca_wrong(&b, &n)))
                r = ctl_fail("%s: %s", path, wrong);
        else
                r = put(ctl, "openclaw-ca", buf_view(&b));
        close(fd);
        buf_free(&b);
        if (r == CTL_DONE)
                fprintf(stderr, "%u certificate%s set; now: systemctl restart lifeos-openclaw\n", n,
                        n == 1 ? "" : "s");
        return r;
}
