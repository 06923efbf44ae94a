/* schema.h - what a database has of our schema, and bringing it to what the files say; forwards only. */
#pragma once

#include <libpq-fe.h>

#include "files.h"

/* Connects as the schema's owner; die() with the server's words. */
PGconn *schema_connect(const char *conninfo);

/* Compares. true: the database is what the files say. false: what is missing was named on stdout. die() if the
 * database is newer than the files, or a file was changed after it was applied. */
bool schema_check(PGconn *conn, const struct files *f);

/* Applies what is missing, each file of tables/ in a transaction of its own, then all of api/ and roles.sql in one if
 * any of it changed. Several may run at once: they take turns. */
void schema_apply(PGconn *conn, const struct files *f);
