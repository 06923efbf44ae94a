/* ask.c - one request to the gateway from its first try to its one end. */
#include "ask.h"

#include <stdlib.h>

#include "jsonw.h"
#include "verdict.h"

#define TRIES        2u
#define PAUSE        INT64_C(250000)  /* before the second try */
#define PAUSE_503    INT64_C(1000000) /* the same if the gateway stops or starts, and does not say how long */
#define RETRY_SECS   2
#define GRACE        INT64_C(1000000) /* after the terminal event, for the stream to end in good order */
#define GRACE_DONE   INT64_C(50000)   /* and after [DONE] */
#define HEAD_MAX     (64u << 10)
#define REFUSAL_MAX  (64u << 10)
#define SESSION_NAME "x-openclaw-session-key: agent:"

static bool begin(struct gateway_ask *a);

/* ---- time ---- */

static int64_t due(const struct gateway_ask *a) {
        int64_t at = a->total_at;

        if (a->response.state != RESPONSE_OPEN)
                return a->ended_at;
        if (a->easy == NULL)
                return a->pause_until;
        if (!a->response.words && a->first_at < at)
                at = a->first_at;
        if (a->response.words && a->gap_at < at)
                at = a->gap_at;
        return at;
}

static void wait_for(struct gateway_ask *a) {
        int64_t left = due(a) - text_mono_micros();

        ev_now_update(a->way->loop);
        ev_timer_stop(a->way->loop, &a->timer);
        ev_timer_set(&a->timer, left > 0 ? (double)left / 1e6 : 0., 0.);
        ev_timer_start(a->way->loop, &a->timer);
}

/* ---- the end ---- */

static void hang_up(struct gateway_ask *a) {
        if (a->easy == NULL)
                return;
        multi_remove(a->way->multi, a->easy);
        curl_easy_cleanup(a->easy);
        a->easy = NULL;
}

static void destroy(struct gateway_ask *a) {
        hang_up(a);
        ev_timer_stop(a->way->loop, &a->timer);
        response_free(&a->response);
        sse_free(&a->sse);
        buf_free(&a->body);
        buf_free(&a->refusal);
        free(a);
}

/* How long to wait for another try; below 0: there is none. */
static int64_t pause_for(const struct gateway_ask *a, int64_t now) {
        int64_t pause = a->code == 503 ? PAUSE_503 : PAUSE, last = a->first_at;
        curl_off_t says = 0;

        if (a->test || !a->response.again || a->response.told > 0 || a->tries == TRIES)
                return -1;
        if (a->easy != NULL && curl_easy_getinfo(a->easy, CURLINFO_RETRY_AFTER, &says) == CURLE_OK && says > 0) {
                if (says > RETRY_SECS)
                        return -1;
                pause = says * 1000000;
        }
        if (a->total_at < last)
                last = a->total_at;
        return now + 2 * pause < last ? pause : -1;
}

static void finish(struct gateway_ask *a) {
        int64_t now = text_mono_micros(), pause = pause_for(a, now);

        hang_up(a);
        if (pause < 0) {
                a->inside = true;
                ev_timer_stop(a->way->loop, &a->timer);
                a->end(a);
                destroy(a);
                return;
        }
        response_free(&a->response);
        sse_free(&a->sse);
        buf_clear(&a->refusal);
        response_init(&a->response, NULL, a);
        a->pause_until = now + pause;
        wait_for(a);
}

static void fail_with(struct gateway_ask *a, struct verdict v) {
        response_fail(&a->response, v.status, v.why);
        a->response.again = v.again;
}

static void on_timer(struct ev_loop *loop, ev_timer *w, int revents) {
        struct gateway_ask *a = w->data;

        (void)loop;
        (void)revents;
        if (text_mono_micros() < due(a)) {
                wait_for(a);
        } else if (a->response.state == RESPONSE_OPEN && a->easy == NULL) {
                if (!begin(a)) {
                        response_fail(&a->response, STATUS_AI_FAILED, "libcurl refuses the request");
                        finish(a);
                }
        } else {
                response_fail(&a->response, STATUS_AI_TIMEOUT,
                              a->response.words                   ? "the next word did not come in time"
                              : text_mono_micros() >= a->total_at ? "the answer was not complete in time"
                                                                  : "the first word did not come in time");
                finish(a);
        }
}

void ask_transfer_done(void *arg, CURLcode result) {
        struct gateway_ask *a = arg;

        if (a->gone) {
                destroy(a);
                return;
        }
        if (a->response.state == RESPONSE_OPEN) {
                (void)curl_easy_getinfo(a->easy, CURLINFO_RESPONSE_CODE, &a->code);
                if (a->code != 0 && a->code != 200)
                        fail_with(a, verdict_http(a->code, buf_view(&a->refusal)));
                else if (a->code == 200 && result == CURLE_OK)
                        response_closed(&a->response);
                else
                        fail_with(a, verdict_transfer((int)result, a->code == 200));
        }
        finish(a);
}

/* ---- bytes ---- */

static void on_word(void *arg, struct slice text) {
        struct gateway_ask *a = arg;

        if (!a->gone)
                a->word(a, text);
}

