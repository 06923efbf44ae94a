/* presence.c - rows [account, session, actor] of people who are here, and of those who have just left. */
#include "presence.h"

#include <stdlib.h>

#include "follow.h"
#include "jsonw.h"
#include "log.h"
#include "settings.h"

#define LEFT_MAX 1000u /* kept until they are reported; who leaves beyond that is seen to be gone a little later */

struct left {
        struct left *next;
        struct who *who;
        struct slice account, session; /* behind the struct */
};

struct presence {
        struct fanout *fanout;
        struct left *left;
        unsigned n_left, asking, bucket;
        ev_timer soon;
};

/* ---- reports ---- */

struct report {
        struct buf text;
        struct jsonw w;
        unsigned rows;
};

static void report_begin(struct report *r, const char *what) {
        *r = (struct report){ 0 };
        buf_init(&r->text, PRESENCE_BYTES);
        jsonw_init(&r->w, &r->text);
        jsonw_object(&r->w);
        jsonw_key(&r->w, what);
        jsonw_array(&r->w);
}

static void answered(void *arg, const struct answer *a) {
        struct presence *p = arg;

        (void)a; /* the next report makes it good */
        p->asking--;
}

static void report_send(struct presence *p, struct report *r) {
        struct channel *writer = frontend_peer(p->fanout->frontend, WRITER);
        unsigned timeout = (unsigned)setting_int(SETTING_http_request_seconds) * 1000;
        struct op_presence m = { 0 };

        jsonw_end(&r->w, ']');
        jsonw_end(&r->w, '}');
        OP_SET(presence, &m, seen, buf_view(&r->text));
        if (r->rows && !r->text.over && writer && channel_up(writer) && p->asking < PRESENCE_ASKING &&
            channel_call(writer, OP_presence, &m, timeout, answered, p) == STATUS_OK)
                p->asking++;
        buf_free(&r->text);
}

/* Sends what is full and begins anew. */
static void report_row(struct presence *p, struct report *r, const char *what, struct slice account,
                       struct slice session, struct slice actor) {
        /* Six bytes a byte is the most an escape takes. */
        if (r->text.n + 6 * ((size_t)account.n + session.n + actor.n) + 32 > PRESENCE_BYTES) {
                report_send(p, r);
                report_begin(r, what);
        }
        jsonw_array(&r->w);
        jsonw_str(&r->w, account);
        jsonw_str(&r->w, session);
        jsonw_str(&r->w, actor);
        jsonw_end(&r->w, ']');
        r->rows++;
}

/* ---- who is here ---- */

void presence_tick(struct presence *p) {
        struct report r;

        report_begin(&r, "here");
        /* What cannot be told now is told first the next time; one more is needed for what is in `r` then. */
        for (unsigned i = 0; i < FANOUT_BUCKETS / PRESENCE_SECONDS + 1 && p->asking + 1 < PRESENCE_ASKING; i++) {
                for (const struct pass *q = p->fanout->passes[p->bucket]; q; q = q->next)
                        if (!q->who->service && pass_valid(q))
                                report_row(p, &r, "here", q->stream->account, q->stream->session, q->who->id);
                p->bucket = (p->bucket + 1) % FANOUT_BUCKETS;
        }
        report_send(p, &r);
}

/* ---- who has left ---- */

static void left_free(struct presence *p, struct left *l) {
        who_unref(p->fanout, l->who);
        free(l);
        p->n_left--;
}

/* Unless he is back: browsers reconnect. */
static bool is_gone(const struct presence *p, const struct left *l) {
        const struct stream *s = stream_find(p->fanout, l->account, l->session);

        return !s || !pass_find(s, l->who);
}

static void soon(struct ev_loop *loop, ev_timer *w, int revents) {
        struct presence *p = w->data;
        struct report r;
        struct left *l;

        (void)loop;
        (void)revents;
        report_begin(&r, "left");
        while ((l = p->left)) {
                p->left = l->next;
                if (is_gone(p, l))
                        report_row(p, &r, "left", l->account, l->session, l->who->id);
                left_free(p, l);
        }
        report_send(p, &r);
}

void presence_left(const struct pass *gone) {
        const struct stream *s = gone->stream;
        struct presence *p = s->fanout->presence;
        struct left *l;
        char *text;

        if (gone->who->service || p->n_left == LEFT_MAX)
                return;
        l = malloc(sizeof *l + s->account.n + s->session.n);
        if (!l)
                return;
        text = (char *)(l + 1);
        memcpy(text, s->account.p, s->account.n);
        memcpy(text + s->account.n, s->session.p, s->session.n);
        *l = (struct left){ .next = p->left,
                            .who = who_ref(gone->who),
                            .account = { text, s->account.n },
                            .session = { text + s->account.n, s->session.n } };
        p->left = l;
        p->n_left++;
        if (!ev_is_active(&p->soon)) {
                ev_timer_set(&p->soon, PRESENCE_DELAY, 0.);
                ev_timer_start(frontend_loop(p->fanout->frontend), &p->soon);
        }
}

/* ---- life ---- */

struct presence *presence_new(struct fanout *fo) {
        struct presence *p = calloc(1, sizeof *p);

        if (!p)
                die("out of memory");
        p->fanout = fo;
        ev_timer_init(&p->soon, soon, PRESENCE_DELAY, 0.);
        p->soon.data = p;
        return p;
}

/* The process ends: who was here comes back to another one, or is seen to be gone in time. */
void presence_free(struct presence *p) {
        struct channel *writer = frontend_peer(p->fanout->frontend, WRITER);
        struct left *l;

        ev_timer_stop(frontend_loop(p->fanout->frontend), &p->soon);
        if (writer)
                channel_forget(writer, p);
        while ((l = p->left)) {
                p->left = l->next;
                left_free(p, l);
        }
        free(p);
}
