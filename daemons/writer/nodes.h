/* nodes.h - several appliances on one database hear of each other's commits: told soon, and found by polling anyway. */
#pragma once

#include "pg.h"
#include "publish.h"

struct nodes;
struct nodes *nodes_new(struct ev_loop *loop, struct subs *subs, struct publish *publish);
void nodes_free(struct nodes *n); /* not its connection, which lives as long as the process */
/* Something may have been committed that nobody was told of. */
void nodes_doubt(struct nodes *n);
/* Since it was last asked: was a stream found that ends before what its listeners were told? */
bool nodes_restored(struct nodes *n);
