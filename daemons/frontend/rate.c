/* rate.c - rate limits per actor and class, and per client address for who is not known yet. */
#include "rate_table.h"

#include <arpa/inet.h>
#include <stdlib.h>

#include "frontend.h"
#include "log.h"
#include "settings.h"

struct rate_state {
        struct rate_table actors, addresses;
};

size_t rate_address_key(const char *address, unsigned char to[static 9]) {
        unsigned char bytes[16];
        to[0] = 4;
        if (inet_pton(AF_INET, address, to + 1) == 1)
                return 5;
        if (inet_pton(AF_INET6, address, bytes) != 1)
                return 0;
        to[0] = 6;
        memcpy(to + 1, bytes, 8);
        return 9;
}

struct rate_state *rate_new(void) {
        struct rate_state *s = calloc(1, sizeof(*s));
        if (!s)
                die("out of memory");
        rate_table_init(&s->actors);
        rate_table_init(&s->addresses);
        return s;
}

bool rate_actor(struct frontend *f, enum rate class, const struct actor *a, unsigned *ret_retry) {
        int64_t limit = setting_int(a->service ? SETTING_rate_service_per_minute : SETTING_rate_actor_per_minute);
        struct rate_table *t = &frontend_rate(f)->actors;
        int64_t now = text_mono_micros() * 1000;
        unsigned char key[4 + 2 * 256];
        size_t n = 0;
        if (limit == 0 || class == NONE_RATE)
                return true;
        key[n++] = (unsigned char)class;
        key[n++] = a->service;
        for (unsigned i = 0; i < 2; i++) {
                struct slice s = i == 0 ? a->account : a->id;
                size_t take = s.n < 255 ? s.n : 255;
                key[n++] = (unsigned char)take;
                memcpy(key + n, s.p, take);
                n += take;
        }
        unsigned retry = rate_ask(t, key, n, limit, now);
        if (retry > 0) {
                *ret_retry = retry;
                return false;
        }
        rate_charge(t, key, n, limit, now);
        return true;
}

bool rate_address(struct frontend *f, const char *address, unsigned *ret_retry) {
        int64_t limit = setting_int(SETTING_rate_address_per_minute);
        unsigned char key[9];
        size_t n = rate_address_key(address, key);
        if (limit == 0 || n == 0)
                return true;
        unsigned retry = rate_ask(&frontend_rate(f)->addresses, key, n, limit, text_mono_micros() * 1000);
        if (retry > 0)
                *ret_retry = retry;
        return retry == 0;
}

void rate_address_charge(struct frontend *f, const char *address) {
        int64_t limit = setting_int(SETTING_rate_address_per_minute);
        unsigned char key[9];
        size_t n = rate_address_key(address, key);
        if (limit > 0 && n > 0)
                rate_charge(&frontend_rate(f)->addresses, key, n, limit, text_mono_micros() * 1000);
}
