/* buf.c - growing byte buffers that stop at their maximum and remember that they did. */
#include "buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void buf_init(struct buf *b, size_t max) {
        *b = (struct buf){ .max = max < UINT32_MAX ? max : UINT32_MAX }; /* a slice's length has 32 bits */
}

void buf_free(struct buf *b) {
        if (!b)
                return;
        free(b->p);
        *b = (struct buf){ .max = b->max };
}

void buf_clear(struct buf *b) {
        b->n = 0;
        b->over = false;
}

char *buf_room(struct buf *b, size_t n) {
        if (b->over || n > b->max - b->n) {
                b->over = true;
                return NULL;
        }
        if (b->n + n > b->cap || !b->p) {
                size_t cap = b->cap ? b->cap : 128;

                while (cap < b->n + n)
                        cap *= 2;
                if (cap > b->max)
                        cap = b->max;

                char *p = cap ? realloc(b->p, cap) : NULL;

                if (!p) {
                        b->over = true;
                        return NULL;
                }
                b->p = p;
                b->cap = cap;
        }
        return b->p + b->n;
}

void buf_add(struct buf *b, const void *p, size_t n) {
        char *to = n ? buf_room(b, n) : NULL;

        if (!to)
                return;
        memcpy(to, p, n);
        b->n += n;
}

void buf_slice(struct buf *b, struct slice s) {
        buf_add(b, s.p, s.n);
}

void buf_str(struct buf *b, const char *cstr) {
        buf_add(b, cstr, strlen(cstr));
}

void buf_char(struct buf *b, char c) {
        buf_add(b, &c, 1);
}

void buf_fmt(struct buf *b, const char *fmt, ...) {
        char small[256];
        va_list args;

        va_start(args, fmt);
        int n = vsnprintf(small, sizeof small, fmt, args);
        va_end(args);
        if (n < 0) {
                b->over = true;
                return;
        }
        if ((size_t)n < sizeof small) {
                buf_add(b, small, (size_t)n);
                return;
        }

        char *to = buf_room(b, (size_t)n + 1); /* vsnprintf wants its NUL; the next append overwrites it */

        if (!to)
                return;
        va_start(args, fmt);
        (void)vsnprintf(to, (size_t)n + 1, fmt, args);
        va_end(args);
        b->n += (size_t)n;
}

void buf_int(struct buf *b, int64_t v) {
        uint64_t left = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
        char digits[20];
        size_t at = sizeof digits;

        do
                digits[--at] = (char)('0' + left % 10);
        while (left /= 10);
        if (v < 0)
                digits[--at] = '-';
        buf_add(b, digits + at, sizeof digits - at);
}

void buf_le32(struct buf *b, uint32_t v) {
        unsigned char bytes[4];

        put_le32(bytes, v);
        buf_add(b, bytes, sizeof bytes);
}

void buf_le64(struct buf *b, uint64_t v) {
        unsigned char bytes[8];

        put_le64(bytes, v);
        buf_add(b, bytes, sizeof bytes);
}

void buf_drop(struct buf *b, size_t n) {
        if (n >= b->n) {
                b->n = 0;
                return;
        }
        if (n == 0)
                return;
        memmove(b->p, b->p + n, b->n - n);
        b->n -= n;
}

uint32_t get_le32(const void *p) {
        const unsigned char *b = p;

        return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

uint64_t get_le64(const void *p) {
        const unsigned char *b = p;

        return get_le32(b) | (uint64_t)get_le32(b + 4) << 32;
}

void put_le32(void *p, uint32_t v) {
        unsigned char *b = p;

        for (int i = 0; i < 4; i++)
                b[i] = (unsigned char)(v >> (8 * i));
}

void put_le64(void *p, uint64_t v) {
        unsigned char *b = p;

        put_le32(b, (uint32_t)v);
        put_le32(b + 4, (uint32_t)(v >> 32));
}
