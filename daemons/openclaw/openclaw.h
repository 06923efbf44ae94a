/* openclaw.h - the parts of lifeos-openclaw: its way out, its turns and actions, and whom it tells. */
#pragma once

#include "channel.h"
#include "gateway.h"

struct turns;
struct actions;

struct openclaw {
        struct gateway *gateway;
        struct turns *turns;
        struct actions *actions;
        struct channel *writer;
        char runner[40]; /* this process, in turns' and actions' rows: after a restart it is another one */
};

/* A handler of one op; it answers at once, or copies the request and answers later. */
typedef void openclaw_fn(struct openclaw *o, const struct request *r);

/* The writer could not be asked, this time: the same question may be asked again. */
static inline bool openclaw_unheard(enum status s) {
        return s == STATUS_WRITER_UNAVAILABLE || s == STATUS_DATABASE_UNAVAILABLE || s == STATUS_BUSY ||
               s == STATUS_NOT_READY;
}
