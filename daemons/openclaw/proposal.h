/* proposal.h - what the model wants done: tags and function calls in the writer's words, and in the screen's. */
#pragma once

#include "gateway.h"
#include "jsonw.h"
#include "uitag.h"

/* The event of the UI contract a tag stands for; its payload is appended. Returns the event's type. */
const char *proposal_event(const struct uitag *tag, struct buf *payload);
/* One element of turn_end's proposals. */
void proposal_tag(const struct uitag *tag, struct buf *out);
void proposal_call(const struct gateway_call *call, struct buf *out);
