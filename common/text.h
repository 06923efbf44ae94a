/* text.h - borrowed bytes, and the small conversions everything needs; nothing here allocates or fails loudly. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Borrowed bytes, not NUL-terminated: valid as long as what they were cut from. */
struct slice {
        const char *p;
        uint32_t n;
};

#define SLICE(literal) ((struct slice){ (literal), (uint32_t)(sizeof(literal) - 1) })
#define SLICE_FMT(s)   (int)(s).n, (s).p /* for "%.*s" */

/* 9999-12-31T23:59:59.999Z; later instants are refused everywhere. */
#define MILLIS_MAX INT64_C(253402300799999)
#define MICROS_MAX (MILLIS_MAX * 1000 + 999)

struct slice slice_of(const char *cstr); /* NULL gives the empty slice */
bool slice_eq(struct slice a, struct slice b);
bool slice_is(struct slice a, const char *cstr);
bool slice_is_nocase(struct slice a, const char *cstr); /* ASCII */
struct slice slice_trim(struct slice a);                /* spaces and tabs, both ends */
/* Copies with a NUL; false (to untouched) if it does not fit or holds a NUL. */
bool slice_copy(struct slice a, char *to, size_t cap);
/* Constant time in the contents; the lengths are not secret. */
bool slice_eq_secret(struct slice a, struct slice b);

/* RFC 3629: shortest form, no surrogates, nothing above U+10FFFF. */
bool text_utf8(struct slice a);
/* The charset of ID fields: letters, digits and _.:- */
bool text_id(struct slice a);

/* Decimal without sign tricks, spaces or leading zeros ("-" allowed). */
bool text_int(struct slice a, int64_t *ret);
/* Truncates a decimal number such as "12.7" toward zero and saturates; for CLAMP fields. */
bool text_number_trunc(struct slice a, int64_t *ret);

void text_hex(const void *p, size_t n, char *to);    /* writes 2n+1 bytes, lower case */
bool text_unhex(struct slice a, void *to, size_t n); /* exactly n bytes, either case */

/* RFC 4648 base64url without padding (JOSE) and standard base64 with padding. Encoders return bytes written
 * (no NUL) and need text_base64_size(n); decoders return the byte count or -1 and refuse non-canonical input. */
#define text_base64_size(n) (((n) + 2) / 3 * 4)
size_t text_base64url(const void *p, size_t n, char *to);
size_t text_base64(const void *p, size_t n, char *to);
ptrdiff_t text_unbase64url(struct slice a, void *to, size_t cap);
ptrdiff_t text_unbase64(struct slice a, void *to, size_t cap);

/* RFC 3339 date-time, 'T', seconds, optional fraction (beyond microseconds truncated), 'Z' or an offset; years
 * 1970..9999; a leap second reads as the next second. Microseconds since 1970. */
bool text_time(struct slice a, int64_t *ret_micros);
/* YYYY-MM-DDTHH:MM:SS.mmmZ (or 6 digits if the microseconds ask for it). Returns the length; needs 28 bytes. */
size_t text_time_put(int64_t micros, char to[static 28]);

/* prefix_ and 32 hex digits of which 12 are the time: unique, unguessable (80 random bits), roughly sortable.
 * Needs strlen(prefix) + 34 bytes. */
void text_new_id(const char *prefix, char *to);

int64_t text_now_micros(void); /* CLOCK_REALTIME; tests replace it through text_clock */
extern int64_t (*text_clock)(void);
int64_t text_mono_micros(void); /* CLOCK_MONOTONIC */
