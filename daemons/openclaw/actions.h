/* actions.h - what a human asked for and the AI makes: a document, checked, stored with the action's end, or not at all. */
#pragma once

#include "channel.h"
#include "gateway.h"
#include "place.h"

/*
 * Shares its places with the turns. An action goes on when its client leaves: what was asked for is made once. The same
 * action again while it is made here joins; made elsewhere, it is waited for.
 */
struct actions;

/* runner: the name of this process; borrowed, as are the places. */
struct actions *actions_new(struct ev_loop *loop, struct gateway *gateway, struct channel *writer, const char *runner,
                            struct places *places);
void actions_free(struct actions *a);                         /* as if the process died: nobody is told */
void actions_run(struct actions *a, const struct request *r); /* action_run */
void actions_down(struct actions *a, struct channel *c);
bool actions_drain(struct actions *a); /* as turns_drain() */
