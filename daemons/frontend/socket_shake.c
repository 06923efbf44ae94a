/* socket_shake.c - what an upgrade to our socket has to be, and the identity it may carry. */
#include "cors.h"
#include "settings.h"
#include "socket.h"

/* The next subprotocol offered: RFC 6455 11.3.4 lets them come in one list or in several. */
static bool offered(const struct http_request *r, uint64_t *at, struct slice *ret) {
        return http_header_item(r, "sec-websocket-protocol", at, ret);
}

bool socket_bearer(const struct http_request *r, struct slice *ret) {
        static const uint32_t n = sizeof SOCKET_BEARER - 1;
        struct slice one;

        for (uint64_t at = 0; offered(r, &at, &one);) {
                if (one.n <= n || memcmp(one.p, SOCKET_BEARER, n) != 0)
                        continue;
                *ret = (struct slice){ one.p + n, one.n - n };
                return true;
        }
        return false;
}

bool socket_protocol(const struct http_request *r) {
        struct slice one;

        for (uint64_t at = 0; offered(r, &at, &one);)
                if (slice_is(one, SOCKET_PROTOCOL))
                        return true;
        return false;
}

/* A page of ours, the console: browsers name the origin of a WebSocket even then. */
static bool own_origin(const struct http_request *r, struct slice origin) {
        struct slice host = http_header(r, "host");
        uint32_t scheme = origin.n > host.n ? origin.n - host.n : 0;
        struct slice before = { origin.p, scheme }, after = { origin.p + scheme, origin.n - scheme };

        return host.n && slice_eq(after, host) && (slice_is(before, "https://") || slice_is(before, "http://"));
}

static bool origin_fits(const struct http_request *r) {
        struct slice origin = http_header(r, "origin");
        struct cors c;

        return origin.n == 0 || own_origin(r, origin) ||
               (cors_init(&c, setting_text(SETTING_cors_origins)) && cors_allowed(&c, origin));
}

enum status socket_upgrade(const struct http_request *r, const char **ret_why) {
        struct slice token;
        uint64_t first = 0;
        enum status s;

        *ret_why = "this path takes no query: identity is a header, a subprotocol or a message";
        if (r->query.n)
                return STATUS_INVALID_REQUEST;
        s = ws_wanted(r, ret_why);
        if (s != STATUS_OK)
                return s;
        if (!origin_fits(r))
                return STATUS_ORIGIN_FORBIDDEN;
        *ret_why = "of the subprotocols, " SOCKET_PROTOCOL " must be one";
        if (offered(r, &first, &token) && !socket_protocol(r))
                return STATUS_INVALID_REQUEST;
        *ret_why = "the identity is given twice, in Authorization and in a subprotocol";
        if (http_header(r, "authorization").n && socket_bearer(r, &token))
                return STATUS_INVALID_REQUEST;
        return STATUS_OK;
}
