/* hub.c - all of a process' channels: listening, dialling with backoff, flushing before sleep, taking down. */
#include "channel.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "conn.h"
#include "log.h"
#include "stats.h"

#define ACCEPTS_PER_TURN 32
#define BACKOFF_MIN      0.01
#define BACKOFF_MAX      1.0
#define LOG_LINES        10u /* per second about peers; more are counted (peer_rejected) and not written */

void hub_log(struct hub *h, enum daemon_id kind, uint8_t instance, const char *what, const char *why) {
        int64_t second = text_mono_micros() / 1000000;
        char peer[48];
        if (second != h->log_window) {
                h->log_window = second;
                h->log_lines = 0;
        }
        if (h->log_lines++ >= LOG_LINES)
                return;
        (void)snprintf(peer, sizeof peer, "%s@%u", cred_kind_name(kind), (unsigned)instance);
        log_line(LOG_NOTE, &(struct log_fields){ .peer = peer }, "%s: %s", what, why);
}

/* A one-shot comes and goes by the clock: only what goes wrong with it is news. */
void hub_log_life(struct hub *h, const struct channel *c, const char *what, const char *why) {
        if (c->kind != RECONCILE && h->us != RECONCILE)
                hub_log(h, c->kind, c->instance, what, why);
}

/* ---- channels ---- */

static struct channel *channel_new(struct hub *h, enum daemon_id kind, uint8_t instance) {
        struct channel *c = calloc(1, sizeof *c);
        if (c == NULL || pending_init(&c->pend, h->limits.pending) < 0) {
                free(c);
                return NULL;
        }
        c->hub = h;
        c->kind = kind;
        c->instance = instance;
        /* Room for what channel_call() and channel_cast() allow, for sending everything unanswered again, and for
         * answers; a peer that lets this fill up loses its connection, see channel_reply(). */
        buf_init(&c->queue, 8 * h->limits.queue_bytes + 2 * (size_t)FRAME_PAYLOAD_MAX);
        struct channel **at = &h->channels;
        while (*at != NULL && ((*at)->kind < kind || ((*at)->kind == kind && (*at)->instance <= instance)))
                at = &(*at)->next;
        c->next = *at;
        *at = c;
        return c;
}

static struct channel *lookup(struct hub *h, enum daemon_id kind, uint8_t instance) {
        for (struct channel *c = h->channels; c != NULL; c = c->next)
                if (c->kind == kind && c->instance == instance)
                        return c;
        return NULL;
}

/* Every lifeosctl has a channel of its own. They are never freed, only used again: a request that is answered late
 * points at its channel, and its epoch says that the connection was another one. */
static struct channel *operator_channel(struct hub *h) {
        unsigned n = 0;
        for (struct channel *c = h->channels; c != NULL; c = c->next) {
                if (c->kind == CTL && c->idle) {
                        c->idle = false;
                        return c;
                }
                n += c->kind == CTL;
        }
        return n < HUB_OPERATORS_MAX ? channel_new(h, CTL, 0) : NULL;
}

struct channel *hub_channel(struct hub *h, enum daemon_id kind, uint8_t instance) {
        if (kind == CTL)
                return operator_channel(h);
        struct channel *c = lookup(h, kind, instance);
        return c != NULL ? c : channel_new(h, kind, instance);
}

struct channel *hub_find(struct hub *h, enum daemon_id kind, uint8_t instance) {
        struct channel *known = NULL;
        if (instance != 0)
                return lookup(h, kind, instance);
        for (struct channel *c = h->channels; c != NULL; c = c->next) {
                if (c->kind != kind || c->idle)
                        continue;
                if (channel_up(c))
                        return c;
                known = known != NULL ? known : c;
        }
        return known;
}

struct channel *hub_next(struct hub *h, struct channel *it) {
        it = it == NULL ? h->channels : it->next;
        while (it != NULL && it->idle)
                it = it->next;
        return it;
}

/* ---- dialling ---- */

