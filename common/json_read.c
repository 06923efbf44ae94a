/* json_read.c - asking a parsed document: members, elements, values. */
#include "json_check.h"
#include "json_doc.h"

static const struct json_node *node_of(struct json v) {
        static const struct json_node absent = { .type = JSON_NONE };

        return v.doc ? &v.doc->node[v.at] : &absent;
}

struct slice json_node_text(const struct json_doc *doc, uint32_t at) {
        const struct json_node *n = &doc->node[at];

        return (struct slice){ (n->pooled ? doc->pool : doc->text) + n->start, n->end - n->start };
}

int json_key_compare(struct slice a, struct slice b) {
        uint32_t n = a.n < b.n ? a.n : b.n;
        int c = n ? memcmp(a.p, b.p, n) : 0;

        return c ? c : (a.n > b.n) - (a.n < b.n);
}

enum json_type json_type(struct json v) {
        return (enum json_type)node_of(v)->type;
}

uint32_t json_count(struct json v) {
        const struct json_node *n = node_of(v);

        if (n->type != JSON_OBJECT && n->type != JSON_ARRAY)
                return 0;
        return n->indexed ? v.doc->index[n->size] : n->size;
}

static struct json member(struct json obj, uint32_t key) {
        return (struct json){ obj.doc, key + 1 };
}

static struct json search(struct json obj, struct slice key) {
        const uint32_t *run = obj.doc->index + node_of(obj)->size;
        uint32_t low = 1, high = run[0] + 1;

        while (low < high) {
                uint32_t middle = low + (high - low) / 2;
                int c = json_key_compare(key, json_node_text(obj.doc, run[middle]));

                if (c == 0)
                        return member(obj, run[middle]);
                if (c < 0)
                        high = middle;
                else
                        low = middle + 1;
        }
        return (struct json){ NULL, 0 };
}

struct json json_get(struct json obj, const char *key) {
        const struct json_node *n = node_of(obj);
        struct slice want = slice_of(key);

        if (n->type != JSON_OBJECT)
                return (struct json){ NULL, 0 };
        if (n->indexed)
                return search(obj, want);
        for (uint32_t at = obj.at + 1; at < n->next; at = obj.doc->node[at + 1].next)
                if (slice_eq(json_node_text(obj.doc, at), want))
                        return member(obj, at);
        return (struct json){ NULL, 0 };
}

bool json_next(struct json v, uint32_t *it, struct slice *ret_key, struct json *ret_val) {
        const struct json_node *n = node_of(v);
        uint32_t at = *it ? *it : v.at + 1;
        bool object = n->type == JSON_OBJECT;

        if ((!object && n->type != JSON_ARRAY) || at >= n->next)
                return false;
        *ret_key = object ? json_node_text(v.doc, at) : (struct slice){ NULL, 0 };
        *ret_val = (struct json){ v.doc, at + object };
        *it = v.doc->node[at + object].next;
        return true;
}

/* One character as UTF-8; returns its bytes. */
static uint32_t put_utf8(uint32_t c, char *to) {
        if (c < 0x80) {
                to[0] = (char)c;
                return 1;
        }

        uint32_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

        for (uint32_t i = n - 1; i > 0; i--, c >>= 6)
                to[i] = (char)(0x80 | (c & 0x3f));
        to[0] = (char)((n == 2 ? 0xc0 : n == 3 ? 0xe0 : 0xf0) | c);
        return n;
}

static char named(char c) {
        switch (c) {
        case 'b':
                return '\b';
        case 'f':
                return '\f';
        case 'n':
                return '\n';
        case 'r':
                return '\r';
        case 't':
                return '\t';
        default:
                return c;
        }
}

uint32_t json_unescape(struct slice raw, char *to) {
        uint32_t at = 0;

        for (uint32_t i = 0; i < raw.n;) {
                if (raw.p[i] != '\\') {
                        to[at++] = raw.p[i++];
                } else if (raw.p[i + 1] != 'u') {
                        to[at++] = named(raw.p[i + 1]);
                        i += 2;
                } else {
                        uint32_t c = json_check_hex4(raw.p + i + 2);

                        i += 6;
                        if (c >= 0xd800 && c <= 0xdbff) { /* its other half follows, the checker saw to it */
                                c = 0x10000 + ((c - 0xd800) << 10) + (json_check_hex4(raw.p + i + 2) - 0xdc00);
                                i += 6;
                        }
                        at += put_utf8(c, to + at);
                }
        }
        return at;
}

bool json_str(struct json v, struct slice *ret) {
        if (node_of(v)->type != JSON_STRING)
                return false;

        struct slice raw = json_node_text(v.doc, v.at);

        if (raw.n && memchr(raw.p, '\\', raw.n)) {
                char *to = arena_alloc(v.doc->arena, raw.n);

                if (!to)
                        return false;
                raw = (struct slice){ to, json_unescape(raw, to) };
        }
        *ret = raw;
        return true;
}

bool json_int(struct json v, int64_t *ret) {
        return node_of(v)->type == JSON_NUMBER && text_int(json_node_text(v.doc, v.at), ret);
}

bool json_int_trunc(struct json v, int64_t *ret) {
        return node_of(v)->type == JSON_NUMBER && text_number_trunc(json_node_text(v.doc, v.at), ret);
}

bool json_bool(struct json v, bool *ret) {
        enum json_type t = json_type(v);

        if (t != JSON_TRUE && t != JSON_FALSE)
                return false;
        *ret = t == JSON_TRUE;
        return true;
}

struct slice json_raw(struct json v) {
        if (!v.doc)
                return (struct slice){ NULL, 0 };

        struct slice s = json_node_text(v.doc, v.at);

        return json_type(v) == JSON_STRING ? (struct slice){ s.p - 1, s.n + 2 } : s;
}
