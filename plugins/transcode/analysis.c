/* SPDX-License-Identifier: MIT */
/* See analysis.h: the artifact. What comes in is checked before x264 reads it. */
#include "analysis.h"
#include "media/input.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HEADER = 12, CONTENT_MAX = 64 << 20, PATH_SIZE = 4096 };

void mr_analysis_free(mr_analysis *analysis)
{
    if (!analysis)
        return;
    mr_bytes_free(&analysis->stats);
    mr_bytes_free(&analysis->tree);
}

mr_status mr_analysis_emit(const mr_host *host, mr_task *task, uint32_t port, const mr_chunk *chunk, const mr_analysis *analysis)
{
    char meta[512];
    mr_bytes content = {0};
    snprintf(meta, sizeof(meta),
             "{\"bits\":%lld,\"chunk\":%u,\"first_frame\":%lld,\"fps\":[%d,%d],\"frames\":%d,\"height\":%d,\"kind\":\"analysis\","
             "\"longest_segment\":%d,\"qp\":%.2f,\"width\":%d}",
             (long long)analysis->bits, chunk->index, (long long)chunk->first_frame, chunk->fps.num, chunk->fps.den, chunk->frames,
             analysis->size.height, chunk->longest_segment, analysis->qp, analysis->size.width);
    mr_bytes_text(&content, "MRA1");
    mr_bytes_u32(&content, (uint32_t)analysis->stats.len);
    mr_bytes_u32(&content, (uint32_t)analysis->tree.len);
    mr_bytes_put(&content, analysis->stats.data, analysis->stats.len);
    mr_bytes_put(&content, analysis->tree.data, analysis->tree.len);
    mr_status status =
        content.failed ? mr_media_error(host, task, AVERROR(ENOMEM), "analysis") : host->emit_bytes(task, port, meta, content.data, content.len);
    mr_bytes_free(&content);
    return status;
}

static bool read_meta(const mr_artifact *artifact, const mr_chunk *chunk, mr_analysis *analysis)
{
    json_t *object = json_loadb(artifact->meta, artifact->meta_len, 0, NULL);
    const char *kind = json_string_value(json_object_get(object, "kind"));
    bool fits = kind && strcmp(kind, "analysis") == 0 && json_integer_value(json_object_get(object, "first_frame")) == chunk->first_frame &&
                json_integer_value(json_object_get(object, "frames")) == chunk->frames &&
                json_integer_value(json_object_get(object, "longest_segment")) == chunk->longest_segment;
    analysis->bits = json_integer_value(json_object_get(object, "bits"));
    analysis->qp = json_number_value(json_object_get(object, "qp"));
    analysis->size.width = (int)json_integer_value(json_object_get(object, "width"));
    analysis->size.height = (int)json_integer_value(json_object_get(object, "height"));
    json_decref(object);
    return fits && analysis->bits > 0 && analysis->size.width > 0 && analysis->size.height > 0 && analysis->size.width <= 16384 &&
           analysis->size.height <= 16384;
}

static mr_status read_content(const mr_host *host, mr_task *task, const mr_artifact *artifact, mr_analysis *analysis, bool *ret_fits)
{
    size_t len = 0;
    *ret_fits = false;
    if (artifact->size < HEADER || artifact->size > CONTENT_MAX)
        return MR_OK;
    uint8_t *data = malloc(artifact->size);
    if (!data)
        return mr_media_error(host, task, AVERROR(ENOMEM), "analysis");
    mr_status status = host->read_at(task, artifact, 0, data, artifact->size, &len);
    if (status == MR_OK && len == artifact->size && memcmp(data, "MRA1", 4) == 0) {
        uint64_t stats = mr_read_u32(data + 4);
        uint64_t tree = mr_read_u32(data + 8);
        *ret_fits = HEADER + stats + tree == len && stats > 10 && memcmp(data + HEADER, "#options: ", 10) == 0;
        if (*ret_fits) {
            mr_bytes_put(&analysis->stats, data + HEADER, stats);
            mr_bytes_put(&analysis->tree, data + HEADER + stats, tree);
        }
    }
    free(data);
    if (status == MR_OK && (analysis->stats.failed || analysis->tree.failed))
        status = mr_media_error(host, task, AVERROR(ENOMEM), "analysis");
    return status;
}

