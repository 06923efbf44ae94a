/* jsonw.c - JSON text, written in order: every comma and escape comes from here. */
#include "jsonw.h"

#include <assert.h>

void jsonw_init(struct jsonw *w, struct buf *out) {
        *w = (struct jsonw){ .out = out, .first = true };
}

/* What comes before a value or key: a comma, unless it is the first here or follows its key. */
static void separate(struct jsonw *w) {
        if (!w->first)
                buf_char(w->out, ',');
        w->first = false;
}

static void open(struct jsonw *w, char c) {
        separate(w);
        buf_char(w->out, c);
        assert(w->depth < UINT8_MAX);
        w->depth++;
        w->first = true;
}

void jsonw_object(struct jsonw *w) {
        open(w, '{');
}

void jsonw_array(struct jsonw *w) {
        open(w, '[');
}

void jsonw_end(struct jsonw *w, char close) {
        assert(w->depth > 0);
        buf_char(w->out, close);
        w->depth--;
        w->first = false;
}

static void escape(struct buf *out, unsigned char c) {
        static const char named[32] = { ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't' };
        char text[6] = { '\\', 'u', '0', '0', "0123456789abcdef"[c >> 4], "0123456789abcdef"[c & 15] };

        if (c < sizeof named && !named[c]) {
                buf_add(out, text, sizeof text);
                return;
        }
        text[1] = (char)(c < sizeof named ? named[c] : c);
        buf_add(out, text, 2);
}

void jsonw_quote(struct buf *out, struct slice s) {
        uint32_t done = 0;

        buf_char(out, '"');
        for (uint32_t i = 0; i < s.n; i++) {
                unsigned char c = (unsigned char)s.p[i];

                if (c >= 0x20 && c != '"' && c != '\\')
                        continue;
                buf_add(out, s.p + done, i - done);
                escape(out, c);
                done = i + 1;
        }
        if (done < s.n)
                buf_add(out, s.p + done, s.n - done);
        buf_char(out, '"');
}

void jsonw_key(struct jsonw *w, const char *key) {
        separate(w);
        jsonw_quote(w->out, slice_of(key));
        buf_char(w->out, ':');
        w->first = true;
}

void jsonw_str(struct jsonw *w, struct slice s) {
        separate(w);
        jsonw_quote(w->out, s);
}

void jsonw_cstr(struct jsonw *w, const char *s) {
        if (s)
                jsonw_str(w, slice_of(s));
        else
                jsonw_null(w);
}

void jsonw_int(struct jsonw *w, int64_t v) {
        separate(w);
        buf_int(w->out, v);
}

void jsonw_bool(struct jsonw *w, bool v) {
        jsonw_raw(w, v ? SLICE("true") : SLICE("false"));
}

void jsonw_null(struct jsonw *w) {
        jsonw_raw(w, SLICE("null"));
}

void jsonw_raw(struct jsonw *w, struct slice json) {
        separate(w);
        buf_slice(w->out, json);
}

void jsonw_key_str(struct jsonw *w, const char *key, struct slice s) {
        jsonw_key(w, key);
        jsonw_str(w, s);
}

void jsonw_key_cstr(struct jsonw *w, const char *key, const char *s) {
        jsonw_key(w, key);
        jsonw_cstr(w, s);
}

void jsonw_key_int(struct jsonw *w, const char *key, int64_t v) {
        jsonw_key(w, key);
        jsonw_int(w, v);
}

void jsonw_key_bool(struct jsonw *w, const char *key, bool v) {
        jsonw_key(w, key);
        jsonw_bool(w, v);
}

void jsonw_key_raw(struct jsonw *w, const char *key, struct slice json) {
        jsonw_key(w, key);
        jsonw_raw(w, json);
}
