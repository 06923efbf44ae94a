/* events.c - fuzz: an envelope that binds is a valid row, and what readers get of it is JSON. */
#include "events.h"

#include "fuzz.h"

#define NOW INT64_C(1795247280123456)

static void told(const struct op_event_in *in, struct arena *a) {
        struct op_event_out out = { 0 };
        struct json v, payload;
        struct slice id;
        const char *why;
        struct buf text;
        size_t at;

        must(op_check(OP_event_in, in) == 0);
        OP_SET(event_out, &out, sequence, 1);
        OP_SET(event_out, &out, ts, in->ts);
        OP_SET(event_out, &out, received, NOW);
        OP_SET(event_out, &out, recorded, NOW);
        OP_SET(event_out, &out, origin, SLICE("ingest"));
        buf_init(&text, 1u << 20);
        event_json(in, &out, &text);
        must(!text.over && json_parse(buf_view(&text), a, &v, &why, &at) == 0);
        must(json_str(json_get(v, "eventId"), &id) && slice_eq(id, in->event_id));
        payload = json_get(v, "payload");
        must(slice_eq(json_raw(payload), in->payload));
        buf_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct op_event_in in;
        struct arena arena;
        struct json v;
        const char *reason;
        char why[160];
        size_t at;

        arena_init(&arena, 16u << 20);
        if (json_parse(fuzz_slice(data, size), &arena, &v, &reason, &at) == 0) {
                for (int who = SERVICE; who <= OWNER; who++) {
                        enum status s = event_bind(v, (enum event_who)who, NOW, SLICE("evt_1"), &arena, &in, why);

                        must(s == STATUS_OK || s == STATUS_FORBIDDEN || s == STATUS_INVALID_REALTIME_EVENT);
                        must(s != STATUS_FORBIDDEN || who == OWNER);
                        if (s == STATUS_OK)
                                told(&in, &arena);
                        else
                                must(memchr(why, 0, sizeof why) && text_utf8(slice_of(why)));
                }
        }
        arena_free(&arena);
        return 0;
}
