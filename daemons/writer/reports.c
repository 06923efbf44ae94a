/* reports.c - the last report of each peer, as long as it is fresh; and gauges that only the database knows. */
#include "reports.h"

#include <stdlib.h>

#include "json.h"
#include "log.h"
#include "stats.h"

#define REPORT_MAX   262144u
#define FRESH        (10 * INT64_C(1000000))
#define SOURCES_MAX  64u
#define TEXT_MAX     (1u << 20)
#define HEALTH_EVERY 5.

struct reports {
        struct ev_loop *loop;
        struct subs *subs;
        struct reader *reader;
        struct buf own, text;
        struct arena arena;
        ev_timer health;
        bool asking;
};

void reports_take(struct reports *r, const struct request *q) {
        const struct op_stats_report *m = q->msg;
        struct peer *p = subs_peer(r->subs, q->from);

        if (!p)
                return;
        if (!p->report.max)
                buf_init(&p->report, REPORT_MAX);
        buf_clear(&p->report);
        buf_slice(&p->report, m->values);
        p->reported = text_mono_micros();
}

void reports_answer(struct reports *r, const struct request *q) {
        struct stats_source source[SOURCES_MAX];
        int64_t now = text_mono_micros();
        size_t n = 1;

        buf_clear(&r->own);
        stats_encode(&r->own);
        source[0] = (struct stats_source){ WRITER, 1, buf_view(&r->own) };
        for (const struct peer *p = subs_peers(r->subs); p && n < SOURCES_MAX; p = p->next)
                if (p->report.n && now - p->reported < FRESH)
                        source[n++] = (struct stats_source){ channel_kind(p->channel), channel_instance(p->channel),
                                                             buf_view(&p->report) };
        buf_clear(&r->text);
        stats_render(source, n, &r->text);
        if (r->text.over)
                channel_reply(q, STATUS_INTERNAL, (struct slice){ 0 }, (struct slice){ 0 });
        else
                channel_reply(q, STATUS_OK, (struct slice){ 0 }, buf_view(&r->text));
}

static void on_health(void *arg, const struct answer *a) {
        struct reports *r = arg;
        struct json doc;
        const char *why;
        size_t at;
        int64_t parked, waiting, n;

        r->asking = false;
        arena_reset(&r->arena);
        if (a->status != STATUS_OK || json_parse(a->body, &r->arena, &doc, &why, &at) != 0)
                return;
        if (json_int(json_get(doc, "parkedWebhooks"), &parked))
                stat_set(STAT_webhooks_parked, parked);
        if (json_int(json_get(doc, "outboxWaiting"), &waiting))
                stat_set(STAT_outbox_waiting, waiting);
        if (json_int(json_get(doc, "deadLettersOpen"), &n))
                stat_set(STAT_dead_letters_open, n);
        if (json_int(json_get(doc, "usageUnsigned"), &n))
                stat_set(STAT_usage_unsigned, n);
}

static void on_timer(struct ev_loop *loop, ev_timer *w, int revents) {
        struct reports *r = w->data;
        struct op_health m = { 0 };
        struct ask *a;

        (void)loop, (void)revents;
        if (r->asking || !reader_ready(r->reader) || !(a = ask_own(OP_health, &m, on_health, r)))
                return;
        r->asking = true;
        reader_ask(r->reader, a);
}

struct reports *reports_new(struct ev_loop *loop, struct subs *subs, struct reader *reader) {
        struct reports *r = calloc(1, sizeof *r);

        if (!r)
                die("out of memory");
        *r = (struct reports){ .loop = loop, .subs = subs, .reader = reader };
        buf_init(&r->own, REPORT_MAX);
        buf_init(&r->text, TEXT_MAX);
        arena_init(&r->arena, 1u << 18);
        ev_timer_init(&r->health, on_timer, 1., HEALTH_EVERY);
        r->health.data = r;
        ev_timer_start(loop, &r->health);
        return r;
}
