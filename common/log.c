/* log.c - the native journal protocol (systemd.journal-fields(7)) on one connected datagram socket, or stderr. */
#include "log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define JOURNAL     "/run/systemd/journal/socket"
#define VALUE_MAX   256u
#define MESSAGE_MAX 1024u
/* Message, identifier, priority and seven fields with their names; nothing that is put in can outgrow it. */
#define RECORD_MAX (MESSAGE_MAX + 9 * (VALUE_MAX + 32))

static struct {
        int journal; /* connected, or -1 */
        bool prefix; /* stderr is the journal's stream: "<N>" carries the level */
        enum log_level max;
        char program[48];
} out = { .journal = -1, .max = LOG_INFO, .program = "lifeos" };

struct record {
        size_t n;
        char bytes[RECORD_MAX];
};

/* No sd_journal_send(): it opens a socket of its own whenever it likes, which most daemons may not do. */
static int journal_connect(void) {
        struct sockaddr_un to = { .sun_family = AF_UNIX, .sun_path = JOURNAL };
        int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd >= 0 && connect(fd, (const struct sockaddr *)&to, sizeof to) < 0) {
                (void)close(fd);
                fd = -1;
        }
        return fd;
}

void log_open(const char *program) {
        (void)snprintf(out.program, sizeof out.program, "%s", program);
        if (getenv("JOURNAL_STREAM") == NULL)
                return;
        out.prefix = true;
        if (out.journal < 0)
                out.journal = journal_connect();
}

void log_set_level(enum log_level max) {
        out.max = max;
}

static void put(struct record *r, const char *s, size_t n) {
        if (n > sizeof r->bytes - r->n)
                n = sizeof r->bytes - r->n;
        memcpy(r->bytes + r->n, s, n);
        r->n += n;
}

static void put_str(struct record *r, const char *s) {
        put(r, s, strlen(s));
}

/* Whatever a client sent becomes one harmless word: control characters (C1 too) and backslashes are escaped, and all
 * bytes above 127 if they are not UTF-8; so no value can end its line, start a field or steer a terminal. */
static void put_value(struct record *r, struct slice v, size_t max) {
        bool utf8 = text_utf8(v);
        size_t end = r->n + max;
        for (uint32_t i = 0; i < v.n;) {
                unsigned char c = (unsigned char)v.p[i];
                unsigned char next = i + 1 < v.n ? (unsigned char)v.p[i + 1] : 0;
                bool c1 = c == 0xc2 && next < 0xa0;
                uint32_t len = c < 0x80 || !utf8 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
                bool bare = c >= 0x20 && c != 0x7f && c != '\\' && !c1 && (c < 0x80 || utf8);
                char hex[8 * 4 + 1];
                size_t n = 0;
                if (!bare)
                        for (uint32_t k = 0; k < len && i + k < v.n; k++)
                                n += (size_t)snprintf(hex + n, sizeof hex - n, "\\x%02x", (unsigned char)v.p[i + k]);
                if (r->n + (bare ? len : n) > end)
                        return;
                put(r, bare ? v.p + i : hex, bare ? len : n);
                i += len;
        }
}

struct pair {
        const char *journal, *line; /* the field's two spellings */
        struct slice value;
};

static size_t pairs_of(const struct log_fields *f, struct pair to[static 7]) {
        if (f == NULL)
                return 0;
        const struct pair all[7] = {
                { "OP=", " op=", slice_of(f->op) },         { "STATUS=", " status=", slice_of(f->status) },
                { "PEER=", " peer=", slice_of(f->peer) },   { "ACTOR=", " actor=", f->actor },
                { "SESSION=", " session=", f->session },    { "REQUEST_ID=", " request_id=", f->request_id },
                { "TRACE_ID=", " trace_id=", f->trace_id },
        };
        size_t n = 0;
        for (size_t i = 0; i < 7; i++)
                if (all[i].value.n > 0)
                        to[n++] = all[i];
        return n;
}

static bool journal_send(enum log_level l, struct slice message, const struct pair *pairs, size_t n) {
        struct record r;
        const char priority[] = { (char)('0' + (int)l), '\n' };
        if (out.journal < 0)
                return false;
        r.n = 0;
        put_str(&r, "SYSLOG_IDENTIFIER=");
        put_str(&r, out.program);
        put_str(&r, "\nPRIORITY=");
        put(&r, priority, sizeof priority);
        for (size_t i = 0; i < n; i++) {
                put_str(&r, pairs[i].journal);
                put_value(&r, pairs[i].value, VALUE_MAX);
                put_str(&r, "\n");
        }
        put_str(&r, "MESSAGE=");
        put_value(&r, message, MESSAGE_MAX);
        put_str(&r, "\n");
        /* send(2) is sendto(2) without an address: that is all the frontend's filter lets through. */
        return send(out.journal, r.bytes, r.n, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)r.n;
}

static void stderr_write(enum log_level l, struct slice message, const struct pair *pairs, size_t n) {
        struct record r;
        const char prefix[] = { '<', (char)('0' + (int)l), '>' };
        r.n = 0;
        if (out.prefix)
                put(&r, prefix, sizeof prefix);
        put_str(&r, out.program);
        put_str(&r, ": ");
        put_value(&r, message, MESSAGE_MAX);
        for (size_t i = 0; i < n; i++) {
                put_str(&r, pairs[i].line);
                put_value(&r, pairs[i].value, VALUE_MAX);
        }
        put_str(&r, "\n");
        /* Nobody is left to tell when this fails; and a journal that does not read must not stop us from serving. */
        ssize_t n_out = out.prefix ? send(STDERR_FILENO, r.bytes, r.n, MSG_NOSIGNAL | MSG_DONTWAIT) : -1;
        if (n_out < 0 && (!out.prefix || errno == ENOTSOCK))
                n_out = write(STDERR_FILENO, r.bytes, r.n);
        (void)n_out;
}

static void emit(enum log_level l, const struct log_fields *f, struct slice message) {
        struct pair pairs[7];
        size_t n = pairs_of(f, pairs);
        if (!journal_send(l, message, pairs, n))
                stderr_write(l, message, pairs, n);
}

void log_line(enum log_level l, const struct log_fields *f, const char *fmt, ...) {
        int e = errno;
        char text[MESSAGE_MAX];
        va_list ap;
        if (l > out.max)
                return;
        va_start(ap, fmt);
        (void)vsnprintf(text, sizeof text, fmt, ap);
        va_end(ap);
        emit(l, f, slice_of(text));
        errno = e;
}

void die(const char *fmt, ...) {
        char text[MESSAGE_MAX];
        va_list ap;
        va_start(ap, fmt);
        (void)vsnprintf(text, sizeof text, fmt, ap);
        va_end(ap);
        emit(LOG_ERROR, NULL, slice_of(text));
        exit(EXIT_FAILURE);
}
