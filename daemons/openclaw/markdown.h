/* markdown.h - a deliverable's data as Markdown, where the model wrote none: plain, complete, always the same. */
#pragma once

#include "json.h"

void markdown_put(struct slice kind, struct slice title, struct json data, struct buf *out);
