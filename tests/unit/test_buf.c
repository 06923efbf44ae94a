/* test_buf.c - a buffer grows to its maximum, and says so when something did not fit. */
#include "buf.h"
#include "unit.h"

TEST(the_zero_value_is_empty_and_may_grow_to_nothing) {
        struct buf b = { 0 };

        buf_add(&b, "", 0);
        assert_false(b.over);
        buf_char(&b, 'x');
        assert_true(b.over);
        assert_int_equal(buf_view(&b).n, 0);
        buf_free(&b);
        buf_free(NULL);
}

TEST(appends_follow_each_other) {
        struct buf b;

        buf_init(&b, 1000);
        buf_str(&b, "a");
        buf_slice(&b, SLICE("bc"));
        buf_char(&b, 'd');
        buf_int(&b, -45);
        buf_fmt(&b, "%s/%d", "x", 7);
        buf_add(&b, "yz", 2);
        assert_slice(buf_view(&b), "abcd-45x/7yz");
        buf_free(&b);
        assert_int_equal(b.n, 0);
        assert_int_equal(b.max, 1000);
        buf_str(&b, "again");
        assert_slice(buf_view(&b), "again");
        buf_free(&b);
}

TEST(integers_print_to_both_ends) {
        struct buf b;

        buf_init(&b, 100);
        buf_int(&b, INT64_MIN);
        buf_char(&b, ' ');
        buf_int(&b, INT64_MAX);
        buf_char(&b, ' ');
        buf_int(&b, 0);
        assert_slice(buf_view(&b), "-9223372036854775808 9223372036854775807 0");
        buf_free(&b);
}

TEST(over_the_maximum_nothing_is_written_ever_after) {
        struct buf b;

        buf_init(&b, 4);
        buf_str(&b, "abc");
        buf_str(&b, "de");
        assert_true(b.over);
        buf_char(&b, 'f');
        assert_slice(buf_view(&b), "abc");
        assert_null(buf_room(&b, 0));
        buf_clear(&b);
        assert_false(b.over);
        buf_str(&b, "1234");
        assert_false(b.over);
        assert_slice(buf_view(&b), "1234");
        buf_char(&b, '5');
        assert_true(b.over);
        buf_free(&b);
        assert_false(b.over);
}

TEST(format_longer_than_its_small_buffer_is_whole) {
        struct buf b;
        char want[1001];

        memset(want, 'w', 1000);
        want[1000] = 0;
        buf_init(&b, 2000);
        buf_char(&b, '<');
        buf_fmt(&b, "%s", want);
        buf_char(&b, '>');
        assert_int_equal(b.n, 1002);
        assert_memory_equal(b.p + 1, want, 1000);
        assert_int_equal(b.p[1001], '>');
        buf_fmt(&b, "%s", want);
        assert_true(b.over);
        assert_int_equal(b.n, 1002);
        buf_free(&b);
}

TEST(room_is_for_the_caller_to_fill) {
        struct buf b;
        char *to;

        buf_init(&b, 10000);
        buf_char(&b, 'a');
        to = buf_room(&b, 5000);
        assert_non_null(to);
        memset(to, 'b', 5000);
        b.n += 5000;
        assert_int_equal(b.p[5000], 'b');
        assert_null(buf_room(&b, 5000));
        assert_true(b.over);
        buf_free(&b);
}

TEST(no_length_can_wrap_the_bound) {
        struct buf b;

        buf_init(&b, SIZE_MAX);
        assert_true(b.max <= UINT32_MAX);
        buf_char(&b, 'a');
        assert_null(buf_room(&b, SIZE_MAX));
        buf_free(&b);
}

TEST(drop_forgets_the_front) {
        struct buf b;

        buf_init(&b, 100);
        buf_str(&b, "abcdef");
        buf_drop(&b, 0);
        buf_drop(&b, 2);
        assert_slice(buf_view(&b), "cdef");
        buf_drop(&b, 99);
        assert_int_equal(b.n, 0);
        buf_free(&b);
}

TEST(little_endian_whatever_the_machine) {
        static const unsigned char want[12] = { 4, 3, 2, 1, 0xf8, 7, 6, 5, 4, 3, 2, 0xf1 };
        struct buf b;

        buf_init(&b, 100);
        buf_le32(&b, 0x01020304);
        buf_le64(&b, UINT64_C(0xf1020304050607f8));
        assert_int_equal(b.n, 12);
        assert_memory_equal(b.p, want, 12);
        assert_true(get_le32(b.p) == 0x01020304);
        assert_true(get_le64(b.p + 4) == UINT64_C(0xf1020304050607f8));
        buf_free(&b);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_zero_value_is_empty_and_may_grow_to_nothing),
                cmocka_unit_test(appends_follow_each_other),
                cmocka_unit_test(integers_print_to_both_ends),
                cmocka_unit_test(over_the_maximum_nothing_is_written_ever_after),
                cmocka_unit_test(format_longer_than_its_small_buffer_is_whole),
                cmocka_unit_test(room_is_for_the_caller_to_fill),
                cmocka_unit_test(no_length_can_wrap_the_bound),
                cmocka_unit_test(drop_forgets_the_front),
                cmocka_unit_test(little_endian_whatever_the_machine),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
