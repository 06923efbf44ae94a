/* reader.h - the connection that cannot write: reads in order, pipelined, each on its own. */
#pragma once

#include "answer.h"

struct reader;
struct reader *reader_new(struct ev_loop *loop, struct answerer *answerer, struct watch *watch);
/* READ and LISTEN requests; answers BUSY at once when the queue is full. */
void reader_add(struct reader *r, const struct request *q);
/* A question of the writer's own; it belongs to the reader from here. */
void reader_ask(struct reader *r, struct ask *a);
/* The connection that asked is gone: what is not sent yet is dropped, the rest answers nobody. */
void reader_forget(struct reader *r, const struct channel *c);
bool reader_ready(const struct reader *r);
const char *reader_trouble(const struct reader *r);
bool reader_idle(const struct reader *r);
