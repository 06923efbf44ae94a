/* http_head.c - the bytes of a request head before the parser sees them: bounds, line ends, nothing hidden. */
#include "http_conn.h"

/*
 * A second lock in front of llhttp, which between versions has let through what other servers read differently: every
 * line ends in CR LF and in nothing else, no line is a continuation (obs-fold), no control characters. Garbage such as
 * a TLS greeting is known by its first bytes instead of waiting for a line end.
 */
static bool byte_allowed(unsigned char before, unsigned char b) {
        if (before == '\r')
                return b == '\n';
        if (b == '\n')
                return false;
        if (before == '\n' && (b == ' ' || b == '\t'))
                return false;
        return b == '\r' || b == '\t' || (b >= 0x20 && b != 0x7f);
}

enum head_scan http_head_scan(struct http_conn *c, uint32_t *ret_end) {
        const unsigned char *p = (const unsigned char *)c->in.p;
        uint32_t n = (uint32_t)c->in.n, i = c->scanned;
        for (; i < n; i++) {
                if (!byte_allowed(i == 0 ? 0 : p[i - 1], p[i]))
                        return HEAD_BAD;
                if (p[i] != '\n')
                        continue;
                if (c->line == 0)
                        c->line = i + 1;
                else if (p[i - 2] == '\n') {
                        *ret_end = i + 1;
                        c->scanned = i + 1;
                        return i + 1 - c->line > HTTP_HEADERS_MAX + 2 ? HEAD_LONG : HEAD_END;
                }
        }
        c->scanned = i;
        if (c->line == 0)
                return n > HTTP_TARGET_MAX + 32 ? HEAD_LONG_LINE : HEAD_MORE;
        if (c->line > HTTP_TARGET_MAX + 64)
                return HEAD_LONG_LINE;
        return n - c->line > HTTP_HEADERS_MAX + 2 ? HEAD_LONG : HEAD_MORE;
}
