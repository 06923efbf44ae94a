/* turns.h - AI turns: queued by rule, run through the gateway, stored as they arrive, ended exactly once. */
#pragma once

#include "channel.h"
#include "gateway.h"

/*
 * Everything durable is in the writer: a process that dies leaves a lease that runs out. Single-threaded.
 *
 *     at once              openclaw_turns_max; the others wait, openclaw_waiting_max of them
 *     of a conversation    one; turn_queue_max further ones wait, for turn_queue_seconds
 *     the same turn again  joins the one that runs, or gets its stored answer
 */
struct turns;

/* runner: the name of this process, made at its start; borrowed. */
struct turns *turns_new(struct ev_loop *loop, struct gateway *gateway, struct channel *writer, const char *runner);
void turns_free(struct turns *t); /* as if the process died: nobody is told */

void turns_run(struct turns *t, const struct request *r);     /* turn_run */
void turns_left(struct turns *t, const struct request *r);    /* turn_left */
void turns_stopped(struct turns *t, const struct request *r); /* turn_stopped */
/* A frontend's connection is lost, and its clients with it. */
void turns_down(struct turns *t, struct channel *c);
/* Told to stop: who waits is refused, who runs may finish for a while. True when nobody is left. Called repeatedly. */
bool turns_drain(struct turns *t);

/* Who else needs a place at the gateway. */
struct places;
struct places *turns_places(struct turns *t);
