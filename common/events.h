/* events.h - the 24 event types and their payload rules, from events.def; envelopes in, stored events out. */
#pragma once

#include "json.h"
#include "ops.h"
#include "status.h"

enum event_who { SERVICE, OWNER };

/* The type's row number, or -1. */
int event_type(struct slice type);
int event_type_count(void);
const char *event_type_name(int type);
enum event_who event_type_who(int type);

/* 0, or -1 with a reason naming the key in why. */
int event_payload_check(int type, struct json payload, char why[static 160]);

/* One envelope as a client sends it: eventId, sessionId, ts (or timestamp), type, payload, schemaVersion (or version);
 * any other key is refused. ts absent: `now` is used and ts_given is false. eventId absent: `fallback_id`. The payload
 * is canonicalised into the arena. STATUS_OK, INVALID_REALTIME_EVENT with why, or FORBIDDEN if `who` may not emit it. */
enum status event_bind(struct json envelope, enum event_who who, int64_t now, struct slice fallback_id,
                       struct arena *a, struct op_event_in *ret, char why[static 160]);

/* What clients read, live, in replay and in the answer to a POST: one spelling, byte for byte the one of SQL's
 * api.event_json(). Adds `sequence` and the three times. */
void event_json(const struct op_event_in *in, const struct op_event_out *out, struct buf *to);
