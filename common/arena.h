/* arena.h - memory that dies together: allocations of one request, freed at once. */
#pragma once

#include "text.h"

struct arena_block;
struct arena {
        struct arena_block *head;
        size_t used, max;
};

void arena_init(struct arena *a, size_t max);      /* max: all allocations together, bytes */
void *arena_alloc(struct arena *a, size_t n);      /* zeroed, aligned for anything; NULL when over max */
char *arena_copy(struct arena *a, struct slice s); /* with a NUL */
void arena_reset(struct arena *a);                 /* forgets everything, keeps one block */
void arena_free(struct arena *a);
