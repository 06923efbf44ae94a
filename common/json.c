/* json.c - text to document: checked by json_check, tokenised by jsmn, linked, and its keys proven unique. */
#include "json.h"

#define JSMN_STATIC
#define JSMN_STRICT
#define JSMN_PARENT_LINKS
#include <jsmn.h>

#include "json_check.h"
#include "json_doc.h"

union slot {
        jsmntok_t token;
        struct json_node node;
};
_Static_assert(sizeof(struct json_node) == sizeof(jsmntok_t), "nodes take over the tokens' memory");

struct parse {
        struct json_doc *doc;
        struct arena *arena;
        const char *why;
        uint32_t culprit; /* the node where it went wrong */
};

static bool fail(struct parse *p, const char *why, uint32_t culprit) {
        p->why = why;
        p->culprit = culprit;
        return false;
}

static enum json_type type_of(const jsmntok_t *t, const char *text) {
        if (t->type == JSMN_OBJECT)
                return JSON_OBJECT;
        if (t->type == JSMN_ARRAY)
                return JSON_ARRAY;
        if (t->type == JSMN_STRING)
                return JSON_STRING;
        switch (text[t->start]) {
        case 't':
                return JSON_TRUE;
        case 'f':
                return JSON_FALSE;
        case 'n':
                return JSON_NULL;
        default:
                return JSON_NUMBER;
        }
}

/* Tokens become nodes that know where their value ends. */
static void link_nodes(struct json_doc *doc, union slot *slots) {
        uint32_t open[JSON_DEPTH], depth = 0;

        for (uint32_t i = 0; i < doc->n; i++) {
                jsmntok_t t = slots[i].token;
                struct json_node node = {
                        .type = (uint8_t)type_of(&t, doc->text),
                        .key = t.type == JSMN_STRING && t.size > 0,
                        .start = (uint32_t)t.start,
                        .end = (uint32_t)t.end,
                        .size = (uint32_t)t.size,
                        .next = i + 1,
                };

                while (depth && node.start >= doc->node[open[depth - 1]].end)
                        doc->node[open[--depth]].next = i;
                slots[i].node = node;
                if (node.type == JSON_OBJECT || node.type == JSON_ARRAY)
                        open[depth++] = i;
        }
        while (depth)
                doc->node[open[--depth]].next = doc->n;
}

static bool has_escape(const struct json_doc *doc, uint32_t at) {
        struct slice s = json_node_text(doc, at);

        return s.n && memchr(s.p, '\\', s.n);
}

/* Keys that were written with escapes move, unescaped, to the pool: from here on keys compare as bytes. */
static bool unescape_keys(struct parse *p) {
        struct json_doc *doc = p->doc;
        size_t bytes = 0;
        uint32_t used = 0;

        for (uint32_t i = 0; i < doc->n; i++)
                if (doc->node[i].key && has_escape(doc, i))
                        bytes += json_node_text(doc, i).n;
        if (!bytes)
                return true;
        if (!(doc->pool = arena_alloc(p->arena, bytes)))
                return fail(p, "too large", 0);
        for (uint32_t i = 0; i < doc->n; i++) {
                struct json_node *node = &doc->node[i];

                if (!node->key || !has_escape(doc, i))
                        continue;

                uint32_t n = json_unescape(json_node_text(doc, i), doc->pool + used);

                node->pooled = true;
                node->start = used;
                node->end = used += n;
        }
        return true;
}

static int compare(const struct json_doc *doc, uint32_t a, uint32_t b) {
        return json_key_compare(json_node_text(doc, a), json_node_text(doc, b));
}

static void merge(const struct json_doc *doc, const uint32_t *from, uint32_t *to, uint32_t middle, uint32_t end) {
        uint32_t a = 0, b = middle, at = 0;

        while (at < end) {
                bool first = b == end || (a < middle && compare(doc, from[a], from[b]) <= 0);

                to[at++] = first ? from[a++] : from[b++];
        }
}

/* Bottom-up merge sort: n log n whatever keys a stranger chose. */
static void sort(const struct json_doc *doc, uint32_t *keys, uint32_t n, uint32_t *scratch) {
        for (uint32_t width = 1; width < n; width *= 2) {
                for (uint32_t at = 0; at < n; at += 2 * width) {
                        uint32_t left = n - at, end = left < 2 * width ? left : 2 * width;

                        merge(doc, keys + at, scratch + at, width < end ? width : end, end);
                }
                memcpy(keys, scratch, n * sizeof *keys);
        }
}

