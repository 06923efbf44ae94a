/* listen.c - many listeners and a few publishers in one epoll loop: what arrives, how late, how fast. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/*
 * Reads its orders from stdin, one a line, up to "connect", does so and says "connected"; publishes at the next line, or
 * ends with its stdin; writes one JSON object to stdout when it is done.
 *
 *   port N             of 127.0.0.1
 *   reach N            listeners that one event reaches: it is complete when so many have it
 *   rate N             events a second over all publishers; 0: as fast as window lets
 *   window N           no more is published while N events or more are not complete
 *   seconds N          how long to publish
 *   record N           1: every event carries its recordedAt behind the mark, and how late it is since then is told too
 *   welcome TEXT       what a listener reads when it is let in; else the end of a head
 *   listen N REQUEST   N listeners that send these bytes once
 *   publish N REQUEST  N connections that send these bytes again and again
 *
 * In a request \r, \n and \xHH are written as such. Each @T@ in a publisher's request becomes one event's mark, 26
 * bytes like t=1700000000000000.0000001: when it was sent, its number. Content-Length must count so many.
 *
 * Times: from sending the request, from reading its 2xx (0 if the listener was faster: counted as early), and from
 * recordedAt. All by one clock: everybody runs on this machine.
 */
#define EVENTS_MAX  2000000u
#define REQUEST_MAX 131072u
#define MARK        "t="
#define MARK_BYTES  26u
#define RECORDED    "\"recordedAt\":\""
#define STAMP_END   (14 + 27) /* RECORDED itself and 2026-01-01T00:00:00.000000Z */
#define EVENT_MAX   1024u
#define READ_MAX    262144u
#define ASKING_MAX  64u /* listeners not let in yet: what is measured is not how a rush is taken */

struct conn {
        int fd;
        bool publisher, busy, answered, greeted;
        uint32_t first, events; /* a publisher's: what is on its way */
        const struct text *request;
        char *tail; /* of what a listener read: an event that is not whole */
        size_t tail_n;
};

struct text {
        char *p;
        size_t n;
        uint32_t marks;
};

/* How often a time was seen: exact below 128 microseconds, then in steps of 1.6 %. */
#define STEPS 4096u
struct times {
        uint64_t seen[STEPS], n;
};

struct event {
        int64_t sent, accepted;
        uint32_t missing; /* listeners that have not got it */
};

static struct conn *conns;
static size_t n_conns, n_listeners, n_publishers, greeted;
static struct event *events;
static uint32_t published, complete, reach = 1;
static struct times from_send, from_accept, from_record;
static uint64_t early;
static int epoll_fd, port;
static char welcome[64] = "\r\n\r\n";
static int64_t rate, window = 1, seconds, records;

static _Noreturn void fail(const char *what, const char *detail) {
        fprintf(stderr, "listen: %s: %s\n", what, detail);
        exit(1);
}

static _Noreturn void fail_errno(const char *what) {
        fail(what, strerror(errno));
}

static void *zeroed(size_t n, size_t size) {
        void *p = calloc(n, size);

        if (!p)
                fail_errno("memory");
        return p;
}

