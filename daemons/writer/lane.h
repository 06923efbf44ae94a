/* lane.h - the connections that write: every op is committed, with its neighbours or alone, or refused. */
#pragma once

#include "answer.h"

struct lanes;
struct lanes *lanes_new(struct ev_loop *loop, struct answerer *answerer);
/* WRITE and BATCH requests; answers BUSY at once when the backlog is full. */
void lanes_add(struct lanes *l, const struct request *r);
/* A question of the writer's own; it belongs to the lanes from here. */
void lanes_ask(struct lanes *l, struct ask *a);
/* The connection that asked is gone: what is not sent yet is dropped (the peer sends it again), the rest answers
 * nobody. */
void lanes_forget(struct lanes *l, const struct channel *c);
unsigned lanes_backlog(const struct lanes *l);
bool lanes_ready(const struct lanes *l);
const char *lanes_trouble(const struct lanes *l); /* of the first that is not ready */
/* True once after asks were given up that may have been committed, unheard by us, when the database is back: those who
 * listen must look themselves. */
bool lanes_doubt(struct lanes *l);
/* Nothing in flight, nothing waiting that could be served now. */
bool lanes_idle(const struct lanes *l);
