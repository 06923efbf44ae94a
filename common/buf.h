/* buf.h - a growing byte buffer with a maximum fixed at birth. */
#pragma once

#include "text.h"

/* Zero-initialised is valid and empty (and may grow to nothing). Owner frees with buf_free(). Once an append did
 * not fit (or memory ran out), `over` is set and every later append is ignored: check once at the end. */
struct buf {
        char *p;
        size_t n, cap, max;
        bool over;
};

void buf_init(struct buf *b, size_t max);
void buf_free(struct buf *b);  /* NULL-safe; leaves it empty with the same maximum */
void buf_clear(struct buf *b); /* keeps the memory */
void buf_add(struct buf *b, const void *p, size_t n);
void buf_slice(struct buf *b, struct slice s);
void buf_str(struct buf *b, const char *cstr);
void buf_char(struct buf *b, char c);
void buf_fmt(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_int(struct buf *b, int64_t v);
void buf_le32(struct buf *b, uint32_t v);
void buf_le64(struct buf *b, uint64_t v);
/* Room for n more bytes, or NULL (and over). The caller writes them and adds to b->n. */
char *buf_room(struct buf *b, size_t n);
void buf_drop(struct buf *b, size_t n); /* forgets the first n bytes */
static inline struct slice buf_view(const struct buf *b) {
        return (struct slice){ b->p, (uint32_t)b->n };
}

uint32_t get_le32(const void *p);
uint64_t get_le64(const void *p);
void put_le32(void *p, uint32_t v);
void put_le64(void *p, uint64_t v);