static int64_t now(void) {
        struct timespec t;

        clock_gettime(CLOCK_REALTIME, &t);
        return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* ---- times ---- */

static void times_add(struct times *t, int64_t micros) {
        uint64_t v = micros > 0 ? (uint64_t)micros : 0;
        unsigned shift = v < 128 ? 0 : 57 - (unsigned)__builtin_clzll(v);

        t->seen[64 * shift + (v >> shift)]++;
        t->n++;
}

static double times_ms(const struct times *t, double quantile) {
        uint64_t rank = (uint64_t)((double)t->n * quantile), sum = 0;
        unsigned i = 0, shift;

        while (i < STEPS - 1 && (sum += t->seen[i]) <= rank)
                i++;
        shift = i < 128 ? 0 : i / 64 - 1;
        return (double)((uint64_t)(i - 64 * shift) << shift) / 1000;
}

/* ---- orders ---- */

static struct text *unescape(const char *s) {
        struct text *t = zeroed(1, sizeof *t);
        unsigned hex;

        t->p = zeroed(strlen(s) + 1, 1);
        while (*s) {
                if (s[0] == '\\' && (s[1] == 'r' || s[1] == 'n')) {
                        t->p[t->n++] = s[1] == 'r' ? '\r' : '\n';
                        s += 2;
                } else if (s[0] == '\\' && s[1] == 'x' && sscanf(s + 2, "%2x", &hex) == 1) {
                        t->p[t->n++] = (char)hex;
                        s += 4;
                } else {
                        t->p[t->n++] = *s++;
                }
        }
        for (const char *m = t->p; (m = memmem(m, t->n - (size_t)(m - t->p), "@T@", 3)); m += 3)
                t->marks++;
        return t;
}

static void add(char *rest, bool publisher) {
        size_t n = strtoul(rest, &rest, 10);
        struct text *request = unescape(*rest ? rest + 1 : rest);
        struct conn *more = realloc(conns, (n_conns + n) * sizeof *conns);

        if (!more)
                fail_errno("memory");
        conns = more;
        if (publisher && (request->marks == 0 || request->n + MARK_BYTES * request->marks > REQUEST_MAX))
                fail("a publisher's request", "no @T@ in it, or too long");
        for (size_t i = 0; i < n; i++)
                conns[n_conns++] = (struct conn){ .fd = -1, .publisher = publisher, .request = request };
        *(publisher ? &n_publishers : &n_listeners) += n;
}

static void order(char *line) {
        static const struct {
                const char *name;
                int64_t *to;
        } numbers[] = { { "rate", &rate }, { "window", &window }, { "seconds", &seconds }, { "record", &records } };
        char *rest = line + strcspn(line, " ");

        line[strcspn(line, "\n")] = 0;
        if (*rest)
                *rest++ = 0;
        for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
                if (strcmp(line, numbers[i].name) == 0)
                        *numbers[i].to = atoll(rest);
        if (strcmp(line, "port") == 0)
                port = atoi(rest);
        else if (strcmp(line, "reach") == 0)
                reach = (uint32_t)atoi(rest);
        else if (strcmp(line, "welcome") == 0)
                snprintf(welcome, sizeof welcome, "%s", rest);
        else if (strcmp(line, "listen") == 0)
                add(rest, false);
        else if (strcmp(line, "publish") == 0)
                add(rest, true);
}

/* ---- connections ---- */

static void dial(struct conn *c, size_t index) {
        struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
        struct epoll_event ev = { .events = EPOLLIN, .data.u64 = index };
        int one = 1;

        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        c->fd = socket(AF_INET, SOCK_STREAM, 0);
        if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof to) < 0)
                fail_errno("connect");
        setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        if (!c->publisher && write(c->fd, c->request->p, c->request->n) != (ssize_t)c->request->n)
                fail_errno("write");
        if (fcntl(c->fd, F_SETFL, O_NONBLOCK) < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &ev) < 0)
                fail_errno("epoll");
}

static void publish(struct conn *c) {
        static char whole[REQUEST_MAX];
        const char *from = c->request->p, *end = from + c->request->n, *at;
        int64_t sent = now();
        size_t n = 0;

        c->first = published;
        while ((at = memmem(from, (size_t)(end - from), "@T@", 3))) {
                memcpy(whole + n, from, (size_t)(at - from));
                n += (size_t)(at - from);
                n += (size_t)snprintf(whole + n, MARK_BYTES + 1, MARK "%016" PRId64 ".%07u", sent, published);
                events[published++] = (struct event){ .sent = sent, .missing = reach };
                from = at + 3;
        }
        memcpy(whole + n, from, (size_t)(end - from));
        n += (size_t)(end - from);
        if (write(c->fd, whole, n) != (ssize_t)n)
                fail_errno("publish");
        c->events = published - c->first;
        c->busy = true;
}

/* ---- what arrives ---- */

/* Microseconds of the day in 2026-01-01T00:00:00.000Z, or with six digits. */
static int64_t day_micros(const char *stamp) {
        int h = 0, m = 0;
        double s = 0;

        return sscanf(stamp + 11, "%2d:%2d:%lf", &h, &m, &s) == 3
                       ? (h * 60 + m) * INT64_C(60000000) + (int64_t)(s * 1e6)
                       : -1;
}

static void recorded(const char *stamp, int64_t at) {
        int64_t day = INT64_C(86400000000), then = day_micros(stamp);

        if (then >= 0)
                times_add(&from_record, (at % day - then + day) % day);
}

static void got(const char *mark, int64_t at) {
        char *stop;
        int64_t sent = strtoll(mark + 2, &stop, 10);
        uint32_t number = (uint32_t)strtoul(stop + 1, NULL, 10);
        struct event *e = &events[number];

        if (number >= published || e->sent != sent || e->missing == 0)
                return;
        times_add(&from_send, at - sent);
        times_add(&from_accept, e->accepted ? at - e->accepted : 0);
        early += e->accepted == 0;
        if (--e->missing == 0)
                complete++;
}

/* Tells of every event that is whole; returns how many bytes of the end are of one that is not. */
static size_t scan(const char *p, size_t n, int64_t at) {
        const char *end = p + n, *m = p;

        while ((m = memmem(m, (size_t)(end - m), MARK, 2))) {
                size_t left = (size_t)(end - m);
                const char *stamp = records ? memmem(m, left, RECORDED, strlen(RECORDED)) : NULL;
                bool whole = records ? stamp && end - stamp >= STAMP_END : left >= MARK_BYTES;

                if (!whole && left < EVENT_MAX)
                        return left;
                if (m[2] >= '0' && m[2] <= '9' && m[18] == '.') {
                        got(m, at);
                        if (whole && records)
                                recorded(stamp + strlen(RECORDED), at);
                }
                m += 2;
        }
        return n && end[-1] == MARK[0] ? 1 : 0;
}

