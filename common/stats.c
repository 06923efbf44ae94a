/* stats.c - values in one flat table of slots, its encoding, and the text Prometheus reads. */
#include "stats.h"

#include <sodium.h>

#include "log.h"

enum type { T_COUNTER, T_GAUGE, T_HISTOGRAM, T_COUNTER_BY };

static const struct row {
        const char *name, *help, *label, *words;
        enum type type;
} rows[STAT_COUNT] = {
#define COUNTER(name, help)                  [STAT_##name] = { #name, help, NULL, NULL, T_COUNTER },
#define GAUGE(name, help)                    [STAT_##name] = { #name, help, NULL, NULL, T_GAUGE },
#define HISTOGRAM(name, help)                [STAT_##name] = { #name, help, NULL, NULL, T_HISTOGRAM },
#define COUNTER_BY(name, label, words, help) [STAT_##name] = { #name, help, label, words, T_COUNTER_BY },
#include "stats.def"
};

/* Upper bounds of the buckets, microseconds, and how Prometheus spells them in seconds. */
static const struct bucket {
        int64_t micros;
        const char *le;
} buckets[] = {
        { 100, "0.0001" },  { 200, "0.0002" },  { 500, "0.0005" },  { 1000, "0.001" }, { 2000, "0.002" },
        { 5000, "0.005" },  { 10000, "0.01" },  { 20000, "0.02" },  { 50000, "0.05" }, { 100000, "0.1" },
        { 200000, "0.2" },  { 500000, "0.5" },  { 1000000, "1" },   { 2000000, "2" },  { 5000000, "5" },
        { 10000000, "10" }, { 20000000, "20" }, { 60000000, "60" },
};
#define BUCKETS     (sizeof buckets / sizeof buckets[0])
#define SUM         (BUCKETS + 1) /* slot BUCKETS counts what is over the last bound */
#define SLOTS_MAX   1024u
#define REPORT_HEAD 8u

static int64_t values[SLOTS_MAX];
static unsigned first[STAT_COUNT], n_slots;
static uint64_t layout; /* of this build's table: reports of another are not read */

static unsigned words_of(const struct row *r) {
        unsigned n = 1;
        /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): a row with a label has words */
        for (const char *p = r->words; *p != '\0'; p++)
                n += *p == '|';
        return n;
}

static unsigned slots_of(const struct row *r) {
        return r->type == T_HISTOGRAM ? SUM + 1 : r->type == T_COUNTER_BY ? words_of(r) + 1 /* "other" */ : 1;
}

static void lay_out(void) {
        unsigned char hash[16];
        crypto_generichash_state st;
        if (n_slots > 0)
                return;
        (void)crypto_generichash_init(&st, NULL, 0, sizeof hash);
        for (unsigned s = 0; s < STAT_COUNT; s++) {
                const struct row *r = &rows[s];
                const char *text[] = { r->name, r->words != NULL ? r->words : "" };
                first[s] = n_slots;
                n_slots += slots_of(r);
                for (unsigned i = 0; i < 2; i++)
                        (void)crypto_generichash_update(&st, (const unsigned char *)text[i], strlen(text[i]) + 1);
                (void)crypto_generichash_update(&st, (const unsigned char *)&r->type, sizeof r->type);
        }
        (void)crypto_generichash_final(&st, hash, sizeof hash);
        layout = get_le64(hash);
        if (n_slots > SLOTS_MAX)
                die("stats.def has more than %u values", SLOTS_MAX);
}

static int64_t *slot(enum stat_id s, unsigned at) {
        lay_out();
        return &values[first[s] + at];
}

void stat_add(enum stat_id s, int64_t n) {
        *slot(s, 0) += n;
}
void stat_set(enum stat_id s, int64_t v) {
        *slot(s, 0) = v;
}

void stat_observe(enum stat_id s, int64_t micros) {
        unsigned b = 0;
        if (micros < 0)
                micros = 0;
        while (b < BUCKETS && micros > buckets[b].micros)
                b++;
        *slot(s, b) += 1;
        *slot(s, SUM) += micros;
}

/* The nth of "a|b|c"; false beyond the last. */
static bool nth_word(const char *words, unsigned n, struct slice *ret) {
        const char *p = words;
        for (; n > 0; n--) {
                p = strchr(p, '|');
                if (p == NULL)
                        return false;
                p++;
        }
        *ret = (struct slice){ p, (uint32_t)strcspn(p, "|") };
        return true;
}

void stat_add_word(enum stat_id s, const char *word, int64_t n) {
        struct slice w;
        unsigned i = 0;
        while (nth_word(rows[s].words, i, &w) && !slice_is(w, word))
                i++;
        *slot(s, i) += n; /* i is the slot of "other" when no word fits */
}

