/* jwt_make.h - tokens as a stranger would make them: any header, any payload, signed or not. */
#pragma once

#include <sodium.h>

#include "unit.h"

static inline size_t make_part(const char *json, char *to) {
        return text_base64url(json, strlen(json), to);
}

/* An HS256 signature over whatever header and claims say. `to` holds 8 KiB and more; returns the token. */
static inline struct slice make_hs256(const char *header, const char *claims, const char *secret, char *to) {
        crypto_auth_hmacsha256_state st;
        unsigned char mac[crypto_auth_hmacsha256_BYTES];
        size_t n = make_part(header, to);

        to[n++] = '.';
        n += make_part(claims, to + n);
        crypto_auth_hmacsha256_init(&st, (const unsigned char *)secret, strlen(secret));
        crypto_auth_hmacsha256_update(&st, (const unsigned char *)to, n);
        crypto_auth_hmacsha256_final(&st, mac);
        to[n++] = '.';
        n += text_base64url(mac, sizeof mac, to + n);
        to[n] = 0;
        return (struct slice){ to, (uint32_t)n };
}
