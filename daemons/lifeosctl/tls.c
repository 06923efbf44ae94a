/* tls.c - lifeosctl tls: the configuration of Debian's hitch, which holds the certificate in front of the gateway. */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl.h"
#include "files.h"

#define MARK     "# Written by lifeosctl tls; change it there.\n"
#define PEM_MAX  (1u << 20)
#define CONF_MAX 8192u

struct tls {
        const char *cert, *listen, *file;
        bool write, force;
};

/* Between the quotes of hitch's configuration: an absolute path without anything that could end it. */
static bool quotable(const char *path) {
        if (path[0] != '/' || strlen(path) > 1000)
                return false;
        for (const char *p = path; *p; p++)
                if (*p == '"' || *p == '\\' || (unsigned char)*p < ' ' || *p == 0x7f)
                        return false;
        return true;
}

/* "[address or *]:port", as hitch spells it. */
static bool listenable(const char *s) {
        const char *end = strchr(s, ']');
        int64_t port;

        if (s[0] != '[' || !end || end - s < 2 || end - s > 64 || end[1] != ':')
                return false;
        for (const char *p = s + 1; p < end; p++)
                if (!strchr("0123456789abcdefABCDEF.:*", *p))
                        return false;
        return text_int(slice_of(end + 2), &port) && port >= 1 && port <= 65535;
}

/* What makes a file one that hitch can serve and nobody else can read; NULL: it is one. */
static const char *pem_wrong(int fd, struct buf *text) {
        struct stat st;
        ssize_t n;
        char *room;

        if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
                return "is not a file";
        if (st.st_mode & 07)
                return "can be read by everybody, and it holds a private key: chmod 0600";
        while ((room = buf_room(text, 4096)) && (n = read(fd, room, 4096)) > 0)
                text->n += (size_t)n;
        if (!room)
                return "is longer than any PEM file";
        if (!memmem(text->p, text->n, "-----BEGIN CERTIFICATE-----", 27))
                return "holds no certificate; put the certificate, its chain and the key into one file";
        if (!memmem(text->p, text->n, "PRIVATE KEY-----", 16))
                return "holds no private key; put the certificate, its chain and the key into one file";
        return NULL;
}

static int check_pem(const char *path) {
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        struct buf text;
        const char *why;

        if (fd < 0)
                return ctl_fail("%s: %s", path, strerror(errno));
        buf_init(&text, PEM_MAX);
        why = pem_wrong(fd, &text);
        close(fd);
        if (text.p)
                sodium_memzero(text.p, text.cap);
        buf_free(&text);
        return why ? ctl_fail("%s %s", path, why) : CTL_DONE;
}

static void print_conf(const struct ctl *ctl, const struct tls *t, struct buf *to) {
        buf_str(to, MARK);
        buf_str(to, "# The gateway hears who its clients are by PROXY protocol v2, on this socket alone.\n");
        buf_fmt(to, "frontend = \"%s\"\nbackend = \"%s/proxy.sock\"\nwrite-proxy-v2 = on\n", t->listen, ctl->runtime);
        buf_fmt(to, "alpn-protos = \"http/1.1\"\ntls-protos = TLSv1.2 TLSv1.3\npem-file = \"%s\"\n", t->cert);
        buf_fmt(to, "user = \"_hitch\"\ngroup = \"_hitch\"\n");
}

/* The folder, and the name in it. */
static int open_folder(const char *path, const char **ret_name) {
        const char *slash = strrchr(path, '/');
        char dir[1024];

        *ret_name = slash + 1;
        snprintf(dir, sizeof dir, "%.*s/", (int)(slash - path), path);
        return open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static bool ours(struct slice text) {
        return text.n >= sizeof MARK - 1 && memcmp(text.p, MARK, sizeof MARK - 1) == 0;
}

static int write_conf(const struct tls *t, struct slice conf) {
        const char *name;
        int dir = open_folder(t->file, &name), r, saved;
        struct buf old;

        if (dir < 0)
                return ctl_fail("%s: %s; is hitch installed?", t->file, strerror(errno));
        buf_init(&old, PEM_MAX);
        r = file_read(dir, name, &old);
        if (r != 1 && !t->force && (r != 0 || !ours(buf_view(&old)))) {
                r = ctl_fail("%s was not written by lifeosctl tls; --force replaces it", t->file);
        } else if (file_replace(dir, name, conf, 0644) != 0) {
                saved = errno;
                r = ctl_fail("%s: %s", t->file, strerror(saved));
        } else {
                fprintf(stderr, "%s is written; now: systemctl enable hitch && systemctl restart hitch\n", t->file);
                r = CTL_DONE;
        }
        buf_free(&old);
        close(dir);
        return r;
}

int run_tls(const struct ctl *ctl, int argc, char **argv) {
        struct tls t = { .listen = "[*]:443", .file = "/etc/hitch/hitch.conf" };
        const struct option_row rows[] = { { "--cert", &t.cert, NULL },
                                           { "--listen", &t.listen, NULL },
                                           { "--file", &t.file, NULL },
                                           { "--write", NULL, &t.write },
                                           { "--force", NULL, &t.force } };
        struct buf conf;
        int r = ctl_options(ctl, argc, argv, rows, 5, NULL, 0, NULL);

        if (r != CTL_DONE)
                return r;
        if (!t.cert)
                return ctl_usage(ctl, "--cert is missing");
        if (!quotable(t.cert) || !quotable(ctl->runtime) || !quotable(t.file))
                return ctl_usage(ctl, "a path begins with / and has no quotes or control characters");
        if (!listenable(t.listen))
                return ctl_usage(ctl, "--listen takes [ADDRESS]:PORT, with * for every address");
        r = check_pem(t.cert);
        if (r != CTL_DONE)
                return r;
        buf_init(&conf, CONF_MAX);
        print_conf(ctl, &t, &conf);
        if (t.write)
                r = write_conf(&t, buf_view(&conf));
        else
                fwrite(conf.p, 1, conf.n, stdout);
        buf_free(&conf);
        return r;
}
