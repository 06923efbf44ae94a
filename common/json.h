/* json.h - strict reading of one JSON document (RFC 8259, I-JSON): what it accepts is valid, exactly once. */
#pragma once

#include "arena.h"
#include "buf.h"

/* jsmn tokenises; this module refuses what jsmn lets through: invalid UTF-8, raw control characters, bad escapes,
 * lone surrogates, U+0000, malformed numbers and words, trailing bytes, missing or extra separators, duplicate keys
 * (compared after unescaping), depth over JSON_DEPTH, more than JSON_TOKENS values. */
#define JSON_DEPTH  32
#define JSON_TOKENS 65536

enum json_type { JSON_NONE, JSON_OBJECT, JSON_ARRAY, JSON_STRING, JSON_NUMBER, JSON_TRUE, JSON_FALSE, JSON_NULL };

struct json_doc; /* lives in the arena it was parsed into; borrows the text */

/* A value of a document. The zero value is "absent": type JSON_NONE, and every reader below refuses it. */
struct json {
        const struct json_doc *doc;
        uint32_t at;
};

/* 0, or -1 with *ret_why set to a short constant reason ("duplicate key", ...) and the byte offset in *ret_at. */
int json_parse(struct slice text, struct arena *a, struct json *ret, const char **ret_why, size_t *ret_at);

enum json_type json_type(struct json v);
uint32_t json_count(struct json v);                     /* members of an object, elements of an array, else 0 */
struct json json_get(struct json obj, const char *key); /* absent if there is none or obj is no object */
/* Walks members or elements: *it starts at 0; false at the end. For arrays *ret_key is the empty slice. The key is
 * unescaped. */
bool json_next(struct json v, uint32_t *it, struct slice *ret_key, struct json *ret_val);

bool json_str(struct json v, struct slice *ret); /* unescaped, in the document's arena */
/* Number written as an integer (1e3 and 1.0 are not) within int64. */
bool json_int(struct json v, int64_t *ret);
/* Any number, truncated toward zero and saturated. */
bool json_int_trunc(struct json v, int64_t *ret);
bool json_bool(struct json v, bool *ret);
struct slice json_raw(struct json v); /* its text as it stood */

/* One text per meaning: no spaces, keys sorted by bytes, strings with the fewest escapes, numbers as written. */
void json_canonical(struct json v, struct buf *out);
/* The same into the arena, at most max bytes; false if it is longer or the arena is full. */
bool json_canonical_in(struct json v, struct arena *a, size_t max, struct slice *ret);
