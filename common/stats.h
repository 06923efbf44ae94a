/* stats.h - counters, gauges and histograms of this process, from stats.def; exported through op stats_report. */
#pragma once

#include "channel.h"

enum stat_id {
#define COUNTER(name, help)                  STAT_##name,
#define GAUGE(name, help)                    STAT_##name,
#define HISTOGRAM(name, help)                STAT_##name,
#define COUNTER_BY(name, label, words, help) STAT_##name,
#include "stats.def"
        STAT_COUNT
};

void stat_add(enum stat_id s, int64_t n);
void stat_set(enum stat_id s, int64_t v);                        /* gauges */
void stat_observe(enum stat_id s, int64_t micros);               /* histograms: 100 us .. 60 s, 1-2-5 steps */
void stat_add_word(enum stat_id s, const char *word, int64_t n); /* COUNTER_BY; unknown words count as "other" */

/* This process' values, encoded for stats_report; and the Prometheus text (format 0.0.4) of a set of reports, each
 * labelled daemon="..." instance="...". A source whose report is missing or another build's has lifeos_up 0. */
void stats_encode(struct buf *out);
struct stats_source {
        enum daemon_id kind;
        uint8_t instance;
        struct slice report;
};
void stats_render(const struct stats_source *src, size_t n, struct buf *out);
/* Sends stats_report to the writer every second, while it is up. */
void stats_start(struct ev_loop *loop, struct hub *hub);
