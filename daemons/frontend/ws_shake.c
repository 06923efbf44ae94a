/* ws_shake.c - the opening handshake of RFC 6455: is it one, and what proves that we understood it. */
#include <openssl/sha.h>

#include "log.h"
#include "ws_frame.h"

#define KEY_BYTES 16

enum status ws_wanted(const struct http_request *r, const char **ret_why) {
        unsigned char nonce[KEY_BYTES + 2];
        *ret_why = NULL;
        if (!http_header_has(r, "upgrade", "websocket") || !http_header_has(r, "connection", "upgrade") ||
            !slice_is(http_header(r, "sec-websocket-version"), "13"))
                return STATUS_UPGRADE_REQUIRED;
        if (!http_upgradable(r))
                *ret_why = "a WebSocket begins with a GET of HTTP/1.1 without a body";
        else if (text_unbase64(http_header(r, "sec-websocket-key"), nonce, sizeof(nonce)) != KEY_BYTES)
                *ret_why = "Sec-WebSocket-Key must be 16 bytes in base64";
        return *ret_why ? STATUS_INVALID_REQUEST : STATUS_OK;
}

bool ws_accept(struct slice key, char to[static WS_ACCEPT_SIZE]) {
        const struct slice guid = SLICE("258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
        unsigned char text[64], sum[SHA_DIGEST_LENGTH];
        if (key.n + guid.n > sizeof(text))
                return false;
        memcpy(text, key.p, key.n);
        memcpy(text + key.n, guid.p, guid.n);
        return SHA1(text, key.n + guid.n, sum) && text_base64(sum, sizeof(sum), to) == WS_ACCEPT_SIZE;
}

void ws_open(void) {
        char accept[WS_ACCEPT_SIZE];
        if (!ws_accept(SLICE("dGhlIHNhbXBsZSBub25jZQ=="), accept) || /* RFC 6455 1.3 */
            !slice_is((struct slice){ accept, WS_ACCEPT_SIZE }, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="))
                die("SHA-1, which WebSocket needs, does not work");
}
