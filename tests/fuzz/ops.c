/* ops.c - fuzz: the first byte chooses the row; what decodes encodes to the same bytes. */
#include "ops.h"

#include "fuzz.h"

static void rows(enum op rec, struct slice bytes) {
        uint64_t row[128];
        uint32_t seen = 0;
        size_t at = 0;

        must(op_desc(rec)->size <= sizeof row);
        while (op_rows_next(bytes, rec, &at, row)) {
                must(op_check(rec, row) == 0);
                seen++;
        }
        if (op_rows_check(bytes, rec, 1000) == 0)
                must(seen == op_rows_count(bytes));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        uint64_t msg[128];
        struct slice bytes;
        struct buf again;
        enum op op;

        if (size < 1)
                return 0;
        op = (enum op)(data[0] % OP_COUNT);
        bytes = fuzz_slice(data + 1, size - 1);
        must(op_desc(op)->size <= sizeof msg);
        buf_init(&again, size);
        if (op_decode(op, bytes, msg) == 0) {
                must(op_check(op, msg) == 0);
                op_encode(op, msg, &again);
                must(slice_eq(buf_view(&again), bytes));
        }
        if (op_desc(op)->mode == RECORD)
                rows(op, bytes);
        buf_free(&again);
        return 0;
}
