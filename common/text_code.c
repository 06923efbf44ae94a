/* text_code.c - bytes as text: hexadecimal and base64, canonical forms only. */
#include "text.h"

void text_hex(const void *p, size_t n, char *to) {
        const unsigned char *from = p;

        for (size_t i = 0; i < n; i++) {
                to[2 * i] = "0123456789abcdef"[from[i] >> 4];
                to[2 * i + 1] = "0123456789abcdef"[from[i] & 15];
        }
        to[2 * n] = 0;
}

static int unhex(char c) {
        if (c >= '0' && c <= '9')
                return c - '0';
        if (c >= 'a' && c <= 'f')
                return c - 'a' + 10;
        return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool text_unhex(struct slice a, void *to, size_t n) {
        unsigned char *out = to;

        if (a.n != 2 * n)
                return false;
        for (uint32_t i = 0; i < a.n; i++)
                if (unhex(a.p[i]) < 0)
                        return false;
        for (size_t i = 0; i < n; i++)
                out[i] = (unsigned char)((unsigned)unhex(a.p[2 * i]) << 4 | (unsigned)unhex(a.p[2 * i + 1]));
        return true;
}

static const char standard[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static size_t encode(const void *p, size_t n, char *to, const char *alphabet) {
        const unsigned char *from = p;
        size_t at = 0;

        for (size_t i = 0; i < n; i += 3) {
                size_t have = n - i < 3 ? n - i : 3;
                unsigned group = (unsigned)from[i] << 16 | (have > 1 ? (unsigned)from[i + 1] << 8 : 0) |
                                 (have > 2 ? from[i + 2] : 0);

                for (size_t k = 0; k <= have; k++)
                        to[at++] = alphabet[group >> (18 - 6 * k) & 63];
        }
        return at;
}

size_t text_base64url(const void *p, size_t n, char *to) {
        return encode(p, n, to, url);
}

size_t text_base64(const void *p, size_t n, char *to) {
        size_t at = encode(p, n, to, standard);

        while (at % 4)
                to[at++] = '=';
        return at;
}

static int letter(char c, const char *alphabet) {
        if (c >= 'A' && c <= 'Z')
                return c - 'A';
        if (c >= 'a' && c <= 'z')
                return c - 'a' + 26;
        if (c >= '0' && c <= '9')
                return c - '0' + 52;
        return c == alphabet[62] ? 62 : c == alphabet[63] ? 63 : -1;
}

static ptrdiff_t decode(struct slice a, void *to, size_t cap, const char *alphabet) {
        unsigned char *out = to;
        uint32_t group = 0;
        unsigned bits = 0;
        size_t n = 0;

        if (a.n % 4 == 1)
                return -1;
        for (uint32_t i = 0; i < a.n; i++) {
                int v = letter(a.p[i], alphabet);

                if (v < 0)
                        return -1;
                group = (group << 6 | (uint32_t)v) & 0xffffff;
                bits += 6;
                if (bits < 8)
                        continue;
                bits -= 8;
                if (n == cap)
                        return -1;
                out[n++] = (unsigned char)(group >> bits);
        }
        /* Leftover bits that are not zero would make two texts for the same bytes. */
        return group & ((1u << bits) - 1) ? -1 : (ptrdiff_t)n;
}

ptrdiff_t text_unbase64url(struct slice a, void *to, size_t cap) {
        return decode(a, to, cap, url);
}

ptrdiff_t text_unbase64(struct slice a, void *to, size_t cap) {
        if (a.n % 4)
                return -1;
        if (a.n && a.p[a.n - 1] == '=')
                a.n -= a.p[a.n - 2] == '=' ? 2 : 1;
        return decode(a, to, cap, standard);
}
