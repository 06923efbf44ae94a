/* upkeep.h - what has outlived its purpose is removed now and then, a little at a time, beside the lanes. */
#pragma once

#include "pg.h"

struct upkeep;
struct upkeep *upkeep_new(struct ev_loop *loop);
