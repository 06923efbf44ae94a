/* json_check.c - RFC 8259 and I-JSON, decided byte by byte before any parser sees the text. */
#include "json_check.h"

#include "json.h"

struct scan {
        const char *p, *end;
        const char *why; /* set once, with p at the culprit */
        struct json_shape shape;
        uint64_t objects; /* bit per open container: is it an object? */
        unsigned depth;
};
_Static_assert(JSON_DEPTH <= 64, "one bit for each open container");

static bool fail(struct scan *s, const char *why) {
        s->why = why;
        return false;
}

static bool at(const struct scan *s, char c) {
        return s->p < s->end && *s->p == c;
}

static bool digit(const struct scan *s) {
        return s->p < s->end && *s->p >= '0' && *s->p <= '9';
}

static void spaces(struct scan *s) {
        while (s->p < s->end && (*s->p == ' ' || *s->p == '\t' || *s->p == '\n' || *s->p == '\r'))
                s->p++;
}

uint32_t json_check_hex4(const char *p) {
        uint32_t v = 0;

        for (int i = 0; i < 4; i++)
                v = v << 4 | (uint32_t)(p[i] <= '9' ? p[i] - '0' : (p[i] | 0x20) - 'a' + 10);
        return v;
}

/* At "\u": the four digits, and the code unit they spell. */
static bool unit(struct scan *s, uint32_t *ret) {
        if (s->end - s->p < 6 || s->p[0] != '\\' || s->p[1] != 'u')
                return false;
        for (int i = 2; i < 6; i++) {
                char c = s->p[i];

                if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')))
                        return false;
        }
        *ret = json_check_hex4(s->p + 2);
        s->p += 6;
        return true;
}

static bool escape(struct scan *s) {
        const char *from = s->p;
        uint32_t first, second;

        s->shape.escapes = true;
        if (s->end - s->p < 2)
                return fail(s, "unterminated string");
        if (s->p[1] != 'u') {
                if (!s->p[1] || !strchr("\"\\/bfnrt", s->p[1]))
                        return fail(s, "unknown escape");
                s->p += 2;
                return true;
        }
        if (!unit(s, &first))
                return fail(s, "\\u needs four hex digits");
        if (first == 0) {
                s->p = from;
                return fail(s, "U+0000");
        }
        if (first < 0xd800 || first > 0xdfff)
                return true;
        if (first > 0xdbff || !unit(s, &second) || second < 0xdc00 || second > 0xdfff) {
                s->p = from;
                return fail(s, "lone surrogate");
        }
        return true;
}

static bool string(struct scan *s) {
        const char *from = ++s->p;
        bool ascii = true;

        while (s->p < s->end && *s->p != '"') {
                unsigned char c = (unsigned char)*s->p;

                if (c < 0x20)
                        return fail(s, "raw control character in a string");
                if (c == '\\') {
                        if (!escape(s))
                                return false;
                        continue;
                }
                ascii = ascii && c < 0x80;
                s->p++;
        }
        if (s->p == s->end)
                return fail(s, "unterminated string");
        if (!ascii && !text_utf8((struct slice){ from, (uint32_t)(s->p - from) })) {
                s->p = from;
                return fail(s, "invalid UTF-8");
        }
        s->p++;
        return true;
}

static bool digits(struct scan *s) {
        if (!digit(s))
                return false;
        while (digit(s))
                s->p++;
        return true;
}

static bool number(struct scan *s) {
        if (at(s, '-'))
                s->p++;
        if (at(s, '0'))
                s->p++;
        else if (!digits(s))
                return fail(s, "malformed number");
        if (at(s, '.')) {
                s->p++;
                if (!digits(s))
                        return fail(s, "malformed number");
        }
        if (at(s, 'e') || at(s, 'E')) {
                s->p++;
                if (at(s, '+') || at(s, '-'))
                        s->p++;
                if (!digits(s))
                        return fail(s, "malformed number");
        }
        return !digit(s) || fail(s, "malformed number");
}

static bool word(struct scan *s, const char *w) {
        size_t n = strlen(w);

        if ((size_t)(s->end - s->p) < n || memcmp(s->p, w, n) != 0)
                return fail(s, "not a JSON value");
        s->p += n;
        return true;
}

static bool scalar(struct scan *s) {
        switch (*s->p) {
        case '"':
                return string(s);
        case 't':
                return word(s, "true");
        case 'f':
                return word(s, "false");
        case 'n':
                return word(s, "null");
        default:
                return at(s, '-') || digit(s) ? number(s) : fail(s, "not a JSON value");
        }
}

static bool in_object(const struct scan *s) {
        return s->depth && (s->objects >> (s->depth - 1) & 1);
}

static bool key(struct scan *s) {
        spaces(s);
        if (!at(s, '"'))
                return fail(s, "a key must be a string");
        if (!string(s))
                return false;
        s->shape.keys++;
        spaces(s);
        if (!at(s, ':'))
                return fail(s, "a colon is missing");
        s->p++;
        return true;
}

/* At a value: all of it if it is a scalar or empty, else what opens it. *done: nothing of it is left to read. */
static bool begin(struct scan *s, bool *done) {
        spaces(s);
        *done = true;
        if (s->p == s->end)
                return fail(s, "the text ends early");
        if (++s->shape.values > JSON_TOKENS)
                return fail(s, "too many values");
        if (*s->p != '{' && *s->p != '[')
                return scalar(s);

        bool object = *s->p == '{';

        if (s->depth == JSON_DEPTH)
                return fail(s, "nested too deeply");
        s->p++;
        spaces(s);
        if (at(s, object ? '}' : ']')) {
                s->p++;
                return true;
        }
        *done = false;
        s->objects = (s->objects & ~(UINT64_C(1) << s->depth)) | (uint64_t)object << s->depth;
        s->depth++;
        return !object || key(s);
}

/* After a value: closes what ends here, up to the comma before the next one. *more: there is a next one. */
static bool end(struct scan *s, bool *more) {
        *more = false;
        for (;;) {
                spaces(s);
                if (!s->depth)
                        return s->p == s->end || fail(s, "something follows the document");
                if (at(s, ',')) {
                        s->p++;
                        *more = true;
                        return !in_object(s) || key(s);
                }
                if (!at(s, in_object(s) ? '}' : ']'))
                        return fail(s,
                                    s->p == s->end ? "the text ends early" : "a comma or closing bracket is missing");
                s->p++;
                s->depth--;
        }
}

static bool document(struct scan *s) {
        bool done, more = true;

        while (more) {
                if (!begin(s, &done))
                        return false;
                if (done && !end(s, &more))
                        return false;
        }
        return true;
}

int json_check(struct slice text, struct json_shape *ret, const char **ret_why, size_t *ret_at) {
        struct scan s = { .p = text.n ? text.p : "", .end = text.n ? text.p + text.n : NULL };

        if (!s.end)
                s.end = s.p;

        const char *from = s.p;

        if (!document(&s)) {
                *ret_why = s.why;
                *ret_at = (size_t)(s.p - from);
                return -1;
        }
        *ret = s.shape;
        return 0;
}

bool json_check_object(struct slice text) {
        struct json_shape shape;
        const char *why;
        size_t where;

        return text.n && text.p[0] == '{' && json_check(text, &shape, &why, &where) == 0;
}

bool json_check_value(struct slice text) {
        struct json_shape shape;
        const char *why;
        size_t where;

        return json_check(text, &shape, &why, &where) == 0;
}
