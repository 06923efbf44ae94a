/* translate.c - fuzz: any body behind a good signature becomes a message that holds its row's promises, or nothing. */
#include "translate.h"

#include "fuzz.h"

/* No member of the kept detail is one of LiveKit's secrets. */
static void no_secret(struct json v) {
        struct slice key;
        struct json member;
        uint32_t it = 0;

        while (json_next(v, &it, &key, &member)) {
                if (json_type(v) == JSON_OBJECT)
                        must(!slice_is(key, "turnPassword") && !slice_is(key, "turn_password") &&
                             !slice_is(key, "streamKey") && !slice_is(key, "stream_key"));
                no_secret(member);
        }
}

static void check_message(const struct op_provider_event *e, struct arena *a) {
        struct op_provider_event again;
        struct json detail;
        struct buf bytes;
        const char *why;
        size_t at;

        must(op_check(OP_provider_event, e) == 0);
        must(json_parse(e->detail, a, &detail, &why, &at) == 0 && json_type(detail) == JSON_OBJECT);
        no_secret(detail);
        buf_init(&bytes, OP_BYTES_MAX);
        op_encode(OP_provider_event, e, &bytes);
        must(!bytes.over && op_decode(OP_provider_event, buf_view(&bytes), &again) == 0);
        must(slice_eq(e->detail, again.detail) && e->present == again.present);
        buf_free(&bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        const struct webhook_verified verified = { .api_key = SLICE("key") };
        struct op_provider_event e;
        struct arena a;
        char why[160] = "";

        arena_init(&a, 32u << 20);
        if (translate(fuzz_slice(data, size), &verified, INT64_C(1800000000000000), &a, &e, why) == STATUS_OK)
                check_message(&e, &a);
        else
                must(*why && strlen(why) < sizeof why);
        arena_free(&a);
        return 0;
}
