/* call.c - the generic handler: the request bound by the op's row, asked, and the reply passed on. */
#include "call.h"

#include "bind.h"
#include "settings.h"

/* ---- asking ---- */

struct call {
        struct http_request *r;
        struct channel *to;
        const struct call_then *then;
        void *arg;
};

static void fail(struct http_request *r, enum status s, struct slice detail, struct slice members) {
        const struct status_row *row = status_row(s);
        bool wait = row->retry == RETRYABLE && (row->http == 503 || row->http == 429);

        http_fail(r, s, detail, &(struct http_extra){ .retry_after = wait ? 1 : 0, .members = members });
}

void call_fail(struct http_request *r, enum status s, struct slice detail) {
        fail(r, s, detail, (struct slice){ 0 });
}

void call_refused(struct http_request *r, const struct answer *a) {
        fail(r, a->status, a->detail, a->body);
}

#define SPARE_SECONDS 10 /* for what is stored before and after a turn */

int64_t call_patience(enum op op) {
        if (op_desc(op)->to != OPENCLAW)
                return setting_int(SETTING_http_request_seconds);
        return setting_int(SETTING_turn_queue_seconds) + setting_int(SETTING_turn_seconds) + SPARE_SECONDS;
}

static void call_answered(void *arg, const struct answer *a) {
        struct call *c = arg;

        c->r->gone = NULL;
        c->r->data = NULL;
        c->then->done(c->r, a, c->arg);
}

/* The question still runs where it was sent; only its answer has nowhere to go. */
static void call_gone(struct http_request *r) {
        struct call *c = r->data;

        channel_forget(c->to, c);
        if (c->then->gone)
                c->then->gone(c->arg);
}

static enum status unavailable(enum daemon_id kind) {
        return kind == WEBHOOK    ? STATUS_WEBHOOK_UNAVAILABLE
               : kind == OPENCLAW ? STATUS_OPENCLAW_UNAVAILABLE
                                  : STATUS_WRITER_UNAVAILABLE;
}

bool call_ask(struct frontend *f, struct http_request *r, enum op op, const void *msg, const struct call_then *then,
              void *arg) {
        enum daemon_id kind = op_desc(op)->to;
        struct channel *to = frontend_peer(f, kind);
        struct call *c = arena_alloc(&r->arena, sizeof *c);
        bool away = !to || (kind == OPENCLAW && !channel_up(to));
        enum status s = !c ? STATUS_BUSY : away ? unavailable(kind) : STATUS_OK;

        if (s == STATUS_OK) {
                *c = (struct call){ .r = r, .to = to, .then = then, .arg = arg };
                s = channel_call(to, op, msg, (unsigned)call_patience(op) * 1000, call_answered, c);
        }
        if (s != STATUS_OK) {
                if (then->gone)
                        then->gone(arg);
                call_fail(r, s, (struct slice){ 0 });
                return false;
        }
        r->data = c;
        r->gone = call_gone;
        http_wait(r, (double)call_patience(op), false);
        return true;
}

/* ---- from request to message ---- */

void call_actor(enum op op, void *msg, const struct actor *a) {
        const struct opdesc *d = op_desc(op);
        const struct {
                const char *name;
                struct slice value;
        } who[] = { { "account_id", a->account }, { "actor_id", a->id }, { "actor_role", a->role } };

        for (size_t i = 0; i < sizeof who / sizeof *who; i++) {
                int field = op_field(d, who[i].name);

                if (field >= 0 && d->fields[field].kind == K_ACTOR)
                        op_set_slice(d, field, msg, who[i].value);
        }
}

enum status call_key(const struct http_request *r, struct slice *ret) {
        struct slice key = http_header(r, "idempotency-key");

        if (key.n > 100)
                return STATUS_INVALID_REQUEST;
        for (uint32_t i = 0; i < key.n; i++)
                if (key.p[i] < 0x20 || key.p[i] > 0x7e)
                        return STATUS_INVALID_REQUEST;
        *ret = key;
        return STATUS_OK;
}

