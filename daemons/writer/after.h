/* after.h - what a good answer brings about besides itself: it is counted, and frontends hear whose access changed. */
#pragma once

#include "ask.h"

/* The op of this ask ended with OK, committed if it writes. account: the one its reply names; may be empty. */
void after_answer(struct hub *hub, const struct ask *a, struct slice account);
