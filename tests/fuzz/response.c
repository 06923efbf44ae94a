/* response.c - fuzz: any bytes from the gateway, cut anywhere, end in one way, and the same as uncut. */
#include "response.h"

#include "fuzz.h"
#include "sse.h"

struct run {
        struct response r;
        struct sse sse;
        uint32_t told, pieces;
};

static void hear(void *arg, struct slice text) {
        struct run *run = arg;

        must(text.n > 0 && text_utf8(text) && run->r.state == RESPONSE_OPEN);
        run->told += text.n;
        run->pieces++;
}

static bool event(void *arg, struct slice data) {
        struct run *run = arg;

        return response_event(&run->r, data);
}

/* The first byte says how the rest is cut: 0 not at all. */
static void play(struct run *run, struct slice bytes, uint32_t chunk) {
        *run = (struct run){ 0 };
        response_init(&run->r, hear, run);
        sse_init(&run->sse, 1u << 20);
        for (uint32_t i = 0; i < bytes.n && run->r.state != RESPONSE_DONE;) {
                uint32_t n = chunk == 0 || chunk > bytes.n - i ? bytes.n - i : chunk;

                if (!sse_feed(&run->sse, (struct slice){ bytes.p + i, n }, event, run))
                        break;
                i += n;
        }
        if (run->r.state == RESPONSE_OPEN)
                response_closed(&run->r);
}

static void check(const struct run *run) {
        const struct gateway_end *e = &run->r.end;

        must(run->r.state != RESPONSE_OPEN && e->status < STATUS_COUNT);
        must((e->status == STATUS_OK) == (run->r.why == NULL));
        must(e->text.n == run->told && e->text.n <= GATEWAY_TEXT_MAX && text_utf8(e->text));
        must(e->spoken == (run->pieces > 0));
        must(e->n_calls <= GATEWAY_CALLS_MAX && (e->n_calls == 0 || (e->status == STATUS_OK && !e->incomplete)));
        must(e->status != STATUS_OK || e->text.n > 0 || e->n_calls > 0);
        must(e->input_tokens >= 0 && e->output_tokens >= 0);
        for (unsigned i = 0; i < e->n_calls; i++)
                must(e->calls[i].name.n > 0 && e->calls[i].arguments.n >= 2 && text_utf8(e->calls[i].arguments));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct run cut, whole;

        if (size == 0)
                return 0;
        play(&cut, fuzz_slice(data + 1, size - 1), data[0]);
        play(&whole, fuzz_slice(data + 1, size - 1), 0);
        check(&cut);
        check(&whole);
        must(cut.r.end.status == whole.r.end.status && slice_eq(cut.r.end.text, whole.r.end.text));
        must(cut.r.end.n_calls == whole.r.end.n_calls && cut.pieces == whole.pieces);
        response_free(&cut.r);
        response_free(&whole.r);
        sse_free(&cut.sse);
        sse_free(&whole.sse);
        return 0;
}
