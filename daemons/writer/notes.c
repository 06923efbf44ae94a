/* notes.c - a fixed table of streams; a notice is the node's id and lines of "head session account", or of "*". */
#include "notes.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "log.h"

#define SLOTS       (2 * (size_t)NOTES_MAX)
#define ACCOUNT_MAX 128u
#define SESSION_MAX 100u
#define NODE_CHARS  16u

struct note {
        int64_t head;
        uint32_t account_n, session_n;
        char text[ACCOUNT_MAX + SESSION_MAX]; /* the account, the session */
};

struct notes {
        bool wanted, all;
        unsigned n;
        unsigned char key[crypto_shorthash_KEYBYTES]; /* session ids may be chosen by clients */
        uint16_t slot[SLOTS];                         /* number of its note + 1 */
        struct note note[NOTES_MAX];
};

struct notes *notes_new(void) {
        struct notes *n = calloc(1, sizeof *n);

        if (!n)
                die("out of memory");
        randombytes_buf(n->key, sizeof n->key);
        n->wanted = true;
        return n;
}

void notes_free(struct notes *n) {
        free(n);
}

static void forget(struct notes *n) {
        n->all = false;
        n->n = 0;
        memset(n->slot, 0, sizeof n->slot);
}

void notes_want(struct notes *n, bool wanted) {
        if (n->wanted && !wanted)
                forget(n);
        n->wanted = wanted;
}

bool notes_wanted(const struct notes *n) {
        return n->wanted;
}

bool notes_any(const struct notes *n) {
        return n->n || n->all;
}

void notes_all(struct notes *n) {
        forget(n);
        n->all = true;
}

/* What an actor's account and a session's id are made of; of anything else nobody can be a listener. */
static bool named(struct slice account, struct slice session) {
        if (!account.n || account.n > ACCOUNT_MAX || !session.n || session.n > SESSION_MAX || !text_id(session))
                return false;
        for (uint32_t i = 0; i < account.n; i++)
                if (account.p[i] < 0x20 || account.p[i] > 0x7e)
                        return false;
        return true;
}

void notes_add(struct notes *n, struct slice account, struct slice session, int64_t head) {
        struct note key = { .account_n = account.n, .session_n = session.n };
        uint64_t hash;

        if (!n->wanted || n->all || head < 0 || !named(account, session))
                return;
        memcpy(key.text, account.p, account.n);
        memcpy(key.text + account.n, session.p, session.n);
        crypto_shorthash((unsigned char *)&hash, (const unsigned char *)key.text, account.n + session.n, n->key);
        for (size_t i = hash % SLOTS;; i = (i + 1) % SLOTS) {
                struct note *at = n->slot[i] ? &n->note[n->slot[i] - 1] : NULL;

                if (!at && n->n == NOTES_MAX) {
                        notes_all(n);
                        return;
                }
                if (!at) {
                        n->note[n->n] = key;
                        n->note[n->n].head = head;
                        n->slot[i] = (uint16_t)++n->n;
                        return;
                }
                if (at->account_n != key.account_n || at->session_n != key.session_n ||
                    memcmp(at->text, key.text, account.n + session.n) != 0)
                        continue;
                at->head = head > at->head ? head : at->head;
                return;
        }
}

/* ---- spelling ---- */

static void add(struct buf *rows, const struct buf *text) {
        struct op_node_payload m = { 0 };

        OP_SET(node_payload, &m, payload, buf_view(text));
        op_rows_add(rows, OP_node_payload, &m);
}

/* How many notices hold the notes; 0: more than there may be. */
static unsigned spell(const struct notes *n, const char *node, struct buf *rows) {
        unsigned count = 0;
        struct buf text;

        buf_init(&text, NOTICE_BYTES + 300);
        for (unsigned i = 0; i < n->n && count < NOTICES_MAX; i++) {
                const struct note *at = &n->note[i];
                size_t before;

                if (!text.n)
                        buf_str(&text, node);
                before = text.n;
                buf_fmt(&text, "\n%lld %.*s %.*s", (long long)at->head, (int)at->session_n, at->text + at->account_n,
                        (int)at->account_n, at->text);
                if (text.n <= NOTICE_BYTES && i + 1 < n->n)
                        continue;
                if (text.n > NOTICE_BYTES) {
                        text.n = before;
                        i--;
                }
                add(rows, &text);
                buf_clear(&text);
                count = i + 1 < n->n && count + 1 == NOTICES_MAX ? NOTICES_MAX + 1 : count + 1;
        }
        buf_free(&text);
        return count <= NOTICES_MAX && !rows->over ? count : 0;
}

unsigned notes_take(struct notes *n, const char *node, struct buf *rows) {
        unsigned count = 0;

        buf_clear(rows);
        if (!notes_any(n))
                return 0;
        if (!n->all)
                count = spell(n, node, rows);
        if (!count) {
                struct buf text;

                buf_clear(rows);
                buf_init(&text, 64);
                buf_fmt(&text, "%s\n*", node);
                add(rows, &text);
                buf_free(&text);
                count = 1;
        }
        forget(n);
        return count;
}

/* ---- and reading it ---- */

bool notice_from(struct slice payload, struct slice *node, size_t *at) {
        if (payload.n <= NODE_CHARS || payload.n > NOTICE_BYTES || payload.p[NODE_CHARS] != '\n')
                return false;
        *node = (struct slice){ payload.p, NODE_CHARS };
        *at = NODE_CHARS + 1;
        return text_id(*node);
}

/* Cuts off what stands before the first c. */
static bool cut(struct slice *from, char c, struct slice *word) {
        const char *end = from->n ? memchr(from->p, c, from->n) : NULL;

        if (!end)
                return false;
        *word = (struct slice){ from->p, (uint32_t)(end - from->p) };
        from->n -= word->n + 1;
        from->p = end + 1;
        return true;
}

int notice_next(struct slice payload, size_t *at, struct notice *ret) {
        struct slice rest, line, word;

        *ret = (struct notice){ 0 };
        if (*at >= payload.n)
                return 0;
        rest = (struct slice){ payload.p + *at, payload.n - (uint32_t)*at };
        if (!cut(&rest, '\n', &line)) {
                line = rest;
                rest.n = 0;
        }
        *at = payload.n - rest.n;
        ret->all = slice_is(line, "*");
        if (ret->all)
                return 1;
        if (!cut(&line, ' ', &word) || !text_int(word, &ret->head) || ret->head < 0 ||
            !cut(&line, ' ', &ret->session) || !named(line, ret->session))
                return -1;
        ret->account = line;
        return 1;
}
