/* cors.c - cross-origin headers (Fetch standard): no credentials, no reflection of origins nobody listed. */
#include "cors.h"

#define ASKED_MAX   32 /* header names a preflight may add */
#define ASKED_BYTES 512

static const char *const allowed_headers[] = { "authorization", "content-type", "idempotency-key",
                                               "last-event-id", "x-trace-id",   "accept" };

bool cors_init(struct cors *c, const char *setting) {
        struct slice rest = slice_of(setting);
        *c = (struct cors){ 0 };
        for (uint32_t i = 0; i < rest.n;) {
                uint32_t from = i;
                while (i < rest.n && rest.p[i] != ' ')
                        i++;
                struct slice word = { rest.p + from, i - from };
                if (slice_is(word, "*"))
                        c->any = true;
                else if (word.n > 0 && c->n == CORS_ORIGINS_MAX)
                        return false;
                else if (word.n > 0)
                        c->origins[c->n++] = word;
                i += i < rest.n;
        }
        return true;
}

static bool member(const struct cors *c, struct slice origin) {
        for (unsigned i = 0; i < c->n; i++)
                if (slice_eq(c->origins[i], origin))
                        return true;
        return false;
}

bool cors_allowed(const struct cors *c, struct slice origin) {
        return c->any || member(c, origin);
}

void cors_response(const struct cors *c, struct slice origin, struct buf *out) {
        bool echo = !c->any && origin.n > 0 && member(c, origin);
        buf_str(out, "vary: Origin\r\n");
        if (c->any)
                buf_str(out, "access-control-allow-origin: *\r\n");
        if (echo) {
                buf_str(out, "access-control-allow-origin: ");
                buf_slice(out, origin);
                buf_str(out, "\r\n");
        }
        if (c->any || echo)
                buf_str(out, "access-control-expose-headers: x-request-id, x-trace-id, retry-after\r\n");
}

/* RFC 9110 token. */
static bool token(struct slice s) {
        for (uint32_t i = 0; i < s.n; i++) {
                unsigned char b = (unsigned char)s.p[i];
                bool alnum = (b >= '0' && b <= '9') || (b >= 'a' && b <= 'z') || (b >= 'A' && b <= 'Z');
                if (!alnum && (b == 0 || !strchr("!#$%&'*+-.^_`|~", b)))
                        return false;
        }
        return s.n > 0;
}

static bool is_allowed(struct slice name) {
        for (size_t i = 0; i < sizeof(allowed_headers) / sizeof(*allowed_headers); i++)
                if (slice_is_nocase(name, allowed_headers[i]))
                        return true;
        return false;
}

static void put_asked(struct slice asked, struct buf *out) {
        size_t bytes = 0;
        unsigned count = 0;
        for (uint32_t i = 0; i < asked.n; i++) {
                uint32_t from = i;
                while (i < asked.n && asked.p[i] != ',')
                        i++;
                struct slice name = slice_trim((struct slice){ asked.p + from, i - from });
                if (!token(name) || is_allowed(name))
                        continue;
                bytes += name.n;
                if (++count > ASKED_MAX || bytes > ASKED_BYTES)
                        return;
                buf_str(out, ", ");
                buf_slice(out, name);
        }
}

void cors_preflight(const struct cors *c, struct slice origin, struct slice asked, const char *methods,
                    struct buf *out) {
        buf_str(out, "vary: Access-Control-Request-Method, Access-Control-Request-Headers\r\n");
        if (!c->any && !member(c, origin))
                return;
        buf_fmt(out, "access-control-allow-methods: %s\r\naccess-control-allow-headers: %s", methods,
                allowed_headers[0]);
        for (size_t i = 1; i < sizeof(allowed_headers) / sizeof(*allowed_headers); i++)
                buf_fmt(out, ", %s", allowed_headers[i]);
        put_asked(asked, out);
        buf_str(out, "\r\naccess-control-max-age: 600\r\n");
}
