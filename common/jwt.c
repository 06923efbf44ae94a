/* jwt.c - JSON Web Tokens read strictly: exactly three parts, one algorithm per key, nothing believed unsigned. */
#include "jwt_key.h"

#define TOKEN_MAX 8192u

struct parts {
        struct slice header, payload, signature; /* still base64url */
        struct slice text;                       /* what was signed: header.payload */
};

static bool cut(struct slice *rest, struct slice *ret) {
        const char *dot = memchr(rest->p, '.', rest->n);

        if (!dot)
                return false;
        *ret = (struct slice){ rest->p, (uint32_t)(dot - rest->p) };
        *rest = (struct slice){ dot + 1, rest->n - ret->n - 1 };
        return true;
}

static bool split(struct slice token, struct parts *ret) {
        struct slice rest = token;

        if (token.n == 0 || token.n > TOKEN_MAX || !cut(&rest, &ret->header) || !cut(&rest, &ret->payload))
                return false;
        ret->signature = rest;
        ret->text = (struct slice){ token.p, ret->header.n + 1 + ret->payload.n };
        return ret->header.n != 0 && ret->payload.n != 0 && rest.n != 0 && !memchr(rest.p, '.', rest.n);
}

static bool unbase64(struct slice s, struct arena *a, struct slice *ret) {
        char *to = arena_alloc(a, s.n); /* decoded is never longer than encoded */
        ptrdiff_t n;

        if (!to || (n = text_unbase64url(s, to, s.n)) < 0)
                return false;
        *ret = (struct slice){ to, (uint32_t)n };
        return true;
}

/* One part, decoded, must be one JSON object without duplicate members. */
static bool parse_part(struct slice part, struct arena *a, struct json *ret) {
        struct slice text;
        const char *why;
        size_t at;

        return unbase64(part, a, &text) && json_parse(text, a, ret, &why, &at) == 0 && json_type(*ret) == JSON_OBJECT;
}

/* Absent is fine (ret stays empty), anything but a string is not. */
static bool optional_str(struct json obj, const char *key, struct slice *ret) {
        struct json v = json_get(obj, key);

        return json_type(v) == JSON_NONE || json_str(v, ret);
}

static bool read_header(struct slice part, struct arena *a, struct slice *ret_alg, struct slice *ret_kid,
                        bool *ret_has_kid) {
        struct json h;
        struct slice typ;

        if (!parse_part(part, a, &h) || json_type(json_get(h, "crit")) != JSON_NONE)
                return false;
        if (!json_str(json_get(h, "alg"), ret_alg) || !optional_str(h, "typ", &typ) ||
            !optional_str(h, "kid", ret_kid))
                return false;
        *ret_has_kid = json_type(json_get(h, "kid")) == JSON_STRING;
        return true;
}

static enum jwt_result check_times(struct json claims, int64_t now, int64_t leeway) {
        struct json exp = json_get(claims, "exp"), nbf = json_get(claims, "nbf");
        int64_t at;

        if (json_type(exp) == JSON_NONE)
                return JWT_NO_EXP;
        if (!json_int(exp, &at))
                return JWT_MALFORMED;
        if (now - leeway >= at)
                return JWT_EXPIRED;
        if (json_type(nbf) == JSON_NONE)
                return JWT_OK;
        if (!json_int(nbf, &at))
                return JWT_MALFORMED;
        return at > now + leeway ? JWT_NOT_YET : JWT_OK;
}

/* The token chooses among our keys by kid and algorithm; it never chooses what a key means. */
static enum jwt_result find_signer(const struct parts *p, struct jwt_key *const *keys, int n, struct arena *a) {
        struct slice alg, kid = { 0 }, sig;
        bool has_kid, tried = false;

        if (!read_header(p->header, a, &alg, &kid, &has_kid) || !unbase64(p->signature, a, &sig))
                return JWT_MALFORMED;
        for (int i = 0; i < n; i++) {
                if (!slice_is(alg, jwt_alg_name(keys[i]->alg)) || (has_kid && !slice_is(kid, keys[i]->kid)))
                        continue;
                if (jwt_key_verifies(keys[i], p->text, sig))
                        return JWT_OK;
                tried = true;
        }
        return tried ? JWT_BAD_SIGNATURE : JWT_NO_KEY;
}

enum jwt_result jwt_verify(struct slice token, struct jwt_key *const *keys, int n, int64_t now, int64_t leeway,
                           struct arena *a, struct json *ret_claims) {
        struct parts p;
        struct json claims;
        enum jwt_result r;

        if (!split(token, &p))
                return JWT_MALFORMED;
        r = find_signer(&p, keys, n, a);
        if (r != JWT_OK)
                return r;
        if (!parse_part(p.payload, a, &claims))
                return JWT_MALFORMED;
        r = check_times(claims, now, leeway);
        if (r == JWT_OK)
                *ret_claims = claims;
        return r;
}

enum jwt_result jwt_peek(struct slice token, struct arena *a, struct json *ret_claims) {
        struct parts p;
        struct slice alg, kid;
        bool has_kid;
        struct json claims;

        if (!split(token, &p) || !read_header(p.header, a, &alg, &kid, &has_kid) ||
            !parse_part(p.payload, a, &claims))
                return JWT_MALFORMED;
        *ret_claims = claims;
        return JWT_OK;
}
