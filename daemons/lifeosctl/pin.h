/* pin.h - the drop-in that names the openclaw daemon's one address, made from openclaw_url. */
#pragma once

#include "buf.h"

bool pin_host(const char *url, char host[static 256]); /* false: it names none */
/* CTL_DONE, or CTL_FAILED after having said why. An empty url: no address at all. */
int pin_conf(const char *url, struct buf *to);
