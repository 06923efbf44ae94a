/* deliver.c - rows of deliver.def: as a schema, and as a check. */
#include "deliver.h"

#include <stdio.h>

enum member_type { TEXT, TEXTS, THINGS, ANY };
enum member_need { OPTIONAL, REQUIRED };

static const struct kind {
        const char *name, *function, *what;
} kinds[] = {
#define KIND(kind_, function_, what_) { #kind_, function_, what_ },
#define MEMBER(kind, name, type, need, max, what)
#define PART(kind, name, part, what)
#include "deliver.def"
};

#define OPT OPTIONAL
#define REQ REQUIRED
static const struct member {
        const char *kind, *name;
        enum member_type type;
        enum member_need need;
        uint32_t max;
        const char *what;
} members[] = {
#define KIND(kind, function, what)
#define MEMBER(kind_, name_, type_, need_, max_, what_) { #kind_, name_, type_, need_, max_, what_ },
#define PART(kind, name, part, what)
#include "deliver.def"
};
#undef OPT
#undef REQ

static const struct part {
        const char *kind, *name, *part, *what;
} parts[] = {
#define KIND(kind, function, what)
#define MEMBER(kind, name, type, need, max, what)
#define PART(kind_, name_, part_, what_) { #kind_, name_, part_, what_ },
#include "deliver.def"
};

#define EACH(it, rows) (size_t it = 0; it < sizeof(rows) / sizeof *(rows); it++)

static const struct kind *find(struct slice name) {
        for
                EACH(i, kinds)
        if (slice_is(name, kinds[i].name))
                return &kinds[i];
        return NULL;
}

const char *deliver_function(struct slice kind) {
        const struct kind *k = find(kind);
        return k != NULL ? k->function : NULL;
}

/* ---- as the model is told ---- */

static void put_text(struct jsonw *w, const char *name, const char *what) {
        jsonw_key(w, name);
        jsonw_object(w);
        jsonw_key_cstr(w, "type", "string");
        jsonw_key_cstr(w, "description", what);
        jsonw_end(w, '}');
}

static void put_items(struct jsonw *w, const struct member *m) {
        jsonw_key(w, "items");
        jsonw_object(w);
        jsonw_key_cstr(w, "type", m->type == TEXTS ? "string" : "object");
        if (m->type == THINGS) {
                jsonw_key(w, "properties");
                jsonw_object(w);
                for
                        EACH(i, parts)
                if (strcmp(parts[i].kind, m->kind) == 0 && strcmp(parts[i].name, m->name) == 0)
                        put_text(w, parts[i].part, parts[i].what);
                jsonw_end(w, '}');
        }
        jsonw_end(w, '}');
}

static void put_member(struct jsonw *w, const struct member *m) {
        if (m->type == TEXT || m->type == ANY) {
                put_text(w, m->name, m->what);
                return;
        }
        jsonw_key(w, m->name);
        jsonw_object(w);
        jsonw_key_cstr(w, "type", "array");
        jsonw_key_cstr(w, "description", m->what);
        jsonw_key_int(w, "maxItems", m->max);
        put_items(w, m);
        jsonw_end(w, '}');
}

static void put_data(struct jsonw *w, const struct kind *k) {
        jsonw_key(w, "data");
        jsonw_object(w);
        jsonw_key_cstr(w, "type", "object");
        jsonw_key(w, "properties");
        jsonw_object(w);
        for
                EACH(i, members)
        if (strcmp(members[i].kind, k->name) == 0)
                put_member(w, &members[i]);
        jsonw_end(w, '}');
        jsonw_key(w, "required");
        jsonw_array(w);
        for
                EACH(i, members)
        if (strcmp(members[i].kind, k->name) == 0 && members[i].need == REQUIRED)
                jsonw_cstr(w, members[i].name);
        jsonw_end(w, ']');
        jsonw_end(w, '}');
}

void deliver_put_tool(struct jsonw *w, struct slice kind) {
        const struct kind *k = find(kind);
        if (k == NULL) {
                jsonw_raw(w, SLICE("[]"));
                return;
        }
        jsonw_array(w);
        jsonw_object(w);
        jsonw_key_cstr(w, "type", "function");
        jsonw_key_cstr(w, "name", k->function);
        jsonw_key_cstr(w, "description", k->what);
        jsonw_key(w, "parameters");
        jsonw_object(w);
        jsonw_key_cstr(w, "type", "object");
        jsonw_key(w, "properties");
        jsonw_object(w);
        put_text(w, "title", "a short title");
        put_data(w, k);
        put_text(w, "markdown", "the whole document as Markdown, ready to be read");
        jsonw_end(w, '}');
        jsonw_key(w, "required");
        jsonw_array(w);
        jsonw_cstr(w, "title");
        jsonw_cstr(w, "data");
        jsonw_end(w, ']');
        jsonw_end(w, '}');
        jsonw_end(w, '}');
        jsonw_end(w, ']');
}

/* ---- as it is checked ---- */

static bool is_blank(struct slice s) {
        for (uint32_t i = 0; i < s.n; i++)
                if (s.p[i] != ' ' && s.p[i] != '\t' && s.p[i] != '\n' && s.p[i] != '\r')
                        return false;
        return true;
}

static const char *check_list(const struct member *m, struct json v) {
        struct slice key;
        struct json item;
        uint32_t it = 0;
        if (json_type(v) != JSON_ARRAY)
                return "is no list";
        if (json_count(v) > m->max)
                return "has too many entries";
        if (json_count(v) == 0 && m->need == REQUIRED)
                return "is empty";
        while (json_next(v, &it, &key, &item))
                if (json_type(item) != JSON_STRING && (m->type == TEXTS || json_type(item) != JSON_OBJECT))
                        return "has an entry of another kind";
        return NULL;
}

static const char *check(const struct member *m, struct json v) {
        struct slice s;
        if (json_type(v) == JSON_NONE || json_type(v) == JSON_NULL)
                return m->need == REQUIRED ? "is missing" : NULL;
        if (m->type == ANY)
                return json_raw(v).n > m->max ? "is too long" : NULL;
        if (m->type != TEXT)
                return check_list(m, v);
        if (!json_str(v, &s))
                return "is no text";
        if (s.n > m->max)
                return "is too long";
        return m->need == REQUIRED && is_blank(s) ? "is blank" : NULL;
}

/* An optional text of the arguments; none, or one that cannot be kept, is empty. */
static struct slice text_of(struct json arguments, const char *name, uint32_t max) {
        struct slice s;
        if (!json_str(json_get(arguments, name), &s) || s.n > max || is_blank(s))
                return (struct slice){ 0 };
        return s;
}

bool deliver_read(struct slice kind, struct json arguments, struct delivered *ret, char why[static 160]) {
        const struct kind *k = find(kind);
        struct json data = json_get(arguments, "data");
        if (k == NULL || json_type(data) != JSON_OBJECT) {
                (void)snprintf(why, 160, "data is no object");
                return false;
        }
        for
                EACH(i, members) {
                        const char *wrong = NULL;
                        if (strcmp(members[i].kind, k->name) == 0)
                                wrong = check(&members[i], json_get(data, members[i].name));
                        if (wrong != NULL) {
                                (void)snprintf(why, 160, "data.%s %s", members[i].name, wrong);
                                return false;
                        }
                }
        ret->title = text_of(arguments, "title", DELIVER_TITLE_MAX);
        ret->markdown = text_of(arguments, "markdown", DELIVER_MARKDOWN_MAX);
        ret->data = data;
        return true;
}
