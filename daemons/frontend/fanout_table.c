/* fanout_table.c - followed streams, and the actors and accounts that follow them, by name. */
#include <sodium.h>
#include <stdlib.h>

#include "follow.h"
#include "socket.h"
#include "sse.h"

run_format *const follow_formats[FORMATS] = { [FORMAT_SSE] = sse_event, [FORMAT_SOCKET] = socket_event };

/* Keyed: clients choose session ids, and must not choose buckets. */
static uint64_t hash(const struct fanout *fo, struct slice s) {
        unsigned char out[crypto_shorthash_BYTES];

        crypto_shorthash(out, (const unsigned char *)s.p, s.n, fo->hash_key);
        return get_le64(out);
}

static struct stream **bucket(struct fanout *fo, struct slice account, struct slice session) {
        return &fo->table[(hash(fo, account) * 31 + hash(fo, session)) % FANOUT_BUCKETS];
}

unsigned stream_opening(const struct fanout *fo, struct slice session) {
        return (unsigned)(hash(fo, session) % FANOUT_OPENING);
}

static char *append(char *to, struct slice s, struct slice *ret) {
        if (s.n)
                memcpy(to, s.p, s.n);
        *ret = (struct slice){ to, s.n };
        return to + s.n;
}

/* ---- streams ---- */

struct stream *stream_find(struct fanout *fo, struct slice account, struct slice session) {
        for (struct stream *s = *bucket(fo, account, session); s; s = s->next)
                if (slice_eq(s->session, session) && slice_eq(s->account, account))
                        return s;
        return NULL;
}

struct stream *stream_get(struct fanout *fo, struct slice account, struct slice session) {
        struct stream *s = stream_find(fo, account, session), **b = bucket(fo, account, session);

        if (s)
                return s;
        s = malloc(sizeof *s + account.n + session.n);
        if (!s)
                return NULL;
        *s = (struct stream){ .fanout = fo, .next = *b, .page = FANOUT_PAGE, .used = text_mono_micros() };
        append(append((char *)(s + 1), account, &s->account), session, &s->session);
        TAILQ_INIT(&s->live);
        TAILQ_INIT(&s->behind);
        TAILQ_INIT(&s->passes);
        TAILQ_INIT(&s->strangers);
        for (unsigned i = 0; i < FORMATS; i++)
                run_init(&s->recent[i], FANOUT_RECENT, follow_formats[i]);
        *b = s;
        return s;
}

bool stream_empty(const struct stream *s) {
        return TAILQ_EMPTY(&s->live) && TAILQ_EMPTY(&s->behind);
}

void stream_forget(struct stream *s) {
        for (unsigned i = 0; i < FORMATS; i++)
                run_free(&s->recent[i]);
        s->fanout->recent_bytes -= s->charged;
        s->charged = 0;
}

void stream_free(struct stream **at) {
        struct stream *s = *at;

        *at = s->next;
        feed_forget(s);
        stream_forget(s);
        free(s);
}

/* ---- accounts ---- */

static struct tenant **tenant_bucket(struct fanout *fo, struct slice account) {
        return &fo->tenants[hash(fo, account) % FANOUT_OPENING];
}

static struct tenant *tenant_get(struct fanout *fo, struct slice account) {
        struct tenant **b = tenant_bucket(fo, account), *t;

        for (t = *b; t; t = t->next)
                if (slice_eq(t->account, account))
                        break;
        if (!t && (t = malloc(sizeof *t + account.n))) {
                *t = (struct tenant){ .next = *b };
                append((char *)(t + 1), account, &t->account);
                *b = t;
        }
        if (t)
                t->refs++;
        return t;
}

static void tenant_unref(struct fanout *fo, struct tenant *t) {
        struct tenant **at = tenant_bucket(fo, t->account);

        if (--t->refs)
                return;
        while (*at != t)
                at = &(*at)->next;
        *at = t->next;
        free(t);
}

/* ---- actors ---- */

static struct who **who_bucket(struct fanout *fo, struct slice account, struct slice id) {
        return &fo->whos[(hash(fo, account) * 31 + hash(fo, id)) % FANOUT_BUCKETS];
}

struct who *who_get(struct fanout *fo, const struct actor *a) {
        struct who **b = who_bucket(fo, a->account, a->id), *w;
        struct tenant *t;

        for (w = *b; w; w = w->next)
                if (slice_eq(w->id, a->id) && slice_eq(w->account, a->account) && slice_eq(w->role, a->role))
                        return who_ref(w);
        t = tenant_get(fo, a->account);
        w = t ? malloc(sizeof *w + a->account.n + a->id.n + a->role.n) : NULL;
        if (!w) {
                if (t)
                        tenant_unref(fo, t);
                return NULL;
        }
        *w = (struct who){ .next = *b, .tenant = t, .refs = 1, .service = a->service };
        TAILQ_INIT(&w->acking);
        append(append(append((char *)(w + 1), a->account, &w->account), a->id, &w->id), a->role, &w->role);
        return *b = w;
}

struct who *who_ref(struct who *w) {
        w->refs++;
        return w;
}

void who_unref(struct fanout *fo, struct who *w) {
        struct who **at = who_bucket(fo, w->account, w->id);

        if (--w->refs)
                return;
        while (*at != w)
                at = &(*at)->next;
        *at = w->next;
        tenant_unref(fo, w->tenant);
        free(w);
}
