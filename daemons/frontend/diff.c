/* diff.c - lines become numbers, Myers' middle snake halves the problem until nothing is left of it. */
#include "diff.h"

#include <stdlib.h>

/* ---- lines ---- */

static bool cut(struct slice text, struct diff_text *ret) {
        uint32_t n = text.n > 0, i = 0;

        for (uint32_t at = 0; at < text.n; at++)
                n += text.p[at] == '\n';
        *ret = (struct diff_text){ .text = text, .at = malloc((n + (size_t)1) * sizeof *ret->at), .n = n };
        if (!ret->at)
                return false;
        ret->at[i++] = 0;
        for (uint32_t at = 0; at < text.n; at++)
                if (text.p[at] == '\n')
                        ret->at[i++] = at + 1;
        if (n > 0)
                ret->at[n] = text.n + 1;
        return true;
}

struct slice diff_line(const struct diff_text *t, uint32_t i) {
        return (struct slice){ t->text.p + t->at[i], t->at[i + 1] - t->at[i] - 1 };
}

/* ---- lines as numbers: equal lines have equal numbers ---- */

/* What is not equal at both ends: lines from[0..n) of one text and to[0..m) of the other, and the room to work in. */
struct work {
        const struct diff *d;
        uint32_t skip, n, m; /* equal lines at the start of both; the lengths of what is left */
        uint32_t *from, *to; /* numbers */
        bool *gone, *come;   /* the answer: which lines of each are not in the other */
        int32_t *ahead, *back;
        uint64_t left; /* of the work that may be done */
};

static bool spend(struct work *w, uint64_t n) {
        if (w->left < n) {
                w->left = 0;
                return false;
        }
        w->left -= n;
        return true;
}

static uint32_t hash(struct slice s) {
        uint32_t h = 2166136261u;

        for (uint32_t i = 0; i < s.n; i++)
                h = (h ^ (unsigned char)s.p[i]) * 16777619u;
        return h ^ h >> 15;
}

/* Slots hold the number of a line plus one: lines of `from` count from 0, those of `to` go on behind them. */
static struct slice numbered(const struct work *w, uint32_t number) {
        return number < w->n ? diff_line(&w->d->from, w->skip + number)
                             : diff_line(&w->d->to, w->skip + number - w->n);
}

/* Whoever chooses the lines may choose ones that meet in the table: every hop costs. */
static bool number_lines(struct work *w) {
        uint32_t total = w->n + w->m, mask = 1;
        uint32_t *slots;

        while (mask < 2 * total)
                mask *= 2;
        slots = calloc(mask--, sizeof *slots);
        if (!slots)
                return false;
        for (uint32_t i = 0; i < total; i++) {
                struct slice line = numbered(w, i);
                uint32_t at = hash(line) & mask;

                while (slots[at] && !slice_eq(numbered(w, slots[at] - 1), line) && spend(w, 1 + line.n / 16))
                        at = (at + 1) & mask;
                if (!slots[at])
                        slots[at] = i + 1;
                *(i < w->n ? &w->from[i] : &w->to[i - w->n]) = slots[at] - 1;
        }
        free(slots);
        return true;
}

/* ---- the middle snake ---- */

/* Part of the grid whose ways from the upper left to the lower right corner are all edits of from into to. */
struct box {
        uint32_t from, to;
        int32_t n, m;
};

/* Seen from the lower right corner if back. */
static bool same(const struct work *w, const struct box *b, bool back, int32_t x, int32_t y) {
        uint32_t i = b->from + (uint32_t)(back ? b->n - 1 - x : x), j = b->to + (uint32_t)(back ? b->m - 1 - y : y);

        return w->from[i] == w->to[j];
}

/* How far one more edit leads on diagonal k (x - y), given how far one less led on its neighbours; v[k] is -1 where no
 * way leads. */
static int32_t reach(struct work *w, const struct box *b, bool back, const int32_t *v, int32_t k) {
        int32_t x = v[k - 1] >= 0 && v[k - 1] < b->n ? v[k - 1] + 1 : -1;
        int32_t y, start;

        if (v[k + 1] > x && v[k + 1] - k <= b->m)
                x = v[k + 1];
        if (x < 0)
                return -1;
        start = x;
        for (y = x - k; x < b->n && y < b->m && same(w, b, back, x, y); y++)
                x++;
        (void)spend(w, (uint64_t)(x - start) + 1);
        return x;
}

/* One more edit from one corner. True: on some diagonal it meets the ways from the other one, at *ret_x, *ret_k. */
static bool advance(struct work *w, const struct box *b, bool back, int32_t d, int32_t *ret_x, int32_t *ret_k) {
        int32_t *v = (back ? w->back : w->ahead) + b->m + 1, *other = (back ? w->ahead : w->back) + b->m + 1;
        int32_t delta = b->n - b->m, od = back ? d : d - 1; /* edits the others have made */
        int32_t low = d <= b->m ? -d : -b->m + ((d - b->m) & 1), high = d <= b->n ? d : b->n - ((d - b->n) & 1);

        if (d == 0) {
                v[-1] = -1;
                v[1] = 0;
        } else {
                if (d <= b->m)
                        v[-d - 1] = -1;
                if (d <= b->n)
                        v[d + 1] = -1;
        }
        for (int32_t k = low; k <= high && w->left > 0; k += 2) {
                int32_t x = v[k] = reach(w, b, back, v, k), ok = delta - k;

                if (x < 0 || ok < -od || ok > od || ((ok ^ od) & 1) || ok < -b->m || ok > b->n || other[ok] < 0)
                        continue;
                if (x + other[ok] >= b->n) {
                        *ret_x = x;
                        *ret_k = k;
                        return true;
                }
        }
        return false;
}

