/* ws_client.h - a WebSocket client's bytes: the handshake, masked frames, and what a server may answer. */
#pragma once

#include "buf.h"
#include "http_rig.h"

#define WS_KEY    "dGhlIHNhbXBsZSBub25jZQ==" /* RFC 6455 1.3, and what answers it */
#define WS_ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

#define WS_HELLO_LINES                                                                                               \
        "Host: x\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Key: " WS_KEY "\r\n"
#define WS_HELLO "GET /ws HTTP/1.1\r\n" WS_HELLO_LINES "Sec-WebSocket-Version: 13\r\n\r\n"

enum { TEXT = 0x81, TEXT_PART = 0x01, PART = 0x00, LAST = 0x80, CLOSE = 0x88, PING = 0x89, PONG = 0x8a };

/* One frame as a client sends it. */
static inline void ws_put(struct buf *out, unsigned first, const void *payload, size_t n) {
        static const unsigned char mask[4] = { 0x37, 0xfa, 0x21, 0x3d };
        const unsigned char *p = payload;
        unsigned size = n > 65535 ? 8 : n > 125 ? 2 : 0;
        buf_char(out, (char)first);
        buf_char(out, (char)(0x80 | (size == 8 ? 127 : size == 2 ? 126 : n)));
        for (unsigned i = size; i > 0; i--)
                buf_char(out, (char)((uint64_t)n >> 8 * (i - 1)));
        buf_add(out, mask, 4);
        for (size_t i = 0; i < n; i++)
                buf_char(out, (char)(p[i] ^ mask[i % 4]));
}

/* The frame of the server's at *at in what was read, moving on; false: not whole yet. Fails if it is masked. */
static inline bool ws_take(const struct client *c, size_t *at, unsigned *ret_first, struct slice *ret) {
        const unsigned char *p = (const unsigned char *)c->text + *at;
        size_t have = c->n - *at, head = 2, n;
        if (have < 2)
                return false;
        assert_int_equal(p[1] & 0x80, 0);
        n = p[1];
        if (n >= 126) {
                unsigned size = n == 126 ? 2 : 8;
                head += size;
                if (have < head)
                        return false;
                n = 0;
                for (unsigned i = 0; i < size; i++)
                        n = n << 8 | p[2 + i];
        }
        if (have < head + n)
                return false;
        *ret_first = p[0];
        *ret = (struct slice){ (const char *)p + head, (uint32_t)n };
        *at += head + n;
        return true;
}
