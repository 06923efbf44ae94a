/* test_ops.c - every row of ops.def crosses a boundary exactly, or not at all; nobody writes these tests per op. */
#include "message.h"

#include <sodium.h>

static uint64_t first[256], second[256]; /* two messages of any op */
static struct buf keep[64];

static const struct opdesc *each(unsigned op) {
        const struct opdesc *d = op_desc((enum op)op);

        assert_true(d->size <= sizeof first);
        return d;
}

static void encode(enum op op, enum size size, struct buf *out) {
        message_fill(op, first, size, keep);
        if (op_check(op, first) != 0)
                fail_msg("%s: field %d does not fit its own row", op_desc(op)->name, op_check(op, first));
        buf_init(out, OP_BYTES_MAX);
        op_encode(op, first, out);
        assert_false(out->over);
        message_free(op, keep);
}

static int decode_exact(enum op op, struct slice bytes) {
        struct slice copy = exact(bytes);
        int result = op_decode(op, copy, second);

        exact_free(copy);
        return result;
}

TEST(rows_are_sound) {
        for (unsigned op = 0; op < OP_COUNT; op++) {
                const struct opdesc *d = each(op);

                assert_int_equal(op_by_name(d->name), op);
                assert_int_equal(d->mode == RECORD, d->from == NOBODY && d->to == NOBODY);
                assert_true(d->reply == OP_NONE || op_desc(d->reply)->mode == RECORD);
                assert_true(d->n >= 1 && d->n <= 64);
                for (int i = 0; i < (int)d->n; i++) {
                        const struct field *f = &d->fields[i];

                        assert_int_equal(op_field(d, f->name), i);
                        assert_true(f->min <= f->max);
                        assert_true(f->offset + (f->kind == K_BOOL ? 1 : 8) <= d->size);
                        assert_true(message_is_int(f) || f->max <= (int64_t)OP_BYTES_MAX);
                        assert_int_equal(f->kind == K_ENUM, f->words != NULL);
                        assert_int_equal(f->kind == K_ROWS, f->rec != OP_NONE);
                        assert_true(f->kind != K_ROWS || (d->mode != RECORD && op_desc(f->rec)->mode == RECORD));
                }
        }
        assert_int_equal(op_by_name("no_such_op"), OP_NONE);
        assert_int_equal(op_field(op_desc(OP_session_get), "no_such_field"), -1);
}

/* OP_FIELD() numbers members by the offset in a struct of single bytes: here against the table itself. */
#define ACTOR(f)              assert_string_equal(d->fields[offsetof(T, f)].name, #f);
#define COMMAND(f)            ACTOR(f)
#define ID(need, f)           ACTOR(f)
#define STR(need, f, a, b)    ACTOR(f)
#define ENUM(need, f, words)  ACTOR(f)
#define JSON(need, f, b)      ACTOR(f)
#define VALUE(need, f, b)     ACTOR(f)
#define BLOB(need, f, a, b)   ACTOR(f)
#define INT(need, f, a, b)    ACTOR(f)
#define CLAMP(need, f, a, b)  ACTOR(f)
#define BOOL(need, f)         ACTOR(f)
#define ROWS(need, f, rec, b) ACTOR(f)
#define OP(name_, from, to, mode, reply, fields_)                                                                    \
        static void numbers_of_##name_(void) {                                                                       \
                typedef struct opi_##name_ T;                                                                        \
                const struct opdesc *d = op_desc(OP_##name_);                                                        \
                fields_ assert_int_equal(sizeof(T), d->n);                                                           \
        }
#include "ops.def"

TEST(members_are_numbered_as_in_the_table) {
#define OP(name, ...) numbers_of_##name();
#include "ops.def"
}

