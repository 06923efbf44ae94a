/* test_keytree.c - the operator's keys: made once, never overwritten, told only to whom they concern, rotated safely. */
#include "keytree.h"

#include <fcntl.h>
#include <ftw.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cred.h"
#include "ctl.h"
#include "files.h"
#include "unit.h"

static char root[64], dir[80];
static struct keytree tree;

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
        (void)st;
        (void)type;
        (void)ftw;
        return remove(path);
}

static int setup(void **state) {
        (void)state;
        snprintf(root, sizeof root, "%s/test_keytree.%s", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp",
                 "XXXX"
                 "XX");
        if (!mkdtemp(root))
                return -1;
        snprintf(dir, sizeof dir, "%s/keys", root);
        return keytree_open(&tree, dir, true);
}

static int teardown(void **state) {
        (void)state;
        keytree_close(&tree);
        return nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* A file's text; static, one at a time for each of two slots. */
static const char *text_of(enum daemon_id kind, const char *name, int slot) {
        static char text[2][4096];
        struct buf b;

        buf_init(&b, sizeof text[0] - 1);
        assert_int_equal(file_read(tree.dir[kind], name, &b), 0);
        memcpy(text[slot], b.p ? b.p : "", b.n);
        text[slot][b.n] = 0;
        buf_free(&b);
        return text[slot];
}

static unsigned mode_of(enum daemon_id kind, const char *name) {
        struct stat st;

        assert_int_equal(fstatat(tree.dir[kind], name, &st, AT_SYMLINK_NOFOLLOW), 0);
        return st.st_mode & 07777;
}

static struct cred_ring ring_of(enum daemon_id kind) {
        struct cred_ring ring = { 0 };
        char credentials[128], why[256];

        snprintf(credentials, sizeof credentials, "%s/%s", dir, daemon_name(kind));
        setenv("CREDENTIALS_DIRECTORY", credentials, 1);
        if (cred_ring_load(&ring, why) != 0)
                fail_msg("%s: %s", daemon_name(kind), why);
        return ring;
}

static bool believes(enum daemon_id kind, enum daemon_id other, const unsigned char *pub) {
        struct cred_ring ring = ring_of(kind);
        bool known = false;

        for (unsigned i = 0; i < ring.peer[other].n_keys; i++)
                known = known || memcmp(ring.peer[other].keys[i], pub, 32) == 0;
        secret_wipe(&ring.sign);
        return known;
}

static void pub_of(enum daemon_id kind, unsigned char pub[32]) {
        struct cred_ring ring = ring_of(kind);

        memcpy(pub, ring.sign.p + 32, 32);
        secret_wipe(&ring.sign);
}

TEST(every_daemon_gets_a_key_that_only_its_acquaintances_believe) {
        static const struct {
                enum daemon_id who, whom;
        } arrows[] = {
                { FRONTEND, WEBHOOK }, { FRONTEND, WRITER },  { WEBHOOK, WRITER },    { CTL, WRITER },
                { CTL, ISSUER },       { RECONCILE, WRITER }, { FRONTEND, OPENCLAW }, { OPENCLAW, WRITER },
        };

        assert_int_equal(keytree_complete(&tree), CTL_DONE);
        for (enum daemon_id a = NOBODY + 1; a < DAEMON_COUNT; a++) {
                for (enum daemon_id b = NOBODY + 1; b < DAEMON_COUNT; b++) {
                        unsigned char pub[32];
                        bool friends = false;

                        for (size_t i = 0; i < COUNT(arrows); i++)
                                friends = friends || (arrows[i].who == a && arrows[i].whom == b) ||
                                          (arrows[i].who == b && arrows[i].whom == a);
                        pub_of(b, pub);
                        assert_int_equal(believes(a, b, pub), friends);
                }
        }
}

TEST(secrets_are_for_their_owner_alone) {
        struct stat st;

        assert_int_equal(keytree_complete(&tree), CTL_DONE);
        for (enum daemon_id k = NOBODY + 1; k < DAEMON_COUNT; k++) {
                assert_int_equal(mode_of(k, "peer-key"), 0400);
                assert_int_equal(mode_of(k, "peers"), 0600);
                assert_int_equal(fstat(tree.dir[k], &st), 0);
                assert_int_equal(st.st_mode & 07777, 0700);
        }
        assert_int_equal(mode_of(ISSUER, "issuer-key"), 0400);
        assert_null(strstr(text_of(FRONTEND, "issuer-pub", 0), text_of(ISSUER, "issuer-key", 1) + 17));
}

TEST(a_second_run_changes_nothing) {
        const char *files[] = { "peer-key", "peers" };
        char before[DAEMON_COUNT][2][4096], pub[4096];

        assert_int_equal(keytree_complete(&tree), CTL_DONE);
        for (enum daemon_id k = NOBODY + 1; k < DAEMON_COUNT; k++)
                for (size_t f = 0; f < COUNT(files); f++)
                        strcpy(before[k][f], text_of(k, files[f], 0));
        strcpy(pub, text_of(FRONTEND, "issuer-pub", 0));
        assert_int_equal(keytree_complete(&tree), CTL_DONE);
        for (enum daemon_id k = NOBODY + 1; k < DAEMON_COUNT; k++)
                for (size_t f = 0; f < COUNT(files); f++)
                        assert_string_equal(before[k][f], text_of(k, files[f], 0));
        assert_string_equal(pub, text_of(FRONTEND, "issuer-pub", 0));
}

TEST(a_lost_key_is_made_again_and_what_the_operator_put_there_stays) {
        unsigned char pub[32];

        assert_int_equal(keytree_complete(&tree), CTL_DONE);
        assert_int_equal(file_replace(tree.dir[WEBHOOK], "livekit-keys", SLICE("key secret\n"), 0400), 0);
        assert_int_equal(file_replace(tree.dir[FRONTEND], "jwks", SLICE("{\"keys\":[1]}"), 0600), 0);
        assert_int_equal(file_replace(tree.dir[OPENCLAW], "openclaw-token", SLICE("secret"), 0600), 0);
        assert_int_equal(unlinkat(tree.dir[WRITER], "peer-key", 0), 0);
        assert_int_equal(keytree_complete(&tree), CTL_DONE);
        assert_string_equal(text_of(WEBHOOK, "livekit-keys", 0), "key secret\n");
        assert_string_equal(text_of(FRONTEND, "jwks", 0), "{\"keys\":[1]}");
        assert_string_equal(text_of(OPENCLAW, "openclaw-token", 0), "secret");
        pub_of(WRITER, pub);
        assert_true(believes(FRONTEND, WRITER, pub));
}

TEST(a_daemon_that_an_upgrade_brings_gets_a_key_and_is_believed) {
        static const enum daemon_id brought[] = { RECONCILE, OPENCLAW };
        unsigned char pub[32], writer[32];
        char old[sizeof dir + 16];

        assert_int_equal(keytree_complete(&tree), CTL_DONE);
        pub_of(WRITER, writer);
        for (size_t i = 0; i < COUNT(brought); i++) {
                keytree_close(&tree);
                snprintf(old, sizeof old, "%s/%s", dir, daemon_name(brought[i]));
                assert_int_equal(nftw(old, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
                assert_int_equal(keytree_open(&tree, dir, false), CTL_DONE);
                assert_int_equal(keytree_complete(&tree), CTL_DONE);
                pub_of(brought[i], pub);
                assert_true(believes(WRITER, brought[i], pub));
                assert_true(believes(brought[i], WRITER, writer));
        }
        assert_string_equal(text_of(OPENCLAW, "openclaw-token", 0), "");
        assert_string_equal(text_of(OPENCLAW, "openclaw-ca", 0), "");
}

TEST(an_upgrade_brings_the_key_that_signs_usage_and_a_rotated_one_signs_first) {
        char first[400];

        assert_int_equal(keytree_complete(&tree), CTL_DONE);
        assert_int_equal(unlinkat(tree.dir[WRITER], "billing-key", 0), 0);
        assert_int_equal(keytree_complete(&tree), CTL_DONE);
        assert_int_equal(mode_of(WRITER, "billing-key"), 0400);
        (void)snprintf(first, sizeof first, "%s", text_of(WRITER, "billing-key", 0));
        assert_int_equal(strlen(first), 3 + 16 + 1 + 64 + 1 + 64 + 1);
        assert_int_equal(keytree_complete(&tree), CTL_DONE);
        assert_string_equal(text_of(WRITER, "billing-key", 0), first);
        assert_int_equal(billing_file_rotate(&tree, false), CTL_DONE);
        assert_string_equal(text_of(WRITER, "billing-key", 0) + strlen(first), first);
        assert_memory_not_equal(text_of(WRITER, "billing-key", 0), first, 3 + 16);
        assert_int_equal(billing_file_rotate(&tree, true), CTL_DONE);
        assert_int_equal(strlen(text_of(WRITER, "billing-key", 0)), strlen(first));
        assert_null(strstr(text_of(WRITER, "billing-key", 0), first));
}

TEST(a_rotated_key_and_the_one_before_it_are_believed_unless_it_is_to_be_forgotten) {
        unsigned char first[32], second[32], third[32];

        assert_int_equal(keytree_complete(&tree), CTL_DONE);
        pub_of(WRITER, first);
        assert_int_equal(keytree_rotate_peer(&tree, WRITER, false), CTL_DONE);
        pub_of(WRITER, second);
        assert_memory_not_equal(first, second, 32);
        assert_true(believes(FRONTEND, WRITER, first) && believes(FRONTEND, WRITER, second));
        assert_int_equal(keytree_complete(&tree), CTL_DONE);
        assert_true(believes(CTL, WRITER, first) && believes(CTL, WRITER, second));
        assert_int_equal(keytree_rotate_peer(&tree, WRITER, true), CTL_DONE);
        pub_of(WRITER, third);
        assert_false(believes(FRONTEND, WRITER, first) || believes(FRONTEND, WRITER, second));
        assert_true(believes(FRONTEND, WRITER, third));
}

static unsigned lines_in(const char *text) {
        unsigned n = 0;

        for (; *text; text++)
                n += *text == '\n';
        return n;
}

TEST(frontends_believe_two_generations_of_the_issuer) {
        char first[128], second[128];

        assert_int_equal(keytree_complete(&tree), CTL_DONE);
        strcpy(first, text_of(FRONTEND, "issuer-pub", 0));
        assert_int_equal(lines_in(first), 1);
        assert_int_equal(token_key_rotate(&tree, false), CTL_DONE);
        assert_int_equal(lines_in(text_of(FRONTEND, "issuer-pub", 0)), 2);
        assert_non_null(strstr(text_of(FRONTEND, "issuer-pub", 0), first));
        snprintf(second, sizeof second, "%.82s", text_of(FRONTEND, "issuer-pub", 0));
        assert_string_not_equal(first, second);
        assert_memory_equal(text_of(ISSUER, "issuer-key", 0), second, 17); /* the same name on both sides */
        assert_int_equal(token_key_rotate(&tree, false), CTL_DONE);
        assert_int_equal(lines_in(text_of(FRONTEND, "issuer-pub", 0)), 2);
        assert_non_null(strstr(text_of(FRONTEND, "issuer-pub", 0), second));
        assert_null(strstr(text_of(FRONTEND, "issuer-pub", 0), first));
        assert_int_equal(token_key_complete(&tree), CTL_DONE);
        assert_int_equal(lines_in(text_of(FRONTEND, "issuer-pub", 0)), 2);
        assert_int_equal(token_key_rotate(&tree, true), CTL_DONE);
        assert_int_equal(lines_in(text_of(FRONTEND, "issuer-pub", 0)), 1);
}

TEST(a_rotation_that_was_cut_short_is_put_right_by_init) {
        char now[4096];

        assert_int_equal(keytree_complete(&tree), CTL_DONE);
        /* The new public half was told, and the power failed before the new private half was there. */
        snprintf(now, sizeof now, "%s", text_of(FRONTEND, "issuer-pub", 0));
        assert_int_equal(file_replace(tree.dir[FRONTEND], "issuer-pub", SLICE("0123456789abcdef 00\n"), 0600), 0);
        assert_int_equal(keytree_complete(&tree), CTL_DONE);
        assert_int_equal(strncmp(text_of(FRONTEND, "issuer-pub", 0), now, strlen(now)), 0);
}

TEST(a_tree_made_for_the_caller_stays_the_callers) {
        char before[4096];

        assert_int_equal(keytree_complete(&tree), CTL_DONE);
        strcpy(before, text_of(WRITER, "peers", 0));
        keytree_close(&tree);
        assert_int_equal(keytree_open(&tree, dir, false), CTL_DONE);
        assert_int_equal(keytree_complete(&tree), CTL_DONE);
        assert_string_equal(text_of(WRITER, "peers", 0), before);
}

TEST(a_damaged_key_stops_everything_and_is_not_replaced) {
        assert_int_equal(keytree_complete(&tree), CTL_DONE);
        assert_int_equal(file_replace(tree.dir[ISSUER], "issuer-key", SLICE("half a li"), 0400), 0);
        assert_int_equal(keytree_complete(&tree), CTL_FAILED);
        assert_string_equal(text_of(ISSUER, "issuer-key", 0), "half a li");
        assert_int_equal(unlinkat(tree.dir[ISSUER], "issuer-key", 0), 0);
        assert_int_equal(file_replace(tree.dir[WRITER], "peer-key", SLICE("zz"), 0400), 0);
        assert_int_equal(keytree_complete(&tree), CTL_FAILED);
        assert_string_equal(text_of(WRITER, "peer-key", 0), "zz");
}

TEST(two_operators_do_not_change_one_tree_at_once) {
        struct keytree other;

        assert_int_equal(keytree_open(&other, dir, true), CTL_FAILED);
        keytree_close(&other);
}

TEST(a_link_put_in_the_way_is_not_followed) {
        char victim[96];

        snprintf(victim, sizeof victim, "%s/victim", root);
        assert_int_equal(symlinkat(victim, tree.dir[WRITER], "peer-key"), 0);
        assert_int_equal(keytree_complete(&tree), CTL_FAILED); /* there is something, and it is no key */
        assert_int_equal(access(victim, F_OK), -1);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(every_daemon_gets_a_key_that_only_its_acquaintances_believe, setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(secrets_are_for_their_owner_alone, setup, teardown),
                cmocka_unit_test_setup_teardown(a_second_run_changes_nothing, setup, teardown),
                cmocka_unit_test_setup_teardown(a_lost_key_is_made_again_and_what_the_operator_put_there_stays, setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(a_daemon_that_an_upgrade_brings_gets_a_key_and_is_believed, setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(
                        a_rotated_key_and_the_one_before_it_are_believed_unless_it_is_to_be_forgotten, setup,
                        teardown),
                cmocka_unit_test_setup_teardown(frontends_believe_two_generations_of_the_issuer, setup, teardown),
                cmocka_unit_test_setup_teardown(a_rotation_that_was_cut_short_is_put_right_by_init, setup, teardown),
                cmocka_unit_test_setup_teardown(
                        an_upgrade_brings_the_key_that_signs_usage_and_a_rotated_one_signs_first, setup, teardown),
                cmocka_unit_test_setup_teardown(a_tree_made_for_the_caller_stays_the_callers, setup, teardown),
                cmocka_unit_test_setup_teardown(a_damaged_key_stops_everything_and_is_not_replaced, setup, teardown),
                cmocka_unit_test_setup_teardown(two_operators_do_not_change_one_tree_at_once, setup, teardown),
                cmocka_unit_test_setup_teardown(a_link_put_in_the_way_is_not_followed, setup, teardown),
        };

        return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
