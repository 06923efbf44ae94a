/* main.c - the only process that speaks to PostgreSQL: table of contents. */
#include <stdio.h>
#include <stdlib.h>

#include "daemon.h"
#include "lane.h"
#include "log.h"
#include "nodes.h"
#include "plan.h"
#include "reports.h"
#include "settings.h"
#include "signer.h"
#include "upkeep.h"

struct writer {
        struct daemon *daemon;
        struct subs *subs;
        struct watch *watch;
        struct publish *publish;
        struct answerer *answerer;
        struct lanes *lanes;
        struct reader *reader;
        struct reports *reports;
        struct upkeep *upkeep;
        struct nodes *nodes;
        struct signer *signer;
        ev_timer state;
        char said[300];
};

static void on_request(void *arg, struct request *r) {
        struct writer *w = ((struct daemon *)arg)->state;

        if (plan_lane(r->op)) {
                lanes_add(w->lanes, r);
        } else if (plan_reader(r->op)) {
                reader_add(w->reader, r);
        } else if (r->op == OP_stream_close) {
                const struct op_stream_close *m = r->msg;

                subs_remove(w->subs, r->from, m->account_id, m->session_id);
        } else if (r->op == OP_stats_report) {
                reports_take(w->reports, r);
        } else if (r->op == OP_stats_read) {
                reports_answer(w->reports, r);
        } else {
                channel_reply(r, STATUS_INTERNAL, (struct slice){ 0 }, (struct slice){ 0 });
        }
}

/* A peer that comes back sends again what was not answered, and listens anew. */
static void on_down(void *arg, struct channel *c) {
        struct writer *w = ((struct daemon *)arg)->state;

        lanes_forget(w->lanes, c);
        reader_forget(w->reader, c);
        subs_drop(w->subs, c);
}

static void read_anew(struct writer *w, const char *why) {
        for (struct channel *c = NULL; (c = hub_next(w->daemon->hub, c));)
                if (channel_kind(c) == FRONTEND)
                        channel_restart(c, why);
}

/* What may be committed was told to nobody, and nobody may ever ask for it again: every frontend reads anew. So it does
 * when the database was restored: only who opens its streams again learns that it is ahead of them. */
static void settle_doubt(struct writer *w) {
        if (lanes_doubt(w->lanes)) {
                nodes_doubt(w->nodes);
                read_anew(w, "something may have been committed that its listeners were not told of");
        }
        if (nodes_restored(w->nodes))
                read_anew(w, "a stream ends before what its listeners were told: the database was restored");
}

/* Tells the service manager, in words, whenever it changes. */
static void on_state(struct ev_loop *loop, ev_timer *t, int revents) {
        struct writer *w = t->data;
        bool ready = lanes_ready(w->lanes) && reader_ready(w->reader);
        const char *trouble = reader_ready(w->reader) ? lanes_trouble(w->lanes) : reader_trouble(w->reader);
        char text[sizeof w->said];

        (void)loop, (void)revents;
        settle_doubt(w);
        snprintf(text, sizeof text, "%s%s", ready ? "committing" : "waiting for PostgreSQL: ", ready ? "" : trouble);
        if (strcmp(text, w->said) == 0)
                return;
        memcpy(w->said, text, sizeof text);
        daemon_ready(w->daemon, ready, text);
}

/* Nothing here needs what the sandbox closes: PostgreSQL is dialled inside it. */
static void writer_open(struct daemon *d) {
        struct writer *w = calloc(1, sizeof *w);

        if (!w)
                die("out of memory");
        plan_init();
        w->daemon = d;
        d->state = w;
        w->subs = subs_new((unsigned)setting_int(SETTING_subscriptions_max));
        w->watch = watch_new();
        w->publish = publish_new(d->loop, w->subs, w->watch);
        w->answerer = answerer_new(d->hub, w->subs, w->publish);
        w->signer = signer_new(d->loop);
}

static void writer_connect(struct daemon *d) {
        struct writer *w = d->state;

        daemon_ready(d, false, "connecting to PostgreSQL");
        w->lanes = lanes_new(d->loop, w->answerer);
        w->reader = reader_new(d->loop, w->answerer, w->watch);
        w->reports = reports_new(d->loop, w->subs, w->reader);
        w->upkeep = upkeep_new(d->loop);
        w->nodes = nodes_new(d->loop, w->subs, w->publish);
        signer_start(w->signer, w->reader, w->lanes);
        ev_timer_init(&w->state, on_state, 0., 0.1);
        w->state.data = w;
        ev_timer_start(d->loop, &w->state);
        for (int64_t i = 1; i <= setting_int(SETTING_frontend_instances); i++) {
                char path[108];

                daemon_peer_path(d, FRONTEND, (uint8_t)i, path);
                hub_dial(d->hub, FRONTEND, (uint8_t)i, path);
        }
}

/* What came is committed and answered; what PostgreSQL cannot take now, the peers send to our successor. */
static bool writer_drain(struct daemon *d) {
        const struct writer *w = d->state;

        return lanes_idle(w->lanes) && reader_idle(w->reader) && hub_idle(d->hub);
}

int main(int argc, char **argv) {
        static const struct channel_events events = { .request = on_request, .down = on_down };
        static const struct daemon_def def = {
                .id = WRITER,
                .events = &events,
                .limits = { .queue_bytes = 16u << 20, .pending = 64 },
                .open = writer_open,
                .connect = writer_connect,
                .drain = writer_drain,
        };

        return daemon_main(&def, argc, argv);
}