static bool unique_indexed(struct parse *p, uint32_t object, uint32_t *run, uint32_t *scratch) {
        struct json_doc *doc = p->doc;
        uint32_t n = 0;

        for (uint32_t key = object + 1; key < doc->node[object].next; key = doc->node[key + 1].next)
                run[++n] = key; /* NOLINT(clang-analyzer-core.NullDereference): index_all() made room for all */
        run[0] = n;             /* NOLINT(clang-analyzer-core.NullDereference) */
        sort(doc, run + 1, n, scratch);
        for (uint32_t i = 1; i < n; i++)
                if (compare(doc, run[i], run[i + 1]) == 0)
                        return fail(p, "duplicate key", run[i + 1] + 1);
        doc->node[object].indexed = true;
        doc->node[object].size = (uint32_t)(run - doc->index);
        return true;
}

static bool unique_small(struct parse *p, uint32_t object) {
        const struct json_doc *doc = p->doc;
        struct slice seen[JSON_SMALL];
        uint32_t n = 0;

        for (uint32_t key = object + 1; key < doc->node[object].next; key = doc->node[key + 1].next) {
                seen[n] = json_node_text(doc, key);
                for (uint32_t i = 0; i < n; i++)
                        if (slice_eq(seen[i], seen[n]))
                                return fail(p, "duplicate key", key + 1);
                n++;
        }
        return true;
}

static bool unique_keys(struct parse *p) {
        struct json_doc *doc = p->doc;
        uint32_t entries = 0, largest = 0, *run, *scratch = NULL;

        for (uint32_t i = 0; i < doc->n; i++) {
                const struct json_node *node = &doc->node[i];

                if (node->type != JSON_OBJECT || node->size <= JSON_SMALL)
                        continue;
                entries += node->size + 1;
                if (node->size > largest)
                        largest = node->size;
        }
        if (entries) {
                doc->index = arena_alloc(p->arena, entries * sizeof *doc->index);
                scratch = arena_alloc(p->arena, largest * sizeof *scratch);
                if (!doc->index || !scratch)
                        return fail(p, "too large", 0);
        }
        run = doc->index;
        for (uint32_t i = 0; i < doc->n; i++) {
                uint32_t size = doc->node[i].size;

                if (doc->node[i].type != JSON_OBJECT)
                        continue;
                if (size <= JSON_SMALL ? !unique_small(p, i) : !unique_indexed(p, i, run, scratch))
                        return false;
                if (size > JSON_SMALL)
                        run += size + 1;
        }
        return true;
}

/* jsmn wants a container around everything; a bare scalar is its own only token. */
static bool bare_scalar(struct slice text, union slot *slot) {
        uint32_t start = 0, end = text.n;

        while (strchr(" \t\r\n", text.p[start]))
                start++;
        if (text.p[start] == '{' || text.p[start] == '[')
                return false;
        while (strchr(" \t\r\n", text.p[end - 1]))
                end--;

        bool quoted = text.p[start] == '"';

        slot->token = (jsmntok_t){ .type = quoted ? JSMN_STRING : JSMN_PRIMITIVE,
                                   .start = (int)(start + quoted),
                                   .end = (int)(end - quoted),
                                   .parent = -1 };
        return true;
}

static bool tokenise(struct parse *p, struct slice text, uint32_t n) {
        union slot *slots = arena_alloc(p->arena, n * sizeof *slots);
        jsmn_parser parser;

        if (!slots)
                return fail(p, "too large", 0);
        p->doc->node = &slots->node;
        p->doc->n = n;
        jsmn_init(&parser);
        if (!bare_scalar(text, slots) && jsmn_parse(&parser, text.p, text.n, &slots->token, n) != (int)n)
                return fail(p, "not a JSON value", 0);
        link_nodes(p->doc, slots);
        return true;
}

int json_parse(struct slice text, struct arena *a, struct json *ret, const char **ret_why, size_t *ret_at) {
        struct parse p = { .arena = a };
        struct json_shape shape;

        *ret_at = 0;
        *ret_why = "too large";
        if (text.n > INT32_MAX)
                return -1;
        if (json_check(text, &shape, ret_why, ret_at) != 0)
                return -1;
        if (!(p.doc = arena_alloc(a, sizeof *p.doc)))
                return -1;
        *p.doc = (struct json_doc){ .text = text.p, .arena = a };
        if (!tokenise(&p, text, shape.values + shape.keys) || (shape.escapes && !unescape_keys(&p)) ||
            !unique_keys(&p)) {
                *ret_why = p.why;
                *ret_at = p.culprit ? p.doc->node[p.culprit].start : 0;
                return -1;
        }
        *ret = (struct json){ p.doc, 0 };
        return 0;
}
