/* redact.h - a copy of a JSON object without the members that are somebody's secret. */
#pragma once

#include "json.h"

/* Compact, members in their order, the named secrets left out at every depth. Over out's maximum: out->over. */
void redact_json(struct json v, struct buf *out);