mr_status mr_analysis_read(const mr_host *host, mr_task *task, const mr_artifact *artifact, const mr_chunk *chunk, mr_analysis *ret_analysis)
{
    bool fits = read_meta(artifact, chunk, ret_analysis);
    mr_status status = fits ? read_content(host, task, artifact, ret_analysis, &fits) : MR_OK;
    if (status == MR_OK && !fits) {
        host->report(task, MR_SEVERITY_ERROR, NULL,
                     "connect 'analysis' to the stats that transcode.analyse made of the same chunks, in step ('each')",
                     "the analysis is not one of chunk %u", chunk->index);
        status = MR_ERR_INPUT;
    }
    return status;
}

static int write_file(const char *path, const mr_bytes *bytes)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    size_t done = 0;
    if (fd < 0)
        return -1;
    while (done < bytes->len) {
        ssize_t written = write(fd, bytes->data + done, bytes->len - done);
        if (written < 0 && errno != EINTR)
            break;
        done += written > 0 ? (size_t)written : 0;
    }
    return close(fd) == 0 && done == bytes->len ? 0 : -1;
}

/* The statistics have a line per picture: "in:0 out:0 type:I … tex:12345 mv:678 misc:90 imb:… ;". */
enum { TEXTURE, VECTORS, REST, SHARES };
static const char *const share_names[SHARES] = {" tex:", " mv:", " misc:"};

/* Which share's number follows at text; SHARES: none does. */
static size_t share_at(const char *text, const char *end)
{
    size_t i = 0;
    while (i < SHARES && ((size_t)(end - text) <= strlen(share_names[i]) || memcmp(text, share_names[i], strlen(share_names[i])) != 0))
        i++;
    return i;
}

/* Reads the number that begins at text; returns what follows it. */
static const char *read_number(const char *text, const char *end, double *ret_value)
{
    *ret_value = 0;
    for (; text < end && *text >= '0' && *text <= '9' && *ret_value < INT32_MAX; text++)
        *ret_value = *ret_value * 10 + (*text - '0');
    return text;
}

void mr_analysis_shares(const mr_analysis *analysis, double *ret_texture, double *ret_vectors, double *ret_rest)
{
    double sums[SHARES] = {0};
    double value;
    const char *text = (const char *)analysis->stats.data;
    const char *end = text + analysis->stats.len;
    while (text < end) {
        size_t share = share_at(text, end);
        text = share < SHARES ? read_number(text + strlen(share_names[share]), end, &value) : text + 1;
        if (share < SHARES)
            sums[share] += value;
    }
    *ret_texture = sums[TEXTURE];
    *ret_vectors = sums[VECTORS];
    *ret_rest = sums[REST] > 1 ? sums[REST] : 1;
}

static void scale_stats(const mr_bytes *stats, double factor, mr_bytes *out)
{
    const char *text = (const char *)stats->data;
    const char *end = text + stats->len;
    while (text < end) {
        size_t share = share_at(text, end);
        size_t len = share < SHARES ? strlen(share_names[share]) : 1;
        mr_bytes_put(out, text, len);
        text += len;
        if (share < SHARES) {
            char number[32];
            double value;
            text = read_number(text, end, &value);
            snprintf(number, sizeof(number), "%d", (int)fmin(value * factor + 0.5, (double)INT32_MAX / 2));
            mr_bytes_text(out, number);
        }
    }
}

mr_status mr_analysis_write(const mr_host *host, mr_task *task, const mr_analysis *analysis, double factor, const char *path)
{
    char tree[PATH_SIZE];
    mr_bytes stats = {0};
    int len = snprintf(tree, sizeof(tree), "%s.mbtree", path);
    scale_stats(&analysis->stats, factor, &stats);
    bool written = !stats.failed && len > 0 && (size_t)len < sizeof(tree) && write_file(path, &stats) == 0 && write_file(tree, &analysis->tree) == 0;
    mr_bytes_free(&stats);
    if (written)
        return MR_OK;
    host->report(task, MR_SEVERITY_ERROR, NULL, "free some space on the disk of the state folder",
                 "the analysis can't be written to the scratch folder: %m");
    return MR_ERR_IO;
}