/* A point that a shortest way goes through, somewhere in its middle. False: the work is over its bound. */
static bool middle(struct work *w, const struct box *b, int32_t *ret_x, int32_t *ret_y) {
        int32_t x, k;

        for (int32_t d = 0; w->left > 0; d++) {
                if (advance(w, b, false, d, &x, &k)) {
                        *ret_x = x;
                        *ret_y = x - k;
                        return true;
                }
                if (advance(w, b, true, d, &x, &k)) {
                        *ret_x = b->n - x;
                        *ret_y = b->m - (x - k);
                        return true;
                }
        }
        return false;
}

/* Marks what is in one only. Each half has half of the edits: it goes no deeper than their logarithm. */
static void solve(struct work *w, struct box b) {
        int32_t x, y;
        struct box rest;

        while (b.n > 0 && b.m > 0 && same(w, &b, false, 0, 0) && spend(w, 1)) {
                b.from++, b.to++;
                b.n--, b.m--;
        }
        while (b.n > 0 && b.m > 0 && same(w, &b, true, 0, 0) && spend(w, 1))
                b.n--, b.m--;
        if (b.n == 0 || b.m == 0) {
                memset(w->gone + b.from, true, (size_t)b.n);
                memset(w->come + b.to, true, (size_t)b.m);
                return;
        }
        if (!middle(w, &b, &x, &y))
                return;
        rest = (struct box){ b.from + (uint32_t)x, b.to + (uint32_t)y, b.n - x, b.m - y };
        b.n = x;
        b.m = y;
        solve(w, b);
        if (w->left > 0)
                solve(w, rest);
}

/* ---- hunks ---- */

static bool one_hunk(struct diff *d, const struct work *w) {
        d->hunks = malloc(sizeof *d->hunks);
        if (!d->hunks)
                return false;
        *d->hunks = (struct diff_hunk){ w->skip, w->n, w->skip, w->m };
        d->n = 1;
        return true;
}

/* Walks both texts at once: what is in both keeps them in step. Counts if hunks is NULL. */
static uint32_t collect(const struct work *w, struct diff_hunk *hunks) {
        uint32_t i = 0, j = 0, count = 0;

        while (i < w->n || j < w->m) {
                struct diff_hunk h = { .from = w->skip + i, .to = w->skip + j };

                while (i < w->n && w->gone[i])
                        i++;
                while (j < w->m && w->come[j])
                        j++;
                h.from_n = w->skip + i - h.from;
                h.to_n = w->skip + j - h.to;
                if (h.from_n + h.to_n > 0) {
                        if (hunks)
                                hunks[count] = h;
                        count++;
                }
                while (i < w->n && j < w->m && !w->gone[i] && !w->come[j])
                        i++, j++;
        }
        return count;
}

static bool compare(struct diff *d, struct work *w) {
        size_t total = (size_t)w->n + w->m;
        char *room = calloc(total * 3 + 6, sizeof(int32_t) + sizeof(bool)); /* more than enough of the latter */
        bool ok;

        if (!room)
                return false;
        w->from = (uint32_t *)(void *)room;
        w->to = w->from + w->n;
        w->ahead = (int32_t *)(void *)(w->to + w->m);
        w->back = w->ahead + total + 3;
        w->gone = (bool *)(void *)(w->back + total + 3);
        w->come = w->gone + w->n;
        ok = number_lines(w);
        if (ok && w->left > 0)
                solve(w, (struct box){ 0, 0, (int32_t)w->n, (int32_t)w->m });
        d->coarse = w->left == 0;
        if (ok && !d->coarse) {
                d->n = collect(w, NULL);
                d->hunks = malloc((d->n + (size_t)1) * sizeof *d->hunks);
                ok = d->hunks != NULL;
                if (ok)
                        (void)collect(w, d->hunks);
        } else if (ok) {
                ok = one_hunk(d, w);
        }
        free(room);
        return ok;
}

bool diff_lines(struct slice from, struct slice to, uint64_t work, struct diff *ret) {
        struct work w = { .d = ret, .left = work };
        uint32_t end = 0;

        *ret = (struct diff){ 0 };
        if (!cut(from, &ret->from) || !cut(to, &ret->to))
                return false;
        w.n = ret->from.n;
        w.m = ret->to.n;
        while (w.skip < w.n && w.skip < w.m && slice_eq(diff_line(&ret->from, w.skip), diff_line(&ret->to, w.skip)))
                w.skip++;
        while (end < w.n - w.skip && end < w.m - w.skip &&
               slice_eq(diff_line(&ret->from, w.n - 1 - end), diff_line(&ret->to, w.m - 1 - end)))
                end++;
        w.n -= w.skip + end;
        w.m -= w.skip + end;
        if (w.n == 0 && w.m == 0)
                return true;
        if (w.n == 0 || w.m == 0)
                return one_hunk(ret, &w);
        if (w.n > DIFF_LINES_MAX || w.m > DIFF_LINES_MAX) {
                ret->coarse = true;
                return one_hunk(ret, &w);
        }
        return compare(ret, &w);
}

void diff_free(struct diff *d) {
        free(d->from.at);
        free(d->to.at);
        free(d->hunks);
        *d = (struct diff){ 0 };
}
