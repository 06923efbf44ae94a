/* assets.c - the JavaScript client and the console, out of this program's own bytes: no file is opened for them. */
#include <stdio.h>

#include "assets_data.h"
#include "frontend.h"

/* Nothing but what comes from this origin runs or is shown; the console keeps a token in memory. */
#define PAGE_POLICY                                                                                                  \
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "              \
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
#define BARE_POLICY "default-src 'none'; frame-ancestors 'none'"

enum asset_kind { MODULE, STYLE, IMAGE, PAGE };
static const struct {
        const char *type, *policy;
} kinds[] = {
        [MODULE] = { "text/javascript; charset=utf-8", BARE_POLICY },
        [STYLE] = { "text/css; charset=utf-8", BARE_POLICY },
        [IMAGE] = { "image/svg+xml", BARE_POLICY },
        [PAGE] = { "text/html; charset=utf-8", PAGE_POLICY },
};

static const struct asset {
        const char *path, *tag;
        const unsigned char *bytes;
        uint32_t n;
        enum asset_kind kind;
} assets[] = {
#define ASSET(path, data, kind) { path, data##_tag, data, sizeof(data), kind },
#include "assets.def"
};

/* RFC 9110 13.1.2: a list of tags, weak ones too, or a star. */
static bool known(struct slice if_none_match, const char *tag) {
        struct slice rest = slice_trim(if_none_match), want = slice_of(tag);

        if (slice_is(rest, "*"))
                return true;
        while (rest.n) {
                uint32_t n = 0;

                while (n < rest.n && rest.p[n] != ',')
                        n++;
                struct slice one = slice_trim((struct slice){ rest.p, n });

                if (one.n > 2 && memcmp(one.p, "W/", 2) == 0)
                        one = (struct slice){ one.p + 2, one.n - 2 };
                if (slice_eq(one, want))
                        return true;
                n += n < rest.n;
                rest = (struct slice){ rest.p + n, rest.n - n };
        }
        return false;
}

void route_asset(struct frontend *f, struct http_request *r, const struct route *route, const struct actor *a) {
        const struct asset *found = NULL;

        (void)f;
        (void)route;
        (void)a;
        for (size_t i = 0; i < sizeof(assets) / sizeof(*assets); i++)
                if (slice_is(r->path, assets[i].path))
                        found = &assets[i];
        if (!found) {
                http_fail(r, STATUS_NOT_FOUND, (struct slice){ 0 }, NULL);
                return;
        }
        /* Asked for again each time, answered with 304: a page never runs with modules of two versions for long. */
        struct http_extra x = { .cache = "no-cache" };
        char lines[512];
        int n = snprintf(lines, sizeof lines, "etag: %s\r\ncontent-security-policy: %s\r\n", found->tag,
                         kinds[found->kind].policy);

        x.lines = (struct slice){ lines, (uint32_t)n };
        if (known(http_header(r, "if-none-match"), found->tag))
                http_respond(r, 304, NULL, (struct slice){ 0 }, &x);
        else
                http_respond(r, 200, kinds[found->kind].type, (struct slice){ (const char *)found->bytes, found->n },
                             &x);
}
