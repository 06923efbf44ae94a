/* settings.c - gateway.conf against the rows of settings.def. */
#include "settings.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define FILE_MAX (256u << 10)

/* Room for each text, as its row bounds it. */
#define INTEGER(name, reader, min, max, dflt, meaning)
#define TEXT(name, reader, max, dflt, meaning) static char text_##name[(max) + 1] = dflt;
#include "settings.def"

static int64_t numbers[] = {
#define INTEGER(name, reader, min, max, dflt, meaning) dflt,
#define TEXT(name, reader, max, dflt, meaning)         0,
#include "settings.def"
};

static const struct setting_row {
        const char *name, *reader, *dflt, *meaning;
        char *text;       /* NULL: an integer */
        int64_t min, max; /* max of a text: bytes */
} rows[] = {
#define INTEGER(name, reader, min, max, dflt, meaning) { #name, #reader, #dflt, meaning, NULL, min, max },
#define TEXT(name, reader, max, dflt, meaning)         { #name, #reader, dflt, meaning, text_##name, 0, max },
#include "settings.def"
};

/* One line's outcome, kept until the whole file is known to be good. */
struct chosen {
        bool set;
        int64_t number;
        struct slice text;
};

int64_t setting_int(enum setting s) {
        return numbers[s];
}

const char *setting_text(enum setting s) {
        return rows[s].text ? rows[s].text : "";
}

static int refuse(char why[static 256], const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static int refuse(char why[static 256], const char *fmt, ...) {
        va_list args;

        va_start(args, fmt);
        (void)vsnprintf(why, 256, fmt, args);
        va_end(args);
        return -1;
}

static int find(struct slice name) {
        for (int i = 0; i < SETTING_COUNT; i++)
                if (slice_is(name, rows[i].name))
                        return i;
        return -1;
}

static bool line_text_ok(struct slice s) {
        for (uint32_t i = 0; i < s.n; i++)
                if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
                        return false;
        return text_utf8(s);
}

/* '#' starts a comment at the beginning of a line or after a blank; inside a word it is just a character. */
static struct slice uncomment(struct slice line) {
        for (uint32_t i = 0; i < line.n; i++)
                if (line.p[i] == '#' && (i == 0 || line.p[i - 1] == ' ' || line.p[i - 1] == '\t'))
                        line.n = i;
        return slice_trim(line);
}

static int choose(struct chosen *chosen, struct slice value, int i, const char *where, char why[static 256]) {
        const struct setting_row *r = &rows[i];

        if (chosen[i].set)
                return refuse(why, "%s: %s is set twice", where, r->name);
        chosen[i] = (struct chosen){ .set = true, .text = value };
        if (r->text) {
                if (value.n > r->max || !line_text_ok(value))
                        return refuse(why,
                                      "%s: %s takes at most %" PRId64 " bytes of text without control characters",
                                      where, r->name, r->max);
        } else if (!text_int(value, &chosen[i].number) || chosen[i].number < r->min || chosen[i].number > r->max) {
                return refuse(why, "%s: %s takes a number from %" PRId64 " to %" PRId64, where, r->name, r->min,
                              r->max);
        }
        return 0;
}

static int read_line(struct chosen *chosen, struct slice line, const char *where, char why[static 256]) {
        const char *equals;
        int i;

        line = uncomment(line);
        if (!line.n)
                return 0;
        if (!(equals = memchr(line.p, '=', line.n)))
                return refuse(why, "%s: a line is name = value", where);

        uint32_t n = (uint32_t)(equals - line.p);
        struct slice name = slice_trim((struct slice){ line.p, n });

        if ((i = find(name)) < 0)
                return refuse(why, "%s: there is no setting of this name", where);
        return choose(chosen, slice_trim((struct slice){ equals + 1, line.n - n - 1 }), i, where, why);
}

static int read_lines(struct chosen *chosen, struct slice text, const char *path, char why[static 256]) {
        for (unsigned number = 1; text.n; number++) {
                const char *stop = memchr(text.p, '\n', text.n);
                struct slice line = { text.p, stop ? (uint32_t)(stop - text.p) : text.n };
                uint32_t done = line.n + (stop != NULL);
                char where[160];

                (void)snprintf(where, sizeof where, "%.120s line %u", path, number);
                if (read_line(chosen, line, where, why) != 0)
                        return -1;
                text.p += done;
                text.n -= done;
        }
        return 0;
}

static void commit(const struct chosen *chosen) {
        for (int i = 0; i < SETTING_COUNT; i++) {
                const struct setting_row *r = &rows[i];
                struct slice value = chosen[i].set ? chosen[i].text : slice_of(r->dflt);

                if (r->text)
                        (void)slice_copy(value, r->text, (size_t)r->max + 1);
                else
                        (void)text_int(value, &numbers[i]);
        }
}

/* 0, or -1; the file's bytes, NULL and 0 if there is no such file. */
static int read_file(const char *path, char **ret, size_t *ret_n, char why[static 256]) {
        FILE *file = fopen(path, "re");

        *ret = NULL;
        *ret_n = 0;
        if (!file)
                return errno == ENOENT ? 0 : refuse(why, "%.160s: %s", path, strerror(errno));

        char *text = malloc(FILE_MAX + 1);
        size_t n = text ? fread(text, 1, FILE_MAX + 1, file) : 0;
        bool bad = !text || ferror(file) || n > FILE_MAX;

        (void)fclose(file);
        if (bad) {
                free(text);
                return refuse(why, "%.160s: cannot be read, or is over %u bytes", path, FILE_MAX);
        }
        *ret = text;
        *ret_n = n;
        return 0;
}

int settings_load(const char *path, char why[static 256]) {
        struct chosen chosen[SETTING_COUNT] = { 0 };
        char *text;
        size_t n;

        if (read_file(path, &text, &n, why) != 0)
                return -1;

        int result = read_lines(chosen, (struct slice){ text, (uint32_t)n }, path, why);

        if (result == 0)
                commit(chosen);
        free(text);
        return result;
}

void settings_print_example(void) {
        puts("# gateway.conf - name = value, one a line. What is commented out stands at its default.");
        for (int i = 0; i < SETTING_COUNT; i++) {
                const struct setting_row *r = &rows[i];

                printf("\n# %s\n", r->meaning);
                if (r->text)
                        printf("# (%s; text, at most %" PRId64 " bytes)\n", r->reader, r->max);
                else
                        printf("# (%s; %" PRId64 " to %" PRId64 ")\n", r->reader, r->min, r->max);
                printf("#%s = %s\n", r->name, r->dflt);
        }
}
