/* uitag_read.h - one tag's inside: its attributes, and whether they make sense. */
#pragma once

#include "uitag.h"

/* The value of an attribute of a tag's head, without its guards, in `to`; false if it is not there. */
bool uitag_attribute(struct slice head, const char *name, struct buf *to);
/* A head, from behind the tag's name to before its end. False: nothing comes of it. Slices of ret are in `room`. */
bool uitag_read(enum uitag_kind kind, struct slice head, struct buf *room, struct uitag *ret);
