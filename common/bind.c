/* bind.c - path, query and body into an op's message, field by field, by the row alone. */
#include "bind.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

static enum status refuse(struct bind *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static enum status refuse(struct bind *b, const char *fmt, ...) {
        va_list args;

        va_start(args, fmt);
        (void)vsnprintf(b->why, sizeof b->why, fmt, args);
        va_end(args);
        return STATUS_INVALID_REQUEST;
}

/* The field as the client spells it. */
static const char *spelt(const struct bind *b, const struct field *f, char to[static 64]) {
        if (b->snake)
                return f->name;
        bind_camel(f->name, to);
        return to;
}

/* What the field takes, for the one who sent something else. */
static enum status refuse_value(struct bind *b, const struct field *f) {
        char camel[64];
        const char *name = spelt(b, f, camel);

        switch (f->kind) {
        case K_ID:
                return refuse(b, "%s must be 1 to %" PRId64 " of letters, digits and _.:-", name, f->max);
        case K_ENUM:
                return refuse(b, "%s must be one of %s", name, f->words);
        case K_JSON:
                return refuse(b, "%s must be a JSON object of at most %" PRId64 " bytes", name, f->max);
        case K_VALUE:
                return refuse(b, "%s must be at most %" PRId64 " bytes of JSON", name, f->max);
        case K_INT:
                return refuse(b, "%s must be an integer from %" PRId64 " to %" PRId64, name, f->min, f->max);
        case K_CLAMP:
                return refuse(b, "%s must be a number", name);
        case K_BOOL:
                return refuse(b, "%s must be true or false", name);
        case K_STR:
                return refuse(b, "%s must be a string of %" PRId64 " to %" PRId64 " bytes", name, f->min, f->max);
        case K_ACTOR:
        case K_COMMAND:
        case K_BLOB:
        case K_ROWS:
                break;
        }
        return refuse(b, "%s is not valid", name);
}

/* A name we do not know is shown only if it cannot do harm where it is read. */
static enum status refuse_name(struct bind *b, struct slice name) {
        if (name.n <= 64 && text_id(name))
                return refuse(b, "unknown field %.*s", SLICE_FMT(name));
        return refuse(b, "unknown field");
}

/* A request may name a field only if a request can spell its value. */
static bool bindable(enum kind k) {
        return k != K_ACTOR && k != K_COMMAND && k != K_BLOB && k != K_ROWS;
}

static int find(const struct bind *b, struct slice name) {
        const struct opdesc *d = op_desc(b->op);
        char camel[64];

        for (int i = 0; i < (int)d->n; i++)
                if (bindable(d->fields[i].kind) && slice_is(name, spelt(b, &d->fields[i], camel)))
                        return i;
        return -1;
}

static enum status set_text(struct bind *b, int i, struct slice s) {
        const struct opdesc *d = op_desc(b->op);

        op_set_slice(d, i, b->msg, s);
        return op_check_field(d, i, b->msg) ? STATUS_OK : refuse_value(b, &d->fields[i]);
}

static enum status set_int(struct bind *b, int i, int64_t v) {
        const struct opdesc *d = op_desc(b->op);
        const struct field *f = &d->fields[i];

        if (f->kind == K_CLAMP)
                v = v < f->min ? f->min : v > f->max ? f->max : v;
        op_set_int(d, i, b->msg, v);
        return op_check_field(d, i, b->msg) ? STATUS_OK : refuse_value(b, f);
}

static bool is_int(enum kind k) {
        return k == K_INT || k == K_CLAMP || k == K_BOOL;
}

/* A value as path and query have them: text, whatever it stands for. */
static enum status set_from_text(struct bind *b, int i, struct slice s) {
        const struct field *f = &op_desc(b->op)->fields[i];
        bool yes = slice_is(s, "true") || slice_is(s, "1"), no = slice_is(s, "false") || slice_is(s, "0");
        int64_t v = yes;

        if (!is_int(f->kind))
                return set_text(b, i, s);
        if (f->kind == K_BOOL ? !yes && !no : f->kind == K_INT ? !text_int(s, &v) : !text_number_trunc(s, &v))
                return refuse_value(b, f);
        return set_int(b, i, v);
}

static enum status set_from_json(struct bind *b, int i, struct json v) {
        const struct field *f = &op_desc(b->op)->fields[i];
        struct slice s;
        int64_t number = 0;
        bool yes = false, ok;

        if (f->kind == K_JSON || f->kind == K_VALUE) {
                if ((f->kind == K_JSON && json_type(v) != JSON_OBJECT) ||
                    !json_canonical_in(v, b->arena, (size_t)f->max, &s))
                        return refuse_value(b, f);
                return set_text(b, i, s);
        }
        if (!is_int(f->kind))
                return json_str(v, &s) ? set_text(b, i, s) : refuse_value(b, f);
        if (f->kind == K_BOOL) {
                ok = json_bool(v, &yes);
                number = yes;
        } else {
                ok = f->kind == K_INT ? json_int(v, &number) : json_int_trunc(v, &number);
        }
        return ok ? set_int(b, i, number) : refuse_value(b, f);
}

static enum status twice(struct bind *b, int i) {
        char camel[64];

        return refuse(b, "%s is given twice", spelt(b, &op_desc(b->op)->fields[i], camel));
}

enum status bind_path(struct bind *b, const char *name, struct slice value) {
        int i = find(b, slice_of(name));
        struct slice text;

        if (i < 0)
                return refuse_name(b, slice_of(name));
        if (op_has(b->msg, i))
                return twice(b, i);
        if (!bind_unescape(value, false, b->arena, &text))
                return refuse_value(b, &op_desc(b->op)->fields[i]);
        return set_from_text(b, i, text);
}

static enum status query_pair(struct bind *b, struct slice pair) {
        const char *equals = memchr(pair.p, '=', pair.n);
        struct slice name = { pair.p, equals ? (uint32_t)(equals - pair.p) : pair.n }, value = { pair.p + pair.n, 0 };

        if (equals)
                value = (struct slice){ equals + 1, pair.n - name.n - 1 };
        if (!bind_unescape(name, true, b->arena, &name))
                return refuse(b, "the query is not valid percent-encoded UTF-8");

        int i = find(b, name);

        if (i < 0)
                return refuse_name(b, name);
        if (op_has(b->msg, i))
                return twice(b, i);
        if (!bind_unescape(value, true, b->arena, &value))
                return refuse(b, "the query is not valid percent-encoded UTF-8");
        return set_from_text(b, i, value);
}

enum status bind_query(struct bind *b, struct slice query) {
        while (query.n) {
                const char *stop = memchr(query.p, '&', query.n);
                struct slice pair = { query.p, stop ? (uint32_t)(stop - query.p) : query.n };
                uint32_t done = pair.n + (stop != NULL);
                enum status s = pair.n ? query_pair(b, pair) : STATUS_OK;

                if (s != STATUS_OK)
                        return s;
                query.p += done;
                query.n -= done;
        }
        return STATUS_OK;
}

/* userId says who the client believes to be; identity comes from the token alone, so it may only agree. */
static enum status check_self(struct bind *b, struct json v) {
        struct slice s;

        if (!json_str(v, &s))
                return refuse(b, "userId must be a string");
        return slice_eq(s, b->self) ? STATUS_OK : STATUS_CROSS_USER_FORBIDDEN;
}

static bool agrees(const struct bind *b, int i, struct json v) {
        const struct opdesc *d = op_desc(b->op);
        struct slice s;

        return b->agree && d->fields[i].kind == K_ID && json_str(v, &s) && slice_eq(s, op_get_slice(d, i, b->msg));
}

static enum status body_member(struct bind *b, struct slice name, struct json v) {
        int i = find(b, name);

        if (i < 0 && b->self.n && slice_is(name, "userId"))
                return json_type(v) == JSON_NULL ? STATUS_OK : check_self(b, v);
        if (i < 0 && slice_is(name, "accountId")) /* the object's account; the asker's is no field of a request */
                i = op_field(op_desc(b->op), "of_account");
        if (i < 0)
                return refuse_name(b, name);
        if (json_type(v) == JSON_NULL)
                return STATUS_OK;
        if (op_has(b->msg, i))
                return agrees(b, i, v) ? STATUS_OK : twice(b, i);
        return set_from_json(b, i, v);
}

enum status bind_body(struct bind *b, struct slice body) {
        struct json doc, v;
        struct slice name;
        const char *why;
        size_t at;

        if (!body.n)
                return STATUS_OK;
        if (json_parse(body, b->arena, &doc, &why, &at) != 0) {
                (void)refuse(b, "the body is not valid JSON: %s at byte %zu", why, at);
                return STATUS_INVALID_JSON;
        }
        if (json_type(doc) != JSON_OBJECT)
                return refuse(b, "the body must be a JSON object");
        for (uint32_t it = 0; json_next(doc, &it, &name, &v);) {
                enum status s = body_member(b, name, v);

                if (s != STATUS_OK)
                        return s;
        }
        return STATUS_OK;
}

enum status bind_finish(struct bind *b) {
        int bad = op_check(b->op, b->msg);
        char camel[64];

        if (!bad)
                return STATUS_OK;

        const struct field *f = &op_desc(b->op)->fields[bad - 1];

        return op_has(b->msg, bad - 1) ? refuse_value(b, f) : refuse(b, "%s is required", spelt(b, f, camel));
}
