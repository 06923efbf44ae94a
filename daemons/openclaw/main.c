/* main.c - lifeos-openclaw: runs AI turns; reaches the configured gateway, the writer and the frontends, nothing else. */
#include "actions.h"
#include "daemon.h"
#include "jsonw.h"
#include "openclaw.h"
#include "settings.h"
#include "turns.h"

static void health(struct openclaw *o, const struct request *r) {
        bool configured = gateway_configured(o->gateway), ready = gateway_ready(o->gateway);
        struct buf body;
        struct jsonw j;

        buf_init(&body, 512);
        jsonw_init(&j, &body);
        jsonw_object(&j);
        jsonw_key_bool(&j, "ok", true);
        jsonw_key_cstr(&j, "openclaw", !configured ? "not configured" : ready ? "ready" : "not ready");
        if (!ready)
                jsonw_key_cstr(&j, "why", gateway_why(o->gateway));
        jsonw_end(&j, '}');
        channel_reply(r, STATUS_OK, slice_of(NULL), buf_view(&body));
        buf_free(&body);
}

static void turn_run(struct openclaw *o, const struct request *r) {
        turns_run(o->turns, r);
}

static void action_run(struct openclaw *o, const struct request *r) {
        actions_run(o->actions, r);
}

static void turn_left(struct openclaw *o, const struct request *r) {
        turns_left(o->turns, r);
}

static void turn_stopped(struct openclaw *o, const struct request *r) {
        turns_stopped(o->turns, r);
}

static const struct {
        enum op op;
        openclaw_fn *handle;
} handlers[] = {
        { OP_openclaw_health, health }, { OP_turn_run, turn_run },         { OP_turn_left, turn_left },
        { OP_action_run, action_run },  { OP_turn_stopped, turn_stopped },
};

static void on_request(void *arg, struct request *r) {
        struct daemon *d = arg;

        for (size_t i = 0; i < sizeof handlers / sizeof *handlers; i++) {
                if (handlers[i].op == r->op) {
                        handlers[i].handle(d->state, r);
                        return;
                }
        }
        if (r->id != 0) /* a row without a handler: ours to fix, the asker only hears that it failed */
                channel_reply(r, STATUS_INTERNAL, slice_of(NULL), slice_of(NULL));
}

static void on_down(void *arg, struct channel *c) {
        struct daemon *d = arg;
        const struct openclaw *o = d->state;

        turns_down(o->turns, c);
        actions_down(o->actions, c);
}

/* Started whatever the gateway does: clients then hear why there is no AI, and all else of the appliance works. */
static void tell(void *arg, bool ready) {
        struct daemon *d = arg;
        const struct openclaw *o = d->state;

        daemon_ready(d, true, ready ? "the OpenClaw gateway answers" : gateway_why(o->gateway));
}

static void open_gateway(struct daemon *d) {
        static struct openclaw openclaw;

        openclaw.gateway = gateway_new(d->loop);
        text_new_id("run_", openclaw.runner);
        d->state = &openclaw;
}

static void dial(struct daemon *d) {
        struct openclaw *o = d->state;
        char path[108];

        daemon_peer_path(d, WRITER, 1, path);
        o->writer = hub_dial(d->hub, WRITER, 1, path);
        o->turns = turns_new(d->loop, o->gateway, o->writer, o->runner);
        o->actions = actions_new(d->loop, o->gateway, o->writer, o->runner, turns_places(o->turns));
        for (int64_t i = 1; i <= setting_int(SETTING_frontend_instances); i++) {
                daemon_peer_path(d, FRONTEND, (uint8_t)i, path);
                hub_dial(d->hub, FRONTEND, (uint8_t)i, path);
        }
        gateway_start(o->gateway, tell, d);
        tell(d, gateway_ready(o->gateway));
}

static bool drained(struct daemon *d) {
        const struct openclaw *o = d->state;

        bool turns = turns_drain(o->turns), actions = actions_drain(o->actions);

        return turns && actions && hub_idle(d->hub);
}

int main(int argc, char **argv) {
        static const struct channel_events events = { .request = on_request, .down = on_down };
        static const struct daemon_def def = {
                .id = OPENCLAW,
                .events = &events,
                .limits = { .queue_bytes = 32u << 20, .pending = 4096 },
                .open = open_gateway,
                .connect = dial,
                .drain = drained,
        };

        return daemon_main(&def, argc, argv);
}
