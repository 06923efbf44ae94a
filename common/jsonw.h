/* jsonw.h - writing JSON into a buf: commas and escapes are its business, balance is the caller's (asserted). */
#pragma once

#include "buf.h"

struct jsonw {
        struct buf *out;
        uint8_t depth;
        bool first;
};

void jsonw_init(struct jsonw *w, struct buf *out);
void jsonw_object(struct jsonw *w);
void jsonw_array(struct jsonw *w);
void jsonw_end(struct jsonw *w, char close); /* '}' or ']' */
void jsonw_key(struct jsonw *w, const char *key);
void jsonw_str(struct jsonw *w, struct slice s); /* must be UTF-8 */
void jsonw_cstr(struct jsonw *w, const char *s); /* NULL writes null */
void jsonw_int(struct jsonw *w, int64_t v);
void jsonw_bool(struct jsonw *w, bool v);
void jsonw_null(struct jsonw *w);
void jsonw_raw(struct jsonw *w, struct slice json); /* one JSON value, trusted */
/* The string alone, in quotes and with the fewest escapes; must be UTF-8. */
void jsonw_quote(struct buf *out, struct slice s);
/* Key and value at once. */
void jsonw_key_str(struct jsonw *w, const char *key, struct slice s);
void jsonw_key_cstr(struct jsonw *w, const char *key, const char *s);
void jsonw_key_int(struct jsonw *w, const char *key, int64_t v);
void jsonw_key_bool(struct jsonw *w, const char *key, bool v);
void jsonw_key_raw(struct jsonw *w, const char *key, struct slice json);
