/* head.c - everything libcurl is told about a request: where to, with which headers, and what it must never do. */
#include <netinet/in.h>

#include "ask.h"

#define CONNECT_MS 3000L

/* The last word on where a connection goes, whatever libcurl believes. */
static curl_socket_t open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *to) {
        const struct way *way = arg;

        if (purpose != CURLSOCKTYPE_IPCXN || !address_has(&way->address, &to->addr, (socklen_t)to->addrlen))
                return CURL_SOCKET_BAD;
        return socket(to->family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
}

static void chain(struct gateway_ask *a) {
        static char json[] = "Content-Type: application/json", accept[] = "Accept: text/event-stream",
                    expect[] = "Expect:", channel[] = "x-openclaw-message-channel: voice";
        char *const line[ASK_HEADERS] = { (char *)a->way->bearer.p, json, accept, expect, channel, a->session };

        for (unsigned i = 0; i < ASK_HEADERS; i++) {
                a->header[i].data = line[i];
                a->header[i].next = i + 1 < ASK_HEADERS ? &a->header[i + 1] : NULL;
        }
}

static bool set_limits(CURL *c) {
        return curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
               curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
               curl_easy_setopt(c, CURLOPT_PROXY, "") == CURLE_OK &&
               curl_easy_setopt(c, CURLOPT_NOPROXY, "*") == CURLE_OK &&
               curl_easy_setopt(c, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED) == CURLE_OK &&
               curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
               curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) == CURLE_OK &&
               curl_easy_setopt(c, CURLOPT_HTTP09_ALLOWED, 0L) == CURLE_OK &&
               curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS) == CURLE_OK &&
               curl_easy_setopt(c, CURLOPT_FRESH_CONNECT, 1L) == CURLE_OK &&
               curl_easy_setopt(c, CURLOPT_FORBID_REUSE, 1L) == CURLE_OK;
}

static bool set_trust(CURL *c, const struct way *way) {
        struct curl_blob pem = { .data = way->ca.p, .len = way->ca.n, .flags = CURL_BLOB_NOCOPY };

        if (!way->address.tls)
                return true;
        return curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK &&
               curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK &&
               curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK &&
               curl_easy_setopt(c, CURLOPT_CAINFO, NULL) == CURLE_OK &&
               curl_easy_setopt(c, CURLOPT_CAPATH, NULL) == CURLE_OK &&
               curl_easy_setopt(c, CURLOPT_CAINFO_BLOB, &pem) == CURLE_OK;
}

static bool set_request(struct gateway_ask *a, curl_write_callback body, curl_write_callback head) {
        CURL *c = a->easy;

        return curl_easy_setopt(c, CURLOPT_URL, a->way->address.url) == CURLE_OK &&
               curl_easy_setopt(c, CURLOPT_POST, 1L) == CURLE_OK &&
               curl_easy_setopt(c, CURLOPT_POSTFIELDS, a->body.p) == CURLE_OK &&
               curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)a->body.n) == CURLE_OK &&
               curl_easy_setopt(c, CURLOPT_HTTPHEADER, a->header) == CURLE_OK &&
               curl_easy_setopt(c, CURLOPT_PRIVATE, a) == CURLE_OK &&
               curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, body) == CURLE_OK &&
               curl_easy_setopt(c, CURLOPT_WRITEDATA, a) == CURLE_OK &&
               curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, head) == CURLE_OK &&
               curl_easy_setopt(c, CURLOPT_HEADERDATA, a) == CURLE_OK &&
               curl_easy_setopt(c, CURLOPT_OPENSOCKETFUNCTION, open_socket) == CURLE_OK &&
               curl_easy_setopt(c, CURLOPT_OPENSOCKETDATA, a->way) == CURLE_OK;
}

bool head_set(struct gateway_ask *a, curl_write_callback body, curl_write_callback head) {
        chain(a);
        a->resolve.data = a->way->address.resolve;
        return (a->resolve.data[0] == '\0' || curl_easy_setopt(a->easy, CURLOPT_RESOLVE, &a->resolve) == CURLE_OK) &&
               set_limits(a->easy) && set_trust(a->easy, a->way) && set_request(a, body, head);
}
