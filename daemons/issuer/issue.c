/* issue.c - the claims every user token carries, signed with the issuer's key. */
#include "issue.h"

#include <sodium.h>

#include "jsonw.h"

int issuer_key_parse(struct slice text, struct issuer_key *ret) {
        struct slice line = text, kid;
        unsigned char seed[crypto_sign_SEEDBYTES], pub[crypto_sign_PUBLICKEYBYTES];
        const char *space;
        struct issuer_key k;
        int r = -1;

        while (line.n && (line.p[line.n - 1] == '\n' || line.p[line.n - 1] == '\r'))
                line.n--;
        space = line.n ? memchr(line.p, ' ', line.n) : NULL;
        if (!space)
                return -1;
        kid = (struct slice){ line.p, (uint32_t)(space - line.p) };
        line = slice_trim((struct slice){ space, line.n - kid.n });
        if (kid.n == 0 || !text_id(kid) || !slice_copy(kid, k.kid, sizeof k.kid) ||
            !text_unhex(line, seed, sizeof seed))
                return -1;
        k.sk = sodium_malloc(crypto_sign_SECRETKEYBYTES);
        if (k.sk && crypto_sign_seed_keypair(pub, k.sk, seed) == 0) {
                *ret = k;
                r = 0;
        }
        sodium_memzero(seed, sizeof seed);
        return r;
}

void issuer_key_free(struct issuer_key *k) {
        if (k->sk)
                sodium_free(k->sk); /* wipes */
        *k = (struct issuer_key){ 0 };
}

/* What auth.c accepts as an actor: printable ASCII. */
static bool printable(struct slice s) {
        for (uint32_t i = 0; i < s.n; i++)
                if (s.p[i] < ' ' || s.p[i] > '~')
                        return false;
        return s.n != 0;
}

static void put_claims(const struct op_token_issue *m, const char *iss, const char *aud, int64_t now,
                       struct buf *out) {
        char jti[sizeof "tok" + 34];
        struct jsonw w;

        text_new_id("tok", jti);
        jsonw_init(&w, out);
        jsonw_object(&w);
        jsonw_key_cstr(&w, "iss", iss);
        jsonw_key_cstr(&w, "aud", aud);
        jsonw_key_str(&w, "sub", m->user_id);
        jsonw_key_str(&w, "account", m->account_id);
        jsonw_key_str(&w, "role", m->role);
        jsonw_key_int(&w, "iat", now);
        jsonw_key_int(&w, "nbf", now);
        jsonw_key_int(&w, "exp", now + m->ttl_seconds);
        jsonw_key_cstr(&w, "jti", jti);
        jsonw_end(&w, '}');
}

enum status issue(const struct issuer_key *key, const struct op_token_issue *m, const char *iss, const char *aud,
                  int64_t now, struct buf *token, int64_t *ret_exp, const char **ret_why) {
        struct buf claims;
        bool over;

        *ret_why = NULL;
        if (!printable(m->user_id) || !printable(m->account_id)) {
                *ret_why = "user and account are printable ASCII texts of 1 to 128 characters";
                return STATUS_INVALID_REQUEST;
        }
        if (slice_is(m->account_id, "*")) {
                *ret_why = "account * is the whole appliance; only API keys may have it";
                return STATUS_INVALID_REQUEST;
        }
        buf_init(&claims, 4096);
        put_claims(m, iss, aud, now, &claims);
        jwt_sign_ed25519(buf_view(&claims), key->sk, key->kid, token);
        over = claims.over || token->over;
        buf_free(&claims);
        if (over)
                return STATUS_INTERNAL;
        *ret_exp = now + m->ttl_seconds;
        return STATUS_OK;
}
