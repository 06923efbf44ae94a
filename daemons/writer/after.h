/* after.h - what an answer brings about besides itself: it is counted, frontends hear whose access changed, and
 * openclaw which turn was stopped. */
#pragma once

#include "ask.h"
#include "rows.h"

/* The op of this ask ended so; committed if it writes. */
void after_answer(struct hub *hub, const struct ask *a, const struct rows_reply *r);
