/* cred.c - credentials from systemd's directory into locked memory; the ring of keys from two of them. */
#include "cred.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define PEER_KEY_MAX 256u
#define PEERS_MAX    65536u

static const char *const names[DAEMON_COUNT] = {
        [NOBODY] = "nobody",
#define DAEMON(id, name, user, socket, what) [id] = #name,
#include "../policy/daemons.def"
};

const char *cred_kind_name(enum daemon_id kind) {
        return (unsigned)kind < DAEMON_COUNT ? names[kind] : "nobody";
}

static int read_all(int fd, struct secret *s, size_t size) {
        while (s->n < size) {
                ssize_t n = read(fd, s->p + s->n, size - s->n);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -1;
                if (n == 0)
                        return 0;
                s->n += (size_t)n;
        }
        return 0;
}

static int read_file(int fd, size_t max, struct secret *ret) {
        struct stat st;
        if (fstat(fd, &st) < 0)
                return -1;
        if (!S_ISREG(st.st_mode) || (uintmax_t)st.st_size > max) {
                errno = S_ISREG(st.st_mode) ? EFBIG : EINVAL;
                return -1;
        }
        size_t size = (size_t)st.st_size;
        /* sodium_malloc: guard pages, mlock, MADV_DONTDUMP. */
        struct secret s = { .p = sodium_malloc(size > 0 ? size : 1) };
        if (s.p == NULL)
                return -1;
        if (read_all(fd, &s, size) < 0) {
                int e = errno;
                secret_wipe(&s);
                errno = e;
                return -1;
        }
        *ret = s;
        return 0;
}

int cred_read(const char *name, size_t max, struct secret *ret) {
        const char *dir = getenv("CREDENTIALS_DIRECTORY");
        char path[PATH_MAX];
        if (dir == NULL || dir[0] == '\0')
                return 1;
        int n = snprintf(path, sizeof path, "%s/%s", dir, name);
        if (n < 0 || (size_t)n >= sizeof path) {
                errno = ENAMETOOLONG;
                return -1;
        }
        if (sodium_init() < 0) {
                errno = ENOSYS;
                return -1;
        }
        int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        if (fd < 0)
                return errno == ENOENT ? 1 : -1;
        int r = read_file(fd, max, ret), e = errno;
        (void)close(fd);
        errno = e;
        return r;
}

void secret_wipe(struct secret *s) {
        if (s == NULL)
                return;
        sodium_free(s->p); /* wipes first */
        *s = (struct secret){ 0 };
}

static bool cut(struct slice *rest, const char *at, struct slice *ret) {
        if (rest->n == 0)
                return false;
        uint32_t n = 0;
        while (n < rest->n && strchr(at, rest->p[n]) == NULL)
                n++;
        *ret = (struct slice){ rest->p, n };
        uint32_t skip = n < rest->n ? n + 1 : n;
        *rest = (struct slice){ rest->p + skip, rest->n - skip };
        return true;
}

static struct slice word(struct slice *line) {
        struct slice w;
        *line = slice_trim(*line);
        return cut(line, " \t", &w) ? w : (struct slice){ 0 };
}

static enum daemon_id kind_by_name(struct slice name) {
        for (unsigned k = 1; k < DAEMON_COUNT; k++)
                if (slice_is(name, names[k]))
                        return (enum daemon_id)k;
        return NOBODY;
}

static bool user_id(struct slice user, uint32_t *ret) {
        int64_t number;
        char name[64], room[4096];
        struct passwd pw, *found = NULL;
        if (text_int(user, &number)) {
                if (number < 0 || number >= UINT32_MAX)
                        return false;
                *ret = (uint32_t)number;
                return true;
        }
        if (!slice_copy(user, name, sizeof name) || getpwnam_r(name, &pw, room, sizeof room, &found) != 0 ||
            found == NULL)
                return false;
        *ret = pw.pw_uid;
        return true;
}

/* NULL, or what is wrong with the line. */
static const char *take_peer(struct cred_ring *ring, struct slice line) {
        struct slice name = word(&line), user = word(&line), key = word(&line);
        enum daemon_id kind = kind_by_name(name);
        uint32_t uid;
        if (kind == NOBODY)
                return "no daemon has that name";
        if (!user_id(user, &uid))
                return "no such unix user";
        struct cred_peer *p = &ring->peer[kind];
        if (p->n_keys > 0 && p->uid != uid)
                return "this kind runs as another user further up";
        if (p->n_keys == CRED_PEER_KEYS)
                return "too many keys for this kind";
        if (slice_trim(line).n != 0 || !text_unhex(key, p->keys[p->n_keys], 32))
                return "the key is 64 hex digits, and nothing may follow it";
        p->uid = uid;
        p->n_keys++;
        return NULL;
}

static int take_peers(struct cred_ring *ring, struct slice text, char why[static 256]) {
        struct slice line;
        for (unsigned no = 1; cut(&text, "\n", &line); no++) {
                line = slice_trim(line);
                if (line.n == 0 || line.p[0] == '#')
                        continue;
                const char *wrong = take_peer(ring, line);
                if (wrong != NULL) {
                        (void)snprintf(why, 256, "credential peers, line %u: %s", no, wrong);
                        return -1;
                }
        }
        return 0;
}

static int take_seed(struct cred_ring *ring, const struct secret *file, char why[static 256]) {
        struct slice hex = { (const char *)file->p, (uint32_t)file->n };
        unsigned char public[crypto_sign_PUBLICKEYBYTES];
        while (hex.n > 0 && (hex.p[hex.n - 1] == '\n' || hex.p[hex.n - 1] == '\r'))
                hex.n--;
        unsigned char *seed = sodium_malloc(crypto_sign_SEEDBYTES);
        ring->sign = (struct secret){ sodium_malloc(crypto_sign_SECRETKEYBYTES), crypto_sign_SECRETKEYBYTES };
        bool ok = seed != NULL && ring->sign.p != NULL && text_unhex(hex, seed, crypto_sign_SEEDBYTES) &&
                  crypto_sign_seed_keypair(public, ring->sign.p, seed) == 0;
        sodium_free(seed);
        if (!ok)
                (void)snprintf(why, 256, "credential peer-key: expected 64 hex digits");
        return ok ? 0 : -1;
}

static int load(const char *name, size_t max, struct secret *ret, char why[static 256]) {
        int r = cred_read(name, max, ret);
        if (r != 0)
                (void)snprintf(why, 256, "credential %s: %s", name,
                               r > 0 ? "there is none in $CREDENTIALS_DIRECTORY" : strerror(errno));
        return r == 0 ? 0 : -1;
}

int cred_ring_load(struct cred_ring *ring, char why[static 256]) {
        struct secret seed = { 0 }, peers = { 0 };
        struct cred_ring r = { 0 };
        bool ok = load("peer-key", PEER_KEY_MAX, &seed, why) == 0 && take_seed(&r, &seed, why) == 0 &&
                  load("peers", PEERS_MAX, &peers, why) == 0 &&
                  take_peers(&r, (struct slice){ (const char *)peers.p, (uint32_t)peers.n }, why) == 0;
        secret_wipe(&seed);
        secret_wipe(&peers);
        if (!ok) {
                secret_wipe(&r.sign);
                return -1;
        }
        *ring = r;
        return 0;
}
