/* json_doc.h - how json.c leaves a parsed document to json_read.c; nobody else looks inside. */
#pragma once

#include "json.h"

/* Objects with more members than this carry an index of their keys in byte order. */
#define JSON_SMALL 8

/* Nodes stand in the order of the text; a key stands before its value. As large as jsmn's token, whose memory it
 * takes over. */
struct json_node {
        uint8_t type; /* enum json_type; keys are strings */
        bool key;
        bool pooled;         /* a key that had escapes: start and end are offsets into pool */
        bool indexed;        /* an object over JSON_SMALL: size is an offset into index */
        uint32_t start, end; /* offsets into text; of strings without their quotes */
        uint32_t size;       /* members or elements; unless indexed */
        uint32_t next;       /* the first node that is not part of this value */
};

struct json_doc {
        const char *text;
        char *pool;
        uint32_t *index; /* runs: count, then that many key nodes in byte order */
        struct json_node *node;
        uint32_t n;
        struct arena *arena;
};

struct slice json_node_text(const struct json_doc *doc, uint32_t at);
/* By bytes, the shorter first. */
int json_key_compare(struct slice a, struct slice b);
/* raw is the inside of a checked string; `to` has room for raw.n. Returns what it wrote. */
uint32_t json_unescape(struct slice raw, char *to);
