/* SPDX-License-Identifier: MIT */
/* See font.h. */
#include "media/font.h"
#include "media/input.h"

#include <fcntl.h>
#include <libavutil/mem.h>
#include <libavutil/sha.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FONT_MAX = 16 << 20, DIGEST_BYTES = 20, DIGEST_SHOWN = 8, PATH_SIZE = 4096 };

/* Where distributions put fonts with many letters. */
static const char *const places[] = {
    "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",
    "/usr/share/fonts/dejavu-sans-fonts/DejaVuSans.ttf",
    "/usr/share/fonts/TTF/DejaVuSans.ttf",
    "/usr/share/fonts/dejavu/DejaVuSans.ttf",
    "/usr/share/fonts/truetype/noto/NotoSans-Regular.ttf",
    "/usr/share/fonts/noto/NotoSans-Regular.ttf",
    "/usr/share/fonts/truetype/liberation/LiberationSans-Regular.ttf",
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_once_t named = PTHREAD_ONCE_INIT;
static const char *name; /* NULL: there is none */
static const void *bytes;
static size_t size;
static char identity[128] = "no font";

static void find(void)
{
    struct stat info;
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]) && !bytes; i++) {
        const int fd = open(places[i], O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            continue;
        if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && info.st_size > 0 && info.st_size <= FONT_MAX) {
            void *mapped = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
            if (mapped != MAP_FAILED) {
                bytes = mapped;
                size = (size_t)info.st_size;
                name = strrchr(places[i], '/') + 1;
            }
        }
        close(fd);
    }
}

void mr_font_load(void)
{
    pthread_once(&once, find);
}

static void describe(void)
{
    uint8_t digest[DIGEST_BYTES];
    struct AVSHA *sha = bytes ? av_sha_alloc() : NULL;
    if (!sha || av_sha_init(sha, 160) < 0) {
        av_free(sha);
        return;
    }
    av_sha_update(sha, bytes, size);
    av_sha_final(sha, digest);
    av_free(sha);
    int len = snprintf(identity, sizeof(identity), "font %s ", name);
    for (int i = 0; i < DIGEST_SHOWN; i++)
        len += snprintf(identity + len, sizeof(identity) - (size_t)len, "%02x", digest[i]);
}

const char *mr_font_identity(void)
{
    mr_font_load();
    pthread_once(&named, describe);
    return identity;
}

/* A copy in the task's scratch folder, there already or not. */
static mr_status place(const mr_host *host, mr_task *task, char path[PATH_SIZE])
{
    const char *folder = host->scratch(task);
    if (!folder)
        return MR_ERR_IO;
    snprintf(path, PATH_SIZE, "%s/%s", folder, name);
    const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return access(path, R_OK) == 0 ? MR_OK : mr_media_error(host, task, AVERROR(EIO), "the font");
    size_t done = 0;
    while (done < size) {
        const ssize_t written = write(fd, (const char *)bytes + done, size - done);
        if (written <= 0)
            break;
        done += (size_t)written;
    }
    close(fd);
    return done == size ? MR_OK : mr_media_error(host, task, AVERROR(EIO), "the font");
}

/* The end of the filter at text: a comma outside of quotes, or the end. */
static const char *end_of(const char *text)
{
    bool quoted = false;
    for (; *text && (quoted || *text != ','); text++) {
        if (*text == '\'')
            quoted = !quoted;
        else if (*text == '\\' && !quoted && text[1])
            text++;
    }
    return text;
}

static bool lacks_font(const char *filter, const char *end)
{
    const char *own = strstr(filter, "font"); /* font, fontfile; fontsize and fontcolor are no fonts */
    while (own && own < end && (strncmp(own, "fontsize", 8) == 0 || strncmp(own, "fontcolor", 9) == 0))
        own = strstr(own + 4, "font");
    return !own || own >= end;
}

mr_status mr_font_chain(const mr_host *host, mr_task *task, const char *chain, char *ret_chain, size_t ret_size)
{
    static const char drawtext[] = "drawtext";
    char path[PATH_SIZE] = "";
    size_t len = 0;
    mr_status status = MR_OK;
    while (*chain && status == MR_OK) {
        const char *start = chain + strspn(chain, " \t\r\n");
        const char *end = end_of(start);
        const size_t head = strcspn(start, "=,");
        const bool adds = bytes && strncmp(start, drawtext, sizeof(drawtext) - 1) == 0 && start[head] == '=' && lacks_font(start, end);
        if (adds && !path[0])
            status = place(host, task, path);
        const int added = adds ? snprintf(ret_chain + len, ret_size - len, "%.*s=fontfile='%s':%.*s", (int)head, start, path,
                                          (int)(end - start - (ptrdiff_t)head - 1), start + head + 1)
                               : snprintf(ret_chain + len, ret_size - len, "%.*s", (int)(end - start), start);
        if (added < 0 || (size_t)added + 1 >= ret_size - len)
            return mr_media_error(host, task, AVERROR(ENOSPC), "the filters are too long");
        len += (size_t)added;
        if (*end == ',')
            ret_chain[len++] = ',';
        ret_chain[len] = '\0';
        chain = *end ? end + 1 : end;
    }
    return status;
}