TEST(every_op_round_trips) {
        for (unsigned op = 0; op < OP_COUNT; op++) {
                for (int size = LEAST; size <= MOST; size++) {
                        struct buf a, b;

                        encode((enum op)op, (enum size)size, &a);
                        buf_init(&b, OP_BYTES_MAX);
                        assert_int_equal(decode_exact((enum op)op, buf_view(&a)), 0);
                        assert_int_equal(op_decode((enum op)op, buf_view(&a), second), 0);
                        assert_int_equal(op_check((enum op)op, second), 0);
                        op_encode((enum op)op, second, &b);
                        assert_true(slice_eq(buf_view(&a), buf_view(&b)));
                        buf_free(&a);
                        buf_free(&b);
                }
        }
}

TEST(the_encoder_spells_the_documented_format) {
        for (unsigned op = 0; op < OP_COUNT; op++) {
                struct buf a, b;

                encode((enum op)op, SOME, &a);
                buf_init(&b, OP_BYTES_MAX);
                assert_int_equal(op_decode((enum op)op, buf_view(&a), second), 0);
                message_spell((enum op)op, second, &b);
                assert_true(slice_eq(buf_view(&a), buf_view(&b)));
                buf_free(&a);
                buf_free(&b);
        }
}

TEST(every_truncation_is_refused) {
        for (unsigned op = 0; op < OP_COUNT; op++) {
                for (int size = LEAST; size <= SOME; size++) {
                        struct buf a;

                        encode((enum op)op, (enum size)size, &a);
                        for (uint32_t n = 0; n < a.n; n++)
                                assert_int_equal(decode_exact((enum op)op, (struct slice){ a.p, n }), -1);
                        buf_free(&a);
                }
        }
}

TEST(an_appended_byte_is_refused) {
        for (unsigned op = 0; op < OP_COUNT; op++) {
                for (int size = LEAST; size <= SOME; size++) {
                        struct buf a;

                        encode((enum op)op, (enum size)size, &a);
                        buf_char(&a, 0);
                        assert_int_equal(decode_exact((enum op)op, buf_view(&a)), -1);
                        buf_free(&a);
                }
        }
}

TEST(what_survives_a_mutation_is_a_message) {
        uint64_t seed = 1;

        for (unsigned op = 0; op < OP_COUNT; op++) {
                struct buf a, b;
                unsigned taken = 0;

                encode((enum op)op, SOME, &a);
                buf_init(&b, OP_BYTES_MAX);
                for (int round = 0; round < 3000; round++) {
                        char *bytes = a.p, saved[3];
                        uint32_t at[3];

                        for (int k = 0; k < 3; k++) {
                                at[k] = dice(&seed, (uint32_t)a.n);
                                saved[k] = bytes[at[k]];
                                bytes[at[k]] = (char)dice(&seed, 256);
                        }
                        buf_clear(&b);
                        if (decode_exact((enum op)op, buf_view(&a)) == 0) {
                                taken++;
                                assert_int_equal(op_decode((enum op)op, buf_view(&a), second), 0);
                                op_encode((enum op)op, second, &b);
                                assert_true(slice_eq(buf_view(&a), buf_view(&b)));
                        }
                        for (int k = 2; k >= 0; k--)
                                bytes[at[k]] = saved[k];
                }
                assert_true(taken < 3000);
                assert_int_equal(decode_exact((enum op)op, buf_view(&a)), 0);
                buf_free(&a);
                buf_free(&b);
        }
}

TEST(a_refused_message_leaves_nothing_behind) {
        struct buf a;

        for (unsigned op = 0; op < OP_COUNT; op++) {
                encode((enum op)op, SOME, &a);
                memset(second, 0xff, sizeof second);
                assert_int_equal(op_decode((enum op)op, (struct slice){ a.p, (uint32_t)a.n - 1 }, second), -1);
                for (size_t i = 0; i < op_desc((enum op)op)->size / 8; i++)
                        assert_true(second[i] == 0);
                buf_free(&a);
        }
}

/* The message in `first`, spelled without a check, must be refused. */
static void refused(enum op op, int field) {
        struct buf a;

        buf_init(&a, 2 * OP_BYTES_MAX);
        message_spell(op, first, &a);
        if (op_check(op, first) != field + 1 || decode_exact(op, buf_view(&a)) != -1)
                fail_msg("%s.%s: out of bounds, yet taken", op_desc(op)->name, op_desc(op)->fields[field].name);
        buf_free(&a);
}

