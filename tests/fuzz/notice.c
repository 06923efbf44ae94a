/* notice.c - fuzz: what anybody on the database notifies of names streams by the rules of their names, or is refused. */
#include "notes.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct slice node, payload = fuzz_slice(data, size);
        struct op_stream_head m = { 0 };
        struct notice n;
        size_t at = 0, before = 0;

        if (!notice_from(payload, &node, &at))
                return 0;
        must(node.n == 16 && at <= payload.n);
        for (before = at; notice_next(payload, &at, &n) > 0; before = at) {
                must(at > before && at <= payload.n);
                if (n.all)
                        continue;
                OP_SET(stream_head, &m, account_id, n.account);
                OP_SET(stream_head, &m, session_id, n.session);
                OP_SET(stream_head, &m, head, n.head);
                must(op_check(OP_stream_head, &m) == 0); /* it may become a cast */
        }
        return 0;
}
