/* channel.c - messages: queued for the next frame on one side, checked against their row on the other. */
#include "channel.h"

#include "conn.h"
#include "log.h"
#include "stats.h"

enum daemon_id channel_kind(const struct channel *c) {
        return c->kind;
}
uint8_t channel_instance(const struct channel *c) {
        return c->instance;
}
bool channel_up(const struct channel *c) {
        return c->conn != NULL && c->conn->failed == NULL;
}
void *channel_data(struct channel *c) {
        return c->data;
}
void channel_set_data(struct channel *c, void *data) {
        c->data = data;
}

size_t channel_queued(const struct channel *c) {
        if (c->conn == NULL)
                return c->pend.bytes; /* all of it will have to be sent */
        return c->queue.n + (c->conn->out.n - c->conn->written);
}

static void message_begin(char *b, uint32_t n, enum message_type type, enum op op, uint64_t id) {
        put_le32(b, n - 4);
        b[4] = (char)type;
        b[5] = (char)((unsigned)op & 0xff);
        b[6] = (char)((unsigned)op >> 8);
        put_le64(b + 7, id);
}

/* Both ends hold the same table: what leaves here wrong is our own broken invariant. */
static void must_send(const struct channel *c, enum op op, bool cast) {
        const struct opdesc *d = op < OP_COUNT ? op_desc(op) : NULL;
        if (d == NULL || d->to != c->kind || (d->from != c->hub->us && d->from != ANYBODY) || d->mode == RECORD ||
            (d->mode == CAST) != cast)
                die("%s: %s does not send this to %s", d != NULL ? d->name : "no such op", cred_kind_name(c->hub->us),
                    cred_kind_name(c->kind));
}

/* The op's encoding in the hub's scratch buffer, or false if it is longer than any peer takes. */
static bool encode(struct hub *h, enum op op, const void *msg) {
        buf_clear(&h->scratch);
        op_encode(op, msg, &h->scratch);
        return !h->scratch.over;
}

enum status channel_call(struct channel *c, enum op op, const void *msg, unsigned timeout_ms, channel_answer_fn *fn,
                         void *arg) {
        struct hub *h = c->hub;
        must_send(c, op, false);
        if (c->pend.count >= h->limits.pending || channel_queued(c) >= h->limits.queue_bytes ||
            c->pend.bytes / 4 >= h->limits.queue_bytes)
                return STATUS_BUSY;
        if (!encode(h, op, msg))
                return STATUS_BODY_TOO_LARGE;
        uint32_t n = MESSAGE_HEADER + (uint32_t)h->scratch.n;
        struct pending *p = pending_add(c, op, n, timeout_ms);
        if (p == NULL)
                return STATUS_BUSY;
        p->fn = fn;
        p->arg = arg;
        message_begin(p->bytes, n, MESSAGE_REQUEST, op, p->id);
        memcpy(p->bytes + MESSAGE_HEADER, h->scratch.p, h->scratch.n);
        if (c->conn != NULL) {
                p->sent = true;
                buf_add(&c->queue, p->bytes, n);
        }
        return STATUS_OK;
}

void channel_forget(struct channel *c, void *arg) {
        for (struct pending *p = c->pend.first; p != NULL; p = p->next)
                if (p->arg == arg)
                        p->fn = NULL;
}

bool channel_cast(struct channel *c, enum op op, const void *msg) {
        struct hub *h = c->hub;
        char head[MESSAGE_HEADER];
        must_send(c, op, true);
        if (!channel_up(c) || channel_queued(c) >= h->limits.queue_bytes)
                return false;
        if (!encode(h, op, msg)) {
                log_error("%s: longer than a message may be; not sent", op_desc(op)->name);
                return false;
        }
        message_begin(head, MESSAGE_HEADER + (uint32_t)h->scratch.n, MESSAGE_CAST, op, 0);
        buf_add(&c->queue, head, sizeof head);
        buf_slice(&c->queue, buf_view(&h->scratch));
        return true;
}

void channel_reply(const struct request *r, enum status s, struct slice detail, struct slice body) {
        struct channel *c = r->from;
        char head[MESSAGE_HEADER + 4];
        if (r->id == 0 || !channel_up(c) || c->conn->epoch != r->epoch)
                return;
        if (detail.n > DETAIL_MAX)
                detail.n = DETAIL_MAX;
        if (!text_utf8(detail)) /* cut in the middle of a character, or never text */
                detail.n = 0;
        if (body.n > MESSAGE_BYTES_MAX - 4 - DETAIL_MAX) {
                log_error("%s: its answer of %u bytes is longer than a message may be", op_desc(r->op)->name, body.n);
                s = STATUS_INTERNAL;
                detail = body = (struct slice){ 0 };
        }
        message_begin(head, (uint32_t)sizeof head + detail.n + body.n, MESSAGE_REPLY, r->op, r->id);
        char *p = head + MESSAGE_HEADER;
        p[0] = (char)((unsigned)s & 0xff);
        p[1] = (char)((unsigned)s >> 8);
        p[2] = (char)(detail.n & 0xff);
        p[3] = (char)(detail.n >> 8);
        buf_add(&c->queue, head, sizeof head);
        buf_slice(&c->queue, detail);
        buf_slice(&c->queue, body);
        if (c->queue.over) /* it asks and does not read; on its next connection it will ask again */
                conn_fail(c->conn, "the peer does not read its answers");
}