TEST(required_fields_are_required) {
        for (unsigned op = 0; op < OP_COUNT; op++) {
                const struct opdesc *d = each(op);

                for (int i = 0; i < (int)d->n; i++) {
                        message_fill((enum op)op, first, SOME, keep);
                        first[0] &= ~(UINT64_C(1) << i);
                        if (d->fields[i].need == REQ)
                                refused((enum op)op, i);
                        else
                                assert_int_equal(op_check((enum op)op, first), 0);
                        message_free((enum op)op, keep);
                }
        }
}

TEST(unknown_presence_bits_are_refused) {
        for (unsigned op = 0; op < OP_COUNT; op++) {
                const struct opdesc *d = each(op);

                for (size_t bit = d->n; bit < 64; bit++) {
                        struct buf a;

                        encode((enum op)op, SOME, &a);
                        a.p[bit / 8] = (char)(a.p[bit / 8] | 1 << bit % 8);
                        assert_int_equal(decode_exact((enum op)op, buf_view(&a)), -1);
                        buf_free(&a);
                }
        }
}

static void try_int(enum op op, int i, int64_t v) {
        message_fill(op, first, SOME, keep);
        op_set_int(op_desc(op), i, first, v);
        refused(op, i);
        message_free(op, keep);
}

static void try_text(enum op op, int i, struct slice s) {
        message_fill(op, first, SOME, keep);
        op_set_slice(op_desc(op), i, first, s);
        refused(op, i);
        message_free(op, keep);
}

static void try_bounds(enum op op, int i, const struct field *f) {
        if (f->kind == K_INT || f->kind == K_CLAMP) {
                if (f->min > INT64_MIN)
                        try_int(op, i, f->min - 1);
                if (f->max < INT64_MAX)
                        try_int(op, i, f->max + 1);
        } else if (f->kind != K_BOOL && f->kind != K_ROWS) {
                if (f->min > 0)
                        try_text(op, i, (struct slice){ message_letters, (uint32_t)f->min - 1 });
                try_text(op, i, (struct slice){ message_letters, (uint32_t)f->max + 1 });
        }
}

TEST(bounds_hold_on_both_sides) {
        for (unsigned op = 0; op < OP_COUNT; op++)
                for (int i = 0; i < (int)each(op)->n; i++)
                        try_bounds((enum op)op, i, &each(op)->fields[i]);
}

/* What a kind of field refuses although its length is fine. */
static const struct {
        enum kind kind;
        struct slice text;
} wrong[] = {
        { K_ACTOR, { "a\nb", 3 } },
        { K_ACTOR, { "caf\xc3\xa9", 5 } },
        { K_ACTOR, { "a\0b", 3 } },
        { K_ACTOR, { "\x7f", 1 } },
        { K_COMMAND, { "a\tb", 3 } },
        { K_COMMAND, { "\xff", 1 } },
        { K_ID, { "a b", 3 } },
        { K_ID, { "a/b", 3 } },
        { K_ID, { "a\0b", 3 } },
        { K_ID, { "\xc3\xa9", 2 } },
        { K_STR, { "a\0b", 3 } },
        { K_STR, { "a\xff", 2 } },
        { K_STR, { "\xed\xa0\x80", 3 } },
        { K_ENUM, { "nonesuch", 8 } },
        { K_ENUM, { "|", 1 } },
        { K_JSON, { "[]", 2 } },
        { K_VALUE, { "[1,]", 4 } },
        { K_VALUE, { "{} 1", 4 } },
        { K_JSON, { "12", 2 } },
        { K_JSON, { "{}x", 3 } },
        { K_JSON, { "{]", 2 } },
        { K_JSON, { "{\"a\"}", 5 } },
        { K_JSON, { "{\"a\":\"\xff\"}", 9 } },
};