static void redial_later(struct channel *c, const char *why) {
        struct hub *h = c->hub;
        if (!c->told && why != NULL)
                hub_log(h, c->kind, c->instance, "peer not reachable yet", why);
        c->told = c->told || why != NULL;
        c->backoff = c->backoff < BACKOFF_MIN ? BACKOFF_MIN : c->backoff * 2;
        if (c->backoff > BACKOFF_MAX)
                c->backoff = BACKOFF_MAX;
        /* Between half and all of it, so that daemons that lost the same peer do not come back in step. */
        double wait = c->backoff * (0.5 + (double)randombytes_uniform(1000) / 2000.0);
        ev_timer_stop(h->loop, &c->redial);
        ev_timer_set(&c->redial, wait, 0.);
        ev_timer_start(h->loop, &c->redial);
}

static void dial(struct ev_loop *loop, ev_timer *w, int revents) {
        struct channel *c = w->data;
        struct sockaddr_un to = { .sun_family = AF_UNIX };
        (void)loop;
        (void)revents;
        (void)snprintf(to.sun_path, sizeof to.sun_path, "%s", c->path);
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0 || connect(fd, (const struct sockaddr *)&to, sizeof to) < 0) {
                redial_later(c, strerror(errno));
                if (fd >= 0)
                        (void)close(fd);
                return;
        }
        conn_new(c->hub, fd, c);
        if (c->trying == NULL)
                redial_later(c, "out of memory");
        hub_reap(c->hub);
}

struct channel *hub_dial(struct hub *h, enum daemon_id kind, uint8_t instance, const char *path) {
        struct channel *c = lookup(h, kind, instance);
        c = c != NULL ? c : channel_new(h, kind, instance);
        if (c == NULL || strlen(path) >= sizeof c->path)
                die("cannot dial %s@%u at %s", cred_kind_name(kind), (unsigned)instance, path);
        (void)snprintf(c->path, sizeof c->path, "%s", path);
        ev_timer_init(&c->redial, dial, 0., 0.);
        c->redial.data = c;
        ev_timer_start(h->loop, &c->redial);
        return c;
}

/* ---- accepting ---- */

static void make_room(struct hub *h) {
        struct conn *oldest = NULL;
        for (struct conn *k = h->conns; k != NULL; k = k->next) /* newest first */
                if (!k->dialled && k->state != CONN_UP && k->failed == NULL)
                        oldest = k;
        if (oldest != NULL)
                conn_reject(oldest, "too many connections without proof");
}

static void on_accept(struct ev_loop *loop, ev_io *w, int revents) {
        struct hub *h = w->data;
        (void)revents;
        for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
                int fd = accept4(w->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
                if (fd < 0) {
                        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
                                ev_io_stop(loop, w);
                                h->paused = true;
                                hub_tick_start(h);
                        }
                        break;
                }
                if (h->unproven >= HUB_UNPROVEN_MAX)
                        make_room(h);
                conn_new(h, fd, NULL);
                hub_reap(h);
        }
}

void hub_listen(struct hub *h, int fd) {
        if (h->n_listeners == HUB_LISTENERS)
                die("more than %d listening sockets for peers", HUB_LISTENERS);
        ev_io *w = &h->listeners[h->n_listeners++];
        ev_io_init(w, on_accept, fd, EV_READ);
        w->data = h;
        ev_io_start(h->loop, w);
}

/* ---- the loop ---- */

static void on_tick(struct ev_loop *loop, ev_timer *w, int revents) {
        struct hub *h = w->data;
        int64_t now = text_mono_micros();
        (void)revents;
        pending_expire(h, now);
        bool waiting = false;
        for (struct conn *k = h->conns; k != NULL; k = k->next) {
                if (k->state == CONN_UP)
                        continue;
                waiting = true;
                if (now - k->born > HUB_PROOF_SECONDS * INT64_C(1000000))
                        conn_reject(k, "no proof of its key in time");
        }
        if (h->paused && !h->draining)
                for (unsigned i = 0; i < h->n_listeners; i++)
                        ev_io_start(loop, &h->listeners[i]);
        h->paused = false;
        hub_reap(h);
        if (h->n_pending == 0 && !waiting)
                ev_timer_stop(loop, w);
}

void hub_tick_start(struct hub *h) {
        if (!ev_is_active(&h->tick))
                ev_timer_again(h->loop, &h->tick);
}

