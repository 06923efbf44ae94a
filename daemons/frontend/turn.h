/* turn.h - what a request for a turn says, checked as far as it can be here. */
#pragma once

#include "call.h"
#include "waiting.h"

/* NULL: it was answered. `stream`: its TURN_EVENTs are wanted. */
struct op_turn_run *turn_bind(struct http_request *r, const struct route *route, const struct actor *a, bool stream);
