/* SPDX-License-Identifier: MIT */
/* See clip.h. */
#include "clip.h"
#include "base/file.h"

#include <errno.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_ARGS 96

extern char **environ;

static char folder[64];
static pid_t owner;

static void remove_folder(void)
{
    if (folder[0] && getpid() == owner)
        mr_dir_remove(folder, NULL);
}

const char *clip_path(const char *name)
{
    static char path[256];
    if (!folder[0]) {
        snprintf(folder, sizeof(folder), "/tmp/millrace-clips-XXXXXX");
        if (!mkdtemp(folder)) {
            perror(folder);
            abort();
        }
        owner = getpid();
        atexit(remove_folder);
    }
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

static bool run(char *const argv[])
{
    pid_t child;
    int status = 0;
    int error = posix_spawnp(&child, argv[0], NULL, NULL, argv, environ);
    if (error != 0) {
        errno = error;
        perror(argv[0]);
        return false;
    }
    return waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

bool clip_make(const char *name, const char *args)
{
    char *argv[MAX_ARGS + 8] = {"ffmpeg", "-nostdin", "-v", "error", "-y"};
    char *owned[MAX_ARGS] = {0};
    size_t owned_count = 0;
    size_t count = 5;
    char *copy = strdup(args);
    char *output = strdup(clip_path(name));
    char *rest = copy;
    for (char *word = strsep(&rest, " "); word && count < MAX_ARGS; word = strsep(&rest, " ")) {
        if (word[0] == '@')
            word = owned[owned_count++] = strdup(clip_path(word + 1));
        argv[count++] = word;
    }
    argv[count] = output;
    bool made = run(argv);
    if (!made)
        fprintf(stderr, "the clip %s could not be made: ffmpeg %s\n", name, args);
    for (size_t i = 0; i < owned_count; i++)
        free(owned[i]);
    free(copy);
    free(output);
    return made;
}

bool clip_cut(const char *name, const char *from, size_t skip, size_t keep)
{
    char *data = NULL;
    size_t len = 0;
    if (mr_file_read(clip_path(from), 64u << 20, &data, &len, NULL) != MR_OK)
        return false;
    size_t left = len > skip ? len - skip : 0;
    if (keep > 0 && keep < left)
        left = keep;
    bool written = mr_file_write_atomic(clip_path(name), data + (len > skip ? skip : len), left, 0644, NULL) == MR_OK;
    free(data);
    return written;
}

bool clip_join(const char *name, const char *first, const char *second)
{
    const char *parts[] = {first, second};
    FILE *file = fopen(clip_path(name), "wbe");
    bool joined = file != NULL;
    for (size_t i = 0; i < 2 && joined; i++) {
        char *data = NULL;
        size_t len = 0;
        joined = mr_file_read(clip_path(parts[i]), 64u << 20, &data, &len, NULL) == MR_OK && fwrite(data, 1, len, file) == len;
        free(data);
    }
    if (file)
        joined = fclose(file) == 0 && joined;
    return joined;
}

const char *clip_real_media(const char *source_root)
{
    static char path[512];
    struct stat info;
    const char *named = secure_getenv("MILLRACE_MEDIA");
    if (named)
        snprintf(path, sizeof(path), "%s", named);
    else
        snprintf(path, sizeof(path), "%s/../shared/media", source_root);
    if (stat(path, &info) == 0 && S_ISDIR(info.st_mode))
        return path;
    printf("real media are absent (%s): only generated clips are tested\n", path);
    return NULL;
}