void hub_flush(struct hub *h) {
        for (struct channel *c = h->channels; c != NULL; c = c->next)
                if (channel_up(c))
                        conn_flush(c->conn);
}

static void before_sleep(struct ev_loop *loop, ev_prepare *w, int revents) {
        struct hub *h = w->data;
        (void)loop;
        (void)revents;
        hub_flush(h);
        hub_reap(h);
}

static void take_down(struct conn *k) {
        struct hub *h = k->hub;
        struct channel *c = k->channel;
        bool was_up = c != NULL && c->conn == k, dialled = c != NULL && c->path[0] != '\0';
        double lived = (double)(text_mono_micros() - k->born) / 1e6;
        const char *why = k->failed;
        bool quiet = k->rejected || (!was_up && !dialled);
        if (c != NULL && c->trying == k)
                c->trying = NULL;
        conn_free(k);
        if (was_up) {
                if (!quiet)
                        hub_log_life(h, c, "peer lost", why);
                channel_detach(c);
        }
        if (c != NULL && dialled && c->conn == NULL && c->trying == NULL) {
                c->backoff = was_up && lived > BACKOFF_MAX ? 0 : c->backoff;
                redial_later(c, was_up || quiet ? NULL : why);
        }
}

void hub_reap(struct hub *h) {
        struct conn *k = h->conns;
        while (k != NULL) {
                if (k->failed == NULL) {
                        k = k->next;
                        continue;
                }
                take_down(k);
                k = h->conns; /* a down() handler may have failed another */
        }
}

void hub_drain(struct hub *h) {
        h->draining = true;
        for (unsigned i = 0; i < h->n_listeners; i++)
                ev_io_stop(h->loop, &h->listeners[i]);
}

bool hub_idle(const struct hub *h) {
        for (const struct channel *c = h->channels; c != NULL; c = c->next)
                if (c->pend.count > c->pend.late || (c->conn != NULL && channel_queued(c) > 0))
                        return false;
        return true;
}

unsigned hub_connections(const struct hub *h) {
        unsigned n = 0;
        for (const struct conn *k = h->conns; k != NULL; k = k->next)
                n++;
        return n;
}

/* ---- birth and end ---- */

struct hub *hub_new(struct ev_loop *loop, const struct cred_ring *ring, enum daemon_id us, uint8_t instance,
                    const struct channel_events *ev, void *arg, struct channel_limits limits) {
        struct hub *h = calloc(1, sizeof *h);
        size_t largest = 1;
        for (unsigned op = 0; op < OP_COUNT; op++)
                if (op_desc((enum op)op)->size > largest)
                        largest = op_desc((enum op)op)->size;
        if (h == NULL || (h->msg = malloc(largest)) == NULL || sodium_init() < 0)
                die("out of memory");
        h->loop = loop;
        h->ring = ring;
        h->us = us;
        h->instance = instance;
        h->ev = ev;
        h->arg = arg;
        h->limits = limits;
        h->ticks = text_mono_micros() / (HUB_TICK_MS * INT64_C(1000));
        buf_init(&h->scratch, OP_BYTES_MAX);
        ev_timer_init(&h->tick, on_tick, 0., HUB_TICK_MS / 1000.0);
        h->tick.data = h;
        ev_prepare_init(&h->before_sleep, before_sleep);
        h->before_sleep.data = h;
        ev_set_priority(&h->before_sleep, EV_MINPRI); /* after everyone who queues something in this turn */
        ev_prepare_start(loop, &h->before_sleep);
        return h;
}

void hub_free(struct hub *h) {
        if (h == NULL)
                return;
        hub_drain(h);
        for (unsigned i = 0; i < h->n_listeners; i++)
                (void)close(h->listeners[i].fd);
        ev_prepare_stop(h->loop, &h->before_sleep);
        ev_timer_stop(h->loop, &h->tick);
        while (h->conns != NULL)
                conn_free(h->conns);
        for (struct channel *c = h->channels, *next; c != NULL; c = next) {
                next = c->next;
                ev_timer_stop(h->loop, &c->redial);
                pending_free(&c->pend);
                buf_free(&c->queue);
                free(c);
        }
        buf_free(&h->scratch);
        free(h->msg);
        free(h);
}
