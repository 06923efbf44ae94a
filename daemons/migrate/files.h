/* files.h - the SQL files of a migrations directory: read whole, in order, each with its SHA-256. */
#pragma once

#include "buf.h"

struct file {
        char name[128]; /* tables/0001_spine.sql, api/event_append.sql, roles.sql */
        char sha256[65];
        struct buf text; /* ends with a NUL, which is not counted */
};

/* Sorted by name, bytewise: api/ before roles.sql before tables/. */
struct files {
        struct file *file;
        size_t n;
        char sha256[65]; /* of all of them: what migrations/hash.sh computes */
};

/* die() if the directory is not one of migrations. */
void files_read(struct files *f, const char *dir);
void files_free(struct files *f);
/* NULL if there is none. */
const struct file *files_find(const struct files *f, const char *name);
bool file_is_table(const struct file *f);