static void greeting(struct conn *c, const char *p, size_t n) {
        if (!c->answered && !memmem(p, n, "HTTP/1.1 200", 12) && !memmem(p, n, "HTTP/1.1 101", 12))
                fail("a listener was answered", p);
        c->answered = true;
        c->greeted = memmem(p, n, welcome, strlen(welcome));
        greeted += c->greeted;
}

static void heard(struct conn *c, char *p, size_t n, int64_t at) {
        if (!c->greeted)
                greeting(c, p, n);
        c->tail_n = scan(p, n, at);
        if (c->tail_n && !c->tail)
                c->tail = zeroed(EVENT_MAX, 1);
        if (c->tail_n)
                memcpy(c->tail, p + n - c->tail_n, c->tail_n);
}

static void answered(struct conn *c, const char *p, size_t n, int64_t at) {
        if (!memmem(p, n, "HTTP/1.1 2", 10))
                fail("a publisher was answered", p);
        for (uint32_t i = 0; i < c->events; i++)
                events[c->first + i].accepted = at;
        c->busy = false;
}

static void readable(struct conn *c) {
        static char buf[EVENT_MAX + READ_MAX + 1];
        ssize_t n;
        int64_t at;

        if (c->tail_n)
                memcpy(buf, c->tail, c->tail_n);
        n = read(c->fd, buf + c->tail_n, READ_MAX);
        at = now();
        if (n < 0 && errno == EAGAIN)
                return;
        if (n <= 0)
                fail(c->publisher ? "a publisher's connection" : "a listener's connection", "ended");
        n += (ssize_t)c->tail_n;
        buf[n] = 0;
        if (c->publisher)
                answered(c, buf, (size_t)n, at);
        else
                heard(c, buf, (size_t)n, at);
}

/* Answers first: an event is not early because we looked there last. */
static void turn(int timeout_ms) {
        struct epoll_event ev[256];
        int n = epoll_wait(epoll_fd, ev, 256, timeout_ms);

        for (int pass = 1; pass >= 0; pass--)
                for (int i = 0; i < n; i++)
                        if (conns[ev[i].data.u64].publisher == pass)
                                readable(&conns[ev[i].data.u64]);
}

/* ---- the run ---- */

static void publish_due(int64_t began) {
        static size_t next;
        int64_t due = rate ? (now() - began) * rate / 1000000 + 1 : INT64_MAX;

        for (size_t i = 0; i < n_conns; i++, next++) {
                struct conn *c = &conns[next % n_conns];

                if (published >= due || published - complete >= window)
                        return;
                if (published + c->request->marks >= EVENTS_MAX)
                        fail("too many events", "ask for fewer seconds");
                if (c->publisher && !c->busy)
                        publish(c);
        }
}

static void connect_all(void) {
        int64_t end = now() + 60000000;

        for (size_t i = 0, asked = 0; i < n_conns; i++) {
                dial(&conns[i], i);
                asked += !conns[i].publisher;
                do
                        turn(asked - greeted < ASKING_MAX ? 0 : 100);
                while (asked - greeted >= ASKING_MAX && now() < end);
        }
        while (greeted < n_listeners && now() < end)
                turn(100);
        if (greeted < n_listeners)
                fail("listeners", "not all were let in within a minute");
}

static void report(int64_t took) {
        const struct {
                const char *name;
                const struct times *t;
        } rows[] = { { "send", &from_send }, { "accept", &from_accept }, { "record", &from_record } };

        printf("{\"published\":%u,\"complete\":%u,\"deliveries\":%" PRIu64 ",\"early\":%" PRIu64 ",\"seconds\":%.3f",
               published, complete, from_send.n, early, (double)took / 1e6);
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
                printf(",\"%s_p50_ms\":%.3f,\"%s_p99_ms\":%.3f", rows[i].name, times_ms(rows[i].t, 0.5), rows[i].name,
                       times_ms(rows[i].t, 0.99));
        puts("}");
}

static void run(void) {
        int64_t began = now(), end = began + seconds * 1000000;

        while (now() < end) {
                publish_due(began);
                turn(1);
        }
        end = now() + 10000000; /* what is still on its way */
        while (complete < published && now() < end)
                turn(10);
        report(now() - began);
}

int main(void) {
        static char line[2 * REQUEST_MAX];

        while (fgets(line, sizeof line, stdin) && strcmp(line, "connect\n") != 0)
                order(line);
        epoll_fd = epoll_create1(0);
        events = zeroed(EVENTS_MAX, sizeof *events);
        if (epoll_fd < 0)
                fail_errno("epoll");
        connect_all();
        puts("connected");
        fflush(stdout);
        if (fgets(line, sizeof line, stdin) && seconds)
                run();
        return complete == published ? 0 : 1;
}
