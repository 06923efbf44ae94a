/* replay.c - a fuzz target as an ordinary test: every file of its corpus again, and not one byte more. */
#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>

#include "fuzz.h"

static unsigned replayed;

static void fail(const char *path) {
        perror(path);
        exit(1);
}

static void replay_file(const char *path, size_t size) {
        FILE *f = fopen(path, "rb");
        uint8_t *data = malloc(size ? size : 1); /* exact, so that a sanitizer sees one byte too far */

        if (!f || !data || fread(data, 1, size, f) != size)
                fail(path);
        (void)fclose(f);
        (void)LLVMFuzzerTestOneInput(data, size);
        free(data);
        replayed++;
}

static void replay_folder(const char *path) {
        struct dirent **entries;
        int n = scandir(path, &entries, NULL, alphasort);

        if (n < 0)
                fail(path);
        for (int i = 0; i < n; i++) {
                char file[4096];
                struct stat st;

                (void)snprintf(file, sizeof file, "%s/%s", path, entries[i]->d_name);
                if (stat(file, &st) != 0)
                        fail(file);
                if (S_ISREG(st.st_mode))
                        replay_file(file, (size_t)st.st_size);
                free(entries[i]);
        }
        free(entries);
}

int main(int argc, char **argv) {
        for (int i = 1; i < argc; i++) {
                struct stat st;

                if (stat(argv[i], &st) != 0)
                        fail(argv[i]);
                if (S_ISDIR(st.st_mode))
                        replay_folder(argv[i]);
                else
                        replay_file(argv[i], (size_t)st.st_size);
        }
        printf("%u inputs replayed\n", replayed);
        return replayed ? 0 : 1;
}