void channel_restart(struct channel *c, const char *why) {
        if (channel_up(c))
                conn_fail(c->conn, why);
}

static uint16_t get_le16(const char *p) {
        return (uint16_t)((unsigned char)p[0] | (unsigned)(unsigned char)p[1] << 8);
}

static const char *take_reply(struct channel *c, enum op op, uint64_t id, struct slice body) {
        struct pending *p = pending_find(&c->pend, id);
        if (p == NULL || !p->sent)
                return "a reply to nothing";
        if (p->op != op)
                return "a reply to another op";
        if (body.n < 4)
                return "a cut reply";
        unsigned s = get_le16(body.p), n = get_le16(body.p + 2);
        if (s >= STATUS_COUNT || n > DETAIL_MAX || n > body.n - 4)
                return "a malformed reply";
        struct answer a = { .status = (enum status)s,
                            .detail = { body.p + 4, n },
                            .body = { body.p + 4 + n, body.n - 4 - n } };
        enum op rec = op_desc(op)->reply;
        if (!text_utf8(a.detail) || (rec != OP_NONE && a.body.n > 0 && op_rows_check(a.body, rec, UINT32_MAX) != 0))
                return "a malformed reply";
        pending_answer(p, &a);
        return NULL;
}

static const char *take_request(struct channel *c, enum message_type type, enum op op, uint64_t id,
                                struct slice body) {
        struct hub *h = c->hub;
        const struct opdesc *d = op_desc(op);
        if (d->to != h->us || (d->from != c->kind && d->from != ANYBODY) || d->mode == RECORD)
                return "an op it may not send";
        if ((d->mode == CAST) != (type == MESSAGE_CAST) || (id == 0) != (type == MESSAGE_CAST))
                return "a request as a cast, or a cast as a request";
        memset(h->msg, 0, d->size);
        if (op_decode(op, body, h->msg) != 0)
                return "a message that breaks its row";
        /* Unanswered, it is sent again, to the process that takes our place. */
        if (h->draining && type == MESSAGE_REQUEST)
                return NULL;
        struct request r = { .from = c,
                             .op = op,
                             .id = id,
                             .epoch = c->conn->epoch,
                             .msg = h->msg,
                             .bytes = body,
                             .at = text_mono_micros() };
        h->ev->request(h->arg, &r);
        return NULL;
}

static const char *take_message(struct channel *c, struct slice m) {
        unsigned type = (unsigned char)m.p[0], op = get_le16(m.p + 1);
        uint64_t id = get_le64(m.p + 3);
        struct slice body = { m.p + 11, m.n - 11 };
        if (op >= OP_COUNT)
                return "an unknown op";
        stat_add(STAT_peer_messages_received, 1);
        if (type == MESSAGE_REPLY)
                return take_reply(c, (enum op)op, id, body);
        if (type == MESSAGE_REQUEST || type == MESSAGE_CAST)
                return take_request(c, (enum message_type)type, (enum op)op, id, body);
        return "an unknown type of message";
}

void channel_take(struct channel *c, struct slice payload) {
        struct conn *k = c->conn;
        while (payload.n > 0 && k->failed == NULL) {
                uint32_t n = payload.n < 4 ? 0 : get_le32(payload.p);
                if (n < MESSAGE_HEADER - 4 || n > payload.n - 4) {
                        conn_reject(k, "messages that do not fill their frame");
                        return;
                }
                const char *wrong = take_message(c, (struct slice){ payload.p + 4, n });
                if (wrong != NULL) {
                        conn_reject(k, wrong);
                        return;
                }
                payload = (struct slice){ payload.p + 4 + n, payload.n - 4 - n };
        }
        if (k->failed == NULL && c->hub->ev->frame_end != NULL)
                c->hub->ev->frame_end(c->hub->arg, c);
}

/* Everything unanswered goes first and in order: what the daemon queues from up() comes behind it. */
void channel_attach(struct channel *c, struct conn *k) {
        struct hub *h = c->hub;
        c->conn = k;
        k->epoch = ++h->epoch;
        c->told = false;
        hub_log_life(h, c, "peer connected", k->dialled ? "we dialled" : "it dialled");
        for (struct pending *p = c->pend.first; p != NULL; p = p->next) {
                stat_add(STAT_peer_resent, p->sent ? 1 : 0);
                p->sent = true;
                buf_add(&c->queue, p->bytes, p->n);
        }
        if (h->ev->up != NULL)
                h->ev->up(h->arg, c);
}

/* Queued replies and casts are lost with the connection: the peer asks again, and casts promise nothing. */
void channel_detach(struct channel *c) {
        struct hub *h = c->hub;
        c->conn = NULL;
        buf_free(&c->queue);
        pending_drop_late(&c->pend);
        if (h->ev->down != NULL)
                h->ev->down(h->arg, c);
        if (c->kind != CTL)
                return;
        pending_fail_all(&c->pend);
        c->data = NULL;
        c->idle = true;
}
