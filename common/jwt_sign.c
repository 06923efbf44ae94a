/* jwt_sign.c - compact tokens with a fixed header; the claims are the caller's JSON, signed as they are. */
#include <sodium.h>

#include "jsonw.h"
#include "jwt_key.h"

static void add_base64url(struct buf *out, const void *p, size_t n) {
        char *to = buf_room(out, text_base64_size(n));

        if (to)
                out->n += text_base64url(p, n, to);
}

/* Appends header.claims and returns them; they stand at the end of out. */
static struct slice add_text(struct buf *out, enum jwt_alg alg, const char *kid, struct slice claims) {
        struct buf header;
        struct jsonw w;
        size_t start = out->n;

        buf_init(&header, 1024);
        jsonw_init(&w, &header);
        jsonw_object(&w);
        jsonw_key_cstr(&w, "alg", jwt_alg_name(alg));
        jsonw_key_cstr(&w, "typ", "JWT");
        if (kid)
                jsonw_key_cstr(&w, "kid", kid);
        jsonw_end(&w, '}');
        add_base64url(out, header.p, header.n);
        out->over |= header.over;
        buf_free(&header);
        buf_char(out, '.');
        add_base64url(out, claims.p, claims.n);
        if (out->over)
                return slice_of(NULL);
        return (struct slice){ out->p + start, (uint32_t)(out->n - start) };
}

static void add_signature(struct buf *out, const unsigned char *sig, size_t n) {
        buf_char(out, '.');
        add_base64url(out, sig, n);
}

void jwt_sign_hs256(struct slice claims, const void *secret, size_t n, struct buf *out) {
        struct slice text = add_text(out, JWT_HS256, NULL, claims);
        crypto_auth_hmacsha256_state st;
        unsigned char mac[crypto_auth_hmacsha256_BYTES];

        if (out->over)
                return;
        crypto_auth_hmacsha256_init(&st, secret, n);
        crypto_auth_hmacsha256_update(&st, (const unsigned char *)text.p, text.n);
        crypto_auth_hmacsha256_final(&st, mac);
        sodium_memzero(&st, sizeof st);
        add_signature(out, mac, sizeof mac);
}

void jwt_sign_ed25519(struct slice claims, const unsigned char sk[64], const char *kid, struct buf *out) {
        struct slice text = add_text(out, JWT_EDDSA, kid, claims);
        unsigned char sig[crypto_sign_BYTES];

        if (out->over)
                return;
        crypto_sign_detached(sig, NULL, (const unsigned char *)text.p, text.n, sk);
        add_signature(out, sig, sizeof sig);
}
