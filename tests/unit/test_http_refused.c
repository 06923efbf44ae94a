/* test_http_refused.c - what two servers could read differently, one of them being us, is refused and ends there. */
#include "http_rig.h"

static unsigned evil, handled;
static struct rig *rig;

static void handle(void *arg, struct http_request *r) {
        (void)arg;
        evil += slice_is(r->path, "/evil");
        handled++;
        http_respond(r, 200, "text/plain", r->path, NULL);
}

static int start(void **state) {
        (void)state;
        rig_settings("http_header_seconds = 300\nhttp_body_seconds = 300\n");
        rig = rig_new(handle, NULL, HTTP_PLAIN);
        return 0;
}

#define H    "Host: x\r\n"
#define EVIL "GET /evil HTTP/1.1\r\n" H "\r\n"
#define RAW(s)                                                                                                       \
        { s, sizeof(s) - 1 }

struct vector {
        const char *p;
        size_t n;
};

/* Each ends with a 400 and a closed connection, without waiting for anything; EVIL is never seen as a request. */
static const struct vector malformed[] = {
        /* which length counts */
        RAW("POST / HTTP/1.1\r\n" H "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" EVIL),
        RAW("POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n" EVIL),
        RAW("POST / HTTP/1.1\r\n" H "Content-Length: 3\r\nContent-Length: 0\r\n\r\nabc" EVIL),
        RAW("POST / HTTP/1.1\r\n" H "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc" EVIL),
        RAW("POST / HTTP/1.1\r\n" H "Content-Length: 3, 3\r\n\r\nabc" EVIL),
        RAW("POST / HTTP/1.1\r\n" H "Content-Length: +3\r\n\r\nabc" EVIL),
        RAW("POST / HTTP/1.1\r\n" H "Content-Length: -3\r\n\r\nabc" EVIL),
        RAW("POST / HTTP/1.1\r\n" H "Content-Length: 0x3\r\n\r\nabc" EVIL),
        RAW("POST / HTTP/1.1\r\n" H "Content-Length: 1 1\r\n\r\nabc" EVIL),
        RAW("POST / HTTP/1.1\r\n" H "Content-Length:\r\n\r\nabc" EVIL),
        RAW("POST / HTTP/1.1\r\n" H "Content-Length: 99999999999999999999999\r\n\r\nabc" EVIL),
        RAW("POST / HTTP/1.1\r\n" H "Content-Length : 3\r\n\r\nabc" EVIL),
        RAW("POST / HTTP/1.1\r\n" H " Content-Length: 3\r\n\r\nabc" EVIL),
        RAW("POST / HTTP/1.1\r\n" H "Content\tLength: 3\r\n\r\nabc" EVIL),
        RAW("POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" EVIL),
        RAW("POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n" EVIL),
        RAW("POST / HTTP/1.1\r\n" H "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" EVIL),
        RAW("POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" EVIL),
        RAW("POST / HTTP/1.1\r\n" H "Transfer-Encoding: identity\r\n\r\n" EVIL),
        RAW("POST / HTTP/1.1\r\n" H "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" EVIL),
        RAW("POST / HTTP/1.1\r\n" H "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n" EVIL),
        RAW("POST / HTTP/1.1\r\n" H "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n" EVIL),
        RAW("POST / HTTP/1.1\r\n" H "Transfer-Encoding: \x0b"
            "chunked\r\n\r\n0\r\n\r\n" EVIL),
        RAW("POST / HTTP/1.1\r\n" H
            "Transfer_Encoding: chunked\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n" EVIL),
        RAW("POST / HTTP/1.1\r\n" H "Foo: bar\r\n\tTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" EVIL),
        RAW("POST / HTTP/1.0\r\n" H "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" EVIL),
        /* where a line ends */
        RAW("GET / HTTP/1.1\n" H "\r\n"),
        RAW("GET / HTTP/1.1\r\nHost: x\n\n" EVIL),
        RAW("GET / HTTP/1.1\r\nHost: x\r\n\n" EVIL),
        RAW("GET / HTTP/1.1\r\nHost: x\rFoo: y\r\n\r\n" EVIL),
        RAW("GET / HTTP/1.1\r\nHost: x\r\rFoo: y\r\n\r\n"),
        RAW("GET / HTTP/1.1\r\nHost: x\r\n\rGET /evil HTTP/1.1\r\nHost: y\r\n\r\n"),
        RAW("GET / HTTP/1.1\r\nHost: x\r\n\r\r\n\r\n" EVIL),
        RAW("GET / HTTP/1.1\r\n folded: x\r\n\r\n"),
        RAW("GET / HTTP/1.1\r\nHost: x\r\nX: a\r\n b\r\n\r\n"),
        RAW("GET / HTTP/1.1\r\nHost: x\r\nX: a\0b\r\n\r\n"),
        RAW("GET / HTTP/1.1\r\nHost: x\r\nX: a\x01"
            "b\r\n\r\n"),
        RAW("GET / HTTP/1.1\r\nHost: x\r\nX: a\x7f"
            "b\r\n\r\n"),
        RAW("GET / HTTP/1.1\r\nHost: x\r\nX\0: a\r\n\r\n"),
        RAW("GET / HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n"),
        RAW("GET / HTTP/1.1\r\nHost: x\r\n: no name\r\n\r\n"),
        RAW("GET / HTTP/1.1\r\nHost: x\r\nX@Y: a\r\n\r\n"),
        RAW("GET / HTTP/1.1\r\nHost: x\r\nX\xc3\xa9: a\r\n\r\n"),
        /* for whom */
        RAW("GET / HTTP/1.1\r\n\r\n"),
        RAW("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"),
        RAW("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
        RAW("GET / HTTP/1.1\r\nHost: a b\r\n\r\n"),
        RAW("GET / HTTP/1.1\r\nHost: a/evil\r\n\r\n"),
        RAW("GET / HTTP/1.1\r\nHost: u@a\r\n\r\n"),
        RAW("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"),
        RAW("GET / HTTP/1.1\r\nHost:\r\n\r\n"),
        RAW("GET http:///evil HTTP/1.1\r\nHost: x\r\n\r\n"),
        RAW("GET http://u@x/evil HTTP/1.1\r\nHost: x\r\n\r\n"),
        RAW("GET / HTTP/1.1\r\n" H "Authorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n"),
        RAW("GET / HTTP/1.1\r\n" H "Idempotency-Key: a\r\nIdempotency-Key: b\r\n\r\n"),
        /* the request line */
        RAW("GET * HTTP/1.1\r\n" H "\r\n"),
        RAW("GET evil HTTP/1.1\r\n" H "\r\n"),
        RAW("GET ?evil HTTP/1.1\r\n" H "\r\n"),
        RAW("GET ftp://x/evil HTTP/1.1\r\n" H "\r\n"),
        RAW("GET /a#evil HTTP/1.1\r\n" H "\r\n"),
        RAW("GET /\xff HTTP/1.1\r\n" H "\r\n"),
        RAW("GET /a b HTTP/1.1\r\n" H "\r\n"),
        RAW("GET  / HTTP/1.1\r\n" H "\r\n"),
        RAW("GET /  HTTP/1.1\r\n" H "\r\n"),
        RAW("GET\t/ HTTP/1.1\r\n" H "\r\n"),
        RAW("GET / HTTP/1.1 \r\n" H "\r\n"),
        RAW(" GET / HTTP/1.1\r\n" H "\r\n"),
        RAW("GET / HTTP/1.2\r\n" H "\r\n"),
        RAW("GET / HTTP/2.0\r\n" H "\r\n"),
        RAW("GET / RTSP/1.0\r\n" H "\r\n"),
        RAW("DESCRIBE / RTSP/1.0\r\n" H "\r\n"),
        RAW("GET / HTTP/0.9\r\n" H "\r\n"),
        RAW("GET / HTTP/1.10\r\n" H "\r\n"),
        RAW("GET / http/1.1\r\n" H "\r\n"),
        RAW("GET / ICE/1.0\r\n" H "\r\n"),
        RAW("GET /\r\n\r\n"),
        RAW("CONNECT x:443 HTTP/1.1\r\n" H "\r\n"),
        RAW("EVIL / HTTP/1.1\r\n" H "\r\n"),
        RAW("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        RAW("POST / HTTP/1.1\r\n" H "Content-Length: 3\r\nExpect: 200-ok\r\n\r\nabc"),
        /* other protocols */
        RAW("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
        RAW("\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x01\x02\x03\x04\x05\x06\x07\x08\0\x01\0\x02" EVIL),
        RAW("PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n" EVIL),
/* chunks */
#define CHUNKED "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n"
        RAW(CHUNKED "0x5\r\nhello\r\n0\r\n\r\n" EVIL),
        RAW(CHUNKED "+5\r\nhello\r\n0\r\n\r\n" EVIL),
        RAW(CHUNKED "-1\r\nhello\r\n0\r\n\r\n" EVIL),
        RAW(CHUNKED " 5\r\nhello\r\n0\r\n\r\n" EVIL),
        RAW(CHUNKED "\r\n5\r\nhello\r\n0\r\n\r\n" EVIL),
        RAW(CHUNKED "5\nhello\r\n0\r\n\r\n" EVIL),
        RAW(CHUNKED "5\r\nhello\n0\r\n\r\n" EVIL),
        RAW(CHUNKED "5\r\nhello0\r\n\r\n" EVIL),
        RAW(CHUNKED "5\r\nhelloXX0\r\n\r\n" EVIL),
        RAW(CHUNKED "10000000000000000\r\nhello\r\n0\r\n\r\n" EVIL),
        RAW(CHUNKED "5;a\nhello\r\n0\r\n\r\n" EVIL),
        RAW(CHUNKED "5;a\rb\r\nhello\r\n0\r\n\r\n" EVIL),
        RAW(CHUNKED "5,a\r\nhello\r\n0\r\n\r\n" EVIL),
        RAW(CHUNKED "zz\r\nhello\r\n0\r\n\r\n" EVIL),
        RAW(CHUNKED "0\r\nX : y\r\n\r\n" EVIL),
        RAW(CHUNKED "0\r\nbad trailer\r\n\r\n" EVIL),
        RAW(CHUNKED "0\r\nX: a\0b\r\n\r\n" EVIL),
        RAW(CHUNKED "0\n\n" EVIL),
        RAW(CHUNKED "0\r\nX: y\n\r\n" EVIL),
};

TEST(malformed_requests_are_refused_and_nothing_hides_behind_them) {
        for (size_t i = 0; i < COUNT(malformed); i++) {
                struct client *c = client_new(rig);
                unsigned before = handled;
                client_send(rig, c, malformed[i].p, malformed[i].n);
                rig_until(rig, c, c->eof || evil > 0 || handled > before);
                if (evil > 0 || handled > before || strncmp(c->text, "HTTP/1.1 400 Bad Request\r\n", 26) != 0 ||
                    client_count(c, "HTTP/1.1 ") != 1 || !strstr(c->text, "\r\nconnection: close\r\n"))
                        fail_msg("%zu: \"%.60s\" gave %.40s", i, malformed[i].p, c->text);
                client_free(c);
        }
}

TEST(the_same_holds_when_they_arrive_byte_by_byte) {
        for (size_t i = 0; i < COUNT(malformed); i++) {
                struct client *c = client_new(rig);
                unsigned before = handled;
                for (size_t k = 0; k < malformed[i].n && !c->eof; k++) {
                        client_send(rig, c, malformed[i].p + k, 1);
                        client_read(c);
                }
                rig_until(rig, c, c->eof || evil > 0 || handled > before);
                if (evil > 0 || handled > before || client_status(c) != 400)
                        fail_msg("%zu: \"%.60s\" gave %.40s", i, malformed[i].p, c->text);
                client_free(c);
        }
}

static const struct vector fine[] = {
        RAW("GET / HTTP/1.1\r\nHost: x:80\r\n\r\n"),
        RAW("GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n"),
        RAW("\r\n\r\nGET / HTTP/1.1\r\nhOST:x\r\n\r\n"),
        RAW("GET http://other.example:81/a?b HTTP/1.1\r\nHost: x\r\n\r\n"),
        RAW("GET HTTPS://other.example HTTP/1.1\r\nHost: x\r\n\r\n"),
        RAW("GET http://other.example?q HTTP/1.1\r\nHost: x\r\n\r\n"),
        RAW("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n"),
        RAW("GET / HTTP/1.0\r\n\r\n"),
        RAW("GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n"),
        RAW("GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: "
            "a\r\n\r\n"),
        RAW("GET / HTTP/1.1\r\nHost: x\r\nX: \r\nY:\r\nZ: caf\xc3\xa9\r\n\r\n"),
        RAW("GET / HTTP/1.1\r\nHost: x\r\nAccept: a\r\nAccept: b\r\n\r\n"),
        RAW("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 003\r\n\r\nabc"),
        RAW("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"),
        RAW("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"),
        RAW("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n00003;a;b=\"c\"\r\nabc\r\n000\r\nT: "
            "u\r\n\r\n"),
        RAW("DELETE / HTTP/1.1\r\nHost: x\r\n\r\n"),
};

TEST(what_is_well_formed_is_taken) {
        for (size_t i = 0; i < COUNT(fine); i++) {
                int status = rig_ask(rig, fine[i].p, fine[i].n);
                if (status != 200)
                        fail_msg("%zu: \"%.60s\" gave %d", i, fine[i].p, status);
        }
}

/* Sends head with `fill` times 'a' in the place of '@'. */
static int ask_filled(const char *head, size_t fill) {
        const char *at = strchr(head, '@');
        size_t n = strlen(head) - 1 + fill;
        char *text = malloc(n);
        int status;
        assert_non_null(text);
        memcpy(text, head, (size_t)(at - head));
        memset(text + (at - head), 'a', fill);
        memcpy(text + (at - head) + fill, at + 1, strlen(at + 1));
        status = rig_ask(rig, text, n);
        free(text);
        return status;
}

TEST(targets_and_headers_have_bounds) {
        assert_int_equal(ask_filled("GET /@ HTTP/1.1\r\nHost: x\r\n\r\n", 8191), 200);
        assert_int_equal(ask_filled("GET /@ HTTP/1.1\r\nHost: x\r\n\r\n", 8192), 414);
        assert_int_equal(ask_filled("GET /@ HTTP/1.1\r\nHost: x\r\n\r\n", 100000), 414);
        assert_int_equal(ask_filled("GET /@", 100000), 414);
        assert_int_equal(ask_filled("GET / HTTP/1.1\r\nHost: x\r\nX: @\r\n\r\n", 16384 - 14), 200);
        assert_int_equal(ask_filled("GET / HTTP/1.1\r\nHost: x\r\nX: @\r\n\r\n", 16384 - 13), 431);
        assert_int_equal(ask_filled("GET / HTTP/1.1\r\nHost: x\r\nX: @", 100000), 431);
        assert_int_equal(ask_filled("GET / HTTP/1.1\r\nHost: x\r\n@: y\r\n\r\n", 100000), 431);
}

TEST(header_fields_are_counted) {
        for (unsigned fields = 63; fields <= 64; fields++) {
                char text[2048];
                size_t n = (size_t)snprintf(text, sizeof text, "GET / HTTP/1.1\r\nHost: x\r\n");
                for (unsigned i = 0; i < fields; i++)
                        n += (size_t)snprintf(text + n, sizeof text - n, "X-%u: y\r\n", i);
                n += (size_t)snprintf(text + n, sizeof text - n, "\r\n");
                assert_int_equal(rig_ask(rig, text, n), fields == 63 ? 200 : 431);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(malformed_requests_are_refused_and_nothing_hides_behind_them),
                cmocka_unit_test(the_same_holds_when_they_arrive_byte_by_byte),
                cmocka_unit_test(what_is_well_formed_is_taken),
                cmocka_unit_test(targets_and_headers_have_bounds),
                cmocka_unit_test(header_fields_are_counted),
        };
        return cmocka_run_group_tests(tests, start, NULL);
}
