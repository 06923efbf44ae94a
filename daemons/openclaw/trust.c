/* trust.c - the credentials of the way out. */
#include "trust.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"

#define TOKEN_MAX 4096u
#define TOKEN_MIN 24u
#define CA_MAX    (4u << 20)
#define SYSTEM_CA "/etc/ssl/certs/ca-certificates.crt"

static const char prefix[] = "Authorization: Bearer ";

/* The one line of the file, without what ends it. */
static struct slice only_line(const struct secret *s) {
        struct slice line = { (const char *)s->p, (uint32_t)s->n };

        while (line.n > 0 && (line.p[line.n - 1] == '\n' || line.p[line.n - 1] == '\r'))
                line.n--;
        return slice_trim(line);
}

bool trust_bearer(struct secret *ret) {
        struct secret file = { 0 };
        int r = cred_read("openclaw-token", TOKEN_MAX, &file);

        if (r < 0)
                die("the credential openclaw-token cannot be read: %s", strerror(errno));
        struct slice token = r == 0 ? only_line(&file) : (struct slice){ 0 };
        for (uint32_t i = 0; i < token.n; i++)
                if (token.p[i] <= ' ' || token.p[i] > '~')
                        die("the credential openclaw-token is not one line of printable characters without spaces");
        if (token.n > 0) {
                ret->n = sizeof prefix - 1 + token.n;
                ret->p = sodium_malloc(ret->n + 1);
                if (ret->p == NULL)
                        die("no locked memory for the credential openclaw-token");
                memcpy(ret->p, prefix, sizeof prefix - 1);
                memcpy(ret->p + sizeof prefix - 1, token.p, token.n);
                ret->p[ret->n] = '\0';
        }
        if (token.n > 0 && token.n < TOKEN_MIN)
                log_warn("the OpenClaw gateway's token has fewer than %u characters: it is weak", TOKEN_MIN);
        secret_wipe(&file);
        return token.n > 0;
}

static void system_ca(struct secret *ret) {
        struct stat st;
        int fd = open(SYSTEM_CA, O_RDONLY | O_CLOEXEC);

        if (fd < 0 || fstat(fd, &st) < 0 || st.st_size <= 0 || (uintmax_t)st.st_size > CA_MAX)
                die("openclaw_url is https, but " SYSTEM_CA " cannot be used: install ca-certificates, or set the "
                    "credential openclaw-ca");
        ret->p = sodium_malloc((size_t)st.st_size);
        if (ret->p == NULL)
                die("no locked memory for the certificates");
        while (ret->n < (size_t)st.st_size) {
                ssize_t n = read(fd, ret->p + ret->n, (size_t)st.st_size - ret->n);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        die("%s: %s", SYSTEM_CA, n < 0 ? strerror(errno) : "it ends early");
                ret->n += (size_t)n;
        }
        (void)close(fd);
}

void trust_ca(struct secret *ret) {
        int r = cred_read("openclaw-ca", CA_MAX, ret);

        if (r < 0)
                die("the credential openclaw-ca cannot be read: %s", strerror(errno));
        if (r == 0 && only_line(ret).n > 0) {
                if (memmem(ret->p, ret->n, "-----BEGIN CERTIFICATE-----", 27) == NULL)
                        die("the credential openclaw-ca holds no PEM certificate");
                return;
        }
        secret_wipe(ret);
        system_ca(ret);
}

void trust_agent(const char *agent) {
        struct slice s = slice_of(agent);
        bool good = s.n > 0;

        for (uint32_t i = 0; good && i < s.n; i++)
                good = (s.p[i] >= 'a' && s.p[i] <= 'z') || (s.p[i] >= '0' && s.p[i] <= '9') || s.p[i] == '-' ||
                       s.p[i] == '_';
        if (!good)
                die("openclaw_agent: letters a-z, digits, - and _ name an agent");
}
