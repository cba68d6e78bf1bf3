/* SPDX-License-Identifier: MIT */
/*
 * See toolchain.h. libavcodec does not tell the versions of the encoders behind it; the dynamic linker knows their files, whose full names end in
 * them.
 */
#include "media/toolchain.h"

#include <libavcodec/avcodec.h>
#include <libavfilter/avfilter.h>
#include <libavformat/avformat.h>
#include <libswresample/swresample.h>
#include <libswscale/swscale.h>
#include <link.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAMES_MAX = 16 };

static pthread_once_t once = PTHREAD_ONCE_INIT;
static char text[1024];

typedef struct found {
    char names[NAMES_MAX][64];
    int count;
} found;

static int look_at(struct dl_phdr_info *info, size_t size, void *context)
{
    static const char *const wanted[] = {"libx264.", "libx265.", "libSvtAv1Enc.", "libvpx.", "libzimg.", "libopus.", "libdav1d.", "libmp3lame."};
    found *all = context;
    (void)size;
    const char *slash = info->dlpi_name ? strrchr(info->dlpi_name, '/') : NULL;
    for (size_t i = 0; slash && i < sizeof(wanted) / sizeof(wanted[0]) && all->count < NAMES_MAX; i++) {
        if (strncmp(slash + 1, wanted[i], strlen(wanted[i])) != 0)
            continue;
        char *path = realpath(info->dlpi_name, NULL);
        const char *name = path ? strrchr(path, '/') : NULL;
        snprintf(all->names[all->count++], sizeof(all->names[0]), "%s", name ? name + 1 : slash + 1);
        free(path);
    }
    return 0;
}

static int compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void add_version(const char *name, unsigned version)
{
    size_t len = strlen(text);
    snprintf(text + len, sizeof(text) - len, "%s%s %u.%u.%u", len ? ", " : "", name, AV_VERSION_MAJOR(version), AV_VERSION_MINOR(version),
             AV_VERSION_MICRO(version));
}

static void write_text(void)
{
    found all = {.count = 0};
    add_version("libavcodec", avcodec_version());
    add_version("libavfilter", avfilter_version());
    add_version("libavformat", avformat_version());
    add_version("libavutil", avutil_version());
    add_version("libswresample", swresample_version());
    add_version("libswscale", swscale_version());
    dl_iterate_phdr(look_at, &all);
    qsort(all.names, (size_t)all.count, sizeof(all.names[0]), compare);
    for (int i = 0; i < all.count; i++) {
        size_t len = strlen(text);
        snprintf(text + len, sizeof(text) - len, ", %s", all.names[i]);
    }
}

const char *mr_media_toolchain(void)
{
    pthread_once(&once, write_text);
    return text;
}
