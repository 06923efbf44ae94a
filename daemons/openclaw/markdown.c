/* markdown.c - one small renderer a kind. */
#include "markdown.h"

/* The first of these members that is a text; or the value itself, if it is one. names ends with NULL. */
static struct slice pick(struct json v, const char *const *names) {
        struct slice s = { 0 };
        if (json_str(v, &s))
                return s;
        for (; *names != NULL; names++)
                if (json_str(json_get(v, *names), &s) && s.n > 0)
                        return s;
        return (struct slice){ 0 };
}
#define PICK(v, ...) pick(v, (const char *const[]){ __VA_ARGS__, NULL })

static struct slice text_of(struct json v, const char *name) {
        struct slice s = { 0 };
        (void)json_str(json_get(v, name), &s);
        return s;
}

/* A text in one line: a list's entry, a heading. */
static void put_line(struct buf *out, struct slice s) {
        for (uint32_t i = 0; i < s.n; i++)
                buf_char(out, s.p[i] == '\n' || s.p[i] == '\r' ? ' ' : s.p[i]);
}

static void put_heading(struct buf *out, const char *marks, struct slice s) {
        buf_str(out, marks);
        put_line(out, s);
        buf_str(out, "\n\n");
}

static void put_paragraph(struct buf *out, struct slice s) {
        if (s.n == 0)
                return;
        buf_slice(out, s);
        buf_str(out, "\n\n");
}

static void put_joined(struct buf *out, const struct slice *s, unsigned n, const char *between) {
        bool first = true;
        for (unsigned i = 0; i < n; i++) {
                if (s[i].n == 0)
                        continue;
                if (!first)
                        buf_str(out, between);
                put_line(out, s[i]);
                first = false;
        }
}

/* Each member of each entry is a line of it: nothing the model delivered is left out. */
static void put_entry(struct buf *out, struct json entry) {
        struct slice key, s;
        struct json v;
        uint32_t it = 0;
        bool first = true;
        buf_str(out, "- ");
        if (json_str(entry, &s)) {
                put_line(out, s);
                buf_char(out, '\n');
                return;
        }
        while (json_next(entry, &it, &key, &v)) {
                if (!json_str(v, &s))
                        s = json_raw(v);
                if (s.n == 0)
                        continue;
                buf_str(out, first ? "" : "\n  ");
                put_line(out, s);
                first = false;
        }
        buf_char(out, '\n');
}

static void put_list(struct buf *out, const char *heading, struct json list) {
        struct slice key;
        struct json v;
        uint32_t it = 0;
        if (json_count(list) == 0)
                return;
        put_heading(out, "## ", slice_of(heading));
        while (json_next(list, &it, &key, &v))
                put_entry(out, v);
        buf_char(out, '\n');
}

static void put_cv(struct json data, struct buf *out) {
        const struct slice contact[] = { text_of(data, "email"), text_of(data, "phone"), text_of(data, "location") };
        struct slice key;
        struct json v;
        uint32_t it = 0;
        put_heading(out, "# ", text_of(data, "name"));
        if (contact[0].n + contact[1].n + contact[2].n > 0) {
                put_joined(out, contact, 3, " | ");
                buf_str(out, "\n\n");
        }
        put_paragraph(out, text_of(data, "summary"));
        put_list(out, "Experience", json_get(data, "experience"));
        put_list(out, "Education", json_get(data, "education"));
        put_list(out, "Skills", json_get(data, "skills"));
        while (json_next(json_get(data, "sections"), &it, &key, &v)) {
                struct slice title = text_of(v, "title");
                if (title.n > 0)
                        put_heading(out, "## ", title);
                put_paragraph(out, PICK(v, "text", "body", "content"));
        }
}

static void put_interview(struct slice title, struct json data, struct buf *out) {
        const struct slice about[] = { text_of(data, "role"), text_of(data, "company"), text_of(data, "duration") };
        struct slice key;
        struct json v;
        uint32_t it = 0;
        put_heading(out, "# ", title.n > 0 ? title : SLICE("Interview"));
        if (about[0].n + about[1].n + about[2].n > 0) {
                put_joined(out, about, 3, ", ");
                buf_str(out, "\n\n");
        }
        put_heading(out, "## ", SLICE("Questions"));
        for (int n = 1; json_next(json_get(data, "questions"), &it, &key, &v); n++) {
                struct slice tip = text_of(v, "tip").n > 0 ? text_of(v, "tip") : text_of(v, "hint");
                struct slice next = PICK(v, "followup", "followUp", "next");
                buf_fmt(out, "%d. ", n);
                put_line(out, PICK(v, "question", "prompt", "title"));
                if (tip.n > 0) {
                        buf_str(out, "\n   - Tip: ");
                        put_line(out, tip);
                }
                if (next.n > 0 && json_type(v) == JSON_OBJECT) {
                        buf_str(out, "\n   - Next: ");
                        put_line(out, next);
                }
                buf_char(out, '\n');
        }
        buf_char(out, '\n');
        put_list(out, "Tips", json_get(data, "tips"));
}

static void put_outreach(struct slice title, struct json data, struct buf *out) {
        struct slice key;
        struct json v;
        uint32_t it = 0;
        put_heading(out, "# ", title.n > 0 ? title : SLICE("Messages"));
        for (int n = 1; json_next(json_get(data, "messages"), &it, &key, &v); n++) {
                struct slice channel = text_of(v, "channel").n > 0 ? text_of(v, "channel") : text_of(v, "type");
                buf_fmt(out, "## Message %d", n);
                if (channel.n > 0) {
                        buf_str(out, ": ");
                        put_line(out, channel);
                }
                buf_str(out, "\n\n");
                if (text_of(v, "subject").n > 0) {
                        buf_str(out, "**Subject:** ");
                        put_line(out, text_of(v, "subject"));
                        buf_str(out, "\n\n");
                }
                put_paragraph(out, PICK(v, "body", "text"));
        }
}

void markdown_put(struct slice kind, struct slice title, struct json data, struct buf *out) {
        if (slice_is(kind, "cv"))
                put_cv(data, out);
        else if (slice_is(kind, "interview"))
                put_interview(title, data, out);
        else
                put_outreach(title, data, out);
        while (out->n > 1 && !out->over && out->p[out->n - 1] == '\n' && out->p[out->n - 2] == '\n')
                out->n--;
}