static bool on_event(void *arg, struct slice data) {
        struct gateway_ask *a = arg;
        bool open = a->response.state == RESPONSE_OPEN, more = response_event(&a->response, data);
        int64_t now = text_mono_micros();

        a->gap_at = now + a->gap;
        if (open)
                a->ended_at = now + GRACE;
        else if (a->response.state == RESPONSE_DONE)
                a->ended_at = now + GRACE_DONE;
        return (more || !open) && !a->gone;
}

static bool feed(struct gateway_ask *a, struct slice bytes) {
        a->bytes += bytes.n;
        if (a->response.state == RESPONSE_DONE)
                return a->bytes <= GATEWAY_STREAM_MAX;
        if (a->bytes > GATEWAY_STREAM_MAX) {
                response_fail(&a->response, STATUS_AI_TOO_MUCH, "the stream is over its limit");
                return false;
        }
        if (sse_feed(&a->sse, bytes, on_event, a))
                return true;
        if (a->sse.data.over)
                response_fail(&a->response, STATUS_AI_TOO_MUCH, "an event is over its limit");
        return false;
}

/* The answer's head is complete: is it what we asked for? */
static bool check_head(struct gateway_ask *a) {
        const char *type = NULL;

        (void)curl_easy_getinfo(a->easy, CURLINFO_RESPONSE_CODE, &a->code);
        if (a->code != 200)
                return true;
        (void)curl_easy_getinfo(a->easy, CURLINFO_CONTENT_TYPE, &type);
        struct slice t = slice_of(type), wanted = SLICE("text/event-stream");
        if (t.n >= wanted.n && slice_is_nocase((struct slice){ t.p, wanted.n }, wanted.p) &&
            (t.n == wanted.n || t.p[wanted.n] == ';' || t.p[wanted.n] == ' '))
                return true;
        response_fail(&a->response, STATUS_AI_GARBLED, "the answer is no event stream");
        return false;
}

static size_t on_body(char *p, size_t size, size_t n, void *arg) {
        struct gateway_ask *a = arg;
        bool more = true, words = a->response.words;

        n *= size;
        a->inside = true;
        if (a->code == 0)
                more = check_head(a);
        if (more && a->code == 200)
                more = feed(a, (struct slice){ p, (uint32_t)n });
        else if (more) {
                buf_add(&a->refusal, p, n);
                more = !a->refusal.over;
        }
        a->inside = false;
        if (more && (a->response.state != RESPONSE_OPEN || words != a->response.words))
                wait_for(a); /* what is due next may be due sooner */
        return more && !a->gone ? n : CURL_WRITEFUNC_ERROR;
}

static size_t on_head(char *p, size_t size, size_t n, void *arg) {
        struct gateway_ask *a = arg;

        (void)p;
        a->head_bytes += n * size;
        if (a->head_bytes <= HEAD_MAX)
                return n * size;
        response_fail(&a->response, STATUS_AI_TOO_MUCH, "the answer's head is over its limit");
        return CURL_WRITEFUNC_ERROR;
}

/* ---- the beginning ---- */

static bool begin(struct gateway_ask *a) {
        a->tries++;
        a->code = 0;
        a->head_bytes = a->bytes = 0;
        response_free(&a->response);
        sse_free(&a->sse);
        response_init(&a->response, on_word, a);
        sse_init(&a->sse, GATEWAY_STREAM_MAX);
        a->easy = curl_easy_init();
        if (a->easy == NULL || !head_set(a, on_body, on_head) || !multi_add(a->way->multi, a->easy)) {
                curl_easy_cleanup(a->easy);
                a->easy = NULL;
                return false;
        }
        wait_for(a);
        return true;
}

static bool put_body(struct gateway_ask *a, const struct gateway_request *q) {
        struct buf *b = &a->body, session;

        buf_init(b, GATEWAY_BODY_MAX + 256);
        buf_str(b, "{\"model\":\"openclaw/");
        buf_str(b, a->way->agent);
        buf_str(b, "\",\"stream\":true");
        if (q->body.n > 0)
                buf_char(b, ',');
        buf_slice(b, q->body);
        buf_char(b, '}');
        buf_init(&session, sizeof a->session);
        buf_fmt(&session, SESSION_NAME "%s:dashboard:incognito-%.*s", a->way->agent, SLICE_FMT(q->session));
        bool good = !b->over && !session.over && slice_copy(buf_view(&session), a->session, sizeof a->session);
        buf_free(&session);
        return good;
}

struct gateway_ask *ask_new(struct way *way, const struct gateway_request *q) {
        struct gateway_ask *a = calloc(1, sizeof *a);

        if (a == NULL)
                return NULL;
        a->way = way;
        a->begun = text_mono_micros();
        a->first_at = a->begun + INT64_C(1000) * q->first_ms;
        a->total_at = a->begun + INT64_C(1000) * q->total_ms;
        a->gap = INT64_C(1000) * q->gap_ms;
        ev_init(&a->timer, on_timer);
        a->timer.data = a;
        buf_init(&a->refusal, REFUSAL_MAX);
        if (put_body(a, q) && begin(a))
                return a;
        destroy(a);
        return NULL;
}

void ask_cancel(struct gateway_ask *a) {
        if (!a->inside) {
                destroy(a);
                return;
        }
        a->gone = true; /* its own end frees it: libcurl's, or the one that is being told */
        ev_timer_stop(a->way->loop, &a->timer);
}
