/* signer.c - a page of unsigned records is read, signed and written back; then the next. */
#include "signer.h"

#include <stdlib.h>

#include "billing_key.h"
#include "log.h"

#define PAGE  500
#define EVERY 1.
#define AGAIN 0.01 /* while there was a full page */

struct signer {
        struct ev_loop *loop;
        struct reader *reader;
        struct lanes *lanes;
        struct billing_key key;
        struct buf rows;
        ev_timer timer;
};

static void wait(struct signer *s, double seconds) {
        ev_timer_stop(s->loop, &s->timer);
        ev_timer_set(&s->timer, seconds, 0.);
        ev_timer_start(s->loop, &s->timer);
}

static void on_signed(void *arg, const struct answer *a) {
        struct signer *s = arg;
        bool full = op_rows_count(buf_view(&s->rows)) == PAGE;

        if (a->status != STATUS_OK)
                log_warn("usage records could not be signed now: %s; they are tried again",
                         status_row(a->status)->name);
        wait(s, a->status == STATUS_OK && full ? AGAIN : EVERY);
}

static void sign_row(struct signer *s, const struct op_usage_unsigned_row *r) {
        struct op_usage_signature out = { 0 };
        char hmac[BILLING_HMAC_HEX + 1], ed25519[text_base64_size(64)];

        billing_key_sign(&s->key, r->canonical, hmac, ed25519);
        OP_SET(usage_signature, &out, account_id, r->account_id);
        OP_SET(usage_signature, &out, usage_record_id, r->usage_record_id);
        OP_SET(usage_signature, &out, signature, ((struct slice){ hmac, BILLING_HMAC_HEX }));
        OP_SET(usage_signature, &out, ed25519, ((struct slice){ ed25519, BILLING_ED_TEXT }));
        op_rows_add(&s->rows, OP_usage_signature, &out);
}

static void on_unsigned(void *arg, const struct answer *a) {
        struct signer *s = arg;
        struct op_usage_unsigned_row row;
        struct op_usage_sign m = { 0 };
        char public_key[text_base64_size(sizeof s->key.public_key)];
        size_t at = 0;
        struct ask *ask;

        if (a->status != STATUS_OK || op_rows_count(a->body) == 0) {
                wait(s, EVERY);
                return;
        }
        buf_clear(&s->rows);
        while (op_rows_next(a->body, OP_usage_unsigned_row, &at, &row))
                sign_row(s, &row);
        (void)text_base64url(s->key.public_key, sizeof s->key.public_key, public_key);
        OP_SET(usage_sign, &m, key_id, slice_of(s->key.id));
        OP_SET(usage_sign, &m, public_key, ((struct slice){ public_key, BILLING_PUBLIC_TEXT }));
        OP_SET(usage_sign, &m, records, buf_view(&s->rows));
        ask = ask_own(OP_usage_sign, &m, on_signed, s);
        if (ask)
                lanes_ask(s->lanes, ask);
        else
                wait(s, EVERY);
}

static void on_timer(struct ev_loop *loop, ev_timer *w, int revents) {
        struct signer *s = w->data;
        struct op_usage_unsigned m = { 0 };
        struct ask *ask = NULL;

        (void)loop, (void)revents;
        OP_SET(usage_unsigned, &m, limit, PAGE);
        if (reader_ready(s->reader))
                ask = ask_own(OP_usage_unsigned, &m, on_unsigned, s);
        if (ask)
                reader_ask(s->reader, ask);
        else
                wait(s, EVERY);
}

struct signer *signer_new(struct ev_loop *loop) {
        struct signer *s = calloc(1, sizeof *s);
        char why[160];
        int r;

        if (!s)
                die("out of memory");
        s->loop = loop;
        buf_init(&s->rows, OP_BYTES_MAX);
        r = billing_key_load(&s->key, why);
        if (r < 0)
                die("%s", why);
        if (r > 0)
                log_warn("no billing key: usage records stay unsigned; lifeosctl keys init makes one");
        return s;
}

void signer_start(struct signer *s, struct reader *reader, struct lanes *lanes) {
        s->reader = reader;
        s->lanes = lanes;
        ev_timer_init(&s->timer, on_timer, EVERY, 0.);
        s->timer.data = s;
        if (*s->key.id)
                ev_timer_start(s->loop, &s->timer);
}
