/* sse.c - text/event-stream, written and asked for. */
#include "sse.h"

static void put_data(struct buf *out, struct slice data) {
        buf_str(out, "data: ");
        while (data.n) {
                size_t n = 0;

                while (n < data.n && data.p[n] != '\n' && data.p[n] != '\r')
                        n++;
                buf_add(out, data.p, n);
                if (n < data.n) {
                        buf_char(out, ' ');
                        n++;
                }
                data = (struct slice){ data.p + n, data.n - (uint32_t)n };
        }
        buf_str(out, "\n\n");
}

void sse_event(struct buf *out, uint64_t id, struct slice data) {
        buf_str(out, "id: ");
        buf_int(out, (int64_t)id);
        buf_char(out, '\n');
        put_data(out, data);
}

void sse_named(struct buf *out, const char *event, struct slice data) {
        buf_str(out, "event: ");
        buf_str(out, event);
        buf_char(out, '\n');
        put_data(out, data);
}

void sse_retry(struct buf *out, unsigned ms) {
        buf_fmt(out, "retry: %u\n\n", ms);
}

/* Cuts what stands before the next `at`, both without blanks around. */
static struct slice cut(struct slice *rest, char at) {
        const char *end = rest->n ? memchr(rest->p, at, rest->n) : NULL;
        uint32_t n = end ? (uint32_t)(end - rest->p) : rest->n;
        struct slice head = { rest->p, n };

        *rest = end ? (struct slice){ end + 1, rest->n - n - 1 } : (struct slice){ 0 };
        return slice_trim(head);
}

/* RFC 9110 12.4.2: 0 with up to three zeros refuses. */
static bool weight_is_zero(struct slice param) {
        struct slice name = cut(&param, '=');

        param = slice_trim(param);
        if (!slice_is_nocase(name, "q") || param.n == 0 || param.p[0] != '0')
                return false;
        for (uint32_t i = 1; i < param.n; i++)
                if (param.p[i] != '0' && param.p[i] != '.')
                        return false;
        return true;
}

bool sse_accepted(struct slice accept) {
        while (accept.n) {
                struct slice item = cut(&accept, ',');
                bool wanted = slice_is_nocase(cut(&item, ';'), "text/event-stream");

                while (wanted && item.n)
                        wanted = !weight_is_zero(cut(&item, ';'));
                if (wanted)
                        return true;
        }
        return false;
}

bool sse_cursor(struct slice last_event_id, uint64_t *ret) {
        int64_t v;

        if (!text_int(last_event_id, &v) || v < 0)
                return false;
        *ret = (uint64_t)v;
        return true;
}