void stats_encode(struct buf *out) {
        lay_out();
        buf_le64(out, layout);
        for (unsigned i = 0; i < n_slots; i++)
                buf_le64(out, (uint64_t)values[i]);
}

/* ---- Prometheus ---- */

/* A report came over a socket: anything but the exact layout of this build is left out. */
static bool readable(const struct stats_source *src) {
        return src->report.n == REPORT_HEAD + n_slots * 8 && get_le64(src->report.p) == layout;
}

static int64_t value_of(const struct stats_source *src, unsigned at) {
        return (int64_t)get_le64(src->report.p + REPORT_HEAD + (size_t)at * 8);
}

static void head(struct buf *out, const char *name, const char *suffix, const char *help, const char *type) {
        buf_fmt(out, "# HELP lifeos_%s%s %s\n# TYPE lifeos_%s%s %s\n", name, suffix, help, name, suffix, type);
}

static void sample(struct buf *out, const struct stats_source *src, const char *name, const char *suffix,
                   const char *label, struct slice word) {
        buf_fmt(out, "lifeos_%s%s{daemon=\"%s\",instance=\"%u\"", name, suffix, cred_kind_name(src->kind),
                (unsigned)src->instance);
        if (label != NULL)
                buf_fmt(out, ",%s=\"%.*s\"", label, SLICE_FMT(word));
        buf_str(out, "} ");
}

static void put_seconds(struct buf *out, int64_t micros) {
        uint64_t u = micros < 0 ? 0 : (uint64_t)micros;
        buf_fmt(out, "%llu.%06llu\n", (unsigned long long)(u / 1000000), (unsigned long long)(u % 1000000));
}

static void put_int(struct buf *out, int64_t v) {
        buf_int(out, v);
        buf_char(out, '\n');
}

static void render_histogram(const struct stats_source *src, enum stat_id s, struct buf *out) {
        uint64_t n = 0;
        for (unsigned b = 0; b <= BUCKETS; b++) {
                n += (uint64_t)value_of(src, first[s] + b);
                sample(out, src, rows[s].name, "_seconds_bucket", "le",
                       slice_of(b < BUCKETS ? buckets[b].le : "+Inf"));
                put_int(out, (int64_t)n);
        }
        sample(out, src, rows[s].name, "_seconds_sum", NULL, (struct slice){ 0 });
        put_seconds(out, value_of(src, first[s] + SUM));
        sample(out, src, rows[s].name, "_seconds_count", NULL, (struct slice){ 0 });
        put_int(out, (int64_t)n);
}

static void render_row(const struct stats_source *src, enum stat_id s, struct buf *out) {
        const struct row *r = &rows[s];
        if (r->type == T_HISTOGRAM) {
                render_histogram(src, s, out);
                return;
        }
        for (unsigned i = 0; i < slots_of(r); i++) {
                struct slice word = SLICE("other");
                if (r->type == T_COUNTER_BY)
                        (void)nth_word(r->words, i, &word);
                sample(out, src, r->name, r->type == T_GAUGE ? "" : "_total", r->label, word);
                put_int(out, value_of(src, first[s] + i));
        }
}

void stats_render(const struct stats_source *src, size_t n, struct buf *out) {
        static const char *const types[] = { "counter", "gauge", "histogram", "counter" };
        static const char *const suffixes[] = { "_total", "", "_seconds", "_total" };
        lay_out();
        head(out, "up", "", "daemons that report, by kind and instance", "gauge");
        for (size_t i = 0; i < n; i++) {
                sample(out, &src[i], "up", "", NULL, (struct slice){ 0 });
                put_int(out, readable(&src[i]));
        }
        for (unsigned s = 0; s < STAT_COUNT; s++) {
                head(out, rows[s].name, suffixes[rows[s].type], rows[s].help, types[rows[s].type]);
                for (size_t i = 0; i < n; i++)
                        if (readable(&src[i]))
                                render_row(&src[i], (enum stat_id)s, out);
        }
}

/* ---- reporting ---- */

static struct {
        ev_timer timer;
        struct buf report;
} reporter;

static void report(struct ev_loop *loop, ev_timer *w, int revents) {
        struct channel *writer = hub_find(w->data, WRITER, 0);
        struct op_stats_report m = { 0 };
        (void)loop;
        (void)revents;
        if (writer == NULL || !channel_up(writer))
                return;
        buf_clear(&reporter.report);
        stats_encode(&reporter.report);
        OP_SET(stats_report, &m, values, buf_view(&reporter.report));
        /* Over the bound: the next second's report says it all again. */
        (void)channel_cast(writer, OP_stats_report, &m);
}

void stats_start(struct ev_loop *loop, struct hub *hub) {
        buf_init(&reporter.report, REPORT_HEAD + SLOTS_MAX * 8);
        ev_timer_init(&reporter.timer, report, 1., 1.);
        reporter.timer.data = hub;
        ev_timer_start(loop, &reporter.timer);
}
