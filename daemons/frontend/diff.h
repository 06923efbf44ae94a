/* diff.h - what differs between two texts, line by line, with the least lines touched; bounded, whatever they are. */
#pragma once

#include "text.h"

/*
 * A line ends at '\n', which is not part of it: n of them make n + 1 lines, the last of which may be empty; the empty
 * text has none. So the lines with '\n' between them are the text again. Myers' algorithm in its linear-space form.
 * Memory: 4 bytes a line, and 32 a line of what is not equal at both ends, of which each text may have DIFF_LINES_MAX.
 */
#define DIFF_LINES_MAX 262144u
#define DIFF_WORK      2000000u /* for a daemon whose other clients wait meanwhile; enough for a thousand changed lines */

struct diff_text {
        struct slice text;
        uint32_t *at; /* where each line begins, and at[n], where one after the last would */
        uint32_t n;
};

/* from_n lines of `from`, from line number `from` (0 is the first) on, are replaced by to_n of `to`. In order, with at
 * least one equal line between them, and never both empty. */
struct diff_hunk {
        uint32_t from, from_n, to, to_n;
};

struct diff {
        struct diff_text from, to;
        struct diff_hunk *hunks;
        uint32_t n;
        bool coarse; /* a bound was met: one hunk replaces everything between the equal ends */
};

/* work: lines compared and hops made at most. False: out of memory. The texts are borrowed until diff_free(), which
 * is due in any case; both are shorter than 2 GiB. */
bool diff_lines(struct slice from, struct slice to, uint64_t work, struct diff *ret);
struct slice diff_line(const struct diff_text *t, uint32_t i);
void diff_free(struct diff *d);
