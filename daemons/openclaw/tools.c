/* tools.c - rows of policy/actions.def as functions. */
#include "tools.h"

#include <stdio.h>

#define NOT_USED "accepted, not used"

enum argument_kind { TEXT, OBJECT, COUNT };
enum argument_need { OPTIONAL, REQUIRED };

static const struct tool tools[] = {
#define ACTION(type_, tier, rule, does, kind, tool_, seconds, what_) { tool_, type_, what_ },
#define ARGUMENT(type, name, kind, need, max, what)
#include "../../policy/actions.def"
};

#define OPT OPTIONAL
#define REQ REQUIRED
static const struct argument {
        const char *type, *name;
        enum argument_kind kind;
        enum argument_need need;
        int64_t max;
        const char *what;
} arguments[] = {
#define ACTION(type, tier, rule, does, kind, tool, seconds, what)
#define ARGUMENT(type_, name_, kind_, need_, max_, what_) { type_, name_, kind_, need_, max_, what_ },
#include "../../policy/actions.def"
};
#undef OPT
#undef REQ

#define EACH(it, rows) (size_t it = 0; it < sizeof(rows) / sizeof *(rows); it++)

const struct tool *tool_find(struct slice name) {
        for
                EACH(i, tools)
        if (name.n > 0 && slice_is(name, tools[i].name))
                return &tools[i];
        return NULL;
}

static void put_argument(struct jsonw *w, const struct argument *a) {
        static const char *const types[] = { [TEXT] = "string", [OBJECT] = "object", [COUNT] = "integer" };
        jsonw_key(w, a->name);
        jsonw_object(w);
        jsonw_key_cstr(w, "type", types[a->kind]);
        jsonw_key_cstr(w, "description", a->what);
        if (a->kind == TEXT) {
                jsonw_key_int(w, "minLength", 1);
                jsonw_key_int(w, "maxLength", a->max);
        } else if (a->kind == COUNT) {
                jsonw_key_int(w, "minimum", 1);
                jsonw_key_int(w, "maximum", a->max);
        }
        jsonw_end(w, '}');
}

static bool offered(const struct argument *a, const struct tool *t) {
        return strcmp(a->type, t->type) == 0 && strcmp(a->what, NOT_USED) != 0;
}

static void put_schema(struct jsonw *w, const struct tool *t) {
        jsonw_key(w, "parameters");
        jsonw_object(w);
        jsonw_key_cstr(w, "type", "object");
        jsonw_key(w, "properties");
        jsonw_object(w);
        for
                EACH(i, arguments)
        if (offered(&arguments[i], t))
                put_argument(w, &arguments[i]);
        jsonw_end(w, '}');
        jsonw_key(w, "required");
        jsonw_array(w);
        for
                EACH(i, arguments)
        if (offered(&arguments[i], t) && arguments[i].need == REQUIRED)
                jsonw_cstr(w, arguments[i].name);
        jsonw_end(w, ']');
        jsonw_key_bool(w, "additionalProperties", false);
        jsonw_end(w, '}');
}

void tools_put(struct jsonw *w) {
        jsonw_array(w);
        for
                EACH(i, tools) {
                        if (tools[i].name[0] == '\0')
                                continue;
                        jsonw_object(w);
                        jsonw_key_cstr(w, "type", "function");
                        jsonw_key_cstr(w, "name", tools[i].name);
                        jsonw_key_cstr(w, "description", tools[i].what);
                        put_schema(w, &tools[i]);
                        jsonw_end(w, '}');
                }
        jsonw_end(w, ']');
}
