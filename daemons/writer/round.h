/* round.h - which streams are looked at next: all that are listened to, in turn, a piece at a time. */
#pragma once

#include "subs.h"

#define ROUND_PIECE 1000u

struct round {
        struct subs *subs;
        uint64_t number;
        size_t at;
        bool whole; /* this round runs without pauses */
        bool again; /* and another one after it */
};

void round_init(struct round *r, struct subs *subs);
/* Everything is to be looked at once, beginning now: what was looked at before does not count. */
void round_all(struct round *r);
/* The next piece as ROWS of node_head, with the heads that listeners were told; returns how many. Less than a piece
 * ends the round. */
unsigned round_next(struct round *r, struct buf *rows);
