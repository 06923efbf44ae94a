/* ws_frame.h - inside ws*.c: a client's bytes to whole messages and control frames, or to the code of its mistake. */
#pragma once

#include "ws.h"

enum ws_took {
        WS_MORE, /* everything fed is taken; more is needed */
        WS_TEXT, /* a whole message, UTF-8 */
        WS_PING,
        WS_PONG,
        WS_CLOSE,
        WS_WRONG, /* the client's mistake (or no memory: WS_ABNORMAL); what follows is not understood */
};

/* The payload of a message or control frame, valid until the next call on the reader; of a close frame the reason. */
struct ws_item {
        struct slice text;
        unsigned code;   /* of WS_CLOSE, 0 if the client gave none; of WS_WRONG what to close with */
        const char *why; /* of WS_WRONG */
};

/* About 4 KiB, and a message as far as it is here. */
struct ws_reader;
struct ws_reader *ws_reader_new(void); /* NULL: out of memory */
void ws_reader_free(struct ws_reader *rd);
/* Borrowed until ws_reader_next() says WS_MORE. */
void ws_reader_feed(struct ws_reader *rd, struct slice bytes);
enum ws_took ws_reader_next(struct ws_reader *rd, struct ws_item *ret);
bool ws_reader_open(const struct ws_reader *rd);  /* in the middle of a message's fragments */
bool ws_reader_whole(const struct ws_reader *rd); /* no frame and no message is incomplete */

/* ws_shake.c: base64 of the SHA-1 of a Sec-WebSocket-Key and RFC 6455's text; false: no SHA-1 in this OpenSSL. */
#define WS_ACCEPT_SIZE 28
bool ws_accept(struct slice key, char to[static WS_ACCEPT_SIZE]);
