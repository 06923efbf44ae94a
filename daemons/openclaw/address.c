/* address.c - the one address that may ever be reached. */
#include "address.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

struct parts {
        char *scheme, *host, *port, *path;
};

static bool wrong(char why[static 256], const char *what) {
        (void)snprintf(why, 256, "openclaw_url: %s", what);
        return false;
}

static bool absent(CURLU *u, CURLUPart what) {
        char *s = NULL;
        bool none = curl_url_get(u, what, &s, 0) != CURLUE_OK;

        curl_free(s);
        return none;
}

static bool take_apart(CURLU *u, const char *base, struct parts *p, char why[static 256]) {
        if (curl_url_set(u, CURLUPART_URL, base, CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK)
                return wrong(why, "this is no URL; http://127.0.0.1:18911 would be one");
        if (curl_url_get(u, CURLUPART_SCHEME, &p->scheme, 0) != CURLUE_OK ||
            (strcmp(p->scheme, "http") != 0 && strcmp(p->scheme, "https") != 0))
                return wrong(why, "it begins with neither http:// nor https://");
        if (!absent(u, CURLUPART_USER) || !absent(u, CURLUPART_PASSWORD))
                return wrong(why, "it carries a user; the token is a credential, see lifeosctl openclaw set-token");
        if (!absent(u, CURLUPART_QUERY) || !absent(u, CURLUPART_FRAGMENT))
                return wrong(why, "it carries a query; only the gateway's address belongs here");
        if (curl_url_get(u, CURLUPART_HOST, &p->host, 0) != CURLUE_OK ||
            curl_url_get(u, CURLUPART_PORT, &p->port, CURLU_DEFAULT_PORT) != CURLUE_OK ||
            curl_url_get(u, CURLUPART_PATH, &p->path, 0) != CURLUE_OK)
                return wrong(why, "it has no host");
        return true;
}

/* Where nobody but this machine or this site's own network listens in. */
static bool near(const struct sockaddr *sa) {
        if (sa->sa_family == AF_INET) {
                struct sockaddr_in in;
                memcpy(&in, sa, sizeof in);
                uint32_t a = ntohl(in.sin_addr.s_addr);
                return a >> 24 == 127 || a >> 24 == 10 || a >> 20 == 0xac1 || a >> 16 == 0xc0a8;
        }
        struct sockaddr_in6 in6;
        memcpy(&in6, sa, sizeof in6);
        return IN6_IS_ADDR_LOOPBACK(&in6.sin6_addr) || (in6.sin6_addr.s6_addr[0] & 0xfe) == 0xfc;
}

/* Appends one address, in brackets if it has colons. */
static bool list(struct address *a, const struct addrinfo *ai, const char *host, const char *port) {
        char number[INET6_ADDRSTRLEN];
        size_t n = strlen(a->resolve), room = sizeof a->resolve - n;
        int put;

        if (getnameinfo(ai->ai_addr, ai->ai_addrlen, number, sizeof number, NULL, 0, NI_NUMERICHOST) != 0)
                return false;
        const char *open = ai->ai_family == AF_INET6 ? "[" : "", *close = ai->ai_family == AF_INET6 ? "]" : "";
        if (a->n == 0)
                put = snprintf(a->resolve, room, "%s:%s:%s%s%s", host, port, open, number, close);
        else
                put = snprintf(a->resolve + n, room, ",%s%s%s", open, number, close);
        return put > 0 && (size_t)put < room;
}

static bool take_address(struct address *a, const struct addrinfo *ai, const struct parts *p, char why[static 256]) {
        if (ai->ai_addrlen > sizeof a->at[0] || (ai->ai_family != AF_INET && ai->ai_family != AF_INET6))
                return true;
        if (!a->tls && !near(ai->ai_addr))
                return wrong(why, "plain http would show the token to others on the way; use https:// for this host");
        if (!list(a, ai, p->host, p->port))
                return wrong(why, "its host has too many or too long addresses");
        memcpy(&a->at[a->n++], ai->ai_addr, ai->ai_addrlen);
        return true;
}

static bool look_up(struct address *a, const struct parts *p, char why[static 256]) {
        const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
        struct addrinfo *found = NULL;
        size_t n = strlen(p->host);
        char host[256];
        bool literal6 = p->host[0] == '[' && n > 2, good = true;

        if (n >= sizeof host)
                return wrong(why, "its host is too long");
        if (literal6) /* without its brackets */
                (void)snprintf(host, sizeof host, "%.*s", (int)(n - 2), p->host + 1);
        else
                (void)snprintf(host, sizeof host, "%s", p->host);
        int e = getaddrinfo(host, p->port, &hints, &found);
        if (e != 0) {
                (void)snprintf(why, 256, "openclaw_url: %.100s: %s", host, gai_strerror(e));
                return false;
        }
        for (const struct addrinfo *ai = found; good && ai != NULL && a->n < ADDRESS_MAX; ai = ai->ai_next)
                good = take_address(a, ai, p, why);
        freeaddrinfo(found);
        struct in_addr in;
        if (literal6 || inet_pton(AF_INET, host, &in) == 1)
                a->resolve[0] = '\0';
        return good && (a->n > 0 || wrong(why, "its host has no address"));
}

static bool put_url(struct address *a, const struct parts *p, const char *path, char why[static 256]) {
        size_t base = strlen(p->path);

        while (base > 0 && p->path[base - 1] == '/')
                base--;
        int n = snprintf(a->url, sizeof a->url, "%s://%s:%s%.*s%s", p->scheme, p->host, p->port, (int)base, p->path,
                         path);
        return (n > 0 && (size_t)n < sizeof a->url) || wrong(why, "it is too long");
}

int address_resolve(const char *base, const char *path, struct address *ret, char why[static 256]) {
        struct parts p = { 0 };
        CURLU *u = curl_url();

        *ret = (struct address){ 0 };
        bool good = u != NULL ? take_apart(u, base, &p, why) : wrong(why, "out of memory");
        if (good) {
                ret->tls = strcmp(p.scheme, "https") == 0;
                good = put_url(ret, &p, path, why) && look_up(ret, &p, why);
        }
        curl_free(p.scheme);
        curl_free(p.host);
        curl_free(p.port);
        curl_free(p.path);
        curl_url_cleanup(u);
        return good ? 0 : -1;
}

bool address_has(const struct address *a, const struct sockaddr *to, socklen_t len) {
        for (unsigned i = 0; i < a->n; i++) {
                if (a->at[i].ss_family != to->sa_family)
                        continue;
                if (to->sa_family == AF_INET && len >= sizeof(struct sockaddr_in)) {
                        struct sockaddr_in x, y;
                        memcpy(&x, &a->at[i], sizeof x);
                        memcpy(&y, to, sizeof y);
                        if (x.sin_port == y.sin_port && x.sin_addr.s_addr == y.sin_addr.s_addr)
                                return true;
                } else if (to->sa_family == AF_INET6 && len >= sizeof(struct sockaddr_in6)) {
                        struct sockaddr_in6 x, y;
                        memcpy(&x, &a->at[i], sizeof x);
                        memcpy(&y, to, sizeof y);
                        if (x.sin6_port == y.sin6_port && memcmp(&x.sin6_addr, &y.sin6_addr, 16) == 0)
                                return true;
                }
        }
        return false;
}
