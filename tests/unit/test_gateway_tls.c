/* test_gateway_tls - whose certificate is trusted, for which name; any other ends by its own status, and hears nothing
 * of the request. */
#include "gateway_rig.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

static struct asked asked;
static struct tls_server {
        int fd;
        unsigned port, accepted, shaken, requests;
        ev_io accept;
        SSL_CTX *ctx;
        struct tls_conn {
                int fd;
                SSL *ssl;
                ev_io io;
                char in[8192];
                size_t n;
                bool over;
        } conn[8];
} tls;

static void tls_step(struct tls_conn *c) {
        static const char answer[] = SSE_HEAD GOOD;
        if (!SSL_is_init_finished(c->ssl)) {
                int r = SSL_accept(c->ssl);
                if (r != 1) {
                        int e = SSL_get_error(c->ssl, r);
                        c->over = e != SSL_ERROR_WANT_READ && e != SSL_ERROR_WANT_WRITE;
                        return;
                }
                tls.shaken++;
        }
        int n = SSL_read(c->ssl, c->in + c->n, (int)(sizeof c->in - c->n - 1));
        if (n <= 0) {
                c->over = SSL_get_error(c->ssl, n) != SSL_ERROR_WANT_READ;
                return;
        }
        c->n += (size_t)n;
        if (memmem(c->in, c->n, "\"input\"", 7) == NULL)
                return;
        tls.requests++;
        (void)SSL_write(c->ssl, answer, (int)sizeof answer - 1);
        (void)SSL_shutdown(c->ssl);
        c->over = true;
}

static void on_tls(struct ev_loop *l, ev_io *w, int revents) {
        struct tls_conn *c = w->data;
        (void)revents;
        tls_step(c);
        if (!c->over)
                return;
        ev_io_stop(l, w);
        SSL_free(c->ssl);
        (void)close(c->fd);
        c->fd = -1;
}

static void on_tls_accept(struct ev_loop *l, ev_io *w, int revents) {
        int fd = accept4(w->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        (void)revents;
        if (fd < 0)
                return;
        assert_true(tls.accepted < COUNT(tls.conn));
        struct tls_conn *c = &tls.conn[tls.accepted++];
        *c = (struct tls_conn){ .fd = fd, .ssl = SSL_new(tls.ctx) };
        assert_non_null(c->ssl);
        assert_int_equal(SSL_set_fd(c->ssl, fd), 1);
        ev_io_init(&c->io, on_tls, fd, EV_READ);
        c->io.data = c;
        ev_io_start(l, &c->io);
}

/* A self-signed certificate for the name, its PEM in `pem`; from and to in seconds from now. */
static void certify(const char *name, long from, long to, struct buf *pem) {
        EVP_PKEY *key = EVP_EC_gen("P-256");
        X509 *x = X509_new();
        X509_EXTENSION *alt = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, name);
        BIO *text = BIO_new(BIO_s_mem());
        char *p = NULL;
        assert_true(key != NULL && x != NULL && alt != NULL && text != NULL);
        X509_NAME *subject = X509_get_subject_name(x);
        (void)X509_set_version(x, 2);
        (void)ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
        (void)X509_gmtime_adj(X509_getm_notBefore(x), from);
        (void)X509_gmtime_adj(X509_getm_notAfter(x), to);
        (void)X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)"a test", -1, -1, 0);
        (void)X509_set_issuer_name(x, subject);
        (void)X509_set_pubkey(x, key);
        (void)X509_add_ext(x, alt, -1);
        assert_true(X509_sign(x, key, EVP_sha256()) > 0);
        assert_int_equal(PEM_write_bio_X509(text, x), 1);
        long n = BIO_get_mem_data(text, &p);
        buf_init(pem, 16384);
        buf_add(pem, p, (size_t)n);
        buf_char(pem, '\0');
        tls.ctx = SSL_CTX_new(TLS_server_method());
        assert_non_null(tls.ctx);
        assert_int_equal(SSL_CTX_use_certificate(tls.ctx, x), 1);
        assert_int_equal(SSL_CTX_use_PrivateKey(tls.ctx, key), 1);
        BIO_free(text);
        X509_EXTENSION_free(alt);
        X509_free(x);
        EVP_PKEY_free(key);
}

enum { OUR_CA, SYSTEM_CA, PLAIN };

