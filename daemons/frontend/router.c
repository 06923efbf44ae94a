/* router.c - the way of every request, walked over routes.def: what exists, who may, how often, who answers. */
#include "frontend.h"

#include "stats.h"

#define ROUTE(name, method, path, auth, rate, body, handler, op, summary)                                            \
        { #name, #method, path, summary, auth, rate##_RATE, body##_BODY, OP_##op, route_##handler },
const struct route routes[] = {
#include "routes.def"
};
#undef ROUTE
const unsigned n_routes = sizeof(routes) / sizeof(*routes);

static const struct route metrics = { .name = "metrics",
                                      .method = "GET",
                                      .path = "/metrics",
                                      .auth = PUBLIC,
                                      .rate = NONE_RATE,
                                      .handler = route_metrics,
                                      .op = OP_stats_read };

/* The next segment of a path that starts with '/'; the rest is left in *path. */
static struct slice segment(struct slice *path) {
        uint32_t n = 1;
        while (n < path->n && path->p[n] != '/')
                n++;
        struct slice s = { path->p + 1, n - 1 };
        *path = (struct slice){ path->p + n, path->n - n };
        return s;
}

/* A parameter takes one segment, which is not empty; `want` (may be NULL) gets the value of its name. */
static bool walk(const char *pattern, struct slice path, struct slice name, struct slice *want) {
        struct slice rest = slice_of(pattern);
        while (rest.n > 0 && path.n > 0) {
                struct slice p = segment(&rest), s = segment(&path);
                if (p.n > 0 && p.p[0] == ':') {
                        if (s.n == 0)
                                return false;
                        if (want && slice_eq((struct slice){ p.p + 1, p.n - 1 }, name))
                                *want = s;
                } else if (!slice_eq(p, s))
                        return false;
        }
        return rest.n == 0 && path.n == 0;
}

struct slice route_param(const struct route *route, const struct http_request *r, const char *name) {
        struct slice value = { 0 };
        return walk(route->path, r->path, slice_of(name), &value) ? value : (struct slice){ 0 };
}

/* The methods of a path for Allow: "GET, HEAD, OPTIONS"; empty if no route has it. NULL path: of all routes. */
static void methods_of(const struct slice *path, struct buf *out) {
        static const char *const known[] = { "GET", "POST", "PUT", "PATCH", "DELETE" };
        for (size_t m = 0; m < sizeof(known) / sizeof(*known); m++)
                for (unsigned i = 0; i < n_routes; i++) {
                        if (strcmp(routes[i].method, known[m]) != 0)
                                continue;
                        if (path && !walk(routes[i].path, *path, (struct slice){ 0 }, NULL))
                                continue;
                        buf_fmt(out, "%s%s, ", known[m], m == 0 ? ", HEAD" : "");
                        break;
                }
        if (out->n > 0)
                buf_str(out, "OPTIONS");
        buf_add(out, "", 1);
}

static const struct route *find(const struct http_request *r) {
        struct slice method = slice_is(r->method, "HEAD") ? SLICE("GET") : r->method;
        for (unsigned i = 0; i < n_routes; i++)
                if (slice_is(method, routes[i].method) && walk(routes[i].path, r->path, (struct slice){ 0 }, NULL))
                        return &routes[i];
        return NULL;
}

static void fail(struct http_request *r, enum status s, unsigned retry) {
        if (s == STATUS_RATE_LIMITED)
                stat_add(STAT_http_rate_limited, 1);
        if (retry == 0 && status_row(s)->retry == RETRYABLE)
                retry = 1;
        http_fail(r, s, (struct slice){ 0 }, &(struct http_extra){ .retry_after = retry });
}

/* Not authenticated yet, so the address answers for it. True: the request may go on. */
static bool address_may(struct frontend *f, struct http_request *r) {
        unsigned retry = 0;
        if (rate_address(f, r->address, &retry))
                return true;
        fail(r, STATUS_RATE_LIMITED, retry);
        return false;
}

static void preflight(struct http_request *r) {
        struct buf allow;
        buf_init(&allow, 256);
        methods_of(&r->path, &allow);
        if (allow.n <= 1) {
                buf_clear(&allow);
                methods_of(NULL, &allow);
        }
        http_respond(r, 204, NULL, (struct slice){ 0 }, &(struct http_extra){ .allow = allow.p, .preflight = true });
        buf_free(&allow);
}

/* No route: 405 if the path has other methods, else 404. */
static void stray(struct frontend *f, struct http_request *r) {
        struct buf allow;
        if (!address_may(f, r))
                return;
        rate_address_charge(f, r->address);
        buf_init(&allow, 256);
        methods_of(&r->path, &allow);
        if (allow.n > 1)
                http_fail(r, STATUS_METHOD_NOT_ALLOWED, (struct slice){ 0 },
                          &(struct http_extra){ .allow = allow.p });
        else
                fail(r, STATUS_NOT_FOUND, 0);
        buf_free(&allow);
}

static bool media_type_fits(const struct route *route, const struct http_request *r) {
        struct slice type = http_media_type(r);
        if (route->body == NOBODY_BODY || route->body == RAW_BODY)
                return true;
        if (type.n == 0)
                return r->body.n == 0;
        if (slice_is(type, "application/json"))
                return true;
        return route->body == EVENTS_BODY && slice_is(type, "application/x-ndjson");
}

static bool role_fits(enum auth auth, const struct actor *a) {
        bool operator= a->service && slice_is(a->role, "operator");
        switch (auth) {
        case PUBLIC:
                return true;
        case USER:
                return !a->service;
        case USER_OR_INGEST:
        case LATER:
                return !a->service || operator|| slice_is(a->role, "ingest");
        case USER_OR_OPERATOR:
                return !a->service || operator;
        case OPERATOR:
                return operator;
        }
        return false;
}

static void authenticated(struct frontend *f, struct http_request *r, enum status s, const struct actor *a) {
        const struct route *route = r->route;
        unsigned retry = 0;
        if (s == STATUS_RATE_LIMITED)
                rate_address(f, r->address, &retry);
        if (status_row(s)->http == 401) {
                stat_add(STAT_http_auth_failures, 1);
                rate_address_charge(f, r->address);
        }
        if (s != STATUS_OK) {
                fail(r, s, retry);
        } else if (!role_fits(route->auth, a)) {
                rate_address_charge(f, r->address);
                fail(r, STATUS_FORBIDDEN, 0);
        } else if (!rate_actor(f, route->rate, a, &retry)) {
                fail(r, STATUS_RATE_LIMITED, retry);
        } else {
                route->handler(f, r, route, a);
        }
}

static void metrics_only(struct frontend *f, struct http_request *r) {
        bool get = slice_is(r->method, "GET") || slice_is(r->method, "HEAD");
        r->route = &metrics;
        if (!slice_is(r->path, metrics.path))
                fail(r, STATUS_NOT_FOUND, 0);
        else if (!get)
                http_fail(r, STATUS_METHOD_NOT_ALLOWED, (struct slice){ 0 },
                          &(struct http_extra){ .allow = "GET, HEAD" });
        else
                route_metrics(f, r, &metrics, NULL);
}

/* Identity may come with the request, or when it has become something else; a bad one is refused at once. */
static void later(struct frontend *f, struct http_request *r) {
        const struct route *route = r->route;
        struct slice token;
        if (http_header(r, "authorization").n > 0) {
                auth_start(f, r, authenticated);
        } else if (socket_bearer(r, &token)) {
                auth_bearer(f, r, token, authenticated);
        } else if (address_may(f, r)) {
                rate_address_charge(f, r->address);
                route->handler(f, r, route, NULL);
        }
}

void router_handle(void *arg, struct http_request *r) {
        struct frontend *f = arg;
        if (r->via == HTTP_METRICS) {
                metrics_only(f, r);
                return;
        }
        if (slice_is(r->method, "OPTIONS")) {
                preflight(r);
                return;
        }
        const struct route *route = find(r);
        r->route = route;
        if (!route) {
                stray(f, r);
        } else if (!media_type_fits(route, r)) {
                if (address_may(f, r)) {
                        rate_address_charge(f, r->address);
                        fail(r, STATUS_UNSUPPORTED_MEDIA_TYPE, 0);
                }
        } else if (route->auth == LATER) {
                later(f, r);
        } else if (route->auth != PUBLIC) {
                auth_start(f, r, authenticated);
        } else if (route->rate == NONE_RATE) {
                route->handler(f, r, route, NULL);
        } else if (address_may(f, r)) {
                rate_address_charge(f, r->address);
                route->handler(f, r, route, NULL);
        }
}
