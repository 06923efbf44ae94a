/* translate.h - a verified LiveKit webhook body becomes the one message the writer understands. */
#pragma once

#include "arena.h"
#include "ops.h"
#include "status.h"
#include "verify.h"

/*
 * As tolerant as LiveKit's own receivers: camelCase or snake_case, enums as numbers or words, 64-bit integers as
 * numbers or texts, defaults left out, unknown members and events kept. Strict where it protects us: one JSON object,
 * no duplicate members, bounds on everything that becomes a column.
 *
 * The message lives in the arena and the body. STATUS_OK, or WEBHOOK_INVALID with the member in why.
 */
enum status translate(struct slice body, const struct webhook_verified *v, int64_t received, struct arena *a,
                      struct op_provider_event *ret, char why[static 160]);
