/* uitag.c - the scanner: byte by byte, in one pass, holding back only what may still be a tag. */
#include "uitag.h"

#include "json_check.h"
#include "uitag_read.h"

#define GAP_MAX 4096u /* of white space that waits for something visible */

enum { TEXT, MAYBE, HEAD, BODY };

static const struct row {
        const char *open;
        enum uitag_kind kind;
        const char *what; /* of a deliverable */
} rows[] = {
        { "[UI:SPEAKER_CHANGE", UITAG_SPEAKER, "" },
        { "[UI:MODE_ACTIVATE", UITAG_MODE_ON, "" },
        { "[UI:MODE_DEACTIVATE", UITAG_MODE_OFF, "" },
        { "[UI:DELIVERABLE_CV", UITAG_DELIVERABLE, "cv" },
        { "[UI:DELIVERABLE_INTERVIEW", UITAG_DELIVERABLE, "interview" },
        { "[UI:DELIVERABLE_OUTREACH", UITAG_DELIVERABLE, "outreach" },
        { "[UI:CONFIRM_REQUIRED", UITAG_CONFIRM, "" },
};
#define ROWS     (int)(sizeof rows / sizeof *rows)
#define CLOSE    "[/UI"
#define LEGACY   "[SPEAKER:"
#define CLOSED   ROWS       /* a closing tag that nothing opened: removed */
#define SPEAKER  (ROWS + 1) /* a whole legacy tag */
#define NOT_YET  (-1)
#define NEVER    (-2)
#define NAME_MAX 40u /* of a closing tag, of a legacy one */

void uitag_init(struct uitag_parser *p, const struct uitag_events *ev, void *arg) {
        *p = (struct uitag_parser){ .ev = ev, .arg = arg };
        buf_init(&p->held, UITAG_TEXT_MAX + UITAG_JSON_MAX);
        buf_init(&p->gap, GAP_MAX);
        buf_init(&p->out, UITAG_TEXT_MAX);
}

void uitag_free(struct uitag_parser *p) {
        buf_free(&p->held);
        buf_free(&p->gap);
        buf_free(&p->out);
}

/* ---- what people see ---- */

static void tell(struct uitag_parser *p) {
        if (p->out.n > 0)
                p->ev->text(p->arg, buf_view(&p->out));
        buf_clear(&p->out);
}

