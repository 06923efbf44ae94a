/* uitag.c - fuzz: any text, cut anywhere, comes out the same; no bound is passed; tags carry what they promise. */
#include "uitag.h"

#include "fuzz.h"
#include "json_check.h"

struct seen {
        struct buf all;
        size_t text, json;
        unsigned tags;
};

static void on_text(void *arg, struct slice s) {
        struct seen *seen = arg;
        must(s.n > 0);
        seen->text += s.n;
        buf_slice(&seen->all, s);
}

static void on_tag(void *arg, const struct uitag *t) {
        struct seen *seen = arg;
        seen->tags++;
        seen->json += t->json.n;
        must(t->json.n == 0 || json_check_object(t->json));
        must(t->kind != UITAG_SPEAKER || uitag_speaker(t->name));
        must(t->kind != UITAG_CONFIRM || (text_id(t->action_id) && t->message.n > 0));
        buf_fmt(&seen->all, "<%d %.*s %.*s %.*s %.*s %lld>", (int)t->kind, SLICE_FMT(t->name), SLICE_FMT(t->json),
                SLICE_FMT(t->action_id), SLICE_FMT(t->message), (long long)t->timeout);
}

static void feed(struct seen *seen, struct slice in, uint32_t step) {
        static const struct uitag_events events = { on_text, on_tag };
        struct uitag_parser p;
        *seen = (struct seen){ 0 };
        buf_init(&seen->all, 8u << 20);
        uitag_init(&p, &events, seen);
        for (uint32_t at = 0; at < in.n; at += step)
                uitag_feed(&p, (struct slice){ in.p + at, step < in.n - at ? step : in.n - at });
        uitag_end(&p);
        uitag_free(&p);
        must(seen->text <= UITAG_TEXT_MAX && seen->tags <= UITAG_TAGS_MAX && seen->json <= UITAG_JSON_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct slice in = size > 0 ? fuzz_slice(data + 1, size - 1) : (struct slice){ 0 };
        uint32_t step = size > 0 ? 1 + data[0] % 64u : 1;
        struct seen whole, cut;
        feed(&whole, in, in.n + 1);
        feed(&cut, in, step);
        must(slice_eq(buf_view(&whole.all), buf_view(&cut.all)));
        must(!text_utf8(in) || text_utf8(buf_view(&cut.all)));
        buf_free(&whole.all);
        buf_free(&cut.all);
        return 0;
}
