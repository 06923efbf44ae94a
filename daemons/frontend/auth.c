/* auth.c - who is asking: the Authorization header, what is remembered about it, and the two ways to find out. */
#include "auth.h"

#include <stdlib.h>

#include "log.h"

struct auth_state *auth_new(struct frontend *f) {
        struct auth_state *s = calloc(1, sizeof(*s));
        (void)f;
        if (!s || !(s->tokens = auth_cache_new()) || !(s->keys = auth_cache_new()))
                die("out of memory");
        auth_issuers_load(s);
        return s;
}

void auth_answer(struct frontend *f, struct http_request *r, enum status s, const struct actor *from,
                 auth_done *done) {
        struct actor a = { .service = from->service, .until = from->until };
        if (s == STATUS_OK) {
                a.account = (struct slice){ arena_copy(&r->arena, from->account), from->account.n };
                a.id = (struct slice){ arena_copy(&r->arena, from->id), from->id.n };
                a.role = (struct slice){ arena_copy(&r->arena, from->role), from->role.n };
                if (!a.account.p || !a.id.p || !a.role.p)
                        s = STATUS_BUSY;
        }
        done(f, r, s, s == STATUS_OK ? &a : NULL);
}

static void answer_entry(struct frontend *f, struct http_request *r, const struct auth_entry *e, auth_done *done) {
        struct actor a = { slice_of(e->account), slice_of(e->id), slice_of(e->role), e->service, e->ends };
        auth_answer(f, r, e->status, &a, done);
}

/* RFC 6750: "Bearer", one space or more, the token. */
static bool bearer(struct slice header, struct slice *ret) {
        static const uint32_t n = sizeof("Bearer ") - 1;
        if (header.n <= n || !slice_is_nocase((struct slice){ header.p, n }, "Bearer "))
                return false;
        *ret = slice_trim((struct slice){ header.p + n, header.n - n });
        return ret->n > 0;
}

static void verify(struct frontend *f, struct http_request *r, struct slice token, const unsigned char digest[32],
                   auth_done *done) {
        struct auth_state *s = frontend_auth(f);
        struct auth_entry e;
        int64_t now = text_now_micros(), until = 0;
        enum status st = auth_token(s, token, now, &r->arena, &e, &until);
        if (st != STATUS_OK) {
                done(f, r, st, NULL);
                return;
        }
        if (until > now)
                auth_cache_put(s->tokens, digest, &e, text_mono_micros() + (until - now));
        answer_entry(f, r, &e, done);
}

void auth_start(struct frontend *f, struct http_request *r, auth_done *done) {
        struct auth_state *s = frontend_auth(f);
        struct slice header = http_header(r, "authorization"), token;
        unsigned char digest[32];
        unsigned retry;
        if (header.n == 0 || !bearer(header, &token)) {
                enum status st = header.n == 0 ? STATUS_AUTH_REQUIRED : STATUS_AUTH_INVALID;
                done(f, r, rate_address(f, r->address, &retry) ? st : STATUS_RATE_LIMITED, NULL);
                return;
        }
        bool key = token.n >= 4 && memcmp(token.p, "lok_", 4) == 0;
        struct auth_cache *cache = key ? s->keys : s->tokens;
        auth_cache_digest(cache, token, digest);
        const struct auth_entry *e = auth_cache_get(cache, digest, text_mono_micros());
        if (e && e->status == STATUS_OK)
                answer_entry(f, r, e, done);
        else if (!rate_address(f, r->address, &retry)) /* before anything that costs */
                done(f, r, STATUS_RATE_LIMITED, NULL);
        else if (e)
                done(f, r, e->status, NULL);
        else if (!key)
                verify(f, r, token, digest, done);
        else if (auth_key_shape(token))
                auth_key(f, r, token, digest, done);
        else
                done(f, r, STATUS_AUTH_INVALID, NULL);
}
