/* http.c - fuzz: a connection fed any bytes; where they are cut must not matter to what is understood. */
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz.h"
#include "http_conn.h"

/* What one run understood: every request, and every status that left. */
static struct buf heard, said;
static struct http_server *server;
static struct http_stream *stream;

static void on_drained(void *arg) {
        (void)arg;
        http_stream_end(stream);
}

static void on_closed(void *arg) {
        (void)arg;
}

static void handle(void *arg, struct http_request *r) {
        static const struct http_stream_events ev = { .drained = on_drained, .closed = on_closed };
        (void)arg;
        must(r->method.n > 0 && r->target.n > 0 && r->target.n <= HTTP_TARGET_MAX && r->path.n > 0);
        must(r->path.p[0] == '/' || slice_is(r->path, "*"));
        must(r->trace_id.n > 0 && r->trace_id.n <= 64 && r->body.n <= HTTP_BODY_MAX);
        must(http_media_type(r).n < 64);
        buf_fmt(&heard, "%.*s %.*s ? %.*s | ", SLICE_FMT(r->method), SLICE_FMT(r->path), SLICE_FMT(r->query));
        buf_slice(&heard, http_header(r, "authorization"));
        buf_slice(&heard, r->body);
        buf_char(&heard, '\n');
        if (r->path.n > 1 && r->path.p[1] == 's' && (stream = http_stream_begin(r, "text/plain", &ev, NULL)))
                (void)http_stream_write(stream, SLICE("x"));
        else if (r->path.n > 1 && r->path.p[1] == 'f')
                http_fail(r, STATUS_RATE_LIMITED, (struct slice){ 0 }, &(struct http_extra){ .retry_after = 1 });
        else
                http_respond(r, 200, "text/plain", r->body, NULL);
}

/* Everything that arrived, as far as it is a status line. */
static void listen_to(int fd) {
        char text[65536];
        ssize_t n;
        while ((n = recv(fd, text, sizeof text, MSG_DONTWAIT)) > 0)
                for (ssize_t i = 0; i + 12 < n; i++)
                        if (memcmp(text + i, "HTTP/1.1 ", 9) == 0 && memcmp(text + i + 9, "100", 3) != 0)
                                buf_add(&said, text + i + 9, 3);
}

static void run(struct ev_loop *loop, const uint8_t *data, size_t size, size_t piece, enum http_listener via) {
        int fd[2];
        must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd) == 0);
        must(http_conn_new(server, fd[0], via, "192.0.2.1\0                                    ") != NULL);
        buf_clear(&heard);
        buf_clear(&said);
        for (size_t at = 0; at < size; at += piece) {
                size_t n = size - at < piece ? size - at : piece;
                if (send(fd[1], data + at, n, MSG_NOSIGNAL) < 0)
                        break;
                ev_run(loop, EVRUN_NOWAIT);
        }
        (void)shutdown(fd[1], SHUT_WR);
        for (unsigned i = 0; http_server_connections(server) > 0; i++) {
                must(i < 100000);
                ev_run(loop, EVRUN_NOWAIT);
                listen_to(fd[1]);
        }
        listen_to(fd[1]);
        close(fd[1]);
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
        if (size < 1 || size > 16384)
                return 0;
        size_t piece = 1 + (data[0] & 0x3f);
        enum http_listener via = data[0] & 0x40 ? HTTP_PROXY : HTTP_PLAIN;
        run(loop, data + 1, size - 1, size, via);
        buf_clear(&first);
        buf_clear(&status);
        buf_slice(&first, buf_view(&heard));
        buf_slice(&status, buf_view(&said));
        run(loop, data + 1, size - 1, piece, via);
        must(slice_eq(buf_view(&first), buf_view(&heard)));
        must(slice_eq(buf_view(&status), buf_view(&said)));
        must(server->bodies == 0);
        return 0;
}
