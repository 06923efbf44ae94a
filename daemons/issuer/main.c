/* main.c - lifeos-issuer: signs user tokens for the operator, woken by the operator's socket, gone when idle. */
#include <errno.h>
#include <sodium.h>

#include "daemon.h"
#include "issue.h"
#include "jsonw.h"
#include "log.h"
#include "settings.h"

#define IDLE_SECONDS 30u
#define TOKEN_MAX    8192u

static void reply_token(const struct request *r, struct slice token, int64_t exp) {
        char text[28];
        size_t n = text_time_put(exp * 1000000, text);
        struct buf body;
        struct jsonw w;

        buf_init(&body, TOKEN_MAX + 256);
        jsonw_init(&w, &body);
        jsonw_object(&w);
        jsonw_key_bool(&w, "ok", true);
        jsonw_key_str(&w, "token", token);
        jsonw_key_str(&w, "expiresAt", (struct slice){ text, (uint32_t)n });
        jsonw_end(&w, '}');
        channel_reply(r, STATUS_OK, slice_of(NULL), buf_view(&body));
        if (body.p)
                sodium_memzero(body.p, body.cap);
        buf_free(&body);
}

/* Who asks is known by the kernel's uid of the socket's peer and by its key; both were checked before we are here. */
static void token_issue(struct daemon *d, const struct request *r) {
        const struct op_token_issue *m = r->msg;
        const char *why;
        struct buf token;
        int64_t exp = 0;
        enum status s;

        buf_init(&token, TOKEN_MAX);
        s = issue(d->state, m, setting_text(SETTING_jwt_issuer), setting_text(SETTING_jwt_audience),
                  text_now_micros() / 1000000, &token, &exp, &why);
        if (s == STATUS_OK) {
                log_line(LOG_INFO, &(struct log_fields){ .op = "token_issue", .status = "OK", .actor = m->user_id },
                         "token issued by uid %u for user %.*s, account %.*s, role %.*s, %lld s",
                         (unsigned)d->ring.peer[CTL].uid, SLICE_FMT(m->user_id), SLICE_FMT(m->account_id),
                         SLICE_FMT(m->role), (long long)m->ttl_seconds);
                reply_token(r, buf_view(&token), exp);
        } else {
                channel_reply(r, s, slice_of(why), slice_of(NULL));
        }
        if (token.p)
                sodium_memzero(token.p, token.cap);
        buf_free(&token);
}

static void on_request(void *arg, struct request *r) {
        if (r->op == OP_token_issue)
                token_issue(arg, r);
        else if (r->id != 0)
                channel_reply(r, STATUS_INTERNAL, slice_of(NULL), slice_of(NULL));
}

static void open_key(struct daemon *d) {
        static struct issuer_key key;
        struct secret file;
        int r = cred_read("issuer-key", 1024, &file);

        if (r != 0)
                die("the credential issuer-key cannot be read: %s", r < 0 ? strerror(errno) : "there is none");
        r = issuer_key_parse((struct slice){ (const char *)file.p, (uint32_t)file.n }, &key);
        secret_wipe(&file);
        if (r != 0)
                die("the credential issuer-key must be one line: <kid> <64 hex digits>");
        d->state = &key;
}

static void ready(struct daemon *d) {
        daemon_ready(d, true, "signs user tokens");
}

static bool drained(struct daemon *d) {
        return hub_idle(d->hub);
}

int main(int argc, char **argv) {
        static const struct channel_events events = { .request = on_request };
        static const struct daemon_def def = {
                .id = ISSUER,
                .events = &events,
                .limits = { .queue_bytes = 1u << 20, .pending = 64 },
                .open = open_key,
                .connect = ready,
                .drain = drained,
                .idle_exit_seconds = IDLE_SECONDS,
        };

        return daemon_main(&def, argc, argv);
}
