/* proxy.c - PROXY protocol v2: 12 bytes of signature, version and command, family, length, addresses, TLVs. */
#include "proxy.h"

#include <arpa/inet.h>

static const unsigned char signature[12] = { 0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a };

enum { FIXED = 16, LOCAL = 0x20, PROXY = 0x21, UNSPEC = 0x00, TCP4 = 0x11, TCP6 = 0x21 };

void proxy_address(int family, const void *bytes, char to[static 46]) {
        static const unsigned char mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };
        const unsigned char *b = bytes;
        if (family == 6 && memcmp(b, mapped, sizeof(mapped)) == 0) {
                family = 4;
                b += sizeof(mapped);
        }
        if (!inet_ntop(family == 4 ? AF_INET : AF_INET6, b, to, 46))
                to[0] = '\0';
}

static bool tlvs_valid(const unsigned char *p, size_t n) {
        while (n > 0) {
                if (n < 3)
                        return false;
                size_t size = 3 + ((size_t)p[1] << 8 | p[2]);
                if (size > n)
                        return false;
                p += size;
                n -= size;
        }
        return true;
}

ptrdiff_t proxy_parse(struct slice in, char ret_address[static 46]) {
        unsigned char h[PROXY_MAX];
        size_t have = in.n < sizeof(h) ? in.n : sizeof(h);
        if (have == 0)
                return 0;
        memcpy(h, in.p, have);
        if (memcmp(h, signature, have < sizeof(signature) ? have : sizeof(signature)) != 0)
                return -1;
        if (have < FIXED)
                return 0;

        unsigned command = h[12], family = h[13];
        size_t length = (size_t)h[14] << 8 | h[15];
        size_t address = family == TCP4 ? 12 : family == TCP6 ? 36 : 0;
        if ((command != LOCAL && command != PROXY) || FIXED + length > PROXY_MAX)
                return -1;
        if (family != TCP4 && family != TCP6 && family != UNSPEC)
                return -1;
        if (length < address)
                return -1;
        if (have < FIXED + length)
                return 0;
        /* What UNSPEC carries before its TLVs is undefined; it is skipped unread. */
        if (family != UNSPEC && !tlvs_valid(h + FIXED + address, length - address))
                return -1;

        ret_address[0] = '\0';
        if (command == PROXY && family != UNSPEC)
                proxy_address(family == TCP4 ? 4 : 6, h + FIXED, ret_address);
        return (ptrdiff_t)(FIXED + length);
}
