/* text_time.c - instants as text (RFC 3339), the clock behind a pointer, and ids that carry their birth. */
#include "text.h"

#include <sodium.h>
#include <time.h>

#define SECOND_MICROS INT64_C(1000000)
#define DAY_SECONDS   INT64_C(86400)

/* Proleptic Gregorian days since 1970-01-01. Years are counted from March, so that the leap day comes last. */
static int64_t days_from(int64_t year, int64_t month, int64_t day) {
        int64_t y = year - (month <= 2), era = y / 400, of_era = y % 400;
        int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

        return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void days_to(int64_t days, int64_t *year, int64_t *month, int64_t *day) {
        int64_t z = days + 719468, era = z / 146097, doe = z % 146097;
        int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
        int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;

        *day = doy - (153 * mp + 2) / 5 + 1;
        *month = mp < 10 ? mp + 3 : mp - 9;
        *year = yoe + era * 400 + (*month <= 2);
}

/* Exactly n digits at *s, then the byte `after` if that is not 0. */
static bool number(struct slice *s, uint32_t n, char after, int64_t *ret) {
        int64_t v = 0;

        if (s->n < n + (after != 0))
                return false;
        for (uint32_t i = 0; i < n; i++) {
                if (s->p[i] < '0' || s->p[i] > '9')
                        return false;
                v = v * 10 + (s->p[i] - '0');
        }
        if (after && s->p[n++] != after)
                return false;
        s->p += n, s->n -= n;
        *ret = v;
        return true;
}

static bool fraction(struct slice *s, int64_t *micros) {
        int64_t scale = SECOND_MICROS / 10;

        *micros = 0;
        if (!s->n || s->p[0] != '.')
                return true;
        s->p++, s->n--;
        if (!s->n || s->p[0] < '0' || s->p[0] > '9')
                return false;
        for (; s->n && s->p[0] >= '0' && s->p[0] <= '9'; s->p++, s->n--, scale /= 10)
                *micros += (s->p[0] - '0') * scale;
        return true;
}

/* Z or +hh:mm, and nothing behind it; seconds east. */
static bool offset(struct slice s, int64_t *ret) {
        int64_t hours, minutes;

        *ret = 0;
        if (s.n == 1)
                return s.p[0] == 'Z';
        if (s.n != 6 || (s.p[0] != '+' && s.p[0] != '-'))
                return false;

        struct slice rest = { s.p + 1, 5 };

        if (!number(&rest, 2, ':', &hours) || !number(&rest, 2, 0, &minutes) || hours > 23 || minutes > 59)
                return false;
        *ret = (hours * 3600 + minutes * 60) * (s.p[0] == '-' ? -1 : 1);
        return true;
}

static bool date_ok(int64_t year, int64_t month, int64_t day) {
        static const unsigned char days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
        bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

        if (year < 1970 || month < 1 || month > 12)
                return false;
        return day >= 1 && day <= days[month - 1] + (month == 2 && leap);
}

bool text_time(struct slice a, int64_t *ret_micros) {
        int64_t year, month, day, hour, minute, second, micros, east;

        if (!number(&a, 4, '-', &year) || !number(&a, 2, '-', &month) || !number(&a, 2, 'T', &day) ||
            !number(&a, 2, ':', &hour) || !number(&a, 2, ':', &minute) || !number(&a, 2, 0, &second) ||
            !fraction(&a, &micros) || !offset(a, &east))
                return false;
        if (!date_ok(year, month, day) || hour > 23 || minute > 59 || second > 60)
                return false;

        int64_t seconds = days_from(year, month, day) * DAY_SECONDS + hour * 3600 + minute * 60 + second - east;

        /* A leap second is the last of a UTC day; adding it up already made it the first of the next. */
        if (second == 60 && seconds % DAY_SECONDS != 0)
                return false;

        int64_t v = seconds * SECOND_MICROS + micros;

        if (v < 0 || v > MICROS_MAX)
                return false;
        *ret_micros = v;
        return true;
}

static char *put(char *to, int64_t v, int width, char after) {
        for (int i = width - 1; i >= 0; i--, v /= 10)
                to[i] = (char)('0' + v % 10);
        to[width] = after;
        return to + width + 1;
}

size_t text_time_put(int64_t micros, char to[static 28]) {
        int64_t v = micros < 0 ? 0 : micros > MICROS_MAX ? MICROS_MAX : micros;
        int64_t second = v / SECOND_MICROS, part = v % SECOND_MICROS, year, month, day;
        char *at = to;

        days_to(second / DAY_SECONDS, &year, &month, &day);
        second %= DAY_SECONDS;
        at = put(at, year, 4, '-');
        at = put(at, month, 2, '-');
        at = put(at, day, 2, 'T');
        at = put(at, second / 3600, 2, ':');
        at = put(at, second / 60 % 60, 2, ':');
        at = put(at, second % 60, 2, '.');
        at = part % 1000 ? put(at, part, 6, 'Z') : put(at, part / 1000, 3, 'Z');
        *at = 0;
        return (size_t)(at - to);
}

static int64_t clock_micros(clockid_t which) {
        struct timespec t;

        clock_gettime(which, &t);
        return (int64_t)t.tv_sec * SECOND_MICROS + t.tv_nsec / 1000;
}

static int64_t real_micros(void) {
        return clock_micros(CLOCK_REALTIME);
}

int64_t (*text_clock)(void) = real_micros;

int64_t text_now_micros(void) {
        return text_clock();
}

int64_t text_mono_micros(void) {
        return clock_micros(CLOCK_MONOTONIC);
}

void text_new_id(const char *prefix, char *to) {
        uint64_t millis = (uint64_t)(text_now_micros() / 1000);
        size_t n = strlen(prefix);
        unsigned char id[16];

        for (int i = 0; i < 6; i++)
                id[i] = (unsigned char)(millis >> (40 - 8 * i));
        randombytes_buf(id + 6, sizeof id - 6);
        memcpy(to, prefix, n); /* NOLINT(bugprone-not-null-terminated-result): it goes on */
        to[n] = '_';
        text_hex(id, sizeof id, to + n + 1);
}
