/* SPDX-License-Identifier: MIT */
/* What both ops want to know of a source's picture track. */
#include "measure.h"

#include <libavutil/mathematics.h>
#include <string.h>

#define LONGEST_US INT64_C(604800000000) /* the most that limits.duration can be set to */

static mr_status refuse(const mr_host *host, mr_task *task, const char *why)
{
    host->report(task, MR_SEVERITY_ERROR, NULL, "connect the port 'info' to probe.media's 'info'", "the info can't be used: %s", why);
    return MR_ERR_INPUT;
}

static int64_t integer(const json_t *object, const char *key)
{
    const int64_t value = json_integer_value(json_object_get(object, key));
    return value > -100 * LONGEST_US && value < 100 * LONGEST_US ? value : 0;
}

/* Time 0 is the earliest start of the picture track and the sound tracks, as segment.plan has it. */
static int64_t origin_of(const json_t *info, int64_t start_us)
{
    size_t i;
    json_t *track;
    json_array_foreach(json_object_get(info, "audio"), i, track)
    {
        const int64_t start = integer(track, "start_us");
        start_us = start < start_us ? start : start_us;
    }
    return start_us;
}

mr_status measure_source_read(const mr_host *host, mr_task *task, const mr_artifact *artifact, mr_chunk *ret_chunk, int64_t *ret_duration_us)
{
    json_t *info = artifact ? json_loadb(artifact->meta, artifact->meta_len, 0, NULL) : NULL;
    const json_t *video = json_object_get(info, "video");
    *ret_chunk = (mr_chunk){.last = true};
    const char *wrong = !info ? "it is not JSON" : !video ? "the source has no picture track" : mr_picture_info_read(video, &ret_chunk->picture);
    if (wrong) {
        json_decref(info);
        return refuse(host, task, wrong);
    }
    const int64_t start_us = integer(video, "start_us");
    const AVRational fps = ret_chunk->picture.frame_rate.num > 0 ? ret_chunk->picture.frame_rate : (AVRational){25, 1};
    ret_chunk->stream = (int)integer(video, "stream");
    ret_chunk->origin_us = origin_of(info, start_us);
    ret_chunk->fps = fps;
    ret_chunk->timescale = (uint32_t)fps.num;
    ret_chunk->frame_ticks = (uint32_t)fps.den;
    ret_chunk->decode_from_us = start_us;
    *ret_duration_us = start_us + integer(video, "duration_us") - ret_chunk->origin_us;
    if (*ret_duration_us < 0 || *ret_duration_us > LONGEST_US)
        *ret_duration_us = *ret_duration_us < 0 ? 0 : LONGEST_US;
    json_decref(info);
    return MR_OK;
}
