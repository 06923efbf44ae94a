/* files.c - a temporary name, the bytes on disk, then the real name in one step. */
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

int file_dir(int dir_fd, const char *name, int *ret_fd) {
        int fd;

        if (mkdirat(dir_fd, name, 0700) != 0 && errno != EEXIST)
                return -1;
        fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                return -1;
        *ret_fd = fd;
        return 0;
}

static int write_all(int fd, struct slice s) {
        while (s.n != 0) {
                ssize_t n = write(fd, s.p, s.n);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return -1;
                s = (struct slice){ s.p + n, s.n - (uint32_t)n };
        }
        return 0;
}

/* The temporary file, complete and on disk. Its name has our pid: two callers never share one. */
static int write_temporary(int dir_fd, const char *temporary, struct slice text, unsigned mode) {
        int fd, r;

        (void)unlinkat(dir_fd, temporary, 0);
        fd = openat(dir_fd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
        if (fd < 0)
                return -1;
        r = write_all(fd, text) == 0 && fchmod(fd, mode) == 0 && fsync(fd) == 0 ? 0 : -1;
        if (close(fd) != 0)
                r = -1;
        return r;
}

static int put(int dir_fd, const char *name, struct slice text, unsigned mode, bool replace) {
        char temporary[128];
        int r, saved;

        snprintf(temporary, sizeof temporary, ".%s.%d", name, (int)getpid());
        r = write_temporary(dir_fd, temporary, text, mode);
        if (r == 0)
                r = renameat2(dir_fd, temporary, dir_fd, name, replace ? 0 : RENAME_NOREPLACE);
        if (r == 0)
                return fsync(dir_fd);
        saved = errno;
        (void)unlinkat(dir_fd, temporary, 0);
        errno = saved;
        return !replace && saved == EEXIST ? 1 : -1;
}

int file_create(int dir_fd, const char *name, struct slice text, unsigned mode) {
        if (faccessat(dir_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
                return 1;
        return put(dir_fd, name, text, mode, false);
}

int file_replace(int dir_fd, const char *name, struct slice text, unsigned mode) {
        return put(dir_fd, name, text, mode, true);
}

int file_read_open(int fd, struct buf *to) {
        ssize_t n = 0;
        char *room = NULL;

        /* One spare byte tells a file that is exactly full from one that is too long. */
        while ((room = buf_room(to, 1)) && (n = read(fd, room, to->cap - to->n)) > 0)
                to->n += (size_t)n;
        if (!room)
                errno = EFBIG;
        return room && n == 0 ? 0 : -1;
}

int file_read(int dir_fd, const char *name, struct buf *to) {
        int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC), r, saved;

        if (fd < 0)
                return errno == ENOENT ? 1 : -1;
        r = file_read_open(fd, to);
        saved = errno;
        close(fd);
        errno = saved;
        return r;
}
