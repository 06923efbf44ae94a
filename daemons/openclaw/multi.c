/* multi.c - libcurl's transfers on our loop. */
#include "multi.h"

#include <stdlib.h>

#include "log.h"

struct multi {
        struct ev_loop *loop;
        CURLM *curl;
        ev_timer timer;
        multi_done_fn *done;
};

struct sock {
        ev_io io;
        struct multi *m;
};

static void collect(struct multi *m) {
        const CURLMsg *msg;
        int left;

        while ((msg = curl_multi_info_read(m->curl, &left)) != NULL) {
                if (msg->msg != CURLMSG_DONE)
                        continue;
                char *arg = NULL;
                CURLcode result = msg->data.result;
                (void)curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &arg);
                m->done(arg, result);
        }
}

static void on_io(struct ev_loop *loop, ev_io *w, int revents) {
        struct multi *m = w->data;
        int mask =
                ((revents & EV_READ) != 0 ? CURL_CSELECT_IN : 0) | ((revents & EV_WRITE) != 0 ? CURL_CSELECT_OUT : 0);
        int running;

        (void)loop;
        (void)curl_multi_socket_action(m->curl, w->fd, mask, &running);
        collect(m);
}

static void on_timer(struct ev_loop *loop, ev_timer *w, int revents) {
        struct multi *m = w->data;
        int running;

        (void)loop;
        (void)revents;
        (void)curl_multi_socket_action(m->curl, CURL_SOCKET_TIMEOUT, 0, &running);
        collect(m);
}

static void forget(struct multi *m, curl_socket_t fd, struct sock *s) {
        if (s == NULL)
                return;
        ev_io_stop(m->loop, &s->io);
        (void)curl_multi_assign(m->curl, fd, NULL);
        free(s);
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *of_socket) {
        struct multi *m = arg;
        struct sock *s = of_socket;
        int events = what == CURL_POLL_IN ? EV_READ : what == CURL_POLL_OUT ? EV_WRITE : EV_READ | EV_WRITE;

        (void)easy;
        if (what == CURL_POLL_REMOVE) {
                forget(m, fd, s);
                return 0;
        }
        if (s == NULL) {
                s = calloc(1, sizeof *s);
                if (s == NULL)
                        return -1;
                s->m = m;
                s->io.data = m;
                ev_init(&s->io, on_io);
                (void)curl_multi_assign(m->curl, fd, s);
        }
        ev_io_stop(m->loop, &s->io);
        ev_io_set(&s->io, fd, events);
        ev_io_start(m->loop, &s->io);
        return 0;
}

static int on_timeout(CURLM *curl, long ms, void *arg) {
        struct multi *m = arg;

        (void)curl;
        ev_timer_stop(m->loop, &m->timer);
        if (ms >= 0) {
                ev_timer_set(&m->timer, (double)ms / 1000., 0.);
                ev_timer_start(m->loop, &m->timer);
        }
        return 0;
}

struct multi *multi_new(struct ev_loop *loop, multi_done_fn *done) {
        struct multi *m = calloc(1, sizeof *m);

        if (m == NULL || (m->curl = curl_multi_init()) == NULL)
                die("libcurl does not start");
        m->loop = loop;
        m->done = done;
        ev_init(&m->timer, on_timer);
        m->timer.data = m;
        if (curl_multi_setopt(m->curl, CURLMOPT_SOCKETFUNCTION, on_socket) != CURLM_OK ||
            curl_multi_setopt(m->curl, CURLMOPT_SOCKETDATA, m) != CURLM_OK ||
            curl_multi_setopt(m->curl, CURLMOPT_TIMERFUNCTION, on_timeout) != CURLM_OK ||
            curl_multi_setopt(m->curl, CURLMOPT_TIMERDATA, m) != CURLM_OK)
                die("libcurl refuses its settings");
        return m;
}

void multi_free(struct multi *m) {
        if (m == NULL)
                return;
        (void)curl_multi_cleanup(m->curl);
        ev_timer_stop(m->loop, &m->timer);
        free(m);
}

bool multi_add(struct multi *m, CURL *easy) {
        return curl_multi_add_handle(m->curl, easy) == CURLM_OK;
}

void multi_remove(struct multi *m, CURL *easy) {
        (void)curl_multi_remove_handle(m->curl, easy);
}
