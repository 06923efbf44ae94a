/* pin.c - lifeosctl openclaw pin: systemd's own wall around the one address the openclaw daemon may reach. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl.h"
#include "files.h"
#include "pin.h"
#include "settings.h"

#define CONF_MAX 8192u

/* The host of http[s]://host[:port][/path], without brackets. */
bool pin_host(const char *url, char host[static 256]) {
        struct slice s;
        const char *at = strstr(url, "://");
        size_t n;

        if (!at || (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0))
                return false;
        at += 3;
        if (at[0] == '[') {
                at++;
                n = strcspn(at, "]");
                if (at[n] != ']')
                        return false;
        } else {
                n = strcspn(at, ":/");
        }
        s = (struct slice){ at, (uint32_t)n };
        return n > 0 && !memchr(at, '@', n) && slice_copy(s, host, 256);
}

static bool numeric(const char *host) {
        unsigned char raw[16];

        return inet_pton(AF_INET, host, raw) == 1 || inet_pton(AF_INET6, host, raw) == 1;
}

/* "IPAddressAllow=<address>", one line for each. How many, or -1 after having said why. */
static int add_addresses(const char *host, struct buf *to) {
        const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
        struct addrinfo *found = NULL;
        char number[INET6_ADDRSTRLEN];
        int n = 0, e = getaddrinfo(host, NULL, &hints, &found);

        if (e != 0)
                return ctl_fail("openclaw_url: %s: %s", host, gai_strerror(e)), -1;
        for (const struct addrinfo *a = found; a; a = a->ai_next) {
                if (getnameinfo(a->ai_addr, a->ai_addrlen, number, sizeof number, NULL, 0, NI_NUMERICHOST) != 0)
                        continue;
                number[strcspn(number, "%")] = 0; /* a scope is not systemd's to check */
                buf_fmt(to, "IPAddressAllow=%s\n", number);
                n++;
        }
        freeaddrinfo(found);
        return n;
}

int pin_conf(const char *url, struct buf *to) {
        char host[256];

        buf_str(to, "# Written by lifeosctl openclaw pin; it may replace this file.\n"
                    "# The program compares the address too, where systemd cannot: in most containers it cannot.\n"
                    "[Service]\nIPAddressAllow=\n");
        if (!*url)
                return CTL_DONE;
        if (!pin_host(url, host))
                return ctl_fail("openclaw_url is no http:// or https:// address");
        if (!numeric(host)) /* its name is looked up when the daemon starts, by this machine's own resolver */
                buf_str(to, "IPAddressAllow=localhost\n");
        if (add_addresses(host, to) < 1)
                return CTL_FAILED;
        return CTL_DONE;
}

/* The folder is made if its parent is there. */
static int write_conf(const char *file, struct slice conf) {
        const char *slash = strrchr(file, '/');
        char dir[1024];
        int fd, r = -1, saved;
        bool made;

        if (!slash || slash - file >= (ptrdiff_t)sizeof dir)
                return ctl_fail("--file takes a path");
        snprintf(dir, sizeof dir, "%.*s/", (int)(slash - file), file);
        made = mkdir(dir, 0755) == 0;
        if (!made && errno != EEXIST)
                return ctl_fail("%s: %s", dir, strerror(errno));
        fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd >= 0) {
                if (made)
                        (void)fchmod(fd, 0755); /* our umask is narrower than its readers want */
                r = file_replace(fd, slash + 1, conf, 0644);
                saved = errno;
                close(fd);
                errno = saved;
        }
        return r == 0 ? CTL_DONE : ctl_fail("%s: %s", file, strerror(errno));
}

int run_openclaw_pin(const struct ctl *ctl, int argc, char **argv) {
        const char *file = "/etc/systemd/system/lifeos-openclaw.service.d/10-address.conf";
        bool print = false;
        const struct option_row rows[] = { { "--file", &file, NULL }, { "--print", NULL, &print } };
        struct buf conf;
        char why[256];
        int r = ctl_options(ctl, argc, argv, rows, 2, NULL, 0, NULL);

        if (r != CTL_DONE)
                return r;
        if (settings_load(ctl->config, why) != 0)
                return ctl_fail("%s", why);
        buf_init(&conf, CONF_MAX);
        r = pin_conf(setting_text(SETTING_openclaw_url), &conf);
        if (r == CTL_DONE && print)
                fwrite(conf.p, 1, conf.n, stdout);
        else if (r == CTL_DONE)
                r = write_conf(file, buf_view(&conf));
        buf_free(&conf);
        if (r == CTL_DONE && !print)
                fprintf(stderr, "%s is written; now: systemctl daemon-reload && systemctl restart lifeos-openclaw\n",
                        file);
        return r;
}
