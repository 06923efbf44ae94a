/* proxy.h - the PROXY protocol's binary header (version 2), read strictly: who is behind the TLS terminator. */
#pragma once

#include "text.h"

#define PROXY_MAX 536u /* bytes of one header, TLVs included */

/* Bytes of the header at the start of `in`; 0: more is needed; -1: anything else. *ret_address gets the client's
 * address as text, "" for LOCAL and UNSPEC (the terminator itself, or it does not know). Only TCP over IPv4 or IPv6;
 * TLVs must be well-formed and are skipped. */
ptrdiff_t proxy_parse(struct slice in, char ret_address[static 46]);
/* Text of an address; IPv4 mapped into IPv6 reads as IPv4. family: 4 or 6, bytes in network order. */
void proxy_address(int family, const void *bytes, char to[static 46]);
