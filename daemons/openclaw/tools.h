/* tools.h - the functions the model is offered, made from policy/actions.def: with them it proposes, no more. */
#pragma once

#include "jsonw.h"

struct tool {
        const char *name, *type, *what; /* the function, the action's type, what it is for */
};

/* The action a function proposes; NULL: no such function. */
const struct tool *tool_find(struct slice name);
/* The request's "tools" array: one function an action with a tool, its arguments as a closed schema. */
void tools_put(struct jsonw *w);
