/* verdict.c - which status a failure of the gateway is. */
#include "verdict.h"

#include <curl/curl.h>

/* A body with "object":"response" says: the gateway is fine, the run failed. Others: our request or link is wrong. */
enum side { ANY, RUN, LINK };

static const struct {
        long code;
        enum side side;
        struct verdict is;
} http[] = {
        { 400, ANY, { STATUS_AI_REFUSED, false, "the gateway takes the request for a bad one" } },
        { 401, RUN, { STATUS_AI_FAILED, false, "the model's provider refuses the gateway's key" } },
        { 401, LINK, { STATUS_AI_REFUSED, false, "the gateway does not accept the token" } },
        { 403, ANY, { STATUS_AI_REFUSED, false, "the gateway forbids the request" } },
        { 404, ANY, { STATUS_AI_REFUSED, false, "the gateway has no /v1/responses; its configuration enables it" } },
        { 405, ANY, { STATUS_AI_REFUSED, false, "the gateway takes no POST there" } },
        { 408, ANY, { STATUS_AI_TIMEOUT, true, "the model's provider did not answer the gateway" } },
        { 413, ANY, { STATUS_AI_REFUSED, false, "the request is too large for the gateway" } },
        { 429, RUN, { STATUS_AI_RATE_LIMITED, true, "the model's provider has had too many requests" } },
        { 429, LINK, { STATUS_AI_RATE_LIMITED, false, "the gateway has had too many requests" } },
        { 500, ANY, { STATUS_AI_FAILED, true, "the gateway failed" } },
        { 502, ANY, { STATUS_AI_FAILED, true, "the model's provider failed" } },
        { 503, ANY, { STATUS_AI_UNREACHABLE, true, "the gateway is stopping or starting" } },
};

static const struct {
        const char *member, *text; /* text: equal for the code, contained for the message */
        struct verdict is;
} run[] = {
        { "code",
          "rate_limit_error",
          { STATUS_AI_RATE_LIMITED, true, "the model's provider has had too many requests" } },
        { "code",
          "authentication_error",
          { STATUS_AI_FAILED, false, "the model's provider refuses the gateway's key" } },
        { "message",
          "invalid tool configuration",
          { STATUS_AI_REFUSED, false, "the gateway does not take our functions" } },
        { "code", "invalid_request_error", { STATUS_AI_FAILED, false, "the model's provider refuses the request" } },
        { "message",
          "upstream provider timeout",
          { STATUS_AI_TIMEOUT, true, "the model's provider did not answer the gateway" } },
};

static bool contains(struct slice s, const char *text) {
        return memmem(s.p, s.n, text, strlen(text)) != NULL;
}

struct verdict verdict_run(struct json error) {
        struct slice s;

        for (size_t i = 0; i < sizeof run / sizeof *run; i++)
                if (json_str(json_get(error, run[i].member), &s) &&
                    (run[i].member[0] == 'c' ? slice_is(s, run[i].text) : s.n > 0 && contains(s, run[i].text)))
                        return run[i].is;
        return (struct verdict){ STATUS_AI_FAILED, true, "the run failed" };
}

static enum side side_of(struct slice body) {
        struct arena a;
        struct json v;
        struct slice object;
        const char *why;
        size_t at;
        enum side is = LINK;

        arena_init(&a, 1u << 20);
        if (json_parse(body, &a, &v, &why, &at) == 0 && json_str(json_get(v, "object"), &object) &&
            slice_is(object, "response"))
                is = RUN;
        arena_free(&a);
        return is;
}

struct verdict verdict_http(long code, struct slice body) {
        enum side side = side_of(body);

        for (size_t i = 0; i < sizeof http / sizeof *http; i++)
                if (http[i].code == code && (http[i].side == ANY || http[i].side == side))
                        return http[i].is;
        if (code >= 300 && code < 400)
                return (struct verdict){ STATUS_AI_REFUSED, false,
                                         "the gateway points elsewhere; redirects are not followed" };
        if (code >= 400 && code < 500)
                return (struct verdict){ STATUS_AI_REFUSED, false, "the gateway refuses the request" };
        if (code >= 500 && code < 600)
                return (struct verdict){ STATUS_AI_FAILED, false, "the gateway, or what stands before it, failed" };
        return (struct verdict){ STATUS_AI_GARBLED, false, "the answer is no event stream" };
}

struct verdict verdict_transfer(int curl_code, bool answered) {
        switch (curl_code) {
        case CURLE_SSL_CONNECT_ERROR:
        case CURLE_SSL_CERTPROBLEM:
        case CURLE_SSL_CIPHER:
        case CURLE_PEER_FAILED_VERIFICATION:
        case CURLE_SSL_CACERT_BADFILE:
        case CURLE_SSL_ISSUER_ERROR:
                return (struct verdict){ STATUS_AI_TLS_FAILED, false, "no trusted TLS connection came about" };
        case CURLE_COULDNT_CONNECT:
        case CURLE_OPERATION_TIMEDOUT: /* of connecting: other times are ours */
                return (struct verdict){ STATUS_AI_UNREACHABLE, true, "the gateway cannot be connected to" };
        case CURLE_WEIRD_SERVER_REPLY:
        case CURLE_UNSUPPORTED_PROTOCOL:
        case CURLE_HTTP_RETURNED_ERROR:
        case CURLE_BAD_CONTENT_ENCODING:
                return (struct verdict){ STATUS_AI_GARBLED, false, "the answer is no HTTP/1.1" };
        case CURLE_OUT_OF_MEMORY:
                return (struct verdict){ STATUS_AI_FAILED, false, "out of memory" };
        default:
                if (answered)
                        return (struct verdict){ STATUS_AI_CUT_OFF, false, "the answer broke off" };
                return (struct verdict){ STATUS_AI_UNREACHABLE, true, "the gateway hung up before it answered" };
        }
}
