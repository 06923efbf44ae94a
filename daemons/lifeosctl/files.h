/* files.h - key files: created once or replaced whole, never half written, never readable by others. */
#pragma once

#include "buf.h"

/* All names are relative to dir_fd. 0; 1: it was there before (create) or is not there (read); -1 with errno. */
int file_dir(int dir_fd, const char *name, int *ret_fd); /* makes it 0700 and opens it */
int file_create(int dir_fd, const char *name, struct slice text, unsigned mode);
int file_replace(int dir_fd, const char *name, struct slice text, unsigned mode);
int file_read(int dir_fd, const char *name, struct buf *to); /* wipe to->p if it is secret */
int file_read_open(int fd, struct buf *to);                  /* the same from an open one: 0 or -1 */
