/* SPDX-License-Identifier: MIT */
/* See chunk.h. A chunk may come from anywhere, so nothing in it is believed: sizes, rates and counts are bounded before they are used. */
#include "media/chunk.h"

#include <jansson.h>
#include <libavutil/pixdesc.h>
#include <stdlib.h>
#include <string.h>

enum { FRAMES_MAX = 1 << 20, SEGMENTS_MAX = 1 << 16, SIDE_MAX = 32768 /* the most that limits.picture_side can be set to */, RATE_MAX = 1000 };

static int64_t integer(const json_t *object, const char *key, int64_t absent)
{
    const json_t *value = json_object_get(object, key);
    return json_is_integer(value) ? json_integer_value(value) : absent;
}

static const char *word(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static AVRational ratio(const json_t *object, const char *key, AVRational absent)
{
    const json_t *pair = json_object_get(object, key);
    int64_t num = json_integer_value(json_array_get(pair, 0));
    int64_t den = json_integer_value(json_array_get(pair, 1));
    return num > 0 && den > 0 && num <= INT32_MAX && den <= INT32_MAX ? (AVRational){(int)num, (int)den} : absent;
}

static void read_colours(const json_t *object, mr_picture_info *info)
{
    const char *range = word(object, "range");
    int primaries = av_color_primaries_from_name(word(object, "primaries"));
    int transfer = av_color_transfer_from_name(word(object, "transfer"));
    int matrix = av_color_space_from_name(word(object, "matrix"));
    info->range = strcmp(range, "full") == 0 ? AVCOL_RANGE_JPEG : strcmp(range, "limited") == 0 ? AVCOL_RANGE_MPEG : AVCOL_RANGE_UNSPECIFIED;
    info->primaries = primaries < 0 ? AVCOL_PRI_UNSPECIFIED : (enum AVColorPrimaries)primaries;
    info->transfer = transfer < 0 ? AVCOL_TRC_UNSPECIFIED : (enum AVColorTransferCharacteristic)transfer;
    info->matrix = matrix < 0 ? AVCOL_SPC_UNSPECIFIED : (enum AVColorSpace)matrix;
}

const char *mr_picture_info_read(const json_t *object, mr_picture_info *info)
{
    int64_t width = integer(object, "width", 0);
    int64_t height = integer(object, "height", 0);
    int64_t display_width = integer(object, "display_width", width);
    int64_t display_height = integer(object, "display_height", height);
    int64_t rotation = integer(object, "rotation", 0);
    const char *interlaced = word(object, "interlaced");
    const char *hdr = word(object, "hdr");
    if (width < 1 || height < 1 || width > SIDE_MAX || height > SIDE_MAX)
        return "picture size";
    if (display_width < 1 || display_height < 1 || display_width > 2L * SIDE_MAX || display_height > 2L * SIDE_MAX)
        return "display size";
    if (rotation % 90 != 0 || rotation < 0 || rotation > 270)
        return "rotation";
    *info = (mr_picture_info){.width = (int)width,
                              .height = (int)height,
                              .display_width = (int)display_width,
                              .display_height = (int)display_height,
                              .rotation = (int)rotation,
                              .mirror = json_is_true(json_object_get(object, "mirror")),
                              .variable_rate = json_is_true(json_object_get(object, "variable_rate")),
                              .sar = ratio(object, "sar", (AVRational){1, 1}),
                              .frame_rate = ratio(object, "frame_rate", (AVRational){0, 1})};
    info->interlacing = strcmp(interlaced, "tff") == 0 ? MR_TOP_FIRST : strcmp(interlaced, "bff") == 0 ? MR_BOTTOM_FIRST : MR_PROGRESSIVE;
    info->hdr = strcmp(hdr, "hlg") == 0 ? MR_HDR_HLG : strcmp(hdr, "pq") == 0 || strcmp(hdr, "hdr10") == 0 ? MR_HDR_PQ : MR_HDR_NONE;
    read_colours(object, info);
    return NULL;
}

/* Segments follow each other without a gap and fill the chunk. */
static const char *read_segments(const json_t *list, mr_chunk *chunk)
{
    size_t count = json_array_size(list);
    int64_t at = chunk->first_frame;
    if (count < 1 || count > SEGMENTS_MAX)
        return "number of segments";
    chunk->segments = calloc(count, sizeof(*chunk->segments));
    if (!chunk->segments)
        return "memory for segments";
    chunk->segment_count = count;
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(list, i);
        int64_t index = integer(item, "index", -1);
        int64_t frames = integer(item, "frames", 0);
        if (index < 0 || index > UINT32_MAX - 1 || frames < 1 || frames > chunk->frames || integer(item, "first_frame", -1) != at)
            return "list of segments";
        chunk->segments[i] = (mr_chunk_segment){.index = (uint32_t)index, .first_frame = at, .frames = (int)frames};
        if (frames > chunk->longest_segment)
            chunk->longest_segment = (int)frames;
        at += frames;
    }
    return at == chunk->first_frame + chunk->frames ? NULL : "list of segments";
}

