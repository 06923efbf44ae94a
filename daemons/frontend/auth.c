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

static void answer_entry(const struct auth_entry *e, struct auth_ask *q) {
        struct actor a = { slice_of(e->account), slice_of(e->id), slice_of(e->role), e->service, e->ends };
        q->done(q, e->status, e->status == STATUS_OK ? &a : NULL);
}

/* RFC 6750: "Bearer", one space or more, the token. */
static bool bearer(struct slice header, struct slice *ret) {
        static const uint32_t n = sizeof("Bearer ") - 1;
        if (header.n <= n || !slice_is_nocase((struct slice){ header.p, n }, "Bearer "))
                return false;
        *ret = slice_trim((struct slice){ header.p + n, header.n - n });
        return ret->n > 0;
}

static void verify(struct frontend *f, struct slice token, const unsigned char digest[32], struct arena *scratch,
                   struct auth_ask *q) {
        struct auth_state *s = frontend_auth(f);
        struct auth_entry e;
        int64_t now = text_now_micros(), until = 0;
        enum status st = auth_token(s, token, now, scratch, &e, &until);
        if (st != STATUS_OK) {
                q->done(q, st, NULL);
                return;
        }
        if (until > now)
                auth_cache_put(s->tokens, digest, &e, text_mono_micros() + (until - now));
        answer_entry(&e, q);
}

void auth_check(struct frontend *f, const char *address, struct slice token, struct arena *scratch,
                struct auth_ask *q) {
        struct auth_state *s = frontend_auth(f);
        unsigned char digest[32];
        unsigned retry;
        bool key = token.n >= 4 && memcmp(token.p, "lok_", 4) == 0;
        struct auth_cache *cache = key ? s->keys : s->tokens;
        q->lookup = NULL;
        auth_cache_digest(cache, token, digest);
        const struct auth_entry *e = auth_cache_get(cache, digest, text_mono_micros());
        if (e && e->status == STATUS_OK)
                answer_entry(e, q);
        else if (!rate_address(f, address, &retry)) /* before anything that costs */
                q->done(q, STATUS_RATE_LIMITED, NULL);
        else if (e)
                q->done(q, e->status, NULL);
        else if (!key)
                verify(f, token, digest, scratch, q);
        else if (auth_key_shape(token))
                auth_key(f, token, digest, q);
        else
                q->done(q, STATUS_AUTH_INVALID, NULL);
}

void auth_forget(struct frontend *f, struct slice account, struct slice key) {
        auth_cache_drop(frontend_auth(f)->keys, account, key);
}

/* ---- for a request ---- */

struct waiting {
        struct auth_ask ask; /* first */
        struct frontend *f;
        struct http_request *r;
        auth_done *done;
};

static void known(struct auth_ask *q, enum status s, const struct actor *from) {
        struct waiting *w = (struct waiting *)q;
        struct http_request *r = w->r;
        struct actor a = { 0 };
        r->gone = NULL;
        if (s == STATUS_OK) {
                a = *from;
                a.account.p = arena_copy(&r->arena, from->account);
                a.id.p = arena_copy(&r->arena, from->id);
                a.role.p = arena_copy(&r->arena, from->role);
                if (!a.account.p || !a.id.p || !a.role.p)
                        s = STATUS_BUSY;
        }
        w->done(w->f, r, s, s == STATUS_OK ? &a : NULL);
}

static void gone(struct http_request *r) {
        struct waiting *w = r->data;
        auth_cancel(&w->ask);
}

void auth_bearer(struct frontend *f, struct http_request *r, struct slice token, auth_done *done) {
        struct waiting *w = arena_alloc(&r->arena, sizeof(*w));
        if (!w) {
                done(f, r, STATUS_BUSY, NULL);
                return;
        }
        *w = (struct waiting){ .ask.done = known, .f = f, .r = r, .done = done };
        r->data = w;
        r->gone = gone;
        auth_check(f, r->address, token, &r->arena, &w->ask);
}

void auth_start(struct frontend *f, struct http_request *r, auth_done *done) {
        struct slice header = http_header(r, "authorization"), token;
        unsigned retry;
        if (header.n > 0 && bearer(header, &token)) {
                auth_bearer(f, r, token, done);
                return;
        }
        enum status st = header.n == 0 ? STATUS_AUTH_REQUIRED : STATUS_AUTH_INVALID;
        done(f, r, rate_address(f, r->address, &retry) ? st : STATUS_RATE_LIMITED, NULL);
}
