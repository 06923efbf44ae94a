/* json_canonical.c - one text per meaning. */
#include "json_doc.h"
#include "jsonw.h"

static void value(struct json v, struct buf *out);

/* The keys of an object over JSON_SMALL were put in order when it was parsed; fewer are put in order here. */
static const uint32_t *keys_in_order(struct json v, uint32_t few[static JSON_SMALL]) {
        const struct json_doc *doc = v.doc;
        const struct json_node *n = &doc->node[v.at];
        uint32_t used = 0;

        if (n->indexed)
                return doc->index + n->size + 1;
        for (uint32_t key = v.at + 1; key < n->next; key = doc->node[key + 1].next) {
                struct slice text = json_node_text(doc, key);
                uint32_t at = used++;

                for (; at && json_key_compare(json_node_text(doc, few[at - 1]), text) > 0; at--)
                        few[at] = few[at - 1];
                few[at] = key;
        }
        return few;
}

static void object(struct json v, struct buf *out) {
        uint32_t few[JSON_SMALL], n = json_count(v);
        const uint32_t *keys = keys_in_order(v, few);

        buf_char(out, '{');
        for (uint32_t i = 0; i < n; i++) {
                if (i)
                        buf_char(out, ',');
                /* NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage): keys_in_order() gives n of them */
                jsonw_quote(out, json_node_text(v.doc, keys[i]));
                buf_char(out, ':');
                value((struct json){ v.doc, keys[i] + 1 }, out);
        }
        buf_char(out, '}');
}

static void array(struct json v, struct buf *out) {
        struct slice no_key;
        struct json element;
        bool first = true;

        buf_char(out, '[');
        for (uint32_t it = 0; json_next(v, &it, &no_key, &element); first = false) {
                if (!first)
                        buf_char(out, ',');
                value(element, out);
        }
        buf_char(out, ']');
}

static void string(struct json v, struct buf *out) {
        struct slice raw = json_node_text(v.doc, v.at), s;

        if (!raw.n || !memchr(raw.p, '\\', raw.n))
                buf_slice(out, json_raw(v)); /* no escape: nothing in it needs one */
        else if (json_str(v, &s))
                jsonw_quote(out, s);
        else
                out->over = true;
}

/* Recursion ends at JSON_DEPTH, which the parser enforced. */
static void value(struct json v, struct buf *out) {
        switch (json_type(v)) {
        case JSON_OBJECT:
                object(v, out);
                break;
        case JSON_ARRAY:
                array(v, out);
                break;
        case JSON_STRING:
                string(v, out);
                break;
        case JSON_NUMBER:
        case JSON_TRUE:
        case JSON_FALSE:
        case JSON_NULL:
                buf_slice(out, json_raw(v));
                break;
        case JSON_NONE:
                break;
        }
}

void json_canonical(struct json v, struct buf *out) {
        value(v, out);
}

bool json_canonical_in(struct json v, struct arena *a, size_t max, struct slice *ret) {
        struct buf out;
        char *copy;

        buf_init(&out, max);
        value(v, &out);
        copy = out.over ? NULL : arena_copy(a, buf_view(&out));
        if (copy)
                *ret = (struct slice){ copy, (uint32_t)out.n };
        buf_free(&out);
        return copy != NULL;
}