static const char *read_chunk(const json_t *object, mr_chunk *chunk)
{
    int64_t index = integer(object, "index", -1);
    int64_t stream = integer(object, "stream", -1);
    int64_t timescale = integer(object, "timescale", 0);
    int64_t frame_ticks = integer(object, "frame_ticks", 0);
    int64_t frames = integer(object, "frames", 0);
    chunk->first_frame = integer(object, "first_frame", -1);
    chunk->fps = ratio(object, "fps", (AVRational){0, 1});
    if (strcmp(word(object, "kind"), "video") != 0)
        return "kind";
    if (index < 0 || index > UINT32_MAX || stream < 0 || stream > 65535)
        return "index or stream";
    if (chunk->fps.num < 1 || av_cmp_q(chunk->fps, (AVRational){RATE_MAX, 1}) > 0)
        return "frame rate";
    if (timescale < 1 || timescale > UINT32_MAX || frame_ticks < 1 || frame_ticks > UINT32_MAX ||
        frame_ticks * chunk->fps.num != timescale * chunk->fps.den)
        return "timescale: a frame is not a whole number of ticks";
    if (chunk->first_frame < 0 || chunk->first_frame > INT64_MAX / 2 / frame_ticks || frames < 1 || frames > FRAMES_MAX ||
        !mr_is_media_time(av_rescale_q(chunk->first_frame + frames, av_inv_q(chunk->fps), AV_TIME_BASE_Q)))
        return "range of frames";
    chunk->index = (uint32_t)index;
    chunk->stream = (int)stream;
    chunk->timescale = (uint32_t)timescale;
    chunk->frame_ticks = (uint32_t)frame_ticks;
    chunk->frames = (int)frames;
    chunk->last = json_is_true(json_object_get(object, "last"));
    chunk->origin_us = integer(object, "origin_us", 0);
    chunk->decode_from_us = integer(object, "decode_from_us", 0);
    if (!mr_is_media_time(chunk->origin_us) || !mr_is_media_time(chunk->decode_from_us))
        return "time";
    chunk->bounds = mr_media_bounds_read(json_object_get(object, "bytes"));
    const char *wrong = read_segments(json_object_get(object, "segments"), chunk);
    return wrong ? wrong : mr_picture_info_read(json_object_get(object, "picture"), &chunk->picture);
}

mr_status mr_chunk_read(const mr_host *host, mr_task *task, const mr_artifact *artifact, mr_chunk *ret_chunk)
{
    *ret_chunk = (mr_chunk){0};
    json_t *object = artifact ? json_loadb(artifact->meta, artifact->meta_len, 0, NULL) : NULL;
    const char *wrong = object ? read_chunk(object, ret_chunk) : "JSON";
    json_decref(object);
    if (!wrong)
        return MR_OK;
    host->report(task, MR_SEVERITY_ERROR, NULL, "connect the port 'chunk' to segment.plan's 'chunks'",
                 "the video chunk can't be used: its %s is wrong", wrong);
    return MR_ERR_INPUT;
}

void mr_chunk_free(mr_chunk *chunk)
{
    if (!chunk)
        return;
    free(chunk->segments);
    *chunk = (mr_chunk){0};
}
