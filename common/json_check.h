/* json_check.h - is this exactly one valid JSON document? One pass, no recursion, no memory. */
#pragma once

#include "text.h"

struct json_shape {
        uint32_t values; /* keys not counted */
        uint32_t keys;
        bool escapes; /* some string has a backslash */
};

/* Everything json.h promises to refuse, except duplicate keys. 0, or -1 with a constant reason and the offset. */
int json_check(struct slice text, struct json_shape *ret, const char **ret_why, size_t *ret_at);
/* The same for an object, when nobody asks why not. */
bool json_check_object(struct slice text);
bool json_check_value(struct slice text);
/* Four hex digits of a checked \u escape. */
uint32_t json_check_hex4(const char *p);