/* The command id: the client's, so that a repeat finds the first result, or one nobody else has. */
static enum status set_command(struct http_request *r, enum op op, void *msg) {
        const struct opdesc *d = op_desc(op);
        struct slice id = { 0 };

        for (size_t i = 0; i < d->n; i++) {
                if (d->fields[i].kind != K_COMMAND)
                        continue;
                if (call_key(r, &id) != STATUS_OK)
                        return STATUS_INVALID_REQUEST;
                if (id.n == 0) {
                        char *fresh = arena_alloc(&r->arena, 40);

                        if (!fresh)
                                return STATUS_BUSY;
                        text_new_id("cmd", fresh);
                        id = slice_of(fresh);
                }
                op_set_slice(d, (int)i, msg, id);
        }
        return STATUS_OK;
}

static enum status bind_params(struct bind *b, const struct route *route, const struct http_request *r) {
        for (const char *p = strchr(route->path, ':'); p; p = strchr(p, ':')) {
                size_t n = strcspn(++p, "/");
                char name[64];
                enum status s;

                if (n >= sizeof name)
                        return STATUS_INTERNAL;
                memcpy(name, p, n);
                name[n] = 0;
                s = bind_path(b, name, route_param(route, r, name));
                if (s != STATUS_OK)
                        return s;
        }
        return STATUS_OK;
}

/* The path is bound before anything the client could use to name another object. */
static enum status bind_request(struct bind *b, const struct route *route, const struct http_request *r) {
        enum status s = bind_params(b, route, r);

        if (s == STATUS_OK)
                s = bind_query(b, r->query);
        /* Only the body of LiveKit's own endpoint has LiveKit's own names. */
        b->snake = b->op == OP_token_standard;
        /* The predecessor's clients name the call in a turn's body too. */
        b->agree = b->op == OP_turn_run;
        if (s == STATUS_OK && route->body == JSON_BODY)
                s = bind_body(b, r->body);
        return s == STATUS_OK ? bind_finish(b) : s;
}

/* ---- the handler ---- */

static void pass_on(struct http_request *r, const struct answer *a, int code) {
        if (a->status != STATUS_OK)
                call_refused(r, a);
        else
                http_respond(r, code, CALL_JSON, a->body, NULL);
}

static void call_done(struct http_request *r, const struct answer *a, void *arg) {
        (void)arg;
        pass_on(r, a, 200);
}

/* What LiveKit's own clients expect of their token endpoint. */
static void standard_done(struct http_request *r, const struct answer *a, void *arg) {
        (void)arg;
        pass_on(r, a, 201);
}

static const struct call_then call_then = { .done = call_done }, standard_then = { .done = standard_done };

void *call_bind(struct http_request *r, const struct route *route, const struct actor *a) {
        struct bind b = { .op = route->op, .arena = &r->arena, .self = a ? a->id : (struct slice){ 0 } };
        enum status s;

        b.msg = arena_alloc(&r->arena, op_desc(route->op)->size);
        if (!b.msg) {
                call_fail(r, STATUS_BUSY, (struct slice){ 0 });
                return NULL;
        }
        if (a)
                call_actor(route->op, b.msg, a);
        s = set_command(r, route->op, b.msg);
        if (s != STATUS_OK) {
                call_fail(r, s, s == STATUS_INVALID_REQUEST ? SLICE(CALL_KEY_WHY) : (struct slice){ 0 });
                return NULL;
        }
        s = bind_request(&b, route, r);
        if (s != STATUS_OK) {
                call_fail(r, s, slice_of(b.why));
                return NULL;
        }
        return b.msg;
}

void route_call(struct frontend *f, struct http_request *r, const struct route *route, const struct actor *a) {
        void *msg = call_bind(r, route, a);

        if (msg)
                (void)call_ask(f, r, route->op, msg, route->op == OP_token_standard ? &standard_then : &call_then,
                               NULL);
}
