/* test_proxy.c - the PROXY v2 header believed exactly as specified, and only on its own socket. */
#include "http_rig.h"
#include "proxy.h"

#define SIG "\r\n\r\n\0\r\nQUIT\n"

static ptrdiff_t parse(struct slice s, char address[static 46]) {
        struct slice copy = exact(s); /* a sanitizer sees one byte too far */
        memset(address, '?', 45);
        address[45] = '\0';
        ptrdiff_t n = proxy_parse(copy, address);
        exact_free(copy);
        return n;
}

static const struct {
        struct slice bytes;
        const char *address;
} good[] = {
        { { SIG "\x21\x11\0\x0c\xc0\0\x02\x01\x7f\0\0\x01\x30\x39\0\x50", 28 }, "192.0.2.1" },
        { { SIG "\x21\x11\0\x13\xc0\0\x02\x01\x7f\0\0\x01\x30\x39\0\x50\x01\0\x04http", 35 }, "192.0.2.1" },
        { { SIG "\x21\x21\0\x24\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02"
                "\x30\x39\x01\xbb",
            52 },
          "2001:db8::1" },
        { { SIG "\x21\x21\0\x24\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\x02\x07\0\0\0\0\0\0\0\0\0\0\xff\xff\x7f\0\0\x01"
                "\x30\x39\x01\xbb",
            52 },
          "192.0.2.7" },
        { { SIG "\x20\0\0\0", 16 }, "" }, /* LOCAL: a health check */
        { { SIG "\x20\x11\0\x0c\xc0\0\x02\x01\x7f\0\0\x01\x30\x39\0\x50", 28 }, "" },
        { { SIG "\x21\0\0\x05?????", 21 }, "" }, /* the proxy does not know */
};

TEST(headers_are_read_and_every_truncation_waits) {
        char address[46];
        for (size_t i = 0; i < COUNT(good); i++) {
                struct slice s = good[i].bytes;
                assert_int_equal(parse(s, address), s.n);
                assert_string_equal(address, good[i].address);
                for (uint32_t n = 0; n < s.n; n++)
                        assert_int_equal(parse((struct slice){ s.p, n }, address), 0);
        }
}

TEST(anything_else_is_refused) {
        static const struct slice bad[] = {
                { "GET / HTTP/1.1\r\n", 16 },
                { "PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\n", 32 },
                { "\r\n\r\nG", 5 },
                { SIG "\x11\x11\0\x0c", 16 }, /* version 1 */
                { SIG "\x22\x11\0\x0c", 16 }, /* unknown command */
                { SIG "\x21\x12\0\x0c", 16 }, /* UDP */
                { SIG "\x21\x31\0\xd8", 16 }, /* unix */
                { SIG "\x21\x11\0\x0b", 16 }, /* too short for its addresses */
                { SIG "\x21\x21\0\x23", 16 },
                { SIG "\x21\x11\x02\x09", 16 }, /* 521 + 16 bytes */
                { SIG "\x21\x11\xff\xff", 16 },
                { SIG "\x21\x11\0\x0e\xc0\0\x02\x01\x7f\0\0\x01\x30\x39\0\x50\x01\0", 30 },      /* cut TLV */
                { SIG "\x21\x11\0\x10\xc0\0\x02\x01\x7f\0\0\x01\x30\x39\0\x50\x01\0\x02h", 32 }, /* long TLV */
        };
        char address[46];
        for (size_t i = 0; i < COUNT(bad); i++)
                if (parse(bad[i], address) != -1)
                        fail_msg("%zu was not refused", i);
}

static char seen[46];

static void handle(void *arg, struct http_request *r) {
        (void)arg;
        memcpy(seen, r->address, sizeof seen);
        http_respond(r, 200, "text/plain", SLICE("ok"), NULL);
}

TEST(on_the_proxy_socket_the_header_comes_first_and_names_the_client) {
        struct rig *g = rig_new(handle, NULL, HTTP_PROXY);
        for (size_t i = 0; i < COUNT(good); i++) {
                struct client *c = client_new(g);
                strcpy(seen, "?");
                for (uint32_t k = 0; k < good[i].bytes.n; k++)
                        client_send(g, c, good[i].bytes.p + k, 1);
                client_say(g, c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
                rig_until(g, c, strstr(c->text, "\r\n\r\nok"));
                assert_string_equal(seen, good[i].address);
                client_free(c);
        }
        struct client *c = client_new(g); /* without it: closed without a word */
        client_say(g, c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        rig_until(g, c, c->eof);
        assert_int_equal(c->n, 0);
        client_free(c);
        unlink(g->path);
}

TEST(on_the_plain_socket_it_is_not_believed) {
        struct rig *g = rig_new(handle, NULL, HTTP_PLAIN);
        struct client *c = client_new(g);
        client_send(g, c, good[0].bytes.p, good[0].bytes.n);
        client_say(g, c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        rig_until(g, c, c->eof);
        assert_int_equal(client_status(c), 400);
        client_free(c);
        c = client_new(g);
        client_say(g, c, "GET / HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n");
        rig_until(g, c, strstr(c->text, "\r\n\r\nok"));
        assert_string_equal(seen, "127.0.0.1");
        client_free(c);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(headers_are_read_and_every_truncation_waits),
                cmocka_unit_test(anything_else_is_refused),
                cmocka_unit_test(on_the_proxy_socket_the_header_comes_first_and_names_the_client),
                cmocka_unit_test(on_the_plain_socket_it_is_not_believed),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
