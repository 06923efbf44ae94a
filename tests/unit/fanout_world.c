/* fanout_world.c - a scripted writer and clients that know what they must hear. */
#include "fanout_world.h"

#include "fanout.h"
#include "settings.h"

struct world world;

static unsigned session_of(struct slice id) {
        assert_true(id.n == 2 && id.p[0] == 's');
        return (unsigned)(id.p[1] - '0');
}

static const char *session_name(unsigned s) {
        static char names[SESSIONS][3];

        (void)snprintf(names[s], sizeof names[s], "s%u", s);
        return names[s];
}

void world_event(unsigned s, uint64_t sequence, struct buf *to) {
        buf_fmt(to, "{\"session\":%u,\"n\":%llu,\"pad\":\"", s, (unsigned long long)sequence);
        memset(buf_room(to, world.pad), (int)('a' + sequence % 26), world.pad);
        to->n += world.pad;
        buf_str(to, "\"}");
}

/* ---- clients ---- */

static bool starts(struct slice s, const char *with) {
        return s.n >= strlen(with) && memcmp(s.p, with, strlen(with)) == 0;
}

static uint64_t number_after(struct slice s, const char *key) {
        char text[1200];
        const char *at;

        assert_true(slice_copy(s, text, sizeof text));
        at = strstr(text, key);
        assert_non_null(at);
        return strtoull(at + strlen(key), NULL, 10);
}

static void word_after(struct slice s, const char *key, char to[static 32]) {
        char text[1200];
        const char *at;

        assert_true(slice_copy(s, text, sizeof text));
        at = strstr(text, key);
        assert_non_null(at);
        (void)snprintf(to, 32, "%.*s", (int)strcspn(at + strlen(key), "\""), at + strlen(key));
}

static void hear_event(struct listener_client *c, struct slice frame) {
        struct buf want;

        buf_init(&want, 1u << 20);
        buf_fmt(&want, "id: %llu\ndata: ", (unsigned long long)(c->heard + 1));
        world_event(c->session, c->heard + 1, &want);
        buf_str(&want, "\n\n");
        if (!slice_eq(frame, buf_view(&want)))
                fail_msg("after %llu came %.*s", (unsigned long long)c->heard, SLICE_FMT(frame));
        buf_free(&want);
        c->heard++;
        c->events++;
        assert_true(c->heard <= world.sessions[c->session].n);
}

static void hear(struct listener_client *c, struct slice frame) {
        assert_int_equal(c->closed[0], 0);
        if (starts(frame, "id: ")) {
                hear_event(c, frame);
        } else if (starts(frame, ": hb")) {
                c->beats++;
        } else if (starts(frame, "event: ready\n")) {
                c->greeted = true;
                c->heard = number_after(frame, "\"fromSequence\":");
        } else if (starts(frame, "event: reset\n")) {
                c->resets++;
                c->heard = number_after(frame, "\"fromSequence\":");
                word_after(frame, "\"reason\":\"", c->reset);
        } else if (starts(frame, "event: close\n")) {
                word_after(frame, "\"reason\":\"", c->closed);
        } else {
                assert_true(starts(frame, "retry: 1000\n"));
        }
}

static void take(struct fake_client *http, struct slice bytes) {
        struct listener_client *c = http->data;
        char *end;

        buf_slice(&c->in, bytes);
        assert_false(c->in.over);
        while (c->in.n && (end = memmem(c->in.p, c->in.n, "\n\n", 2))) {
                size_t n = (size_t)(end - c->in.p) + 2;

                hear(c, (struct slice){ c->in.p, (uint32_t)n });
                buf_drop(&c->in, n);
        }
}

int64_t client_until;

void client_join(struct listener_client *c, unsigned s, const char *actor, uint64_t after, const char *last_id) {
        struct actor a = { slice_of("acme"), slice_of(actor), slice_of("member"), false, client_until };
        static char query[64];

        *c = (struct listener_client){ .session = s, .pace = SIZE_MAX, .http = { .take = take, .data = c } };
        buf_init(&c->in, 4u << 20);
        (void)snprintf(query, sizeof query, "afterSequence=%llu", (unsigned long long)after);
        fake_request(&c->http, query, (struct slice){ 0 });
        c->http.r.path = slice_of(session_name(s));
        fake_header(&c->http, "accept", "text/event-stream");
        if (last_id)
                fake_header(&c->http, "last-event-id", last_id);
        route_stream(NULL, &c->http.r, fake_route("sessionEvents"), &a);
}

