/* frame.c - hello, seal, open: Ed25519 over a BLAKE2b-512 of everything that makes a frame good only once. */
#include "frame.h"

#include <sodium.h>

/* Sixteen bytes each, the terminating NULs included. A changed wire format changes the number in both. */
#define HELLO_WORD "lifeos-peer-v1\0"
#define FRAME_WORD "lifeos-frame-v1"
#define WORD_BYTES 16u
#define HASH_BYTES crypto_generichash_BYTES_MAX
#define FACTS      (WORD_BYTES + 4 + 64 + 12)

_Static_assert(sizeof HELLO_WORD == WORD_BYTES && sizeof FRAME_WORD == WORD_BYTES, "domain words are 16 bytes");
_Static_assert(FRAME_HELLO == WORD_BYTES + 4 + 32 + 32, "hello: word, kind, instance, zero le16, nonce, schema");
_Static_assert(FRAME_HEADER == 4 + 8 + crypto_sign_BYTES, "frame: length, counter, signature");

void frame_hello_put(const struct frame_end *us, struct buf *out) {
        unsigned char b[FRAME_HELLO] = HELLO_WORD;
        b[WORD_BYTES] = (unsigned char)us->kind;
        b[WORD_BYTES + 1] = us->instance;
        memcpy(b + WORD_BYTES + 4, us->nonce, 32);
        op_schema_hash(b + WORD_BYTES + 36);
        buf_add(out, b, sizeof b);
}

int frame_hello_get(struct slice bytes, struct frame_end *ret, const char **ret_why) {
        unsigned char schema[32];
        const unsigned char *b = (const unsigned char *)bytes.p;
        const char *why = NULL;
        op_schema_hash(schema);
        if (bytes.n != FRAME_HELLO || memcmp(b, HELLO_WORD, WORD_BYTES) != 0)
                why = "not our protocol";
        else if (memcmp(b + WORD_BYTES + 36, schema, sizeof schema) != 0)
                why = "peer speaks another version";
        else if (b[WORD_BYTES] == NOBODY || b[WORD_BYTES] >= DAEMON_COUNT)
                why = "unknown kind";
        else if (b[WORD_BYTES + 2] != 0 || b[WORD_BYTES + 3] != 0)
                why = "not our protocol";
        if (why != NULL) {
                *ret_why = why;
                return -1;
        }
        ret->kind = (enum daemon_id)b[WORD_BYTES];
        ret->instance = b[WORD_BYTES + 1];
        memcpy(ret->nonce, b + WORD_BYTES + 4, 32);
        return 0;
}

/* What is signed is this hash: the payload is read once and never copied, however long it is. */
static void frame_hash(const struct frame_end *from, const struct frame_end *to, uint64_t counter,
                       const char *payload, uint32_t n, unsigned char hash[static HASH_BYTES]) {
        unsigned char facts[FACTS] = FRAME_WORD;
        crypto_generichash_state st;
        facts[WORD_BYTES] = (unsigned char)from->kind;
        facts[WORD_BYTES + 1] = from->instance;
        facts[WORD_BYTES + 2] = (unsigned char)to->kind;
        facts[WORD_BYTES + 3] = to->instance;
        memcpy(facts + WORD_BYTES + 4, from->nonce, 32);
        memcpy(facts + WORD_BYTES + 36, to->nonce, 32);
        put_le64(facts + WORD_BYTES + 68, counter);
        put_le32(facts + WORD_BYTES + 76, n);
        (void)crypto_generichash_init(&st, NULL, 0, HASH_BYTES);
        (void)crypto_generichash_update(&st, facts, sizeof facts);
        (void)crypto_generichash_update(&st, (const unsigned char *)payload, n);
        (void)crypto_generichash_final(&st, hash, HASH_BYTES);
}

void frame_seal(const struct cred_ring *ring, const struct frame_end *from, const struct frame_end *to,
                uint64_t counter, struct slice payload, struct buf *out) {
        unsigned char hash[HASH_BYTES];
        unsigned char *b = (unsigned char *)buf_room(out, FRAME_HEADER + (size_t)payload.n);
        if (b == NULL)
                return;
        put_le32(b, payload.n);
        put_le64(b + 4, counter);
        frame_hash(from, to, counter, payload.p, payload.n, hash);
        (void)crypto_sign_detached(b + 12, NULL, hash, sizeof hash, ring->sign.p);
        if (payload.n > 0)
                memcpy(b + FRAME_HEADER, payload.p, payload.n);
        out->n += FRAME_HEADER + (size_t)payload.n;
}

ptrdiff_t frame_size(struct slice bytes) {
        if (bytes.n < 4)
                return 0;
        uint32_t n = get_le32(bytes.p);
        if (n > FRAME_PAYLOAD_MAX)
                return -1;
        return bytes.n - 4 < n + (FRAME_HEADER - 4) ? 0 : (ptrdiff_t)FRAME_HEADER + (ptrdiff_t)n;
}

int frame_open(const struct cred_ring *ring, const struct frame_end *from, const struct frame_end *to,
               uint64_t counter, struct slice frame, struct slice *ret_payload) {
        unsigned char hash[HASH_BYTES];
        const struct cred_peer *peer = &ring->peer[from->kind];
        if (frame.n < FRAME_HEADER || get_le32(frame.p) != frame.n - FRAME_HEADER || get_le64(frame.p + 4) != counter)
                return -1;
        const unsigned char *sig = (const unsigned char *)frame.p + 12;
        struct slice payload = { frame.p + FRAME_HEADER, frame.n - FRAME_HEADER };
        frame_hash(from, to, counter, payload.p, payload.n, hash);
        for (unsigned i = 0; i < peer->n_keys; i++)
                if (crypto_sign_verify_detached(sig, hash, sizeof hash, peer->keys[i]) == 0) {
                        *ret_payload = payload;
                        return 0;
                }
        return -1;
}
