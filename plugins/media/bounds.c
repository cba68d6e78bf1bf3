/* SPDX-License-Identifier: MIT */
/* See bounds.h. */
#include "media/bounds.h"

#include <jansson.h>
#include <string.h>

mr_media_bounds mr_media_bounds_read(const json_t *bytes)
{
    const json_int_t from = json_integer_value(json_object_get(bytes, "from"));
    const json_int_t until = json_integer_value(json_object_get(bytes, "until"));
    if (!json_is_object(bytes) || from < 0 || until < 0 || (until > 0 && until <= from))
        return (mr_media_bounds){0};
    return (mr_media_bounds){.known = true, .from = from, .from_us = json_integer_value(json_object_get(bytes, "from_us")), .until = (uint64_t)until};
}

json_t *mr_media_bounds_json(const mr_media_bounds *bounds)
{
    json_t *bytes = json_object();
    if (bounds->from > 0) {
        json_object_set_new(bytes, "from", json_integer(bounds->from));
        json_object_set_new(bytes, "from_us", json_integer(bounds->from_us));
    }
    if (bounds->until > 0)
        json_object_set_new(bytes, "until", json_integer((json_int_t)bounds->until));
    return bytes;
}

/* Two entries: at its last one libav's Matroska demuxer would read on to find a better one. */
void mr_media_bounds_seed(AVFormatContext *format, int stream, const mr_media_bounds *bounds)
{
    if (!bounds->known || bounds->from <= 0 || stream < 0 || (unsigned int)stream >= format->nb_streams ||
        strncmp(format->iformat->name, "matroska", 8) != 0)
        return;
    AVStream *track = format->streams[stream];
    const int64_t ticks = av_rescale_q(bounds->from_us, AV_TIME_BASE_Q, track->time_base);
    if (av_add_index_entry(track, bounds->from, ticks, 0, 0, AVINDEX_KEYFRAME) >= 0)
        av_add_index_entry(track, bounds->from, INT64_MAX / 2, 0, 0, AVINDEX_KEYFRAME);
}
