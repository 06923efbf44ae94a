/* webhook.c - LiveKit's webhooks, handed on as the raw bytes that were signed; nothing is parsed here. */
#include "call.h"

/* LiveKit repeats on 5xx, so whatever was not stored is answered with one; it ignores the body of a success. Nobody
 * is authenticated here: whoever's webhooks are refused pays from his address' allowance. */
static void webhook_done(struct http_request *r, const struct answer *a, void *arg) {
        struct frontend *f = arg;

        if (a->status == STATUS_OK) {
                http_respond(r, 200, NULL, (struct slice){ 0 }, NULL);
                return;
        }
        if (status_row(a->status)->http < 500)
                rate_address_charge(f, r->address);
        call_fail(r, a->status, a->detail);
}

static const struct call_then webhook_then = { .done = webhook_done };

static void message(const struct http_request *r, struct op_webhook_raw *m) {
        struct slice authorization = http_header(r, "authorization"), type = http_header(r, "content-type");

        if (authorization.n)
                OP_SET(webhook_raw, m, authorization, authorization);
        if (type.n)
                OP_SET(webhook_raw, m, content_type, type);
        if (r->body.n)
                OP_SET(webhook_raw, m, body, r->body);
        OP_SET(webhook_raw, m, received, r->received);
}

void route_webhook(struct frontend *f, struct http_request *r, const struct route *route, const struct actor *a) {
        struct op_webhook_raw m = { 0 };
        unsigned retry = 0;

        (void)a;
        if (!rate_address(f, r->address, &retry)) {
                /* BUSY and not RATE_LIMITED: LiveKit may share the address with whoever used it up, and must repeat. */
                http_fail(r, STATUS_BUSY, (struct slice){ 0 }, &(struct http_extra){ .retry_after = retry });
                return;
        }
        message(r, &m);
        if (op_check(OP_webhook_raw, &m) != 0) {
                rate_address_charge(f, r->address);
                call_fail(r, STATUS_WEBHOOK_INVALID, SLICE("a header of the webhook is too long or is not UTF-8"));
                return;
        }
        (void)call_ask(f, r, route->op, &m, &webhook_then, f);
}
