/* breaker.c - after so many failures in a row nobody is let through but test turns. */
#include "breaker.h"

void breaker_take(struct breaker *b, enum status status) {
        if (status == STATUS_AI_EMPTY || status == STATUS_AI_TOO_MUCH)
                return;
        b->ready = status == STATUS_OK;
        if (b->ready)
                b->failures = 0;
        else if (b->failures < b->max)
                b->failures++;
}
