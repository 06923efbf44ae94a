/* auth_key.c - API keys: the writer knows them, we ask it by hash, once at a time for each key. */
#include <sodium.h>
#include <stdlib.h>

#include "auth.h"
#include "settings.h"

#define PREFIX       "lok_"
#define KEY_ID       16u
#define SECRET       43u
#define KEEP         INT64_C(10000000) /* microseconds a good key is believed */
#define KEEP_REFUSED INT64_C(1000000)
#define STREAM_MAX   INT64_C(900000000) /* how long a live stream runs before the key has to be shown again */

struct auth_lookup {
        struct auth_lookup *next;
        struct frontend *f;
        unsigned char digest[32];
        struct auth_ask *waiters;
};

bool auth_key_shape(struct slice t) {
        static const uint32_t prefix = sizeof(PREFIX) - 1;
        if (t.n != prefix + KEY_ID + 1 + SECRET || memcmp(t.p, PREFIX, prefix) != 0 || t.p[prefix + KEY_ID] != '_')
                return false;
        for (uint32_t i = prefix; i < t.n; i++) {
                char b = t.p[i];
                bool small = (b >= 'a' && b <= 'z') || (b >= '0' && b <= '9');
                bool in_id = i < prefix + KEY_ID;
                if (!small && (in_id || !((b >= 'A' && b <= 'Z') || b == '_' || b == '-')))
                        return false;
        }
        return true;
}

enum status auth_key_answer(const struct answer *ans, struct auth_entry *ret, int64_t *ret_keep) {
        *ret = (struct auth_entry){ .status = ans->status, .service = true };
        *ret_keep = 0;
        if (ans->status != STATUS_OK && status_row(ans->status)->retry == RETRYABLE)
                return ans->status;
        *ret_keep = KEEP_REFUSED;
        if (ans->status == STATUS_ACCOUNT_SUSPENDED || ans->status == STATUS_AUTH_EXPIRED)
                return ans->status;
        if (ans->status != STATUS_OK)
                return ret->status = STATUS_AUTH_INVALID;

        struct arena a;
        struct json body;
        struct slice account, scope, id;
        const char *why;
        size_t at;
        arena_init(&a, 64u << 10);
        bool good = json_parse(ans->body, &a, &body, &why, &at) == 0 &&
                    json_str(json_get(body, "accountId"), &account) && json_str(json_get(body, "scope"), &scope) &&
                    json_str(json_get(body, "keyId"), &id) && auth_name(account) && auth_name(id) &&
                    (slice_is(scope, "ingest") || slice_is(scope, "operator")) &&
                    slice_copy(account, ret->account, sizeof(ret->account)) &&
                    slice_copy(scope, ret->role, sizeof(ret->role)) && slice_copy(id, ret->id, sizeof(ret->id));
        arena_free(&a);
        *ret_keep = good ? KEEP : 0;
        ret->ends = text_now_micros() + STREAM_MAX;
        return ret->status = good ? STATUS_OK : STATUS_INTERNAL;
}

static void unlink_lookup(struct auth_lookup *l) {
        struct auth_state *s = frontend_auth(l->f);
        for (struct auth_lookup **at = &s->lookups; *at; at = &(*at)->next)
                if (*at == l) {
                        *at = l->next;
                        s->n_lookups--;
                        return;
                }
}

static void on_answer(void *arg, const struct answer *ans) {
        struct auth_lookup *l = arg;
        struct auth_entry e;
        int64_t keep;
        enum status s = auth_key_answer(ans, &e, &keep);
        if (keep > 0)
                auth_cache_put(frontend_auth(l->f)->keys, l->digest, &e, text_mono_micros() + keep);
        unlink_lookup(l); /* a waiter's handler may start the next one */
        struct actor a = { slice_of(e.account), slice_of(e.id), slice_of(e.role), true, e.ends };
        while (l->waiters) {
                struct auth_ask *q = l->waiters;
                l->waiters = q->next;
                q->lookup = NULL;
                q->done(q, s, s == STATUS_OK ? &a : NULL);
        }
        free(l);
}

/* The lookup goes on: its answer is worth remembering. */
void auth_cancel(struct auth_ask *q) {
        if (!q->lookup)
                return;
        for (struct auth_ask **at = &q->lookup->waiters; *at; at = &(*at)->next)
                if (*at == q) {
                        *at = q->next;
                        q->lookup = NULL;
                        return;
                }
}

static enum status ask(struct frontend *f, struct slice token, struct auth_lookup *l) {
        struct channel *writer = frontend_peer(f, WRITER);
        unsigned char hash[32];
        struct op_key_check m = { 0 };
        if (!writer || !channel_up(writer))
                return STATUS_WRITER_UNAVAILABLE;
        struct slice secret = { token.p + sizeof(PREFIX) + KEY_ID, SECRET };
        crypto_generichash(hash, sizeof(hash), (const unsigned char *)secret.p, secret.n, NULL, 0);
        OP_SET(key_check, &m, key_id, ((struct slice){ token.p + sizeof(PREFIX) - 1, KEY_ID }));
        OP_SET(key_check, &m, secret_hash, ((struct slice){ (const char *)hash, sizeof(hash) }));
        unsigned timeout = (unsigned)setting_int(SETTING_http_request_seconds) * 1000;
        return channel_call(writer, OP_key_check, &m, timeout, on_answer, l);
}

static enum status lookup(struct frontend *f, struct slice token, const unsigned char digest[32],
                          struct auth_lookup **ret) {
        struct auth_state *s = frontend_auth(f);
        for (struct auth_lookup *l = s->lookups; l; l = l->next)
                if (sodium_memcmp(l->digest, digest, sizeof(l->digest)) == 0) {
                        *ret = l;
                        return STATUS_OK;
                }
        struct auth_lookup *l = s->n_lookups < AUTH_LOOKUPS_MAX ? calloc(1, sizeof(*l)) : NULL;
        if (!l)
                return STATUS_BUSY;
        l->f = f;
        memcpy(l->digest, digest, sizeof(l->digest));
        enum status st = ask(f, token, l);
        if (st != STATUS_OK) {
                free(l);
                return st;
        }
        l->next = s->lookups;
        s->lookups = l;
        s->n_lookups++;
        *ret = l;
        return STATUS_OK;
}

void auth_key(struct frontend *f, struct slice token, const unsigned char digest[32], struct auth_ask *q) {
        struct auth_lookup *l = NULL;
        enum status s = lookup(f, token, digest, &l);
        if (s != STATUS_OK) {
                q->done(q, s, NULL);
                return;
        }
        q->lookup = l;
        q->next = l->waiters;
        l->waiters = q;
}
