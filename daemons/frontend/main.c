/* main.c - frontend: the only process that reads the Internet; holds no secret of anybody and dials nobody. */
#include <malloc.h>
#include <stdlib.h>

#include "frontend.h"
#include "log.h"
#include "waiting.h"
#include "ws.h"

struct frontend {
        struct daemon *d;
        struct http_server *server;
        struct fanout *fanout;
        struct waiting *waiting;
        struct auth_state *auth;
        struct rate_state *rate;
        int64_t began;
        ev_timer trim;
        unsigned trimmed;    /* connections when memory was last given back */
        int64_t drain_until; /* 0: not yet */
        bool late;
};

#define TRIM_SECONDS 10.
#define DRAIN_MICROS 8000000 /* what is asked already has this long to be answered; less than daemon.c gives us */

static struct frontend *state(void *arg) {
        return ((struct daemon *)arg)->state;
}

struct ev_loop *frontend_loop(struct frontend *f) {
        return f->d->loop;
}
struct hub *frontend_hub(struct frontend *f) {
        return f->d->hub;
}
uint8_t frontend_instance(struct frontend *f) {
        return f->d->instance;
}
int64_t frontend_began(struct frontend *f) {
        return f->began;
}
struct channel *frontend_peer(struct frontend *f, enum daemon_id kind) {
        return hub_find(f->d->hub, kind, 0);
}
struct fanout *frontend_fanout(struct frontend *f) {
        return f->fanout;
}
struct waiting *frontend_waiting(struct frontend *f) {
        return f->waiting;
}
struct auth_state *frontend_auth(struct frontend *f) {
        return f->auth;
}
struct rate_state *frontend_rate(struct frontend *f) {
        return f->rate;
}

/* What other daemons send and how they come and go is the fan-out's business, but for turns. */
static void on_request(void *arg, struct request *r) {
        if (r->op == OP_turn_event)
                waiting_event(state(arg), r->msg);
        else
                fanout_request(state(arg), r);
}
static void on_up(void *arg, struct channel *c) {
        fanout_up(state(arg), c);
}
static void on_down(void *arg, struct channel *c) {
        fanout_down(state(arg), c);
        waiting_down(state(arg), c);
}

static void open_sockets(struct frontend *f) {
        static const struct {
                const char *name;
                enum http_listener how;
        } sockets[] = { { "http", HTTP_PLAIN }, { "proxy", HTTP_PROXY }, { "metrics", HTTP_METRICS } };
        int fds[4], open = 0;
        for (size_t i = 0; i < sizeof(sockets) / sizeof(*sockets); i++) {
                int n = daemon_sockets(sockets[i].name, fds, 4);
                for (int k = 0; k < n; k++)
                        http_server_listen(f->server, fds[k], sockets[i].how);
                open += sockets[i].how == HTTP_METRICS ? 0 : n;
        }
        if (open == 0)
                die("no listening socket named http or proxy was passed");
}

/* A rush of clients leaves the heap full of holes that were their requests: the pages go back to the kernel. */
static void on_trim(struct ev_loop *loop, ev_timer *w, int revents) {
        struct frontend *f = w->data;
        unsigned now = http_server_connections(f->server);

        (void)loop, (void)revents;
        if (now != f->trimmed)
                malloc_trim(0);
        f->trimmed = now;
}

static void frontend_open(struct daemon *d) {
        struct frontend *f = calloc(1, sizeof(*f));
        if (!f)
                die("out of memory");
        d->state = f;
        f->d = d;
        f->began = text_mono_micros();
        f->rate = rate_new();
        f->auth = auth_new(f);
        f->fanout = fanout_new(f);
        f->waiting = waiting_new(f);
        ws_open();
        f->server = http_server_new(d->loop, router_handle, f);
        open_sockets(f);
        ev_timer_init(&f->trim, on_trim, TRIM_SECONDS, TRIM_SECONDS);
        f->trim.data = f;
        ev_timer_start(d->loop, &f->trim);
}

/* Peers dial us; whether they did is what /health/ready says. */
static void frontend_connect(struct daemon *d) {
        daemon_ready(d, true, "listening");
}

static bool frontend_drain(struct daemon *d) {
        struct frontend *f = d->state;
        if (f->drain_until == 0) {
                f->drain_until = text_mono_micros() + DRAIN_MICROS;
                fanout_drain(f);
                waiting_drain(f, false);
                http_server_drain(f->server);
        } else if (!f->late && text_mono_micros() >= f->drain_until) {
                f->late = true;
                waiting_drain(f, true);
        }
        return http_server_idle(f->server);
}

int main(int argc, char **argv) {
        static const struct channel_events events = { .request = on_request, .up = on_up, .down = on_down };
        static const struct daemon_def def = {
                .id = FRONTEND,
                .events = &events,
                .limits = { .queue_bytes = 32u << 20, .pending = 65536 },
                .open = frontend_open,
                .connect = frontend_connect,
                .drain = frontend_drain,
        };
        return daemon_main(&def, argc, argv);
}