void client_free(struct listener_client *c) {
        fake_client_free(&c->http);
        buf_free(&c->in);
}

/* ---- the writer ---- */

void writer_says(enum op op, const void *msg) {
        struct request r = { .from = fake_writer, .op = op, .msg = msg };

        fanout_request(NULL, &r);
}

void publish(unsigned s, uint64_t first, uint64_t n) {
        struct op_event_publish m = { 0 };
        struct buf rows, text;

        buf_init(&rows, 4u << 20);
        buf_init(&text, 1u << 20);
        for (uint64_t i = first; i < first + n; i++) {
                struct op_event_stored e = { 0 };

                buf_clear(&text);
                world_event(s, i, &text);
                OP_SET(event_stored, &e, sequence, (int64_t)i);
                OP_SET(event_stored, &e, event, buf_view(&text));
                op_rows_add(&rows, OP_event_stored, &e);
        }
        OP_SET(event_publish, &m, account_id, SLICE("acme"));
        OP_SET(event_publish, &m, session_id, slice_of(session_name(s)));
        OP_SET(event_publish, &m, committed, text_now_micros());
        OP_SET(event_publish, &m, events, buf_view(&rows));
        assert_int_equal(op_check(OP_event_publish, &m), 0);
        writer_says(OP_event_publish, &m);
        buf_free(&rows);
        buf_free(&text);
}

void publish_head(unsigned s, uint64_t head) {
        struct op_stream_head m = { 0 };

        OP_SET(stream_head, &m, account_id, SLICE("acme"));
        OP_SET(stream_head, &m, session_id, slice_of(session_name(s)));
        OP_SET(stream_head, &m, head, (int64_t)head);
        writer_says(OP_stream_head, &m);
}

void commit_unpublished(unsigned s, uint64_t n) {
        world.sessions[s].n += n;
}

void commit(unsigned s, uint64_t n) {
        struct publication *p, **at = &world.pubs;
        uint64_t first = world.sessions[s].n + 1;

        commit_unpublished(s, n);
        if (!world.sessions[s].subscribed)
                return;
        p = calloc(1, sizeof *p);
        assert_non_null(p);
        *p = (struct publication){ .session = s, .first = first, .count = n };
        while (*at)
                at = &(*at)->next;
        *at = p;
}

bool deliver_pub(struct publication *p) {
        struct publication **at = &world.pubs;

        if (!p)
                return false;
        while (*at != p)
                at = &(*at)->next;
        *at = p->next;
        if (p->head)
                publish_head(p->session, p->first + p->count - 1);
        else
                publish(p->session, p->first, p->count);
        free(p);
        return true;
}

static void read_page(const struct op_event_read *m, struct fake_call *q) {
        const struct session *se = &world.sessions[session_of(m->session_id)];
        int64_t limit = world.page && world.page < m->limit ? world.page : m->limit;
        struct buf text;

        buf_init(&text, 1u << 20);
        for (uint64_t i = (uint64_t)m->after_sequence + 1; i <= se->n && limit; i++, limit--) {
                struct op_event_stored e = { 0 };

                buf_clear(&text);
                world_event(session_of(m->session_id), i, &text);
                OP_SET(event_stored, &e, sequence, (int64_t)i);
                OP_SET(event_stored, &e, event, buf_view(&text));
                op_rows_add(&q->reply, OP_event_stored, &e);
        }
        buf_free(&text);
}

static enum status refusal(const struct session *se, struct slice actor) {
        return se->refuses && (!se->refused_actor || slice_is(actor, se->refused_actor)) ? se->refuses : STATUS_OK;
}

static void execute_reconnect(const struct op_session_reconnect *m, struct fake_call *q) {
        q->status = slice_is(m->resume_token, "t0") ? STATUS_OK : STATUS_INVALID_RESUME_TOKEN;
        buf_fmt(&q->reply, "{\"ok\":true,\"session\":{\"sessionId\":\"%.*s\",\"resumeToken\":\"t1\"}}",
                SLICE_FMT(m->session_id));
}

static void execute_checkpoint(const struct op_checkpoint *m, struct fake_call *q) {
        struct session *se = &world.sessions[session_of(m->session_id)];

        world.checkpoints++;
        q->status = (uint64_t)m->watermark_sequence > se->n ? STATUS_CURSOR_AHEAD : STATUS_OK;
        if (q->status == STATUS_OK && (uint64_t)m->watermark_sequence > se->checkpoint)
                se->checkpoint = (uint64_t)m->watermark_sequence;
        (void)slice_copy(m->consumer_id, se->consumer, sizeof se->consumer);
        buf_str(&q->reply, "{\"ok\":true}");
}

