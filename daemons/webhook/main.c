/* main.c - lifeos-webhook: holds the LiveKit secret, reads no HTTP, reaches nothing but the writer. */
#include <errno.h>

#include "jsonw.h"
#include "log.h"
#include "settings.h"
#include "webhook.h"

#define KEYS_FILE_MAX 65536u

static void health(struct webhook *w, const struct request *r) {
        bool configured = w->keys.n != 0 && *setting_text(SETTING_livekit_url);
        struct buf body;
        struct jsonw j;

        buf_init(&body, 256);
        jsonw_init(&j, &body);
        jsonw_object(&j);
        jsonw_key_bool(&j, "ok", true);
        jsonw_key_cstr(&j, "livekit", configured ? "configured" : "not configured");
        jsonw_end(&j, '}');
        channel_reply(r, STATUS_OK, slice_of(NULL), buf_view(&body));
        buf_free(&body);
}

static const struct {
        enum op op;
        webhook_fn *handle;
} handlers[] = {
        { OP_webhook_raw, receive_webhook },
        { OP_token_mint, grant_mint },
        { OP_token_standard, grant_standard },
        { OP_webhook_health, health },
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

static void open_keys(struct daemon *d) {
        static struct webhook webhook;
        struct secret file = { 0 };
        char why[160];
        int r = cred_read("livekit-keys", KEYS_FILE_MAX, &file);

        if (r < 0)
                die("the credential livekit-keys cannot be read: %s", strerror(errno));
        if (r == 0 && livekit_keys_parse(file, &webhook.keys, why) != 0)
                die("%s", why);
        for (unsigned i = 0; i < webhook.keys.n; i++)
                if (webhook.keys.key[i].secret.n < 32)
                        log_warn("LiveKit API key %.*s is weak: its other half has fewer than 32 characters",
                                 SLICE_FMT(webhook.keys.key[i].name));
        if (webhook.keys.n != 0 && !*setting_text(SETTING_livekit_url))
                log_warn("LiveKit keys are set but livekit_url is not: webhooks are read, no token is minted");
        d->state = &webhook;
}

static void dial(struct daemon *d) {
        struct webhook *w = d->state;
        char path[108];

        daemon_peer_path(d, WRITER, 1, path);
        w->writer = hub_dial(d->hub, WRITER, 1, path);
        for (int64_t i = 1; i <= setting_int(SETTING_frontend_instances); i++) {
                daemon_peer_path(d, FRONTEND, (uint8_t)i, path);
                hub_dial(d->hub, FRONTEND, (uint8_t)i, path);
        }
        daemon_ready(d, true, w->keys.n ? "LiveKit is configured" : "no LiveKit keys: lifeosctl livekit set-keys");
}

static bool drained(struct daemon *d) {
        return hub_idle(d->hub);
}

int main(int argc, char **argv) {
        static const struct channel_events events = { .request = on_request };
        static const struct daemon_def def = {
                .id = WEBHOOK,
                .events = &events,
                .limits = { .queue_bytes = 32u << 20, .pending = 4096 },
                .open = open_keys,
                .connect = dial,
                .drain = drained,
        };

        return daemon_main(&def, argc, argv);
}
