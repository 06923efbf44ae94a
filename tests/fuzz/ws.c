/* ws.c - fuzz: a WebSocket fed any bytes behind its handshake; where they are cut must not matter to what happens. */
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz.h"
#include "http_conn.h"
#include "ws.h"

#define HELLO                                                                                                        \
        "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"    \
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

/* What one run understood and how it ended; what left for the client. */
static struct buf heard, said;
static struct http_server *server;
static struct ws *ws;
static unsigned ends;

static void on_message(void *arg, struct slice text) {
        (void)arg;
        must(ws && text.n <= WS_MESSAGE_MAX && text_utf8(text));
        buf_slice(&heard, text);
        buf_char(&heard, '\xff');
        if (text.n > 0 && text.p[0] == '!') {
                ws_close(ws, WS_POLICY, "asked for");
                ws = NULL;
                ends++;
        } else {
                (void)ws_send(ws, text);
        }
}

static void on_drained(void *arg) {
        (void)arg;
        must(ws != NULL);
}

static void on_closed(void *arg, unsigned code) {
        (void)arg;
        must(ws != NULL && code >= 1000 && code <= 4999);
        ws = NULL;
        ends++;
        buf_fmt(&heard, "closed %u", code);
}

static void handle(void *arg, struct http_request *r) {
        static const struct ws_events ev = { on_message, on_drained, on_closed };
        const char *why;
        (void)arg;
        must(ws_wanted(r, &why) == STATUS_OK);
        ws = ws_begin(r, (struct slice){ 0 }, &ev, NULL);
        must(ws != NULL);
}

static void listen_to(int fd) {
        char text[65536];
        ssize_t n;
        while ((n = recv(fd, text, sizeof text, MSG_DONTWAIT)) > 0)
                buf_add(&said, text, (size_t)n);
}

/* The frames behind the head, unmasked and whole; nothing follows a close frame. */
static void check_said(void) {
        const unsigned char *p = memmem(said.p, said.n, "\r\n\r\n", 4), *end = (const unsigned char *)said.p + said.n;
        bool over = false;
        must(p != NULL);
        for (p += 4; p < end;) {
                size_t n = p[1], head = 2;
                must(!over && end - p >= 2 && (p[0] == 0x81 || p[0] == 0x88 || p[0] == 0x8a) && n <= 126);
                if (n == 126) {
                        must(end - p >= 4);
                        n = (size_t)p[2] << 8 | p[3];
                        head = 4;
                }
                must((size_t)(end - p) >= head + n &&
                     text_utf8((struct slice){ (const char *)p + head, p[0] == 0x81 ? (uint32_t)n : 0 }));
                over = p[0] == 0x88;
                p += head + n;
        }
        /* The date is not the input's doing. */
        const char *behind = memmem(said.p, said.n, "\r\n\r\n", 4);
        buf_drop(&said, (size_t)(behind - said.p));
}

static void run(struct ev_loop *loop, const uint8_t *data, size_t size, size_t piece) {
        int fd[2];
        must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd) == 0);
        must(http_conn_new(server, fd[0], HTTP_PLAIN, "192.0.2.1\0                                    ") != NULL);
        buf_clear(&heard);
        buf_clear(&said);
        ends = 0;
        must(send(fd[1], HELLO, sizeof HELLO - 1, MSG_NOSIGNAL) == sizeof HELLO - 1);
        for (size_t at = 0; at < size; at += piece) {
                size_t n = size - at < piece ? size - at : piece;
                if (send(fd[1], data + at, n, MSG_NOSIGNAL) < 0)
                        break;
                ev_run(loop, EVRUN_NOWAIT);
                listen_to(fd[1]);
        }
        for (unsigned i = 0; i < 8; i++) /* a client that half-closes has left: it does not get what still waits */
                ev_run(loop, EVRUN_NOWAIT);
        (void)shutdown(fd[1], SHUT_WR);
        for (unsigned i = 0; http_server_connections(server) > 0; i++) {
                must(i < 100000);
                ev_run(loop, EVRUN_NOWAIT);
                listen_to(fd[1]);
        }
        listen_to(fd[1]);
        close(fd[1]);
        must(ends == 1 && ws == NULL);
        check_said();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static struct ev_loop *loop;
        static struct buf first, status;
        if (!loop) {
                loop = ev_loop_new(EVFLAG_AUTO);
                server = http_server_new(loop, handle, NULL);
                buf_init(&heard, 1u << 20);
                buf_init(&said, 1u << 20);
                buf_init(&first, 1u << 20);
                buf_init(&status, 1u << 20);
        }
        if (size < 1 || size > 40000)
                return 0;
        run(loop, data + 1, size - 1, size);
        buf_clear(&first);
        buf_clear(&status);
        buf_slice(&first, buf_view(&heard));
        buf_slice(&status, buf_view(&said));
        run(loop, data + 1, size - 1, 1 + (size_t)data[0] * (size > 4096 ? 16 : 1));
        must(slice_eq(buf_view(&first), buf_view(&heard)));
        must(slice_eq(buf_view(&status), buf_view(&said)));
        return 0;
}
