/* sse.c - a stream of server-sent events cut into their data. */
#include "sse.h"

void sse_init(struct sse *s, size_t max) {
        *s = (struct sse){ 0 };
        buf_init(&s->data, max);
}

void sse_free(struct sse *s) {
        buf_free(&s->data);
}

static bool is_data(const struct sse *s) {
        return s->named == 4 && memcmp(s->name, "data", 4) == 0;
}

/* The name is complete: at its colon, or at the end of a line that has none. */
static void name_ends(struct sse *s) {
        s->at = is_data(s) ? SSE_SPACE : SSE_SKIP;
        if (s->at == SSE_SPACE) {
                if (s->some)
                        buf_char(&s->data, '\n');
                s->some = true;
        }
}

/* False: the receiver wants no more. */
static bool line_ends(struct sse *s, sse_fn *fn, void *arg) {
        bool more = true, blank = s->at == SSE_NAME && s->named == 0;

        if (s->at == SSE_NAME && !blank)
                name_ends(s);
        if (blank && s->some) {
                more = fn(arg, buf_view(&s->data));
                buf_clear(&s->data);
                s->some = false;
        }
        s->at = SSE_NAME;
        s->named = 0;
        return more;
}

static void name_byte(struct sse *s, char c) {
        if (c == ':')
                name_ends(s);
        else if (s->named < sizeof s->name)
                s->name[s->named++] = c;
}

/* As many of the line's bytes as there are; at least one. */
static uint32_t take(struct sse *s, struct slice bytes) {
        uint32_t n = 0;

        if (s->at == SSE_NAME) {
                name_byte(s, bytes.p[0]);
                return 1;
        }
        if (s->at == SSE_SPACE) {
                s->at = SSE_DATA;
                if (bytes.p[0] == ' ')
                        return 1;
        }
        while (n < bytes.n && bytes.p[n] != '\n' && bytes.p[n] != '\r')
                n++;
        if (s->at == SSE_DATA)
                buf_add(&s->data, bytes.p, n);
        return n;
}

/* How many of the bytes belong to a byte order mark; the very first of a stream may be one. */
static uint32_t skip_mark(struct sse *s, struct slice bytes) {
        static const char mark[] = "\xef\xbb\xbf";
        uint32_t n = 0;

        while (!s->begun && n < bytes.n) {
                if (bytes.p[n] == mark[s->mark]) {
                        n++;
                        s->begun = ++s->mark == 3;
                } else {
                        s->named = s->mark; /* it was none: a field of that name, which means nothing */
                        memcpy(s->name, mark, s->mark);
                        s->begun = true;
                }
        }
        return n;
}

bool sse_feed(struct sse *s, struct slice bytes, sse_fn *fn, void *arg) {
        uint32_t i = skip_mark(s, bytes);

        while (i < bytes.n && !s->data.over) {
                char c = bytes.p[i];
                bool second = s->cr && c == '\n';

                s->cr = c == '\r';
                if (second || c == '\n' || c == '\r') {
                        i++;
                        if (!second && !line_ends(s, fn, arg))
                                return false;
                } else {
                        i += take(s, (struct slice){ bytes.p + i, bytes.n - i });
                }
        }
        return !s->data.over;
}
