/* files.c - reading and hashing a migrations directory. */
#include "files.h"

#include <dirent.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "log.h"

#define FILES_MAX 4096
#define FILE_MAX  (4u << 20)

static void sha256_hex(const void *p, size_t n, char to[static 65]) {
        unsigned char h[crypto_hash_sha256_BYTES];

        crypto_hash_sha256(h, p, n);
        text_hex(h, sizeof h, to);
}

static void read_text(const char *path, struct buf *to) {
        FILE *in = fopen(path, "re");
        char block[16384];
        size_t n;

        if (!in)
                die("%.180s: %s", path, strerror(errno));
        buf_init(to, FILE_MAX);
        while ((n = fread(block, 1, sizeof block, in)) > 0)
                buf_add(to, block, n);
        if (ferror(in))
                die("%s: cannot be read", path);
        fclose(in);
        buf_char(to, '\0');
        if (to->over)
                die("%s: over %u bytes", path, FILE_MAX);
        to->n--;
        if (memchr(to->p, '\0', to->n))
                die("%s: holds a NUL", path);
}

static void add(struct files *f, const char *dir, const char *name) {
        char path[4096];
        struct file *file;

        if (f->n == FILES_MAX)
                die("%s: over %d files", dir, FILES_MAX);
        if (snprintf(path, sizeof path, "%s/%s", dir, name) >= (int)sizeof path || strlen(name) >= sizeof file->name)
                die("%s/%s: the name is too long", dir, name);
        f->file = reallocarray(f->file, f->n + 1, sizeof *f->file);
        if (!f->file)
                die("out of memory");
        file = &f->file[f->n++];
        memset(file, 0, sizeof *file);
        snprintf(file->name, sizeof file->name, "%s", name);
        read_text(path, &file->text);
        sha256_hex(file->text.p, file->text.n, file->sha256);
}

static void add_folder(struct files *f, const char *dir, const char *folder) {
        char path[4096], name[300];
        struct dirent *e;
        DIR *d;

        if (snprintf(path, sizeof path, "%s/%s", dir, folder) >= (int)sizeof path || !(d = opendir(path)))
                die("%s/%s: %s; name the migrations with --dir", dir, folder, strerror(errno));
        while ((e = readdir(d))) {
                size_t n = strlen(e->d_name);

                if (n < 5 || strcmp(e->d_name + n - 4, ".sql") != 0 || e->d_name[0] == '.')
                        continue;
                snprintf(name, sizeof name, "%s/%s", folder, e->d_name);
                add(f, dir, name);
        }
        closedir(d);
}

static int by_name(const void *a, const void *b) {
        return strcmp(((const struct file *)a)->name, ((const struct file *)b)->name);
}

void files_read(struct files *f, const char *dir) {
        struct buf manifest;

        *f = (struct files){ 0 };
        add_folder(f, dir, "api");
        add_folder(f, dir, "tables");
        add(f, dir, "roles.sql");
        qsort(f->file, f->n, sizeof *f->file, by_name);
        buf_init(&manifest, FILES_MAX * (size_t)256);
        for (size_t i = 0; i < f->n; i++)
                buf_fmt(&manifest, "%s  %s\n", f->file[i].sha256, f->file[i].name);
        if (manifest.over)
                die("out of memory");
        sha256_hex(manifest.p, manifest.n, f->sha256);
        buf_free(&manifest);
}

void files_free(struct files *f) {
        for (size_t i = 0; i < f->n; i++)
                buf_free(&f->file[i].text);
        free(f->file);
        *f = (struct files){ 0 };
}

const struct file *files_find(const struct files *f, const char *name) {
        for (size_t i = 0; i < f->n; i++)
                if (strcmp(f->file[i].name, name) == 0)
                        return &f->file[i];
        return NULL;
}

bool file_is_table(const struct file *f) {
        return strncmp(f->name, "tables/", 7) == 0;
}
