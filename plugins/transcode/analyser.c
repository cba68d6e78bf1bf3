/* SPDX-License-Identifier: MIT */
/* See analysis.h: the first pass. */
#include "analysis.h"
#include "media/encode.h"
#include "media/input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINES = 240, PATH_SIZE = 4096, FILE_MAX = 32 << 20 };

struct mr_analyser {
    const mr_host *host;
    mr_task *task;
    const mr_chunk *chunk;
    mr_encoder *encoder;
    AVPacket *packet;
    mr_size size;
    int64_t bits;
    char path[PATH_SIZE];
};

mr_size mr_analysis_size(const mr_chunk *chunk)
{
    double width = chunk->picture.display_width;
    double height = chunk->picture.display_height;
    double scale = LINES / (width < height ? width : height);
    if (scale > 1)
        scale = 1;
    mr_size size = {(int)(width * scale / 2 + 0.5) * 2, (int)(height * scale / 2 + 0.5) * 2};
    if (size.width < 2)
        size.width = 2;
    if (size.height < 2)
        size.height = 2;
    return size;
}

mr_status mr_analyser_new(const mr_host *host, mr_task *task, const mr_chunk *chunk, const char *folder, mr_analyser **ret_analyser)
{
    mr_analyser *analyser = calloc(1, sizeof(*analyser));
    if (!analyser)
        return mr_media_error(host, task, AVERROR(ENOMEM), "analysis");
    *analyser = (mr_analyser){.host = host, .task = task, .chunk = chunk, .size = mr_analysis_size(chunk)};
    analyser->packet = av_packet_alloc();
    int len = snprintf(analyser->path, sizeof(analyser->path), "%s/first-pass", folder);
    const mr_encode_options options = {.codec = MR_CODEC_H264,
                                       .preset = "medium",
                                       .width = analyser->size.width,
                                       .height = analyser->size.height,
                                       .fps = chunk->fps,
                                       .kind = {AV_PIX_FMT_YUV420P, AVCOL_PRI_BT709, AVCOL_TRC_BT709, AVCOL_SPC_BT709, "SDR"},
                                       .longest_gop = chunk->longest_segment,
                                       .mode = MR_ENCODE_PASS_1,
                                       .crf = MR_ANALYSIS_CRF,
                                       .stats = analyser->path};
    mr_status status = MR_OK;
    if (!analyser->packet || len < 0 || (size_t)len >= sizeof(analyser->path))
        status = mr_media_error(host, task, AVERROR(ENOMEM), "analysis");
    if (status == MR_OK)
        status = mr_encoder_open(host, task, &options, &analyser->encoder);
    if (status != MR_OK) {
        mr_analyser_free(analyser);
        return status;
    }
    *ret_analyser = analyser;
    return MR_OK;
}

void mr_analyser_free(mr_analyser *analyser)
{
    if (!analyser)
        return;
    mr_encoder_close(analyser->encoder);
    av_packet_free(&analyser->packet);
    free(analyser);
}

static mr_status count_packets(mr_analyser *analyser)
{
    mr_status status = MR_OK;
    while (status == MR_OK) {
        status = mr_encoder_receive(analyser->encoder, analyser->packet);
        if (status == MR_OK)
            analyser->bits += 8 * (int64_t)analyser->packet->size;
    }
    return status == MR_NOT_YET || status == MR_END ? MR_OK : status;
}

mr_status mr_analyser_send(mr_analyser *analyser, const AVFrame *frame, int index)
{
    bool key = false;
    for (size_t i = 0; i < analyser->chunk->segment_count; i++)
        key |= analyser->chunk->segments[i].first_frame == analyser->chunk->first_frame + index;
    mr_status status = mr_encoder_send(analyser->encoder, frame, index, key);
    return status == MR_OK ? count_packets(analyser) : status;
}

static bool read_file(const char *path, mr_bytes *bytes)
{
    uint8_t buf[16384];
    ssize_t got = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    do {
        got = read(fd, buf, sizeof(buf));
        if (got > 0)
            mr_bytes_put(bytes, buf, (size_t)got);
    } while ((got > 0 && bytes->len < FILE_MAX) || (got < 0 && errno == EINTR));
    close(fd);
    return got == 0 && !bytes->failed;
}

/*
 * x264 does not look whether its last writes succeeded; on a full disk it leaves less than there was to say. A line per picture, and a record of
 * the block tree (a type and two bytes a macroblock) for each picture that others refer to, in x264's letters all but 'b'.
 */
static bool is_whole(const mr_analyser *analyser, const mr_analysis *analysis)
{
    const char *text = (const char *)analysis->stats.data;
    const char *end = text + analysis->stats.len;
    size_t macroblocks = (size_t)((analyser->size.width + 15) / 16) * (size_t)((analyser->size.height + 15) / 16);
    size_t referred = 0;
    int lines = 0;
    for (const char *next; text < end; text = next) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        if (!newline)
            return false;
        next = newline + 1;
        if (*text == '#')
            continue;
        const char *type = memmem(text, (size_t)(newline - text), " type:", 6);
        if (!type || newline[-1] != ';')
            return false;
        lines++;
        referred += type[6] != 'b';
    }
    return lines == analyser->chunk->frames && analysis->tree.len == referred * (1 + 2 * macroblocks);
}

mr_status mr_analyser_finish(mr_analyser *analyser, mr_analysis *ret_analysis)
{
    char tree[PATH_SIZE + 16];
    mr_status status = mr_encoder_send(analyser->encoder, NULL, 0, false);
    if (status == MR_OK)
        status = count_packets(analyser);
    ret_analysis->qp = mr_encoder_mean_qp(analyser->encoder);
    mr_encoder_close(analyser->encoder); /* which writes the files */
    analyser->encoder = NULL;
    if (status != MR_OK)
        return status;
    ret_analysis->size = analyser->size;
    ret_analysis->bits = analyser->bits;
    snprintf(tree, sizeof(tree), "%s.mbtree", analyser->path);
    if (!read_file(analyser->path, &ret_analysis->stats) || !read_file(tree, &ret_analysis->tree)) {
        analyser->host->report(analyser->task, MR_SEVERITY_ERROR, NULL, NULL, "the first pass left no statistics in the scratch folder: %m");
        return MR_ERR_IO;
    }
    unlink(analyser->path);
    unlink(tree);
    if (is_whole(analyser, ret_analysis))
        return MR_OK;
    analyser->host->report(analyser->task, MR_SEVERITY_ERROR, NULL, "free some space on the disk of the state folder",
                           "the statistics of the first pass could not be written whole");
    return MR_ERR_IO;
}
