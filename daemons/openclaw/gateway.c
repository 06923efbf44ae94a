/* gateway.c - the OpenClaw gateway as a whole: its settings, who asks it, how well it is. */
#include "gateway.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "ask.h"
#include "breaker.h"
#include "log.h"
#include "settings.h"
#include "stats.h"
#include "trust.h"

#define TEST_MS (60u * 1000u) /* a test turn is never cancelled before: the first one warms the gateway up */

struct gateway {
        struct ev_loop *loop;
        struct way way;
        struct breaker breaker;
        struct gateway_ask *asks; /* turns, and at most one test turn */
        unsigned n_turns;
        bool testing;
        const char *why;         /* not ready */
        enum status test_status; /* of the last test turn: what was logged need not be again */
        ev_timer test;
        void (*changed)(void *arg, bool ready);
        void *arg;
};

/* ---- its health ---- */

static void test_in(struct gateway *g, double seconds) {
        ev_timer_stop(g->loop, &g->test);
        ev_timer_set(&g->test, seconds, 0.);
        ev_timer_start(g->loop, &g->test);
}

static void take_health(struct gateway *g, enum status status, const char *why) {
        bool was = g->breaker.ready, open = breaker_open(&g->breaker);

        breaker_take(&g->breaker, status);
        if (!g->breaker.ready && status != STATUS_OK)
                g->why = why;
        if (g->breaker.ready)
                ev_timer_stop(g->loop, &g->test);
        else if (!open && breaker_open(&g->breaker) && !g->testing)
                test_in(g, 0.);
        else if (!g->testing && !ev_is_active(&g->test))
                test_in(g, (double)setting_int(SETTING_openclaw_test_seconds));
        if (!open && breaker_open(&g->breaker))
                log_warn("the OpenClaw gateway failed %u times in a row: it rests until a test turn succeeds",
                         g->breaker.failures);
        if (was == g->breaker.ready)
                return;
        stat_set(STAT_openclaw_ready, g->breaker.ready);
        if (g->changed != NULL)
                g->changed(g->arg, g->breaker.ready);
}

static void say(const struct gateway_ask *a) {
        const struct gateway_end *e = &a->response.end;
        struct log_fields f = { .status = status_row(e->status)->name };
        const char *what = a->test ? "a test turn" : "a turn";

        if (e->status == STATUS_AI_REFUSED || e->status == STATUS_AI_TLS_FAILED)
                log_line(LOG_ERROR, &f, "%s ended with %s: %s (HTTP %ld); the operator has to look after it", what,
                         f.status, a->response.why, a->code);
        else if (e->status != STATUS_OK)
                log_line(LOG_WARN, &f, "%s ended with %s: %s (HTTP %ld, %u tries)", what, f.status, a->response.why,
                         a->code, a->tries);
}

static void unlink_ask(struct gateway *g, struct gateway_ask *a) {
        *a->at = a->next;
        if (a->next != NULL)
                a->next->at = a->at;
        a->at = NULL;
        g->n_turns -= a->test ? 0 : 1;
}

static void link_ask(struct gateway *g, struct gateway_ask *a) {
        a->owner = g;
        a->next = g->asks;
        a->at = &g->asks;
        if (a->next != NULL)
                a->next->at = &a->next;
        g->asks = a;
        g->n_turns += a->test ? 0 : 1;
}

/* ---- test turns ---- */

static void no_word(struct gateway_ask *a, struct slice text) {
        (void)a;
        (void)text;
}

static void test_result(struct gateway *g, enum status status, const char *why) {
        bool good = status == STATUS_OK || status == STATUS_AI_EMPTY || status == STATUS_AI_TOO_MUCH;

        g->testing = false;
        g->test_status = status;
        stat_add_word(STAT_openclaw_tests, good ? "good" : "failed", 1);
        take_health(g, good ? STATUS_OK : status, why);
}

static void test_over(struct gateway_ask *a) {
        struct gateway *g = a->owner;

        unlink_ask(g, a);
        if (a->response.end.status != g->test_status)
                say(a);
        if (a->response.end.status == STATUS_OK && g->test_status != STATUS_OK)
                log_info("the OpenClaw gateway answers");
        test_result(g, a->response.end.status, a->response.why);
}

static void on_test(struct ev_loop *loop, ev_timer *w, int revents) {
        struct gateway *g = w->data;
        char id[40];

        (void)loop;
        (void)revents;
        if (g->testing)
                return;
        text_new_id("", id);
        const struct gateway_request q = {
                .session = slice_of(id + 1), /* without the _ behind the empty prefix */
                .body = SLICE("\"input\":\"Answer with the one word: ready\",\"max_output_tokens\":64"),
                .first_ms = TEST_MS,
                .gap_ms = TEST_MS,
                .total_ms = TEST_MS,
        };
        struct gateway_ask *a = ask_new(&g->way, &q);
        if (a == NULL) {
                log_error("no test turn: out of memory, or libcurl refuses a request");
                test_result(g, STATUS_AI_FAILED, "no request could be made");
                return;
        }
        a->test = true;
        a->word = no_word;
        a->end = test_over;
        g->testing = true;
        link_ask(g, a);
}

/* ---- turns ---- */

static void turn_word(struct gateway_ask *a, struct slice text) {
        if (a->response.told == text.n)
                stat_observe(STAT_turn_first_delta, text_mono_micros() - a->begun);
        a->ev.delta(a->arg, text);
}

