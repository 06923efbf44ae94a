/* test_arena.c - allocations are zeroed, aligned, bounded together and gone together. */
#include "arena.h"
#include "unit.h"

static bool zero(const unsigned char *p, size_t n) {
        for (size_t i = 0; i < n; i++)
                if (p[i])
                        return false;
        return true;
}

TEST(memory_is_zeroed_and_aligned_also_when_reused) {
        struct arena a;
        uint64_t seed = 3;

        arena_init(&a, 4u << 20);
        for (int round = 0; round < 20; round++) {
                for (int i = 0; i < 100; i++) {
                        size_t n = dice(&seed, i % 10 ? 200 : 20000);
                        unsigned char *p = arena_alloc(&a, n);

                        assert_non_null(p);
                        assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
                        assert_true(zero(p, n));
                        memset(p, 0xee, n);
                }
                arena_reset(&a);
                assert_int_equal(a.used, 0);
        }
        arena_free(&a);
}

TEST(allocations_do_not_overlap) {
        unsigned char *p[300];
        struct arena a;

        arena_init(&a, 4u << 20);
        for (unsigned i = 0; i < 300; i++) {
                p[i] = arena_alloc(&a, i * 7);
                assert_non_null(p[i]);
                memset(p[i], (int)(i & 0xff), i * 7);
        }
        for (unsigned i = 0; i < 300; i++)
                for (unsigned k = 0; k < i * 7; k++)
                        assert_int_equal(p[i][k], i & 0xff);
        arena_free(&a);
}

TEST(the_maximum_covers_all_allocations_together) {
        struct arena a;

        arena_init(&a, 1000);
        assert_non_null(arena_alloc(&a, 600));
        assert_null(arena_alloc(&a, 600));
        assert_non_null(arena_alloc(&a, 300));
        assert_null(arena_alloc(&a, SIZE_MAX));
        assert_null(arena_alloc(&a, SIZE_MAX - 7));
        arena_reset(&a);
        assert_non_null(arena_alloc(&a, 960));
        arena_free(&a);
        assert_int_equal(a.used, 0);
        assert_non_null(arena_alloc(&a, 960));
        arena_free(&a);
}

TEST(copies_end_in_a_nul) {
        struct arena a;

        arena_init(&a, 100);
        assert_string_equal(arena_copy(&a, SLICE("text")), "text");
        assert_string_equal(arena_copy(&a, slice_of(NULL)), "");
        assert_null(arena_copy(&a, ((struct slice){ "", UINT32_MAX })));
        arena_free(&a);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(memory_is_zeroed_and_aligned_also_when_reused),
                cmocka_unit_test(allocations_do_not_overlap),
                cmocka_unit_test(the_maximum_covers_all_allocations_together),
                cmocka_unit_test(copies_end_in_a_nul),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
