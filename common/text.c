/* text.c - slices: comparing, cutting, and the charsets and numbers everything is checked against. */
#include "text.h"

#include <sodium.h>

struct slice slice_of(const char *cstr) {
        return cstr ? (struct slice){ cstr, (uint32_t)strlen(cstr) } : (struct slice){ NULL, 0 };
}

bool slice_eq(struct slice a, struct slice b) {
        return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool slice_is(struct slice a, const char *cstr) {
        return slice_eq(a, slice_of(cstr));
}

static unsigned char lower(unsigned char c) {
        return c >= 'A' && c <= 'Z' ? (unsigned char)(c + ('a' - 'A')) : c;
}

bool slice_is_nocase(struct slice a, const char *cstr) {
        struct slice b = slice_of(cstr);

        if (a.n != b.n)
                return false;
        for (uint32_t i = 0; i < a.n; i++)
                if (lower((unsigned char)a.p[i]) != lower((unsigned char)b.p[i]))
                        return false;
        return true;
}

static bool blank(char c) {
        return c == ' ' || c == '\t';
}

struct slice slice_trim(struct slice a) {
        while (a.n && blank(a.p[0]))
                a.p++, a.n--;
        while (a.n && blank(a.p[a.n - 1]))
                a.n--;
        return a;
}

bool slice_copy(struct slice a, char *to, size_t cap) {
        if (a.n >= cap || (a.n && memchr(a.p, 0, a.n)))
                return false;
        if (a.n)
                memcpy(to, a.p, a.n);
        to[a.n] = 0;
        return true;
}

bool slice_eq_secret(struct slice a, struct slice b) {
        return a.n == b.n && (a.n == 0 || sodium_memcmp(a.p, b.p, a.n) == 0);
}

/* Bytes of the character that begins at p, 0 if none does. */
static uint32_t utf8_length(const unsigned char *p, uint32_t n) {
        unsigned char low = 0x80, high = 0xbf; /* what the second byte may be: no long forms, no surrogates */
        uint32_t need = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;

        if (p[0] < 0x80)
                return 1;
        if (p[0] < 0xc2 || p[0] > 0xf4 || n < need)
                return 0;
        if (p[0] == 0xe0)
                low = 0xa0;
        else if (p[0] == 0xed)
                high = 0x9f;
        else if (p[0] == 0xf0)
                low = 0x90;
        else if (p[0] == 0xf4)
                high = 0x8f;
        if (p[1] < low || p[1] > high)
                return 0;
        for (uint32_t i = 2; i < need; i++)
                if ((p[i] & 0xc0) != 0x80)
                        return 0;
        return need;
}

bool text_utf8(struct slice a) {
        const unsigned char *p = (const unsigned char *)a.p;
        uint32_t left = a.n;

        while (left) {
                uint64_t eight;

                if (left >= sizeof eight) { /* nearly everything is ASCII */
                        memcpy(&eight, p, sizeof eight);
                        if (!(eight & UINT64_C(0x8080808080808080))) {
                                p += sizeof eight, left -= (uint32_t)sizeof eight;
                                continue;
                        }
                }

                uint32_t n = utf8_length(p, left);

                if (!n)
                        return false;
                p += n, left -= n;
        }
        return true;
}

static bool digit(char c) {
        return c >= '0' && c <= '9';
}

bool text_id(struct slice a) {
        for (uint32_t i = 0; i < a.n; i++) {
                unsigned char c = lower((unsigned char)a.p[i]);

                if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= ':') || c == '_' || c == '.' || c == '-'))
                        return false;
        }
        return a.n > 0;
}

bool text_int(struct slice a, int64_t *ret) {
        bool minus = a.n && a.p[0] == '-';
        uint32_t i = minus;
        int64_t v = 0;

        if (i == a.n || (a.p[i] == '0' && (minus || a.n > 1)))
                return false;
        for (; i < a.n; i++) {
                if (!digit(a.p[i]) || __builtin_mul_overflow(v, 10, &v) ||
                    __builtin_sub_overflow(v, a.p[i] - '0', &v)) /* downwards: INT64_MIN has no positive twin */
                        return false;
        }
        if (!minus && __builtin_sub_overflow(0, v, &v))
                return false;
        *ret = v;
        return true;
}

/* The parts of a decimal number: where its digits stand, and how many of them come before the point once the
 * exponent has moved it. */
struct decimal {
        bool minus;
        struct slice whole, fraction;
        int64_t point;
};

static struct slice digits(struct slice *s) {
        struct slice d = { s->p, 0 };

        while (s->n && digit(s->p[0]))
                s->p++, s->n--, d.n++;
        return d;
}

static bool take(struct slice *s, char c) {
        if (!s->n || s->p[0] != c)
                return false;
        s->p++, s->n--;
        return true;
}

static bool decimal_split(struct slice s, struct decimal *d) {
        *d = (struct decimal){ .minus = take(&s, '-') };
        d->whole = digits(&s);
        if (d->whole.n == 0 || (d->whole.n > 1 && d->whole.p[0] == '0'))
                return false;
        d->point = d->whole.n;
        if (take(&s, '.') && (d->fraction = digits(&s)).n == 0)
                return false;
        if (take(&s, 'e') || take(&s, 'E')) {
                bool minus = take(&s, '-');
                int64_t exponent = 0;

                if (!minus)
                        (void)take(&s, '+');

                struct slice e = digits(&s);

                if (e.n == 0)
                        return false;
                for (uint32_t i = 0; i < e.n && exponent < INT64_C(1) << 40; i++)
                        exponent = exponent * 10 + (e.p[i] - '0');
                d->point += minus ? -exponent : exponent;
        }
        return s.n == 0;
}

bool text_number_trunc(struct slice a, int64_t *ret) {
        struct decimal d;
        int64_t v = 0;

        if (!decimal_split(a, &d))
                return false;
        for (int64_t i = 0; i < d.point; i++) {
                int64_t written = (int64_t)d.whole.n + d.fraction.n;
                int64_t next = i >= written ? 0 : (i < d.whole.n ? d.whole.p[i] : d.fraction.p[i - d.whole.n]) - '0';

                if (i >= written && v == 0)
                        break;
                if (__builtin_mul_overflow(v, 10, &v) || __builtin_sub_overflow(v, next, &v)) {
                        *ret = d.minus ? INT64_MIN : INT64_MAX;
                        return true;
                }
        }
        if (!d.minus && __builtin_sub_overflow(0, v, &v))
                v = INT64_MAX;
        *ret = v;
        return true;
}