static void count_failure(enum status status) {
        static const struct {
                enum status status;
                const char *word;
        } words[] = {
                { STATUS_AI_UNREACHABLE, "unreachable" }, { STATUS_AI_TLS_FAILED, "tls" },
                { STATUS_AI_REFUSED, "refused" },         { STATUS_AI_RATE_LIMITED, "rate_limited" },
                { STATUS_AI_FAILED, "failed" },           { STATUS_AI_CUT_OFF, "cut_off" },
                { STATUS_AI_GARBLED, "garbled" },         { STATUS_AI_TIMEOUT, "timeout" },
                { STATUS_AI_TOO_MUCH, "too_much" },       { STATUS_AI_EMPTY, "empty" },
                { STATUS_AI_RESTING, "resting" },
        };
        const char *word = "other";

        for (size_t i = 0; i < sizeof words / sizeof *words; i++)
                if (words[i].status == status)
                        word = words[i].word;
        stat_add_word(STAT_turn_failures, word, 1);
}

static void turn_over(struct gateway_ask *a) {
        struct gateway *g = a->owner;
        enum status status = a->response.end.status;

        unlink_ask(g, a);
        stat_observe(STAT_turn_duration, text_mono_micros() - a->begun);
        if (status != STATUS_OK)
                count_failure(status);
        say(a);
        if (!a->response
                     .by_model) /* else whoever makes the model talk nonsense could have everybody's turns refused */
                take_health(g, status, a->response.why);
        a->ev.end(a->arg, &a->response.end);
}

/* It becomes part of a header: nothing but what random names are made of. */
static bool is_session(struct slice s) {
        bool good = s.n > 0 && s.n <= 64;

        for (uint32_t i = 0; good && i < s.n; i++)
                good = (s.p[i] >= 'a' && s.p[i] <= 'z') || (s.p[i] >= '0' && s.p[i] <= '9') || s.p[i] == '-';
        return good;
}

enum status gateway_ask(struct gateway *g, const struct gateway_request *q, const struct gateway_events *ev,
                        void *arg, struct gateway_ask **ret) {
        *ret = NULL;
        if (!gateway_configured(g))
                return STATUS_AI_NOT_CONFIGURED;
        if (!is_session(q->session))
                return STATUS_INTERNAL;
        if (q->body.n > GATEWAY_BODY_MAX)
                return STATUS_BODY_TOO_LARGE;
        if (breaker_open(&g->breaker)) {
                count_failure(STATUS_AI_RESTING);
                return STATUS_AI_RESTING;
        }
        if (g->n_turns >= (uint64_t)setting_int(SETTING_openclaw_turns_max))
                return STATUS_BUSY;
        struct gateway_ask *a = ask_new(&g->way, q);
        if (a == NULL)
                return STATUS_BUSY;
        a->ev = *ev;
        a->arg = arg;
        a->word = turn_word;
        a->end = turn_over;
        link_ask(g, a);
        *ret = a;
        return STATUS_OK;
}

void gateway_cancel(struct gateway_ask *a) {
        if (a->at != NULL)
                unlink_ask(a->owner, a);
        ask_cancel(a);
}

/* ---- its life ---- */

struct gateway *gateway_new(struct ev_loop *loop) {
        struct gateway *g = calloc(1, sizeof *g);
        const char *url = setting_text(SETTING_openclaw_url);
        char why[256];

        if (g == NULL || curl_global_init(CURL_GLOBAL_ALL) != CURLE_OK)
                die("libcurl does not start");
        g->loop = g->way.loop = loop;
        g->way.agent = setting_text(SETTING_openclaw_agent);
        g->breaker.max = (unsigned)setting_int(SETTING_openclaw_failures_max);
        g->why = "openclaw_url is not set";
        g->test_status = STATUS_COUNT;
        ev_init(&g->test, on_test);
        g->test.data = g;
        if (url[0] == '\0')
                return g;
        trust_agent(g->way.agent);
        if (address_resolve(url, "/v1/responses", &g->way.address, why) < 0)
                die("%s", why);
        g->why = "the credential openclaw-token is missing or empty: lifeosctl openclaw set-token";
        if (!trust_bearer(&g->way.bearer)) {
                log_warn("openclaw_url is set, but there is no token: no AI");
                return g;
        }
        if (g->way.address.tls)
                trust_ca(&g->way.ca);
        g->why = "no test turn has succeeded yet";
        g->way.multi = multi_new(loop, ask_transfer_done);
        return g;
}

void gateway_free(struct gateway *g) {
        if (g == NULL)
                return;
        ev_timer_stop(g->loop, &g->test);
        while (g->asks != NULL)
                gateway_cancel(g->asks);
        multi_free(g->way.multi);
        secret_wipe(&g->way.bearer);
        secret_wipe(&g->way.ca);
        curl_global_cleanup();
        free(g);
}

bool gateway_configured(const struct gateway *g) {
        return g->way.multi != NULL;
}

void gateway_start(struct gateway *g, void (*changed)(void *arg, bool ready), void *arg) {
        g->changed = changed;
        g->arg = arg;
        stat_set(STAT_openclaw_ready, 0);
        if (gateway_configured(g))
                test_in(g, 0.);
}

bool gateway_ready(const struct gateway *g) {
        return g->breaker.ready;
}

const char *gateway_why(const struct gateway *g) {
        return g->breaker.ready ? "" : g->why;
}
