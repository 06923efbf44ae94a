/* breaker.h - after so many failures in a row nobody is let through but test turns, until one succeeds. */
#pragma once

#include <stdbool.h>

#include "status.h"

struct breaker {
        unsigned failures, max;
        bool ready; /* the last turn or test turn succeeded */
};

/* Takes an end into account. Some say nothing of the gateway's health: the model was silent, or talked too much. */
void breaker_take(struct breaker *b, enum status status);
static inline bool breaker_open(const struct breaker *b) {
        return b->failures >= b->max;
}
