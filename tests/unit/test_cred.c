/* test_cred - credentials come from one directory, whole or not at all; the ring refuses what it does not understand. */
#include "unit.h"

#include <errno.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cred.h"

#define SEED "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60" /* RFC 8032, 7.1, test 1 */
#define KEY1 "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
#define KEY2 "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"

static char dir[64];

static void put(const char *name, const char *text) {
        char path[128];
        (void)snprintf(path, sizeof path, "%s/%s", dir, name);
        FILE *f = fopen(path, "w");
        assert_non_null(f);
        assert_true(fputs(text, f) >= 0);
        assert_int_equal(fclose(f), 0);
}

static int setup(void **state) {
        (void)state;
        (void)snprintf(dir, sizeof dir, "/tmp/lifeos-cred-XXXXXX");
        return mkdtemp(dir) == NULL || setenv("CREDENTIALS_DIRECTORY", dir, 1) != 0;
}

static int teardown(void **state) {
        static const char *const names[] = { "peer-key", "peers", "big", "empty" };
        char path[128];
        (void)state;
        for (size_t i = 0; i < COUNT(names); i++) {
                (void)snprintf(path, sizeof path, "%s/%s", dir, names[i]);
                (void)unlink(path);
        }
        return rmdir(dir);
}

TEST(a_credential_is_read_whole) {
        struct secret s;
        put("big", "hello");
        assert_int_equal(cred_read("big", 5, &s), 0);
        assert_int_equal(s.n, 5);
        assert_memory_equal(s.p, "hello", 5);
        secret_wipe(&s);
        assert_null(s.p);
        secret_wipe(&s);
        secret_wipe(NULL);
}

TEST(an_empty_credential_is_one) {
        struct secret s;
        put("empty", "");
        assert_int_equal(cred_read("empty", 5, &s), 0);
        assert_int_equal(s.n, 0);
        secret_wipe(&s);
}

TEST(a_credential_over_its_bound_is_refused) {
        struct secret s;
        put("big", "hello!");
        assert_int_equal(cred_read("big", 5, &s), -1);
        assert_int_equal(errno, EFBIG);
}

TEST(a_missing_credential_is_told_apart) {
        struct secret s;
        assert_int_equal(cred_read("none", 5, &s), 1);
        (void)unsetenv("CREDENTIALS_DIRECTORY");
        assert_int_equal(cred_read("none", 5, &s), 1);
        (void)setenv("CREDENTIALS_DIRECTORY", dir, 1);
}

TEST(a_directory_is_no_credential) {
        struct secret s;
        assert_int_equal(cred_read(".", 5000, &s), -1);
}

TEST(the_ring_holds_our_key_and_the_peers) {
        struct cred_ring ring;
        unsigned char public[32], want[32];
        char why[256] = "";
        put("peer-key", SEED "\n");
        put("peers", "# who may speak\n\nwriter 1234 " KEY1 "\n  frontend\troot  " KEY2 "  \nwriter 1234 " KEY2 "\n");
        assert_int_equal(cred_ring_load(&ring, why), 0);
        assert_int_equal(ring.sign.n, 64);
        assert_true(text_unhex(SLICE(KEY1), want, 32));
        assert_int_equal(crypto_sign_ed25519_sk_to_pk(public, ring.sign.p), 0);
        assert_memory_equal(public, want, 32);
        assert_int_equal(ring.peer[WRITER].uid, 1234);
        assert_int_equal(ring.peer[WRITER].n_keys, 2);
        assert_memory_equal(ring.peer[WRITER].keys[0], want, 32);
        assert_int_equal(ring.peer[FRONTEND].uid, 0);
        assert_int_equal(ring.peer[FRONTEND].n_keys, 1);
        assert_int_equal(ring.peer[WEBHOOK].n_keys, 0);
        secret_wipe(&ring.sign);
}

TEST(a_broken_seed_is_refused) {
        static const char *const seeds[] = { "", "00", SEED "00", "x" SEED, SEED " " SEED };
        struct cred_ring ring;
        char why[256];
        put("peers", "writer 1 " KEY1 "\n");
        for (size_t i = 0; i < COUNT(seeds); i++) {
                put("peer-key", seeds[i]);
                why[0] = '\0';
                assert_int_equal(cred_ring_load(&ring, why), -1);
                assert_non_null(strstr(why, "peer-key"));
        }
}

TEST(a_broken_peer_names_its_line) {
        static const char *const lines[] = {
                "nobody 1 " KEY1,
                "teapot 1 " KEY1,
                "writer",
                "writer 1",
                "writer 1 abcd",
                "writer 1 " KEY1 " more",
                "writer -1 " KEY1,
                "writer 4294967295 " KEY1,
                "writer no-such-user-here " KEY1,
                "writer 1 " KEY1 "\nwriter 2 " KEY2,
                "writer 1 " KEY1 "\nwriter 1 " KEY1 "\nwriter 1 " KEY1 "\nwriter 1 " KEY1 "\nwriter 1 " KEY1,
        };
        struct cred_ring ring;
        char why[256];
        put("peer-key", SEED);
        for (size_t i = 0; i < COUNT(lines); i++) {
                put("peers", lines[i]);
                why[0] = '\0';
                assert_int_equal(cred_ring_load(&ring, why), -1);
                assert_non_null(strstr(why, "peers, line "));
        }
}

TEST(kinds_have_names) {
        assert_string_equal(cred_kind_name(FRONTEND), "frontend");
        assert_string_equal(cred_kind_name(DAEMON_COUNT), "nobody");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_credential_is_read_whole),
                cmocka_unit_test(an_empty_credential_is_one),
                cmocka_unit_test(a_credential_over_its_bound_is_refused),
                cmocka_unit_test(a_missing_credential_is_told_apart),
                cmocka_unit_test(a_directory_is_no_credential),
                cmocka_unit_test(the_ring_holds_our_key_and_the_peers),
                cmocka_unit_test(a_broken_seed_is_refused),
                cmocka_unit_test(a_broken_peer_names_its_line),
                cmocka_unit_test(kinds_have_names),
        };
        return cmocka_run_group_tests(tests, setup, teardown);
}
