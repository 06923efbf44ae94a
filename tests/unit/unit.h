/* unit.h - what every unit test begins with. */
#pragma once

/* cmocka.h wants these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "text.h"

#define TEST(name)  static void name(void **state __attribute__((unused)))
#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

#define assert_slice(s_, text)                                                                                       \
        do {                                                                                                         \
                struct slice slice_ = (s_), want_ = slice_of(text);                                                  \
                if (!slice_eq(slice_, want_))                                                                        \
                        fail_msg("have \"%.*s\", want \"%.*s\"", SLICE_FMT(slice_), SLICE_FMT(want_));               \
        } while (0)

/* The same bytes in memory of exactly their length, so that a sanitizer sees one byte too far. */
static inline struct slice exact(struct slice s) {
        char *p = malloc(s.n ? s.n : 1);

        assert_non_null(p);
        if (s.n)
                memcpy(p, s.p, s.n);
        return (struct slice){ p, s.n };
}

static inline void exact_free(struct slice s) {
        union {
                const char *in;
                void *out;
        } p = { .in = s.p };

        free(p.out);
}

/* A generator with a fixed start: a failing test fails again. */
static inline uint32_t dice(uint64_t *state, uint32_t below) {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        return (uint32_t)(*state >> 33) % below;
}