TEST(charsets_and_words_hold) {
        for (unsigned op = 0; op < OP_COUNT; op++) {
                const struct opdesc *d = each(op);

                for (int i = 0; i < (int)d->n; i++)
                        for (size_t k = 0; k < COUNT(wrong); k++)
                                if (wrong[k].kind == d->fields[i].kind && wrong[k].text.n <= d->fields[i].max)
                                        try_text((enum op)op, i, wrong[k].text);
        }
}

TEST(every_word_of_an_enum_is_taken) {
        for (unsigned op = 0; op < OP_COUNT; op++) {
                const struct opdesc *d = each(op);

                for (int i = 0; i < (int)d->n; i++) {
                        const char *from = d->fields[i].words;

                        while (from) {
                                struct slice word = { from, (uint32_t)strcspn(from, "|") };

                                message_fill((enum op)op, first, SOME, keep);
                                op_set_slice(d, i, first, word);
                                assert_int_equal(op_check((enum op)op, first), 0);
                                message_free((enum op)op, keep);
                                from = from[word.n] ? from + word.n + 1 : NULL;
                        }
                }
        }
}

TEST(a_boolean_is_0_or_1) {
        struct op_health msg = { 0 };
        struct buf a;

        OP_SET(health, &msg, deep, true);
        buf_init(&a, 64);
        op_encode(OP_health, &msg, &a);
        assert_int_equal(a.n, 9);
        assert_int_equal(decode_exact(OP_health, buf_view(&a)), 0);
        for (int v = 2; v < 256; v++) {
                a.p[8] = (char)v;
                assert_int_equal(decode_exact(OP_health, buf_view(&a)), -1);
        }
        buf_free(&a);
}

TEST(set_and_get_agree) {
        const struct opdesc *d = op_desc(OP_event_out);
        struct op_event_out msg = { 0 };

        OP_SET(event_out, &msg, sequence, 7);
        OP_SET(event_out, &msg, status, SLICE("OK"));
        OP_SET(event_out, &msg, deduped, true);
        assert_true(OP_HAS(event_out, &msg, sequence));
        assert_false(OP_HAS(event_out, &msg, ts));
        assert_true(op_has(&msg, OP_FIELD(event_out, deduped)));
        assert_int_equal(op_get_int(d, op_field(d, "sequence"), &msg), 7);
        assert_int_equal(op_get_int(d, op_field(d, "deduped"), &msg), 1);
        assert_slice(op_get_slice(d, op_field(d, "status"), &msg), "OK");
        op_set_int(d, op_field(d, "deduped"), &msg, 0);
        assert_false(msg.deduped);
}

TEST(what_is_over_the_largest_message_is_not_sent) {
        struct op_event_publish msg = { 0 };
        struct op_event_stored row = { 0 };
        struct buf rows, out;

        message_letters_fill();
        buf_init(&rows, 2 * OP_BYTES_MAX);
        OP_SET(event_stored, &row, sequence, 1);
        OP_SET(event_stored, &row, event, ((struct slice){ message_letters, 131072 }));
        for (int i = 0; i <= (int)(OP_BYTES_MAX / 131072); i++)
                op_rows_add(&rows, OP_event_stored, &row);
        assert_false(rows.over);
        OP_SET(event_publish, &msg, account_id, SLICE("acc"));
        OP_SET(event_publish, &msg, session_id, SLICE("s"));
        OP_SET(event_publish, &msg, committed, 1);
        OP_SET(event_publish, &msg, events, buf_view(&rows));
        buf_init(&out, 8 * OP_BYTES_MAX);
        buf_str(&out, "before");
        op_encode(OP_event_publish, &msg, &out);
        assert_true(out.over);
        assert_int_equal(out.n, 6);
        buf_free(&rows);
        buf_free(&out);
}

static void two_rows(struct buf *rows) {
        struct op_event_stored row = { 0 };

        buf_init(rows, 4096);
        OP_SET(event_stored, &row, sequence, 1);
        OP_SET(event_stored, &row, event, SLICE("{}"));
        op_rows_add(rows, OP_event_stored, &row);
        OP_SET(event_stored, &row, sequence, 2);
        op_rows_add(rows, OP_event_stored, &row);
}

