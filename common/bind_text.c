/* bind_text.c - the spellings of a request: camelCase names and percent-encoding. */
#include "bind.h"

void bind_camel(const char *name, char to[static 64]) {
        size_t at = 0;

        for (; *name && at < 63; name++) {
                bool up = *name == '_' && name[1] >= 'a' && name[1] <= 'z';

                if (up)
                        name++;
                to[at++] = (char)(up ? *name - 'a' + 'A' : *name);
        }
        to[at] = 0;
}

static int hex(char c) {
        if (c >= '0' && c <= '9')
                return c - '0';
        if (c >= 'a' && c <= 'f')
                return c - 'a' + 10;
        return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool bind_unescape(struct slice s, bool plus, struct arena *a, struct slice *ret) {
        char *to = arena_alloc(a, s.n);
        uint32_t n = 0;

        if (!to)
                return false;
        for (uint32_t i = 0; i < s.n; i++) {
                char c = s.p[i];

                if (c == '+' && plus) {
                        c = ' ';
                } else if (c == '%') {
                        if (s.n - i < 3 || hex(s.p[i + 1]) < 0 || hex(s.p[i + 2]) < 0)
                                return false;
                        c = (char)(hex(s.p[i + 1]) << 4 | hex(s.p[i + 2]));
                        i += 2;
                }
                if (!c)
                        return false;
                to[n++] = c;
        }
        if (!text_utf8((struct slice){ to, n }))
                return false;
        *ret = (struct slice){ to, n };
        return true;
}
