/* main.c - lifeos-reconcile: a one-shot from a timer; no call, turn or action outlives its deadline. */
#include "daemon.h"
#include "log.h"
#include "sweep.h"

#define RUN_SECONDS 60.

static struct {
        struct daemon *daemon;
        struct sweep *sweep;
        bool started;
        ev_timer late;
} run;

static void report(const struct sweep_counts *n, const char *how) {
        enum log_level level = n->refused > 0                           ? LOG_WARN
                               : n->retried + n->ended + n->expired > 0 ? LOG_NOTE
                                                                        : LOG_DEBUG;

        log_line(level, &(struct log_fields){ .op = "session_sweep" },
                 "%s: %u calls ended, %u asked back, %u turns, actions and confirmations expired, %u left alone, "
                 "%u refused",
                 how, n->ended, n->retried, n->expired, n->kept, n->refused);
}

static void on_done(void *arg, const struct sweep_counts *n, enum status failed) {
        struct daemon *d = arg;

        if (failed == STATUS_OK)
                report(n, "swept");
        else
                log_error("the writer does not say whose deadline has come: %s; the next run asks again",
                          status_row(failed)->name);
        daemon_leave(d, failed == STATUS_OK);
}

static void on_late(struct ev_loop *loop, ev_timer *w, int revents) {
        (void)loop, (void)w, (void)revents;
        if (run.started)
                report(sweep_counts(run.sweep), "not everything was swept in time; the next run goes on");
        else
                log_error("the writer was not there for %d s; the next run tries again", (int)RUN_SECONDS);
        daemon_leave(run.daemon, false);
}

static void on_up(void *arg, struct channel *c) {
        (void)arg;
        if (run.started)
                return; /* it was away; what it has not answered is asked again by the channel */
        run.started = true;
        sweep_start(run.sweep, c);
}

static void on_request(void *arg, struct request *r) {
        (void)arg;
        if (r->id != 0) /* no row lets anybody ask us; should one, it has no handler */
                channel_reply(r, STATUS_INTERNAL, slice_of(NULL), slice_of(NULL));
}

static void dial(struct daemon *d) {
        char path[108];

        run.daemon = d;
        run.sweep = sweep_new(on_done, d);
        ev_timer_init(&run.late, on_late, RUN_SECONDS, 0.);
        ev_timer_start(d->loop, &run.late);
        daemon_peer_path(d, WRITER, 1, path);
        hub_dial(d->hub, WRITER, 1, path);
}

int main(int argc, char **argv) {
        static const struct channel_events events = { .request = on_request, .up = on_up };
        static const struct daemon_def def = {
                .id = RECONCILE,
                .events = &events,
                .limits = { .queue_bytes = 4u << 20, .pending = 64 },
                .connect = dial,
                .one_shot = true,
        };
        int status = daemon_main(&def, argc, argv);

        if (run.sweep)
                sweep_free(run.sweep);
        return status;
}
