/* SPDX-License-Identifier: MIT */
/* See media.h. What is not in the list of types is not for viewers: a run's report names paths of the machine. */
#include "api-server/playback/media.h"

#include "api-server/playback/range.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static const struct {
    const char *ext, *type;
    bool manifest;
} kinds[] = {
    {"m4s", "video/iso.segment", false},
    {"mp4", "video/mp4", false},
    {"m3u8", "application/vnd.apple.mpegurl", true},
    {"mpd", "application/dash+xml", true},
    {"vtt", "text/vtt; charset=utf-8", false},
    {"jpg", "image/jpeg", false},
    {"png", "image/png", false},
    {"webp", "image/webp", false},
    {"ts", "video/mp2t", false},
    {"m4a", "audio/mp4", false},
    {"aac", "audio/aac", false},
    {"mp3", "audio/mpeg", false},
    {"webm", "video/webm", false},
};

static int kind_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *dot = strrchr(slash ? slash : path, '.');
    for (size_t i = 0; dot && i < sizeof(kinds) / sizeof(*kinds); i++) {
        if (strcmp(dot + 1, kinds[i].ext) == 0)
            return (int)i;
    }
    return -1;
}

/* The storyboard's track is the one of its kind that grows. */
static bool is_track_of_pictures(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && strcmp(slash, "/storyboard.vtt") == 0;
}

bool mr_media_path_is_fine(const char *path)
{
    if (strlen(path) >= MR_MEDIA_PATH || !strchr(path, '/') || kind_of(path) < 0)
        return false;
    for (const char *at = path; *at; at++) {
        const bool begins = at == path || at[-1] == '/';
        if ((begins && (*at == '.' || *at == '/')) || (unsigned char)*at < 0x20 || *at == 0x7f || *at == '\\')
            return false;
    }
    return true;
}

mr_status mr_media_open(int folder, const char *path, mr_media_file *ret_file)
{
    const struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
    struct stat found;
    const int kind = kind_of(path);
    const int fd = (int)syscall(SYS_openat2, folder, path, &how, sizeof(how));
    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR || errno == ELOOP || errno == EXDEV || errno == ENAMETOOLONG ? MR_ERR_NOT_FOUND : MR_ERR_IO;
    if (kind < 0 || fstat(fd, &found) != 0 || !S_ISREG(found.st_mode)) {
        close(fd);
        return MR_ERR_NOT_FOUND;
    }
    *ret_file = (mr_media_file){
        .fd = fd,
        .type = kinds[kind].type,
        .manifest = kinds[kind].manifest || is_track_of_pictures(path),
        .size = (uint64_t)found.st_size,
        .modified = found.st_mtim,
        .inode = found.st_ino,
    };
    return MR_OK;
}

void mr_media_fields(mr_exchange *exchange)
{
    mr_http_reply_field(exchange, "Access-Control-Allow-Origin", "*");
    mr_http_reply_field(exchange, "Access-Control-Expose-Headers", "Content-Length, Content-Range, ETag, Retry-After");
    mr_http_reply_field(exchange, "Cross-Origin-Resource-Policy", "cross-origin");
    mr_http_reply_field(exchange, "X-Content-Type-Options", "nosniff");
}

/* RFC 9110, 13.2.2: If-None-Match before If-Modified-Since. */
static bool is_known(const mr_exchange *exchange, const char *etag, time_t modified)
{
    const char *tags = mr_http_field(exchange, "If-None-Match");
    const char *date = mr_http_field(exchange, "If-Modified-Since");
    time_t since;
    if (tags)
        return mr_etag_listed(tags, etag);
    return date && mr_http_date_read(date, &since) && modified <= since;
}

static mr_range wanted_range(const mr_exchange *exchange, const mr_media_file *file, const char *etag, uint64_t *ret_offset, uint64_t *ret_len)
{
    const char *condition = mr_http_field(exchange, "If-Range");
    const bool holds =
        strcmp(mr_http_method(exchange), "GET") == 0 && (!condition || mr_if_range_holds(condition, etag, file->modified.tv_sec, time(NULL)));
    return mr_range_read(holds ? mr_http_field(exchange, "Range") : NULL, file->size, ret_offset, ret_len);
}

void mr_media_reply(mr_exchange *exchange, mr_media_file *take_file)
{
    char etag[64];
    char date[MR_HTTP_DATE_SIZE];
    char part[96];
    uint64_t offset = 0;
    uint64_t len = 0;
    const mr_media_file *file = take_file;
    snprintf(etag, sizeof(etag), "\"%llx-%llx-%llx\"", (unsigned long long)file->inode, (unsigned long long)file->size,
             (unsigned long long)file->modified.tv_sec * 1000000000ull + (unsigned long long)file->modified.tv_nsec);
    mr_http_date(file->modified.tv_sec, date);
    const bool known = is_known(exchange, etag, file->modified.tv_sec);
    const mr_range range = known ? MR_RANGE_WHOLE : wanted_range(exchange, file, etag, &offset, &len);
    mr_media_fields(exchange);
    mr_http_reply_field(exchange, "Accept-Ranges", "bytes");
    if (range == MR_RANGE_OUTSIDE) {
        snprintf(part, sizeof(part), "bytes */%llu", (unsigned long long)file->size);
        mr_http_reply_field(exchange, "Content-Range", part);
        close(file->fd);
        mr_http_reply_problem(exchange, 416, "range-not-satisfiable", "the file has no such part");
        return;
    }
    mr_http_reply_field(exchange, "Cache-Control",
                        !file->manifest  ? "public, max-age=31536000, immutable"
                        : file->changing ? "public, max-age=1"
                                         : "public, max-age=60");
    mr_http_reply_field(exchange, "ETag", etag);
    mr_http_reply_field(exchange, "Last-Modified", date);
    if (known) {
        close(file->fd);
        mr_http_reply(exchange, 304, NULL, 0);
        return;
    }
    mr_http_reply_field(exchange, "Content-Type", file->type);
    if (range == MR_RANGE_PART) {
        snprintf(part, sizeof(part), "bytes %llu-%llu/%llu", (unsigned long long)offset, (unsigned long long)(offset + len - 1),
                 (unsigned long long)file->size);
        mr_http_reply_field(exchange, "Content-Range", part);
    }
    mr_http_reply_file(exchange, range == MR_RANGE_PART ? 206 : 200, file->fd, offset, len);
}
