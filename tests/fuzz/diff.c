/* diff.c - any two texts: the hunks turn one into the other, within the work allowed. */
#include "fuzz.h"

#include "diff.h"

/* The bytes up to the first 0xff are one text, the rest the other; the first byte is the bound on the work. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        const uint8_t *end = size > 1 ? memchr(data + 1, 0xff, size - 1) : NULL;
        size_t n = end ? (size_t)(end - data - 1) : size > 1 ? size - 1 : 0, m = end ? size - n - 2 : 0;
        struct slice from = fuzz_slice(size > 1 ? data + 1 : data, n), to = fuzz_slice(end ? end + 1 : data, m);
        uint32_t at = 0, line = 0;
        struct diff d;

        must(diff_lines(from, to, size > 0 && data[0] < 128 ? data[0] : DIFF_WORK, &d));
        for (uint32_t h = 0; h <= d.n; h++) {
                struct diff_hunk end_of = { .from = d.from.n, .to = d.to.n };
                const struct diff_hunk *x = h < d.n ? &d.hunks[h] : &end_of;

                must(x->from >= at && x->from - at == x->to - line);
                must(h == d.n || x->from_n + x->to_n > 0);
                must(h == 0 || h == d.n || x->from > at);
                for (; at < x->from; at++, line++)
                        must(slice_eq(diff_line(&d.from, at), diff_line(&d.to, line)));
                at += x->from_n;
                line += x->to_n;
        }
        must(at == d.from.n && line == d.to.n);
        must(slice_eq(from, to) == (d.n == 0));
        diff_free(&d);
        return 0;
}
