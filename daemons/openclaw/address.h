/* address.h - the one address that may ever be reached: read from the URL, resolved once, compared ever after. */
#pragma once

#include <sys/socket.h>

#include "text.h"

#define ADDRESS_MAX 8u

struct address {
        char url[1024];     /* of the request */
        char resolve[1024]; /* "host:port:address,..." for CURLOPT_RESOLVE; empty: the host is an address itself */
        bool tls;
        unsigned n;
        struct sockaddr_storage at[ADDRESS_MAX];
};

/* The gateway's base URL; `path` is put after it. Asks the resolver. 0, or -1 with a message for the operator: not
 * http(s), with a user or a query, not resolvable, or plain http to an address neither loopback nor private. */
int address_resolve(const char *base, const char *path, struct address *ret, char why[static 256]);
/* Is this one of them, port included? */
bool address_has(const struct address *a, const struct sockaddr *to, socklen_t len);
