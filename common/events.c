/* events.c - the rows of events.def and the walk that holds a payload against its row. */
#include "events.h"

#include <stdarg.h>
#include <stdio.h>

#define SAFE_INTEGER_MAX INT64_C(9007199254740991) /* what every JavaScript client reads exactly */

enum rule { R_END, R_TEXT, R_MAYBE, R_WORD, R_UINT, R_NUMBER, R_FLAG, R_DATE, R_VALUE, R_QUANTITY, R_SPAN };

struct key_rule {
        enum rule rule;
        const char *key, *more; /* more: the words, or the second key of a SPAN */
};

struct event_row {
        const char *type;
        enum event_who who;
        const struct key_rule *rules; /* up to R_END */
};

#define TEXT(k)                  { R_TEXT, k, NULL },
#define MAYBE(k)                 { R_MAYBE, k, NULL },
#define WORD(k, words)           { R_WORD, k, words },
#define UINT(k)                  { R_UINT, k, NULL },
#define NUMBER(k)                { R_NUMBER, k, NULL },
#define FLAG(k)                  { R_FLAG, k, NULL },
#define DATE(k)                  { R_DATE, k, NULL },
#define VALUE(k)                 { R_VALUE, k, NULL },
#define QUANTITY                 { R_QUANTITY, "billableSeconds", NULL },
#define SPAN(a, b)               { R_SPAN, a, b },
#define EVENT(type, who, fields) { type, who, (const struct key_rule[]){ fields{ R_END, NULL, NULL } } },
static const struct event_row rows[] = {
#include "events.def"
};

int event_type_count(void) {
        return (int)(sizeof rows / sizeof rows[0]);
}

int event_type(struct slice type) {
        for (int i = 0; i < event_type_count(); i++)
                if (slice_is(type, rows[i].type))
                        return i;
        return -1;
}

const char *event_type_name(int type) {
        return rows[type].type;
}

enum event_who event_type_who(int type) {
        return rows[type].who;
}

static bool refuse(char why[static 160], const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static bool refuse(char why[static 160], const char *fmt, ...) {
        va_list args;

        va_start(args, fmt);
        (void)vsnprintf(why, 160, fmt, args);
        va_end(args);
        return false;
}

/* Does a character that shows begin here? Everything JavaScript's trim() takes away does not; *ret_n: its bytes. */
static bool shows(struct slice s, uint32_t *ret_n) {
        static const char *const blanks[] = { " ",      "\t",     "\n",     "\v",     "\f",     "\r",     "\u00a0",
                                              "\u1680", "\u2028", "\u2029", "\u202f", "\u205f", "\u3000", "\ufeff" };

        if (*s.p > ' ' && *s.p < 0x7f)
                return true;
        for (size_t i = 0; i < sizeof blanks / sizeof blanks[0]; i++) {
                *ret_n = (uint32_t)strlen(blanks[i]);
                if (s.n >= *ret_n && memcmp(s.p, blanks[i], *ret_n) == 0)
                        return false;
        }
        *ret_n = 3; /* U+2000 to U+200A */
        return s.n < 3 || memcmp(s.p, "\xe2\x80", 2) != 0 || (unsigned char)s.p[2] > 0x8a;
}

static bool is_text(struct json v) {
        struct slice s;
        uint32_t n;

        if (!json_str(v, &s))
                return false;
        for (; s.n; s.p += n, s.n -= n)
                if (shows(s, &n))
                        return true;
        return false;
}

static bool is_uint(struct json v, int64_t *ret) {
        return json_int(v, ret) && *ret >= 0 && *ret <= SAFE_INTEGER_MAX;
}

static bool is_word(struct json v, const char *words) {
        struct slice s;

        if (!json_str(v, &s))
                return false;
        for (const char *from = words, *to;; from = to + 1) {
                to = strchrnul(from, '|');
                if (slice_eq(s, (struct slice){ from, (uint32_t)(to - from) }))
                        return true;
                if (!*to)
                        return false;
        }
}

static bool is_date(struct json v) {
        struct slice s;
        int64_t micros;

        return json_str(v, &s) && text_time(s, &micros);
}

static bool is_maybe(struct json v) {
        enum json_type t = json_type(v);

        return t == JSON_NONE || t == JSON_NULL || t == JSON_STRING;
}

static bool check_quantity(struct json payload, char why[static 160]) {
        int64_t n;

        return is_uint(json_get(payload, "billableSeconds"), &n) ||
               (is_uint(json_get(payload, "quantity"), &n) && is_word(json_get(payload, "unit"), "seconds|count")) ||
               refuse(why, "billableSeconds must be an integer from 0, or quantity one with unit seconds or count");
}

static bool check_span(struct json payload, const struct key_rule *r, char why[static 160]) {
        int64_t from, to;

        if (!is_uint(json_get(payload, r->key), &from))
                return refuse(why, "%s must be an integer from 0", r->key);
        if (!is_uint(json_get(payload, r->more), &to))
                return refuse(why, "%s must be an integer from 0", r->more);
        return to >= from || refuse(why, "%s must not be before %s", r->more, r->key);
}

static bool check_rule(struct json payload, const struct key_rule *r, char why[static 160]) {
        struct json v = json_get(payload, r->key);
        int64_t n;
        bool flag;

        switch (r->rule) {
        case R_TEXT:
                return is_text(v) || refuse(why, "%s must be a string that is not blank", r->key);
        case R_MAYBE:
                return is_maybe(v) || refuse(why, "%s must be a string, null or absent", r->key);
        case R_WORD:
                return is_word(v, r->more) || refuse(why, "%s must be one of %s", r->key, r->more);
        case R_UINT:
                return is_uint(v, &n) || refuse(why, "%s must be an integer from 0", r->key);
        case R_NUMBER:
                return json_type(v) == JSON_NUMBER || refuse(why, "%s must be a number", r->key);
        case R_FLAG:
                return json_bool(v, &flag) || refuse(why, "%s must be true or false", r->key);
        case R_DATE:
                return is_date(v) || refuse(why, "%s must be an RFC 3339 date and time", r->key);
        case R_VALUE:
                return json_type(v) == JSON_NUMBER || is_text(v) ||
                       refuse(why, "%s must be a number or a string that is not blank", r->key);
        case R_QUANTITY:
                return check_quantity(payload, why);
        case R_SPAN:
                return check_span(payload, r, why);
        case R_END:
                break;
        }
        return refuse(why, "%s has no rule", r->key);
}

int event_payload_check(int type, struct json payload, char why[static 160]) {
        if (json_type(payload) != JSON_OBJECT) {
                (void)refuse(why, "payload must be an object");
                return -1;
        }
        for (const struct key_rule *r = rows[type].rules; r->rule != R_END; r++)
                if (!check_rule(payload, r, why))
                        return -1;
        return 0;
}
