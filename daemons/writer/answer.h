/* answer.h - results become answers to those who asked and news to those who listen. */
#pragma once

#include <libpq-fe.h>

#include "publish.h"

/* More rows than this are left for the next page; a longer JSON body does not go into a frame. */
#define ANSWER_BYTES_MAX (OP_BYTES_MAX - 4096u)
#define ANSWER_JSON_MAX  (FRAME_PAYLOAD_MAX - 8192u)

struct answerer;
struct answerer *answerer_new(struct hub *hub, struct subs *subs, struct publish *publish);
void answerer_free(struct answerer *an);

/* One statement's result, after its transaction is committed (or its read is done): publishes, then answers each of
 * the n asks it served; n is 1 unless the op is a BATCH. The asks stay the caller's. */
void answer_call(struct answerer *an, struct ask *const *asks, uint32_t n, const PGresult *res);