void execute(struct fake_call *q) {
        const struct op_stream_open *open = q->msg;
        const struct op_event_read *read = q->msg;

        q->executed = true;
        if (q->op == OP_presence) {
                (void)slice_copy(((const struct op_presence *)q->msg)->seen, world.seen, sizeof world.seen);
        } else if (q->op == OP_session_reconnect) {
                execute_reconnect(q->msg, q);
        } else if (q->op == OP_checkpoint) {
                execute_checkpoint(q->msg, q);
        } else if (q->op == OP_stream_open) {
                struct session *se = &world.sessions[session_of(open->session_id)];

                se->opens++;
                q->status = refusal(se, open->actor_id);
                buf_fmt(&q->reply,
                        "{\"ok\":true,\"accountId\":\"acme\",\"sessionId\":\"%.*s\",\"latestSequence\":%llu,"
                        "\"status\":\"active\",\"checkpoint\":",
                        SLICE_FMT(open->session_id), (unsigned long long)se->n);
                if (open->consumer_id.n)
                        buf_int(&q->reply, (int64_t)se->checkpoint);
                else
                        buf_str(&q->reply, "null");
                buf_char(&q->reply, '}');
        } else {
                struct session *se = &world.sessions[session_of(read->session_id)];

                assert_int_equal(q->op, OP_event_read);
                se->reads++;
                q->status = refusal(se, read->actor_id);
                read_page(read, q);
        }
}

/* Success subscribes, later than the snapshot: what is committed in between is published to nobody. */
void deliver(struct fake_call *q) {
        if (!q->executed)
                execute(q);
        if (q->op == OP_stream_open && q->status == STATUS_OK)
                world.sessions[session_of(((const struct op_stream_open *)q->msg)->session_id)].subscribed = true;
        fake_answer(q, q->status, "", q->status == STATUS_OK ? buf_view(&q->reply) : (struct slice){ 0 });
}

static void cast(enum op op, const void *msg) {
        const struct op_stream_close *m = msg;
        struct session *se = &world.sessions[session_of(m->session_id)];

        assert_int_equal(op, OP_stream_close);
        assert_slice(m->account_id, "acme");
        se->subscribed = false;
        se->closes++;
}

static void forget_pubs(void) {
        struct publication *p;

        while ((p = world.pubs)) {
                world.pubs = p->next;
                free(p);
        }
}

void writer_restart(void) {
        fake_channel_up(fake_writer, false);
        fanout_down(NULL, fake_writer);
        forget_pubs();
        for (unsigned s = 0; s < SESSIONS; s++)
                world.sessions[s].subscribed = false;
        for (struct fake_call *q = fake_calls; q; q = q->next) {
                q->executed = false;
                buf_clear(&q->reply);
        }
        fake_channel_up(fake_writer, true);
        fanout_up(NULL, fake_writer);
}

/* ---- time ---- */

void tick(void) {
        ev_invoke(frontend_loop(NULL), &fake_fanout->tick, 0);
}

void pause_over(void) {
        ev_timer_stop(frontend_loop(NULL), &fake_fanout->again);
        ev_invoke(frontend_loop(NULL), &fake_fanout->again, 0);
}

void settle(struct listener_client *c, unsigned n) {
        bool moved = true;

        for (unsigned round = 0; moved; round++) {
                assert_true(round < 100000);
                moved = false;
                while (deliver_pub(world.pubs))
                        moved = true;
                if (fake_calls) {
                        deliver(fake_calls);
                        moved = true;
                }
                for (unsigned i = 0; i < n; i++)
                        moved |= fake_take(&c[i].http, c[i].pace);
        }
}

void world_new(void) {
        fake_reset();
        world = (struct world){ 0 };
        fake_cast = cast;
        fake_fanout = fanout_new(NULL);
        assert_non_null(fake_fanout);
        fake_fanout->epoch = 1;
}

void world_free(void) {
        fanout_free(fake_fanout);
        fake_fanout = NULL;
        forget_pubs();
        fake_reset();
}

void assert_heard(const struct listener_client *c, uint64_t n) {
        assert_true(c->greeted);
        assert_int_equal(c->heard, n);
        assert_null(c->closed[0] ? c->closed : NULL);
}

int world_set_up(void **state) {
        (void)state;
        world_new();
        return 0;
}

int world_tear_down(void **state) {
        (void)state;
        world_free();
        return 0;
}
