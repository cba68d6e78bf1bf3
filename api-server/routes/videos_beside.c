/* SPDX-License-Identifier: MIT */
/* What lies beside a video: captions, its poster, and the stream of its events. */
#include "api-server/routes/videos.h"

#include "api-server/base/clock.h"
#include "api-server/base/id.h"
#include "api-server/videos/captions.h"
#include "api-server/videos/videos.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- files ---- */

static int open_folder(int parent, const char *name)
{
    if (mkdirat(parent, name, 0755) != 0 && errno != EEXIST)
        return -1;
    fsync(parent);
    return openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static bool write_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        const ssize_t n = write(fd, data, len);
        if (n < 0 && errno != EINTR)
            return false;
        data += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
    return true;
}

/* DATA/folder/VIDEO/name with these bytes, on the disk when it returns MR_OK. */
static mr_status write_file(mr_call *call, const char *folder, const char *video, const char *name, const void *data, size_t len)
{
    const int root = open(call->server->host->data_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const int kind = root >= 0 ? open_folder(root, folder) : -1;
    const int place = kind >= 0 ? open_folder(kind, video) : -1;
    const int fd = place >= 0 ? openat(place, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644) : -1;
    const bool good = fd >= 0 && write_all(fd, data, len) && fsync(fd) == 0 && fsync(place) == 0;
    const int open_ones[] = {fd, place, kind, root};
    if (fd >= 0 && !good)
        unlinkat(place, name, 0);
    for (size_t i = 0; i < 4; i++)
        if (open_ones[i] >= 0)
            close(open_ones[i]);
    return good ? MR_OK : MR_ERR_IO;
}

/* The same, known as `making` until its row is written. mr_videos_made() ends it, whatever is returned. */
static mr_status make_file(mr_call *call, const char *folder, const char *name, const void *data, size_t len, mr_making *making)
{
    snprintf(making->path, sizeof(making->path), "%s/%s/%s", folder, call->ids[0], name);
    mr_status status = mr_videos_making(call->server->videos, making);
    return status == MR_OK ? write_file(call, folder, call->ids[0], name, data, len) : status;
}

/* ---- captions ---- */

/* A language tag (RFC 5646) of letters, digits and hyphens: it becomes a part of a file name. */
static bool is_language(const char *text)
{
    size_t part = 0;
    for (const char *c = text; *c; c++) {
        const bool letter = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9');
        part = letter ? part + 1 : 0;
        if ((!letter && *c != '-') || part > 8 || (*c == '-' && (c == text || c[-1] == '-')))
            return false;
    }
    const size_t len = strlen(text);
    return len >= 2 && len < MR_LANGUAGE_SIZE && text[len - 1] != '-';
}

static bool check_language(mr_call *call)
{
    if (is_language(call->ids[1]))
        return true;
    mr_call_problem(call, 422, "bad-language", "'%s' is no language tag: 'en', 'de-AT'", call->ids[1]);
    return false;
}

void mr_route_put_captions(mr_call *call)
{
    char why[160];
    char name[MR_ID_SIZE];
    char *vtt = NULL;
    if (!mr_call_video(call, true) || !check_language(call))
        return;
    mr_status status = mr_captions_read(call->body, call->body_len, &vtt, why, sizeof(why));
    if (status == MR_ERR_INPUT) {
        mr_call_problem(call, 422, "bad-captions", "%s", why);
        return;
    }
    mr_caption caption = {.updated_us = mr_now_us()};
    const char *label = mr_call_query(call, "label");
    mr_making making;
    if (status == MR_OK)
        status = mr_id_make('c', name) ? MR_OK : MR_ERR_UNAVAILABLE;
    if (status == MR_OK) {
        snprintf(caption.language, sizeof(caption.language), "%s", call->ids[1]);
        snprintf(caption.label, sizeof(caption.label), "%s", label && label[0] ? label : call->ids[1]);
        snprintf(caption.file, sizeof(caption.file), "%s.vtt", name);
        status = make_file(call, "captions", caption.file, vtt, strlen(vtt), &making);
        if (status == MR_OK)
            status = mr_caption_put(call->server->metadata, call->ids[0], &caption);
        mr_videos_made(call->server->videos, &making);
    }
    free(vtt);
    if (status == MR_ERR_LIMIT) {
        mr_call_problem(call, 409, "too-many-captions", "a video has %d captions at most", MR_CAPTIONS_MAX);
        return;
    }
    if (status != MR_OK) {
        mr_call_status(call, status, "video");
        return;
    }
    mr_call_json(call, 200, json_pack("{s:s, s:s}", "lang", caption.language, "label", caption.label));
}

void mr_route_remove_captions(mr_call *call)
{
    if (!mr_call_video(call, true) || !check_language(call))
        return;
    const mr_status status = mr_caption_remove(call->server->metadata, call->ids[0], call->ids[1]);
    if (status != MR_OK) {
        mr_call_status(call, status, "captions");
        return;
    }
    mr_videos_tidy(call->server->videos);
    mr_call_empty(call, 204);
}

/* ---- the poster ---- */

/* By its first bytes, whatever it is called. NULL: it is none that browsers show. */
static const char *image_kind(const unsigned char *data, size_t len)
{
    if (len > 3 && memcmp(data, "\xff\xd8\xff", 3) == 0)
        return "jpg";
    if (len > 8 && memcmp(data, "\x89PNG\r\n\x1a\n", 8) == 0)
        return "png";
    if (len > 12 && memcmp(data, "RIFF", 4) == 0 && memcmp(data + 8, "WEBP", 4) == 0)
        return "webp";
    return NULL;
}

static mr_status keep_poster(mr_call *call, const char *kind)
{
    char id[MR_ID_SIZE], name[MR_ID_SIZE + 8];
    mr_making making;
    if (!mr_id_make('p', id))
        return MR_ERR_UNAVAILABLE;
    snprintf(name, sizeof(name), "%s.%s", id, kind);
    mr_status status = make_file(call, "posters", name, call->body, call->body_len, &making);
    if (status == MR_OK)
        status = mr_video_set_poster(call->server->metadata, call->ids[0], making.path);
    mr_videos_made(call->server->videos, &making);
    return status;
}

static double read_time(mr_call *call)
{
    json_t *json = json_loadb(call->body, call->body_len, JSON_REJECT_DUPLICATES, NULL);
    const json_t *time = json_object_get(json, "time");
    const double seconds = json_is_number(time) && json_object_size(json) == 1 ? json_number_value(time) : -1;
    json_decref(json);
    return seconds;
}

static void poster_at(mr_call *call, const mr_video_view *view)
{
    const double seconds = read_time(call);
    char *answer = NULL;
    if (seconds < 0 || (view->duration >= 0 && seconds > view->duration)) {
        mr_call_problem(call, 422, "bad-time", "say {\"time\": seconds} within the video, or send a JPEG, PNG or WebP picture");
        return;
    }
    const mr_status status = mr_videos_poster(call->server->videos, call->ids[0], seconds, &answer);
    if (status == MR_OK)
        mr_call_json(call, 202, json_pack("{s:s}", "run", answer));
    else if (status == MR_ERR_NOT_FOUND)
        mr_call_problem(call, 409, "nothing-uploaded", "nothing was uploaded for this video yet");
    else
        mr_call_status(call, status, "poster");
    free(answer);
}

void mr_route_set_poster(mr_call *call)
{
    const mr_video_view *view = mr_call_video(call, true);
    const char *type = mr_http_field(call->exchange, "Content-Type");
    const char *kind = image_kind(call->body, call->body_len);
    if (!view)
        return;
    if (type && strncasecmp(type, "application/json", 16) == 0) {
        poster_at(call, view);
        return;
    }
    if (!kind) {
        mr_call_problem(call, 415, "unsupported-media-type", "a poster is a JPEG, PNG or WebP picture, or {\"time\": seconds}");
        return;
    }
    mr_status status = keep_poster(call, kind);
    if (status == MR_OK)
        status = mr_video_look(call->server->metadata, call->ids[0], &view);
    if (status != MR_OK) {
        mr_call_status(call, status, "video");
        return;
    }
    mr_call_text(call, 200, "application/json", view->json, view->json_len);
}

/* Whoever was shown the video has the key of its poster; it changes with the poster and with the visibility. */
void mr_route_poster(mr_call *call)
{
    const mr_video_view *view = NULL;
    char path[4096];
    struct stat about;
    const bool known =
        mr_video_look(call->server->metadata, call->ids[0], &view) == MR_OK && view->poster[0] && strcmp(view->poster_key, call->ids[1]) == 0;
    const int len = known ? snprintf(path, sizeof(path), "%s/%s", call->server->host->data_dir, view->poster) : -1;
    const int fd = len > 0 && (size_t)len < sizeof(path) ? open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC) : -1;
    if (fd < 0 || fstat(fd, &about) != 0 || !S_ISREG(about.st_mode)) {
        if (fd >= 0)
            close(fd);
        mr_call_problem(call, 404, "not-found", "there is no such poster");
        return;
    }
    const char *dot = strrchr(view->poster, '.');
    mr_http_reply_field(call->exchange, "Content-Type",
                        dot && strcmp(dot, ".png") == 0    ? "image/png"
                        : dot && strcmp(dot, ".webp") == 0 ? "image/webp"
                                                           : "image/jpeg");
    mr_http_reply_field(call->exchange, "Cache-Control", "private, max-age=31536000, immutable");
    mr_http_reply_field(call->exchange, "X-Content-Type-Options", "nosniff");
    mr_http_reply_file(call->exchange, 200, fd, 0, (uint64_t)about.st_size);
}

/* ---- events ---- */

static char *status_of(void *context, const char *video)
{
    const mr_server *server = context;
    const mr_video_view *view = NULL;
    return mr_video_look(server->metadata, video, &view) == MR_OK ? mr_video_status_text(view) : NULL;
}

void mr_route_video_events(mr_call *call)
{
    if (!mr_call_video(call, false))
        return;
    mr_http_reply_field(call->exchange, "Content-Type", "text/event-stream");
    mr_http_reply_field(call->exchange, "Cache-Control", "no-store");
    mr_http_reply_field(call->exchange, "X-Accel-Buffering", "no");
    mr_later *stream = mr_http_reply_stream(call->exchange, 200);
    if (stream)
        mr_hub_join(mr_videos_hub(call->server->videos), call->ids[0], stream, mr_http_field(call->exchange, "Last-Event-ID"), status_of,
                    call->server);
}
