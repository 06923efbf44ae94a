/* ask.c - lifeosctl as a peer: it dials, is believed for its uid and its key, asks, and runs the loop until told. */
#include "ask.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "daemon.h"
#include "sandbox.h"

#define ANSWER_MS  15000u
#define UP_SECONDS 5.0

struct call {
        struct ev_loop *loop;
        struct cred_ring ring;
        struct hub *hub;
        struct channel *peer;
        bool up, answered;
        enum status status;
        char detail[512];
        struct buf body;
};

static void on_up(void *arg, struct channel *c) {
        struct call *call = arg;

        (void)c;
        call->up = true;
        ev_break(call->loop, EVBREAK_ALL);
}

/* Nobody may ask us anything; the row table says so and the hub closes who tries. */
static void on_request(void *arg, struct request *r) {
        (void)arg;
        (void)r;
}

static void on_answer(void *arg, const struct answer *a) {
        struct call *call = arg;

        call->answered = true;
        call->status = a->status;
        snprintf(call->detail, sizeof call->detail, "%.*s", SLICE_FMT(a->detail));
        if (a->status == STATUS_OK)
                buf_slice(&call->body, a->body);
        ev_break(call->loop, EVBREAK_ALL);
}

static void on_timeout(struct ev_loop *loop, ev_timer *t, int revents) {
        (void)t;
        (void)revents;
        ev_break(loop, EVBREAK_ALL);
}

/* 0, or -1 with what the operator can do. */
static int call_open(struct call *call, const struct ctl *ctl, enum daemon_id kind, char why[static 256]) {
        static const struct channel_events events = { .request = on_request, .up = on_up };
        struct daemon d = { .runtime = ctl->runtime };
        char path[108], dir[4096], reason[256];
        struct stat st;

        daemon_peer_path(&d, kind, 1, path);
        if (stat(path, &st) != 0) {
                snprintf(why, 256, "%s: %s; %s", path, strerror(errno),
                         errno == EACCES ? "run lifeosctl as root" : "is its daemon running? see systemctl status");
                return -1;
        }
        snprintf(dir, sizeof dir, "%s/ctl", ctl->keys);
        if (setenv("CREDENTIALS_DIRECTORY", dir, 1) != 0 || cred_ring_load(&call->ring, reason) != 0) {
                snprintf(why, 256, "the keys in %.60s cannot be used: %.120s; see lifeosctl help keys", dir, reason);
                return -1;
        }
        call->loop = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
        if (!call->loop) {
                snprintf(why, 256, "libev does not start");
                return -1;
        }
        call->hub = hub_new(call->loop, &call->ring, CTL, 0, &events, call,
                            (struct channel_limits){ .queue_bytes = 4u << 20, .pending = 4 });
        call->peer = hub_dial(call->hub, kind, 1, path);
        return 0;
}

/* Waits until we are believed. 0, or -1 with why not. */
static int call_up(struct call *call, enum daemon_id kind, char why[static 256]) {
        ev_timer timer;

        ev_timer_init(&timer, on_timeout, UP_SECONDS, 0);
        ev_timer_start(call->loop, &timer);
        if (!call->up)
                ev_run(call->loop, 0);
        ev_timer_stop(call->loop, &timer);
        if (call->up)
                return 0;
        snprintf(why, 256,
                 "lifeos-%s does not accept us; was it restarted since its keys changed? see journalctl -u lifeos-%s",
                 cred_kind_name(kind), cred_kind_name(kind));
        return -1;
}

static void call_close(struct call *call) {
        if (call->hub)
                hub_free(call->hub);
        if (call->loop)
                ev_loop_destroy(call->loop);
        secret_wipe(&call->ring.sign);
}

bool ask_up(const struct ctl *ctl, enum daemon_id kind, char why[static 256]) {
        struct call call = { 0 };
        bool up = call_open(&call, ctl, kind, why) == 0 && call_up(&call, kind, why) == 0;

        call_close(&call);
        return up;
}

/* The question itself; what comes back may say what it likes. */
static void call_ask(struct call *call, enum op op, const void *msg) {
        call->answered = false;
        call->status = STATUS_BUSY;
        buf_clear(&call->body);
        if (channel_call(call->peer, op, msg, ANSWER_MS, on_answer, call) != STATUS_OK)
                return;
        while (!call->answered)
                ev_run(call->loop, 0);
}

static int check(const struct ctl *ctl, enum op op, const void *msg) {
        int field = op_check(op, msg);

        if (field == 0)
                return CTL_DONE;
        return ctl_fail("%s is not what it may be; see lifeosctl help %s", op_desc(op)->fields[field - 1].name,
                        ctl->command->words);
}

int ask_on(const struct ctl *ctl, enum daemon_id kind, enum op op, const void *msg, ask_next_fn *next, void *arg) {
        struct call call = { 0 };
        char why[256];
        int r = check(ctl, op, msg);

        if (r != CTL_DONE)
                return r;
        if (call_open(&call, ctl, kind, why) != 0 || call_up(&call, kind, why) != 0) {
                call_close(&call);
                return ctl_fail("%s", why);
        }
        buf_init(&call.body, FRAME_PAYLOAD_MAX);
        sandbox_enter(CTL, false);
        do
                call_ask(&call, op, msg);
        while (call.status == STATUS_OK && next(arg, buf_view(&call.body)));
        call_close(&call);
        buf_free(&call.body);
        if (call.status == STATUS_OK)
                return CTL_DONE;

        const struct status_row *row = status_row(call.status);

        return ctl_fail("%s: %s", row->name, call.detail[0] ? call.detail : row->text);
}

static bool keep(void *arg, struct slice body) {
        if (arg)
                buf_slice(arg, body);
        return false;
}

int ask(const struct ctl *ctl, enum daemon_id kind, enum op op, const void *msg, struct buf *body) {
        return ask_on(ctl, kind, op, msg, keep, body);
}
