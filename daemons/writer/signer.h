/* signer.h - every usage record gets its two signatures, once, within seconds of its commit. */
#pragma once

#include "lane.h"
#include "reader.h"

struct signer;
/* Before the sandbox: reads the credential; die() if it makes no sense. Without one nothing is signed, and said so. */
struct signer *signer_new(struct ev_loop *loop);
/* Finds what is not signed by asking the database, so nothing has to be remembered, and two appliances at once sign
 * each record once: the second finds it signed. */
void signer_start(struct signer *s, struct reader *reader, struct lanes *lanes);
