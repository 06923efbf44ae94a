/* json.c - fuzz: what parses has one canonical text, and that text means the same. */
#include "json.h"

#include "fuzz.h"
#include "json_check.h"

static uint32_t walk(struct json v) {
        struct slice key, s;
        struct json member;
        uint32_t seen = 0, it = 0;
        int64_t n;
        bool b;

        must(json_str(v, &s) == (json_type(v) == JSON_STRING));
        must(json_int_trunc(v, &n) == (json_type(v) == JSON_NUMBER));
        must(!json_int(v, &n) || json_type(v) == JSON_NUMBER);
        must(json_bool(v, &b) == (json_type(v) == JSON_TRUE || json_type(v) == JSON_FALSE));
        if (json_type(v) == JSON_STRING)
                must(text_utf8(s) && (s.n == 0 || !memchr(s.p, 0, s.n)));
        while (json_next(v, &it, &key, &member)) {
                char name[256];

                if (json_type(v) == JSON_OBJECT && slice_copy(key, name, sizeof name))
                        must(json_get(v, name).at == member.at);
                (void)walk(member);
                seen++;
        }
        must(seen == json_count(v));
        return seen;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct arena arena;
        struct buf once, twice;
        struct json v;
        const char *why = NULL;
        size_t at;

        arena_init(&arena, 8u << 20);
        buf_init(&once, 8u << 20);
        buf_init(&twice, 8u << 20);
        if (json_parse(fuzz_slice(data, size), &arena, &v, &why, &at) == 0) {
                (void)walk(v);
                must(json_check_object(fuzz_slice(data, size)) == (data[0] == '{'));
                json_canonical(v, &once);
                if (!once.over) { /* controls grow sixfold */
                        must(json_parse(buf_view(&once), &arena, &v, &why, &at) == 0);
                        json_canonical(v, &twice);
                        must(slice_eq(buf_view(&once), buf_view(&twice)));
                }
        } else {
                must(why && at <= size);
        }
        buf_free(&once);
        buf_free(&twice);
        arena_free(&arena);
        return 0;
}
