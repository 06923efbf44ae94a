/* arena.c - allocations in blocks that are freed together. */
#include "arena.h"

#include <stdalign.h>
#include <stdlib.h>

#define BLOCK_BYTES 16384u /* an ordinary request fits in one; a larger allocation gets a block of its own */

struct arena_block {
        struct arena_block *next;
        size_t used, cap;
        alignas(max_align_t) unsigned char bytes[];
};

void arena_init(struct arena *a, size_t max) {
        *a = (struct arena){ .max = max };
}

static struct arena_block *block_new(size_t cap) {
        struct arena_block *b = malloc(sizeof *b + cap);

        if (b)
                *b = (struct arena_block){ .cap = cap };
        return b;
}

/* The block that has room, making one if the newest has not. A large one goes behind the head, whose rest is still
 * good for small things. */
static struct arena_block *block_for(struct arena *a, size_t n) {
        if (a->head && a->head->cap - a->head->used >= n)
                return a->head;

        bool large = n > BLOCK_BYTES / 4;
        struct arena_block *b = block_new(large ? n : BLOCK_BYTES);

        if (!b)
                return NULL;
        if (large && a->head) {
                b->next = a->head->next;
                a->head->next = b;
        } else {
                b->next = a->head;
                a->head = b;
        }
        return b;
}

void *arena_alloc(struct arena *a, size_t n) {
        size_t step = alignof(max_align_t), rounded = n ? (n + step - 1) & ~(step - 1) : step;

        if (rounded < n || rounded > a->max - a->used)
                return NULL;

        struct arena_block *b = block_for(a, rounded);

        if (!b)
                return NULL;

        void *p = b->bytes + b->used;

        b->used += rounded;
        a->used += rounded;
        return memset(p, 0, rounded);
}

char *arena_copy(struct arena *a, struct slice s) {
        char *p = arena_alloc(a, (size_t)s.n + 1);

        if (p && s.n)
                memcpy(p, s.p, s.n);
        return p;
}

void arena_reset(struct arena *a) {
        struct arena_block *keep = NULL, *next;

        for (struct arena_block *b = a->head; b; b = next) {
                next = b->next;
                if (!keep && b->cap == BLOCK_BYTES) {
                        *b = (struct arena_block){ .cap = b->cap };
                        keep = b;
                } else {
                        free(b);
                }
        }
        a->head = keep;
        a->used = 0;
}

void arena_free(struct arena *a) {
        struct arena_block *next;

        for (struct arena_block *b = a->head; b; b = next) {
                next = b->next;
                free(b);
        }
        a->head = NULL;
        a->used = 0;
}
