/* ws_frame.c - what RFC 6455 lets a client send, judged frame by frame; wslay finds the frames. */
#include "ws_frame.h"

#include <stdlib.h>
#include <wslay/wslay.h>

#define CONTROL_MAX 125

struct ws_reader {
        wslay_frame_context_ptr ctx;
        struct slice feed;
        uint64_t owed;      /* bytes fed that are in no complete frame */
        uint64_t got;       /* of this frame's payload */
        bool inside, open;  /* this frame's head is judged; a message has begun and not ended */
        struct buf message; /* fragments, and frames that come in pieces */
        char control[CONTROL_MAX];
};

static ssize_t give(uint8_t *to, size_t n, int flags, void *arg) {
        struct ws_reader *rd = arg;
        (void)flags;
        if (n > rd->feed.n)
                n = rd->feed.n;
        if (n == 0)
                return -1; /* nothing now */
        memcpy(to, rd->feed.p, n);
        rd->feed.p += n;
        rd->feed.n -= (uint32_t)n;
        return (ssize_t)n;
}

struct ws_reader *ws_reader_new(void) {
        static const struct wslay_frame_callbacks callbacks = { .recv_callback = give };
        struct ws_reader *rd = calloc(1, sizeof(*rd));
        if (!rd || wslay_frame_context_init(&rd->ctx, &callbacks, rd) != 0) {
                free(rd);
                return NULL;
        }
        buf_init(&rd->message, WS_MESSAGE_MAX);
        return rd;
}

void ws_reader_free(struct ws_reader *rd) {
        if (!rd)
                return;
        wslay_frame_context_free(rd->ctx);
        buf_free(&rd->message);
        free(rd);
}

void ws_reader_feed(struct ws_reader *rd, struct slice bytes) {
        rd->feed = bytes;
        rd->owed += bytes.n;
}

bool ws_reader_open(const struct ws_reader *rd) {
        return rd->open;
}

bool ws_reader_whole(const struct ws_reader *rd) {
        return rd->owed == 0 && !rd->open;
}

static enum ws_took wrong(struct ws_item *ret, unsigned code, const char *why) {
        *ret = (struct ws_item){ .code = code, .why = why };
        return WS_WRONG;
}

/* Of a frame whose first bytes are here; WS_MORE: it is in order. */
static enum ws_took judge(const struct ws_reader *rd, const struct wslay_frame_iocb *io, struct ws_item *ret) {
        if (!io->mask)
                return wrong(ret, WS_PROTOCOL, "frame without mask");
        if (io->rsv != 0)
                return wrong(ret, WS_PROTOCOL, "reserved bit");
        switch (io->opcode) {
        case WSLAY_CONNECTION_CLOSE: /* wslay has seen that these are final and short */
        case WSLAY_PING:
        case WSLAY_PONG:
                return WS_MORE;
        case WSLAY_CONTINUATION_FRAME:
                if (!rd->open)
                        return wrong(ret, WS_PROTOCOL, "continuation of nothing");
                break;
        case WSLAY_TEXT_FRAME:
        case WSLAY_BINARY_FRAME:
                if (rd->open)
                        return wrong(ret, WS_PROTOCOL, "message inside a message");
                if (io->opcode == WSLAY_BINARY_FRAME)
                        return wrong(ret, WS_UNSUPPORTED, "binary message");
                break;
        default:
                return wrong(ret, WS_PROTOCOL, "unknown opcode");
        }
        if (io->payload_length > WS_MESSAGE_MAX - (rd->open ? rd->message.n : 0))
                return wrong(ret, WS_TOO_LARGE, "message too large");
        return WS_MORE;
}

/* RFC 6455 7.4 and the codes registered since; the others are never on the wire. */
static bool code_valid(unsigned code) {
        return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

static enum ws_took closing(struct slice payload, struct ws_item *ret) {
        if (payload.n == 0)
                return WS_CLOSE;
        if (payload.n == 1)
                return wrong(ret, WS_PROTOCOL, "close code cut off");
        ret->code = (unsigned)(unsigned char)payload.p[0] << 8 | (unsigned char)payload.p[1];
        ret->text = (struct slice){ payload.p + 2, payload.n - 2 };
        if (!code_valid(ret->code))
                return wrong(ret, WS_PROTOCOL, "close code");
        if (!text_utf8(ret->text))
                return wrong(ret, WS_NOT_UTF8, "reason is not UTF-8");
        return WS_CLOSE;
}

/* A frame is whole: what has become of it. */
static enum ws_took finish(struct ws_reader *rd, const struct wslay_frame_iocb *io, struct slice payload,
                           struct ws_item *ret) {
        *ret = (struct ws_item){ .text = payload };
        if (io->opcode == WSLAY_CONNECTION_CLOSE)
                return closing(payload, ret);
        if (io->opcode == WSLAY_PING)
                return WS_PING;
        if (io->opcode == WSLAY_PONG)
                return WS_PONG;
        rd->open = !io->fin;
        if (rd->open)
                return WS_MORE;
        return text_utf8(payload) ? WS_TEXT : wrong(ret, WS_NOT_UTF8, "message is not UTF-8");
}

/* Bytes of a frame. A message that is here in one piece is handed on where it lies. */
static enum ws_took take(struct ws_reader *rd, const struct wslay_frame_iocb *io, struct ws_item *ret) {
        struct slice piece = { (const char *)io->data, (uint32_t)io->data_length };
        bool control = wslay_is_ctrl_frame(io->opcode), last = rd->got + piece.n == io->payload_length;
        bool gather = !control && (rd->open || !io->fin || rd->got > 0 || !last);
        if (!control && rd->got == 0 && !rd->open)
                buf_clear(&rd->message);
        if (control && piece.n > 0)
                memcpy(rd->control + rd->got, piece.p, piece.n);
        if (gather)
                buf_slice(&rd->message, piece);
        if (rd->message.over)
                return wrong(ret, WS_ABNORMAL, "out of memory");
        rd->got += piece.n;
        if (!last)
                return WS_MORE;
        if (control)
                piece = (struct slice){ rd->control, (uint32_t)rd->got };
        else if (gather)
                piece = buf_view(&rd->message);
        uint64_t n = rd->got;
        rd->owed -= 6 + n + (n > 65535 ? 8 : n > 125 ? 2 : 0); /* wslay takes only the shortest form of a length */
        rd->got = 0;
        rd->inside = false;
        return finish(rd, io, piece, ret);
}

enum ws_took ws_reader_next(struct ws_reader *rd, struct ws_item *ret) {
        for (;;) {
                struct wslay_frame_iocb io = { 0 };
                ssize_t n = wslay_frame_recv(rd->ctx, &io);
                if (n == WSLAY_ERR_WANT_READ)
                        return WS_MORE;
                if (n < 0)
                        return wrong(ret, WS_PROTOCOL, "malformed frame");
                enum ws_took took = rd->inside ? WS_MORE : judge(rd, &io, ret);
                if (took != WS_MORE)
                        return took;
                rd->inside = true;
                took = take(rd, &io, ret);
                if (took != WS_MORE)
                        return took;
        }
}
