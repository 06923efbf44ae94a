/* socket_world.c - WebSocket clients that know what they must hear. */
#include "socket_world.h"

#include <stdarg.h>

#include "json.h"

static void hear_event(struct socket_client *c, struct slice text) {
        struct buf want;
        unsigned s = 0;

        assert_int_equal(sscanf(text.p, "{\"op\":\"event\",\"event\":{\"session\":%u,", &s), 1);
        buf_init(&want, 1u << 20);
        buf_str(&want, "{\"op\":\"event\",\"event\":");
        world_event(s, c->heard[s] + 1, &want);
        buf_char(&want, '}');
        if (!slice_eq(text, buf_view(&want)))
                fail_msg("after %llu of s%u came %.*s", (unsigned long long)c->heard[s], s, SLICE_FMT(text));
        buf_free(&want);
        c->heard[s]++;
        c->events++;
}

static void hear(struct fake_socket *ws, struct slice text) {
        struct socket_client *c = ws->data;
        char copy[512];

        if (text.n > 14 && memcmp(text.p, "{\"op\":\"event\",", 14) == 0) {
                struct slice s = exact(text);

                hear_event(c, s);
                exact_free(s);
                return;
        }
        assert_true(slice_copy(text, copy, sizeof copy));
        for (unsigned s = 0; s < SESSIONS; s++) {
                char name[24];
                const char *from = strstr(copy, "\"fromSequence\":");

                (void)snprintf(name, sizeof name, "\"sessionId\":\"s%u\"", s);
                if (from && strstr(copy, name))
                        c->heard[s] = strtoull(from + 15, NULL, 10);
        }
        assert_true(c->n_said < COUNT(c->said));
        memcpy(c->said[c->n_said++], copy, sizeof copy);
}

void socket_join(struct socket_client *c, const char *actor) {
        struct actor a = { SLICE("acme"), slice_of(actor), SLICE("member"), false, client_until };

        *c = (struct socket_client){ .pace = SIZE_MAX, .ws = { .take = hear, .data = c } };
        buf_init(&c->ws.in, 4u << 20);
        fake_request(&c->ws.http, "", (struct slice){ 0 });
        fake_header(&c->ws.http, "sec-websocket-version", "13");
        route_socket(NULL, &c->ws.http.r, fake_route("realtimeSocket"), actor ? &a : NULL);
        (void)fake_socket_take(&c->ws, SIZE_MAX);
        if (actor)
                assert_said(c, "{\"op\":\"ready\",\"heartbeatSeconds\":15,\"userId\":\"");
}

void socket_leave(struct socket_client *c) {
        fake_socket_leave(&c->ws, WS_ABNORMAL);
}

void say(struct socket_client *c, const char *fmt, ...) {
        char text[1024];
        va_list args;

        va_start(args, fmt);
        (void)vsnprintf(text, sizeof text, fmt, args);
        va_end(args);
        for (char *p = text; *p; p++)
                if (*p == '\'')
                        *p = '"';
        fake_socket_say(&c->ws, text);
        (void)fake_socket_take(&c->ws, c->pace);
}

const char *next_said(struct socket_client *c) {
        return c->read < c->n_said ? c->said[c->read++] : "";
}

void assert_said(struct socket_client *c, const char *part) {
        const char *said = next_said(c);

        if (!strstr(said, part))
                fail_msg("expected %s, heard %s", part, said);
}

void assert_nothing_said(struct socket_client *c) {
        assert_string_equal(next_said(c), "");
}

void settle_sockets(struct socket_client *c, unsigned n) {
        bool moved = true;

        for (unsigned round = 0; moved; round++) {
                assert_true(round < 100000);
                moved = false;
                while (deliver_pub(world.pubs))
                        moved = true;
                if (fake_calls) {
                        deliver(fake_calls);
                        moved = true;
                }
                for (unsigned i = 0; i < n; i++)
                        moved |= fake_socket_take(&c[i].ws, c[i].pace);
        }
}