static void world(const char *host, const char *name, long from, long to, int trusts) {
        struct buf pem;
        char settings[256];
        loop = ev_default_loop(EVFLAG_AUTO);
        tls = (struct tls_server){ .fd = -1 };
        asked = (struct asked){ 0 };
        certify(name, from, to, &pem);
        tls.fd = listen_on(&tls.port);
        ev_io_init(&tls.accept, on_tls_accept, tls.fd, EV_READ);
        ev_io_start(loop, &tls.accept);
        (void)snprintf(settings, sizeof settings, "openclaw_url = %s://%s:%u\n", trusts == PLAIN ? "http" : "https",
                       host, tls.port);
        rig_open(settings);
        if (trusts == OUR_CA)
                put_file("openclaw-ca", pem.p);
        buf_free(&pem);
        gateway = gateway_new(loop);
        ASK(&asked);
        until(asked.ends > 0);
}

static int teardown(void **state) {
        (void)state;
        gateway_free(gateway);
        gateway = NULL;
        for (unsigned i = 0; i < tls.accepted; i++) {
                struct tls_conn *c = &tls.conn[i];
                if (c->fd < 0)
                        continue;
                ev_io_stop(loop, &c->io);
                SSL_free(c->ssl);
                (void)close(c->fd);
        }
        ev_io_stop(loop, &tls.accept);
        (void)close(tls.fd);
        SSL_CTX_free(tls.ctx);
        rig_close();
        return 0;
}

TEST(a_certificate_the_operator_trusts_is_spoken_to) {
        world("127.0.0.1", "IP:127.0.0.1", -60, 3600, OUR_CA);
        assert_int_equal(asked.status, STATUS_OK);
        assert_string_equal(asked.ended, "Thanks Ada.");
}

TEST(a_name_is_resolved_once_and_checked_against_the_certificate) {
        world("localhost", "DNS:localhost", -60, 3600, OUR_CA);
        assert_int_equal(asked.status, STATUS_OK);
}

static void refused(void) {
        assert_int_equal(asked.status, STATUS_AI_TLS_FAILED);
        assert_int_equal(tls.requests, 0);
        assert_int_equal(tls.accepted, 1); /* and it is not tried again */
        assert_string_equal(asked.ended, "");
}

TEST(a_certificate_for_another_name_is_refused) {
        world("127.0.0.1", "DNS:gateway.example", -60, 3600, OUR_CA);
        refused();
}

TEST(an_expired_certificate_is_refused) {
        world("127.0.0.1", "IP:127.0.0.1", -7200, -3600, OUR_CA);
        refused();
}

TEST(a_certificate_nobody_vouches_for_is_refused) {
        if (access("/etc/ssl/certs/ca-certificates.crt", R_OK) != 0)
                skip();
        world("127.0.0.1", "IP:127.0.0.1", -60, 3600, SYSTEM_CA);
        refused();
}

TEST(plain_http_to_a_tls_port_ends_without_an_answer) {
        world("127.0.0.1", "IP:127.0.0.1", -60, 3600, PLAIN);
        assert_true(asked.status == STATUS_AI_UNREACHABLE || asked.status == STATUS_AI_GARBLED);
        assert_int_equal(tls.shaken, 0);
}

static int teardown_server(void **state) {
        (void)state;
        world_stop();
        return 0;
}

TEST(a_server_that_speaks_no_tls_fails_by_its_own_status) {
        char settings[128];
        loop = ev_default_loop(EVFLAG_AUTO);
        asked = (struct asked){ 0 };
        server_start();
        server.otherwise.bytes = SLICE("HTTP/1.1 400 Bad Request\r\n\r\n");
        server.otherwise.deaf = true;
        (void)snprintf(settings, sizeof settings, "openclaw_url = https://127.0.0.1:%u\n", server.port);
        rig_open(settings);
        put_file("openclaw-ca", "");
        gateway = gateway_new(loop);
        ASK(&asked);
        until(asked.ends > 0);
        assert_int_equal(asked.status, STATUS_AI_TLS_FAILED);
}

int main(void) {
        const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_teardown(name, teardown)
                T(a_certificate_the_operator_trusts_is_spoken_to),
                T(a_name_is_resolved_once_and_checked_against_the_certificate),
                T(a_certificate_for_another_name_is_refused),
                T(an_expired_certificate_is_refused),
                T(a_certificate_nobody_vouches_for_is_refused),
                T(plain_http_to_a_tls_port_ends_without_an_answer),
                cmocka_unit_test_teardown(a_server_that_speaks_no_tls_fails_by_its_own_status, teardown_server),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
