/* test_rate.c - a bucket of n a minute gives n at once, then one every n-th of a minute, in bounded memory. */
#include "rate_table.h"
#include "unit.h"

#define SECOND INT64_C(1000000000)
#define MINUTE (60 * SECOND)

static struct rate_table table;

static bool take(const char *key, int64_t limit, int64_t now) {
        if (rate_ask(&table, key, strlen(key), limit, now) > 0)
                return false;
        rate_charge(&table, key, strlen(key), limit, now);
        return true;
}

TEST(a_full_bucket_gives_its_limit_at_once) {
        static const int64_t limits[] = { 1, 2, 7, 300, 100000000 };
        for (size_t i = 0; i < COUNT(limits); i++) {
                char key[16];
                int64_t now = 1000 * MINUTE, given = 0, most = limits[i] < 5000 ? limits[i] : 5000;
                snprintf(key, sizeof key, "full %zu", i);
                while (given < most && take(key, limits[i], now))
                        given++;
                assert_int_equal(given, most);
                if (limits[i] == most)
                        assert_false(take(key, limits[i], now));
        }
}

TEST(it_refills_evenly_and_says_when) {
        int64_t now = 2000 * MINUTE;
        while (take("even", 6, now)) /* one every 10 s */
                ;
        assert_int_equal(rate_ask(&table, "even", 4, 6, now), 10);
        assert_int_equal(rate_ask(&table, "even", 4, 6, now + 9 * SECOND + SECOND / 2), 1);
        assert_true(take("even", 6, now + 10 * SECOND));
        assert_false(take("even", 6, now + 10 * SECOND));
        assert_int_equal(rate_ask(&table, "even", 4, 6, now + 10 * SECOND), 10);
        unsigned given = 0;
        while (take("even", 6, now + 10 * MINUTE)) /* idle: full again, and no fuller */
                given++;
        assert_int_equal(given, 6);
}

TEST(asking_costs_nothing_and_keys_do_not_touch_each_other) {
        int64_t now = 3000 * MINUTE;
        for (unsigned i = 0; i < 100; i++)
                assert_int_equal(rate_ask(&table, "asked", 5, 1, now), 0);
        assert_true(take("one", 1, now));
        assert_false(take("one", 1, now));
        assert_true(take("two", 1, now));
}

TEST(charging_beyond_the_limit_has_an_end) {
        int64_t now = 4000 * MINUTE;
        for (unsigned i = 0; i < 10000; i++)
                rate_charge(&table, "flood", 5, 10, now);
        assert_true(rate_ask(&table, "flood", 5, 10, now) <= 120);
        assert_int_equal(rate_ask(&table, "flood", 5, 10, now + 2 * MINUTE), 0);
}

TEST(more_keys_than_entries_do_not_grow_it_nor_free_the_guilty) {
        int64_t now = 5000 * MINUTE;
        unsigned free_again = 0;
        while (take("guilty", 100, now))
                ;
        for (unsigned i = 0; i < 2 * RATE_ENTRIES; i++) {
                char key[16];
                snprintf(key, sizeof key, "s%u", i);
                take(key, 100, now);
                free_again += rate_ask(&table, "guilty", 6, 100, now) == 0;
        }
        assert_int_equal(free_again, 0); /* strangers displace who is closer to full */
}

static int start(void **state) {
        (void)state;
        rate_table_init(&table);
        return 0;
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_full_bucket_gives_its_limit_at_once),
                cmocka_unit_test(it_refills_evenly_and_says_when),
                cmocka_unit_test(asking_costs_nothing_and_keys_do_not_touch_each_other),
                cmocka_unit_test(charging_beyond_the_limit_has_an_end),
                cmocka_unit_test(more_keys_than_entries_do_not_grow_it_nor_free_the_guilty),
        };
        return cmocka_run_group_tests(tests, start, NULL);
}