TEST(rows_are_walked_in_order_and_end) {
        struct op_event_stored row;
        struct buf rows;
        size_t at = 0;

        two_rows(&rows);
        assert_int_equal(op_rows_count(buf_view(&rows)), 2);
        assert_int_equal(op_rows_check(buf_view(&rows), OP_event_stored, 2), 0);
        assert_true(op_rows_next(buf_view(&rows), OP_event_stored, &at, &row));
        assert_int_equal(row.sequence, 1);
        assert_true(op_rows_next(buf_view(&rows), OP_event_stored, &at, &row));
        assert_int_equal(row.sequence, 2);
        assert_slice(row.event, "{}");
        assert_false(op_rows_next(buf_view(&rows), OP_event_stored, &at, &row));
        buf_free(&rows);
}

TEST(rows_that_are_not_exact_are_refused) {
        struct buf rows;

        two_rows(&rows);
        assert_int_equal(op_rows_check(buf_view(&rows), OP_event_stored, 1), -1);
        assert_int_equal(op_rows_check(buf_view(&rows), OP_event_in, 2), -1);
        for (uint32_t n = 1; n < rows.n; n++) {
                struct slice cut = exact((struct slice){ rows.p, n });

                assert_int_equal(op_rows_check(cut, OP_event_stored, 2), -1);
                exact_free(cut);
        }
        for (uint32_t count = 0; count < 5; count++) {
                put_le32(rows.p, count);
                assert_int_equal(op_rows_check(buf_view(&rows), OP_event_stored, 9), count == 2 ? 0 : -1);
        }
        put_le32(rows.p, UINT32_MAX);
        assert_int_equal(op_rows_check(buf_view(&rows), OP_event_stored, UINT32_MAX), -1);
        put_le32(rows.p, 2);
        buf_char(&rows, 0);
        assert_int_equal(op_rows_check(buf_view(&rows), OP_event_stored, 2), -1);
        buf_free(&rows);
}

TEST(no_rows_are_rows) {
        size_t at = 0;

        assert_int_equal(op_rows_check(SLICE(""), OP_event_stored, 0), 0);
        assert_int_equal(op_rows_check(SLICE("\0\0\0\0"), OP_event_stored, 0), 0);
        assert_int_equal(op_rows_count(SLICE("")), 0);
        assert_false(op_rows_next(SLICE(""), OP_event_stored, &at, second));
        assert_false(op_rows_next(SLICE("\0\0\0\0"), OP_event_stored, &at, second));
}

TEST(the_schema_hash_is_one_value) {
        unsigned char a[32], b[32];

        op_schema_hash(a);
        op_schema_hash(b);
        assert_memory_equal(a, b, 32);
        assert_false(sodium_is_zero(a, 32));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(rows_are_sound),
                cmocka_unit_test(members_are_numbered_as_in_the_table),
                cmocka_unit_test(every_op_round_trips),
                cmocka_unit_test(the_encoder_spells_the_documented_format),
                cmocka_unit_test(every_truncation_is_refused),
                cmocka_unit_test(an_appended_byte_is_refused),
                cmocka_unit_test(what_survives_a_mutation_is_a_message),
                cmocka_unit_test(a_refused_message_leaves_nothing_behind),
                cmocka_unit_test(required_fields_are_required),
                cmocka_unit_test(unknown_presence_bits_are_refused),
                cmocka_unit_test(bounds_hold_on_both_sides),
                cmocka_unit_test(charsets_and_words_hold),
                cmocka_unit_test(every_word_of_an_enum_is_taken),
                cmocka_unit_test(a_boolean_is_0_or_1),
                cmocka_unit_test(set_and_get_agree),
                cmocka_unit_test(what_is_over_the_largest_message_is_not_sent),
                cmocka_unit_test(rows_are_walked_in_order_and_end),
                cmocka_unit_test(rows_that_are_not_exact_are_refused),
                cmocka_unit_test(no_rows_are_rows),
                cmocka_unit_test(the_schema_hash_is_one_value),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
