/* keys.c - reads the credential livekit-keys; several keys may be there at once, for rotation. */
#include "keys.h"

#include <stdio.h>

#define NAME_MAX_BYTES   128u
#define SECRET_MAX_BYTES 512u

static bool blank(char c) {
        return c == ' ' || c == '\t' || c == '\r';
}

static bool printable(struct slice s) {
        for (uint32_t i = 0; i < s.n; i++)
                if (s.p[i] <= ' ' || s.p[i] > '~')
                        return false;
        return true;
}

static struct slice next_line(struct slice *rest) {
        const char *end = rest->n ? memchr(rest->p, '\n', rest->n) : NULL;
        struct slice line = { rest->p, end ? (uint32_t)(end - rest->p) : rest->n };
        uint32_t used = line.n + (end ? 1 : 0);

        *rest = (struct slice){ rest->p + used, rest->n - used };
        return line;
}

static struct slice next_word(struct slice *rest) {
        struct slice word;

        while (rest->n && blank(rest->p[0]))
                *rest = (struct slice){ rest->p + 1, rest->n - 1 };
        word = (struct slice){ rest->p, 0 };
        while (word.n < rest->n && !blank(rest->p[word.n]))
                word.n++;
        *rest = (struct slice){ rest->p + word.n, rest->n - word.n };
        return word;
}

const struct livekit_key *livekit_key_find(const struct livekit_keys *keys, struct slice name) {
        for (unsigned i = 0; i < keys->n; i++)
                if (slice_eq(keys->key[i].name, name))
                        return &keys->key[i];
        return NULL;
}

void livekit_keys_free(struct livekit_keys *keys) {
        for (unsigned i = 0; i < keys->n; i++)
                jwt_key_free(keys->key[i].verify);
        secret_wipe(&keys->file);
        *keys = (struct livekit_keys){ 0 };
}

/* NULL, or what is wrong with this line. */
static const char *add_line(struct livekit_keys *keys, struct slice line) {
        struct livekit_key k = { 0 };

        k.name = next_word(&line);
        k.secret = next_word(&line);
        if (k.name.n == 0 || k.name.p[0] == '#')
                return NULL;
        if (k.secret.n == 0 || next_word(&line).n != 0)
                return "expected: <api key> <secret>";
        if (k.name.n > NAME_MAX_BYTES || k.secret.n > SECRET_MAX_BYTES || !printable(k.name) || !printable(k.secret))
                return "a key has at most 128, a secret at most 512 printable characters";
        if (livekit_key_find(keys, k.name))
                return "this API key stands here twice";
        if (keys->n == LIVEKIT_KEYS_MAX)
                return "more than 16 keys; drop the old ones";
        k.verify = jwt_key_hs256(k.secret.p, k.secret.n);
        if (!k.verify)
                return "out of memory";
        keys->key[keys->n++] = k;
        return NULL;
}

int livekit_keys_parse(struct secret file, struct livekit_keys *ret, char why[static 160]) {
        struct livekit_keys keys = { .file = file };
        struct slice rest = { (const char *)file.p, (uint32_t)file.n };
        const char *wrong = NULL;
        unsigned line = 0;

        while (rest.n != 0 && !wrong) {
                line++;
                wrong = add_line(&keys, next_line(&rest));
        }
        if (wrong) {
                snprintf(why, 160, "livekit-keys, line %u: %s", line, wrong);
                livekit_keys_free(&keys);
                return -1;
        }
        *ret = keys;
        return 0;
}
