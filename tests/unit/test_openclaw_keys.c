/* test_openclaw_keys.c - the operator's way to the OpenClaw gateway: a token, whom to believe, and one address. */
#include <fcntl.h>
#include <ftw.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl.h"
#include "files.h"
#include "keytree.h"
#include "pin.h"
#include "unit.h"

#define GOOD "0123456789abcdefghijklmn"

static char root[64], dir[80];
static struct ctl ctl;
static const struct command command = { .words = "openclaw", .args = "" };

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
        (void)st;
        (void)type;
        (void)ftw;
        return remove(path);
}

static int setup(void **state) {
        struct keytree t;
        int r;

        (void)state;
        snprintf(root, sizeof root, "%s/test_openclaw_keys.%s", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp",
                 "XXXX"
                 "XX");
        if (!mkdtemp(root))
                return -1;
        snprintf(dir, sizeof dir, "%s/keys", root);
        ctl = (struct ctl){ .keys = dir, .command = &command };
        r = keytree_open(&t, dir, true) == CTL_DONE && keytree_complete(&t) == CTL_DONE ? 0 : -1;
        keytree_close(&t);
        return r;
}

static int teardown(void **state) {
        (void)state;
        return nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Runs a command with `text` as its input. */
static int with_input(ctl_fn *run, int argc, char **argv, const char *text) {
        int saved = dup(STDIN_FILENO), pipe_fd[2], r;

        assert_int_equal(pipe(pipe_fd), 0);
        assert_int_equal(write(pipe_fd[1], text, strlen(text)), strlen(text));
        close(pipe_fd[1]);
        dup2(pipe_fd[0], STDIN_FILENO);
        close(pipe_fd[0]);
        r = run(&ctl, argc, argv);
        dup2(saved, STDIN_FILENO);
        close(saved);
        return r;
}

static const char *kept(const char *name) {
        static char text[8192];
        char path[128];
        int fd;
        ssize_t n;

        snprintf(path, sizeof path, "%s/openclaw/%s", dir, name);
        fd = open(path, O_RDONLY);
        n = read(fd, text, sizeof text - 1);
        close(fd);
        assert_true(n >= 0);
        text[n] = 0;
        return text;
}

TEST(a_token_is_kept_without_its_line_end_for_its_owner_alone) {
        struct stat st;
        char path[128];

        assert_int_equal(with_input(run_openclaw_set_token, 0, NULL, GOOD "\r\n"), CTL_DONE);
        assert_string_equal(kept("openclaw-token"), GOOD);
        snprintf(path, sizeof path, "%s/openclaw/openclaw-token", dir);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
}

TEST(what_is_no_token_is_refused_and_the_old_one_stays) {
        static const char *const bad[] = {
                "0123456789abcdefghijklm\n", GOOD " \n", GOOD "\n" GOOD "\n", GOOD "\t", GOOD "\xc3\xa4", (" " GOOD)
        };
        char long_one[600];

        assert_int_equal(with_input(run_openclaw_set_token, 0, NULL, GOOD), CTL_DONE);
        for (size_t i = 0; i < COUNT(bad); i++)
                assert_int_equal(with_input(run_openclaw_set_token, 0, NULL, bad[i]), CTL_FAILED);
        memset(long_one, 'x', sizeof long_one);
        long_one[513] = 0;
        assert_int_equal(with_input(run_openclaw_set_token, 0, NULL, long_one), CTL_FAILED);
        assert_string_equal(kept("openclaw-token"), GOOD);
        long_one[512] = 0;
        assert_int_equal(with_input(run_openclaw_set_token, 0, NULL, long_one), CTL_DONE);
        assert_int_equal(with_input(run_openclaw_set_token, 0, NULL, ""), CTL_DONE);
        assert_string_equal(kept("openclaw-token"), "");
}

/* A certificate that signs itself, as PEM; with its key, if that is asked for. */
static void make_pem(char to[static 8192], bool with_key) {
        EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
        X509 *x = X509_new();
        BIO *bio = BIO_new(BIO_s_mem());
        int n;

        assert_non_null(key);
        X509_gmtime_adj(X509_getm_notBefore(x), 0);
        X509_gmtime_adj(X509_getm_notAfter(x), 3600);
        X509_set_pubkey(x, key);
        assert_true(X509_sign(x, key, NULL) > 0);
        PEM_write_bio_X509(bio, x);
        if (with_key)
                PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
        n = BIO_read(bio, to, 8191);
        assert_true(n > 0);
        to[n] = 0;
        BIO_free(bio);
        X509_free(x);
        EVP_PKEY_free(key);
}

TEST(whom_to_believe_is_certificates_and_nothing_else) {
        char dash[] = "-", none[] = "/nowhere/at/all", *from_stdin[] = { dash }, *from_nowhere[] = { none };
        char good[8192], bad[8192 * 2];

        make_pem(good, false);
        snprintf(bad, sizeof bad, "%s%s", good, good);
        assert_int_equal(with_input(run_openclaw_set_ca, 1, from_stdin, bad), CTL_DONE);
        assert_string_equal(kept("openclaw-ca"), bad);
        bad[strlen(good) + 60] = '!';
        assert_int_equal(with_input(run_openclaw_set_ca, 1, from_stdin, bad), CTL_FAILED);
        assert_int_equal(with_input(run_openclaw_set_ca, 1, from_stdin, "trust me"), CTL_FAILED);
        make_pem(bad, true);
        assert_int_equal(with_input(run_openclaw_set_ca, 1, from_stdin, bad), CTL_FAILED);
        assert_int_equal(with_input(run_openclaw_set_ca, 0, NULL, good), CTL_USAGE);
        assert_int_equal(run_openclaw_set_ca(&ctl, 1, from_nowhere), CTL_FAILED);
        assert_int_equal(strncmp(kept("openclaw-ca"), good, strlen(good)), 0);
        assert_int_equal(with_input(run_openclaw_set_ca, 1, from_stdin, ""), CTL_DONE);
        assert_string_equal(kept("openclaw-ca"), "");
}

TEST(the_host_is_cut_out_of_an_address_as_it_is_written) {
        static const struct {
                const char *url, *host;
        } rows[] = {
                { "http://127.0.0.1:18911", "127.0.0.1" },
                { "https://ai.example", "ai.example" },
                { "https://ai.example/base", "ai.example" },
                { "http://[::1]:18911/x", "::1" },
                { "ftp://ai.example", NULL },
                { "127.0.0.1:18911", NULL },
                { "http://", NULL },
                { "http://[::1", NULL },
                { "http://user@ai.example", NULL },
        };
        char host[256];

        for (size_t i = 0; i < COUNT(rows); i++) {
                assert_int_equal(pin_host(rows[i].url, host), rows[i].host != NULL);
                if (rows[i].host)
                        assert_string_equal(host, rows[i].host);
        }
}

static bool pinned(const char *url, const char *line) {
        struct buf b;
        bool found;

        buf_init(&b, 8192);
        assert_int_equal(pin_conf(url, &b), CTL_DONE);
        /* whatever the unit allows is taken back first */
        assert_non_null(memmem(b.p, b.n, "\n[Service]\nIPAddressAllow=\n", 27));
        found = memmem(b.p, b.n, line, strlen(line));
        buf_free(&b);
        return found;
}

TEST(the_drop_in_allows_the_address_and_no_other) {
        struct buf b;

        assert_true(pinned("http://10.1.2.3:18911", "IPAddressAllow=\nIPAddressAllow=10.1.2.3\n"));
        assert_false(pinned("http://10.1.2.3:18911", "localhost"));
        assert_true(pinned("http://[fd00::5]:18911", "IPAddressAllow=fd00::5\n"));
        assert_false(pinned("", "IPAddressAllow=1"));
        assert_true(pinned("http://localhost:18911", "IPAddressAllow=localhost\n"));
        buf_init(&b, 8192);
        assert_int_equal(pin_conf("gopher://x", &b), CTL_FAILED);
        assert_int_equal(pin_conf("http://no-such-host.invalid", &b), CTL_FAILED);
        buf_free(&b);
}

TEST(the_drop_in_lands_in_a_folder_that_systemd_can_read) {
        char file[128], conf[128], option[] = "--file", *argv[] = { option, file };
        struct stat st;
        FILE *f;

        snprintf(conf, sizeof conf, "%s/gateway.conf", root);
        snprintf(file, sizeof file, "%s/lifeos-openclaw.service.d/10-address.conf", root);
        f = fopen(conf, "w");
        assert_non_null(f);
        fputs("openclaw_url = http://127.0.0.1:18911\n", f);
        fclose(f);
        ctl.config = conf;
        umask(077);
        assert_int_equal(run_openclaw_pin(&ctl, 2, argv), CTL_DONE);
        assert_int_equal(run_openclaw_pin(&ctl, 2, argv), CTL_DONE);
        assert_int_equal(stat(file, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0644);
        *strrchr(file, '/') = 0;
        assert_int_equal(stat(file, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0755);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(a_token_is_kept_without_its_line_end_for_its_owner_alone, setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(what_is_no_token_is_refused_and_the_old_one_stays, setup, teardown),
                cmocka_unit_test_setup_teardown(whom_to_believe_is_certificates_and_nothing_else, setup, teardown),
                cmocka_unit_test(the_host_is_cut_out_of_an_address_as_it_is_written),
                cmocka_unit_test(the_drop_in_allows_the_address_and_no_other),
                cmocka_unit_test_setup_teardown(the_drop_in_lands_in_a_folder_that_systemd_can_read, setup, teardown),
        };

        return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
