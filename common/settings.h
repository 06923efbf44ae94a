/* settings.h - what the operator set, checked against settings.def once at start; read-only afterwards. */
#pragma once

#include "ops.h"

enum setting {
#define INTEGER(name, reader, min, max, dflt, meaning) SETTING_##name,
#define TEXT(name, reader, max, dflt, meaning)         SETTING_##name,
#include "settings.def"
        SETTING_COUNT
};

/* Reads "name = value" lines ('#' starts a comment; a missing file means all defaults). 0, or -1 with a message that
 * names file, line and what is allowed. Unknown names, doubled names and values out of bounds are errors. */
int settings_load(const char *path, char why[static 256]);

int64_t setting_int(enum setting s);
const char *setting_text(enum setting s); /* never NULL */
/* Prints every setting with bounds, default and meaning, as a commented gateway.conf. */
void settings_print_example(void);
