/* bind.c - fuzz: byte 0 chooses the op, byte 1 what the rest is (query, path, or body); what binds obeys the row. */
#include "bind.h"

#include "fuzz.h"

static enum status bind_one(struct bind *b, uint8_t how, struct slice text) {
        switch (how % 4) {
        case 0:
                return bind_query(b, text);
        case 1:
                return bind_path(b, "sessionId", text);
        default:
                return bind_body(b, text);
        }
}

/* What no request may set, whatever it says. */
static void untouched(const struct opdesc *d, const void *msg) {
        for (int i = 0; i < (int)d->n; i++) {
                enum kind k = d->fields[i].kind;

                if (k == K_ACTOR || k == K_COMMAND || k == K_BLOB || k == K_ROWS)
                        must(!op_has(msg, i));
                else if (op_has(msg, i))
                        must(op_check_field(d, i, msg));
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        uint64_t msg[128] = { 0 };
        struct arena arena;
        struct bind b;
        enum status s;

        if (size < 2)
                return 0;
        arena_init(&arena, 4u << 20);
        b = (struct bind){ .op = (enum op)(data[0] % OP_COUNT),
                           .msg = msg,
                           .arena = &arena,
                           .snake = (data[1] & 4) != 0,
                           .self = SLICE("u1") };
        must(op_desc(b.op)->size <= sizeof msg);
        s = bind_one(&b, data[1], fuzz_slice(data + 2, size - 2));
        if (s == STATUS_OK) {
                untouched(op_desc(b.op), msg);
                if (bind_finish(&b) == STATUS_OK)
                        must(op_check(b.op, msg) == 0);
        } else {
                must(s == STATUS_CROSS_USER_FORBIDDEN || b.why[0]);
        }
        must(memchr(b.why, 0, sizeof b.why));
        must(text_utf8(slice_of(b.why)));
        arena_free(&arena);
        return 0;
}