static bool is_space(char c) {
        return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Whole or not at all from here on: what is left out is never taken up again in the middle of a word. */
static void show(struct uitag_parser *p, char c) {
        if (p->full || c == '\0')
                return;
        if (is_space(c)) {
                if (p->seen && p->gap.n < GAP_MAX)
                        buf_char(&p->gap, c);
                return;
        }
        /* Room for the longest character, so that none is cut: only a first byte may be the one too many. */
        if (p->text + p->gap.n + 4 > UITAG_TEXT_MAX && ((unsigned char)c & 0xc0) != 0x80) {
                p->over = p->full = true;
                return;
        }
        p->text += p->gap.n + 1;
        buf_slice(&p->out, buf_view(&p->gap));
        buf_clear(&p->gap);
        buf_char(&p->out, c);
        p->seen = true;
}

static void show_held(struct uitag_parser *p, size_t n) {
        for (size_t i = 0; i < n; i++)
                show(p, p->held.p[i]);
        buf_clear(&p->held);
}

/* ---- tags ---- */

static char upper(char c) {
        return c >= 'a' && c <= 'z' ? (char)(c - 32) : c;
}

/* Does the text begin like this, as far as both go? */
static bool agrees(struct slice text, const char *open, bool nocase) {
        for (uint32_t i = 0; i < text.n && open[i] != '\0'; i++)
                if ((nocase ? upper(text.p[i]) : text.p[i]) != open[i])
                        return false;
        return true;
}

static bool is_close_char(char c) {
        return c == ':' || c == '_' || (c >= 'A' && c <= 'Z');
}

/* NOT_YET, NEVER, or CLOSED once the closing tag is whole. */
static int match_close(struct slice text) {
        const uint32_t n = sizeof CLOSE - 1;
        if (!agrees(text, CLOSE, false))
                return NEVER;
        for (uint32_t i = n; i < text.n; i++) {
                if (text.p[i] == ']')
                        return i + 1 == text.n ? CLOSED : NEVER;
                if (!is_close_char(text.p[i]) || (i == n && text.p[i] != ':') || i > NAME_MAX)
                        return NEVER;
        }
        return NOT_YET;
}

/* The same for a legacy tag: without case, one word, and only before anything visible. */
static int match_legacy(const struct uitag_parser *p, struct slice text) {
        const uint32_t n = sizeof LEGACY - 1;
        if (p->seen || !agrees(text, LEGACY, true))
                return NEVER;
        for (uint32_t i = n; i < text.n; i++) {
                if (text.p[i] == ']')
                        return i + 1 == text.n ? SPEAKER : NEVER;
                if ((upper(text.p[i]) < 'A' || upper(text.p[i]) > 'Z') || i > NAME_MAX)
                        return NEVER;
        }
        return NOT_YET;
}

/* A row once its name and the byte behind it are held; or what else it is. */
static int match(const struct uitag_parser *p) {
        struct slice text = buf_view(&p->held);
        int found = match_close(text);
        if (found == NEVER)
                found = match_legacy(p, text);
        for (int i = 0; i < ROWS && found < 0; i++) {
                uint32_t n = (uint32_t)strlen(rows[i].open);
                if (!agrees(text, rows[i].open, false))
                        continue;
                if (text.n <= n)
                        found = NOT_YET;
                else if (is_space(text.p[n]) || text.p[n] == ']')
                        return i;
        }
        return found;
}

static void hand_over(struct uitag_parser *p, const struct uitag *tag) {
        if (p->tags >= UITAG_TAGS_MAX || p->json + tag->json.n > UITAG_JSON_MAX) {
                p->over = true;
                return;
        }
        p->tags++;
        p->json += tag->json.n;
        tell(p);
        p->ev->tag(p->arg, tag);
}

static void legacy_speaker(struct uitag_parser *p) {
        struct uitag tag = { .kind = UITAG_SPEAKER };
        char word[NAME_MAX] = "";
        size_t skip = sizeof LEGACY - 1, n = p->held.n - skip - 1;
        for (size_t i = 0; i < n && i + 1 < sizeof word; i++)
                word[i] = (char)(upper(p->held.p[skip + i]) + 32);
        tag.name = slice_of(word);
        if (uitag_speaker(tag.name))
                hand_over(p, &tag);
}

/* The held head is whole: `held` is all of it without the bracket at its end. */
static void head_done(struct uitag_parser *p) {
        const struct row *row = &rows[p->name];
        uint32_t skip = (uint32_t)strlen(row->open);
        struct slice head = { p->held.p + skip, (uint32_t)p->held.n - skip };
        struct uitag tag = { 0 };
        struct buf room;
        p->state = row->kind == UITAG_DELIVERABLE ? BODY : TEXT;
        if (row->kind != UITAG_DELIVERABLE) {
                buf_init(&room, (size_t)head.n + 1);
                if (uitag_read(row->kind, head, &room, &tag))
                        hand_over(p, &tag);
                buf_free(&room);
        }
        buf_clear(&p->held);
}

static void body_done(struct uitag_parser *p, size_t n) {
        const struct row *row = &rows[p->name];
        struct slice json = { p->held.p, (uint32_t)n };
        while (json.n > 0 && is_space(json.p[0]))
                json = (struct slice){ json.p + 1, json.n - 1 };
        while (json.n > 0 && is_space(json.p[json.n - 1]))
                json.n--;
        struct uitag tag = { .kind = UITAG_DELIVERABLE, .name = slice_of(row->what), .json = json };
        if (!p->held.over && json_check_object(json))
                hand_over(p, &tag);
        p->state = TEXT;
        buf_clear(&p->held);
        p->held.over = false;
}

/* ---- one byte ---- */

static void in_text(struct uitag_parser *p, char c) {
        if (c != '[') {
                show(p, c);
                return;
        }
        buf_char(&p->held, c);
        p->state = MAYBE;
}

static void hold(struct uitag_parser *p, char c) {
        buf_char(&p->held, c);
        p->over |= p->held.over;
}

static void in_head(struct uitag_parser *p, char c) {
        if (p->quote != 0) {
                if (!p->guarded && c == p->quote)
                        p->quote = 0;
                p->guarded = !p->guarded && c == '\\';
        } else if (c == ']') {
                head_done(p);
                return;
        } else if (p->equals && (c == '"' || c == '\'')) {
                p->quote = c;
                p->guarded = false;
        }
        p->equals = c == '=';
        hold(p, c);
}

/* No bracket stands inside what is held but the first, so that only the byte that disagrees is looked at again. */
static void in_maybe(struct uitag_parser *p, char c) {
        buf_char(&p->held, c);
        int found = match(p);
        if (found == NOT_YET)
                return;
        if (found >= CLOSED) {
                if (found == SPEAKER)
                        legacy_speaker(p);
                buf_clear(&p->held);
                p->state = TEXT;
                return;
        }
        p->held.n--;
        if (found == NEVER) {
                p->state = TEXT;
                show_held(p, p->held.n);
                in_text(p, c);
                return;
        }
        p->name = found;
        p->state = HEAD;
        p->quote = 0;
        p->equals = p->guarded = false;
        in_head(p, c);
}

/* A body ends at the first closing tag of any name; only its tail has to be looked at. */
static void in_body(struct uitag_parser *p, char c) {
        hold(p, c);
        if (c != ']')
                return;
        for (size_t n = 1; n <= p->held.n && n <= NAME_MAX + 2; n++) {
                struct slice tail = { p->held.p + p->held.n - n, (uint32_t)n };
                if (tail.p[0] == '[' && tail.n >= sizeof CLOSE && match_close(tail) == CLOSED) {
                        body_done(p, p->held.n - n);
                        return;
                }
        }
}

void uitag_feed(struct uitag_parser *p, struct slice s) {
        static void (*const step[])(struct uitag_parser *, char) = { in_text, in_maybe, in_head, in_body };
        for (uint32_t i = 0; i < s.n; i++)
                step[p->state](p, s.p[i]);
        tell(p);
}

void uitag_end(struct uitag_parser *p) {
        /* "[" and "[U" are as likely the end of a sentence; from "[UI" on it was one of ours. */
        if (p->state == MAYBE && p->held.n < 3)
                show_held(p, p->held.n);
        buf_clear(&p->held);
        p->held.over = false;
        buf_clear(&p->gap);
        p->state = TEXT;
        tell(p);
}
