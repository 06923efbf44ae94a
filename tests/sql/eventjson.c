/* eventjson.c - prints some stored events as api.event_json()'s arguments, a tab, and as C spells them. */
#include <stdio.h>

#include "events.h"

static const int64_t times[][3] = {
        { 0, 1, 999 },
        { 1763711111111000, 1763711111111111, 1763711111000000 },
        { 951782399999999, 951782400000000, 4107542399001000 },
        { MICROS_MAX, MICROS_MAX - 999, 253402300799000000 },
};

int main(void) {
        const struct op_event_in in[] = {
                { .session_id = SLICE("s1"),
                  .event_id = SLICE("evt_1"),
                  .type = SLICE("call.error"),
                  .payload = SLICE("{}") },
                { .session_id = SLICE("a:b.c-d_E"),
                  .event_id = SLICE("0"),
                  .type = SLICE("transcript.final"),
                  .payload = SLICE("{\"a\":[1,2.50,null,true],\"text\":\"\\\"q\\\" \\\\ \\u0001 "
                                   "\xc3\xa9\xf0\x9f\x98\x80\"}") },
        };

        for (size_t i = 0; i < sizeof in / sizeof *in; i++)
                for (size_t k = 0; k < sizeof times / sizeof *times; k++) {
                        struct op_event_in e = in[i];
                        struct op_event_out o = { .sequence = (int64_t)(k * 1000000000000 + i + 1),
                                                  .ts = times[k][0],
                                                  .received = times[k][1],
                                                  .recorded = times[k][2],
                                                  .origin = k % 2 ? SLICE("livekit") : SLICE("ingest") };
                        struct buf b;

                        e.ts = o.ts;
                        buf_init(&b, 65536);
                        event_json(&e, &o, &b);
                        printf("'%.*s',%lld,'%.*s',%lld,'%.*s',$x$%.*s$x$,'%.*s',%lld,%lld\t%.*s\n",
                               SLICE_FMT(e.event_id), (long long)o.sequence, SLICE_FMT(e.session_id), (long long)o.ts,
                               SLICE_FMT(e.type), SLICE_FMT(e.payload), SLICE_FMT(o.origin), (long long)o.received,
                               (long long)o.recorded, (int)b.n, b.p);
                        buf_free(&b);
                }
        return 0;
}
