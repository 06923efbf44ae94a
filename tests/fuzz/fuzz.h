/* fuzz.h - what a fuzz target is: one function that eats any bytes, and stops the process where a promise breaks. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define must(promise)                                                                                                \
        do {                                                                                                         \
                if (!(promise))                                                                                      \
                        abort();                                                                                     \
        } while (0)

static inline struct slice fuzz_slice(const uint8_t *data, size_t size) {
        return (struct slice){ (const char *)data, (uint32_t)size };
}
