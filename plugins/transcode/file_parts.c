/* SPDX-License-Identifier: MIT */
/* See file_parts.h. */
#include "file_parts.h"

#include <jansson.h>
#include <libavutil/mathematics.h>
#include <stdlib.h>

#define FADE       240                   /* samples */
#define LONGEST_US INT64_C(604800000000) /* the most that limits.duration can be set to */

static mr_status refuse(const mr_host *host, mr_task *task, const char *why)
{
    host->report(task, MR_SEVERITY_ERROR, NULL, "write {\"cuts\": [{\"start_us\": 1000000, \"duration_us\": 2000000}]}", "the cuts can't be used: %s",
                 why);
    return MR_ERR_INPUT;
}

/* The time of the picture nearest to us. */
static int64_t on_grid(int64_t us, AVRational fps)
{
    const int64_t frame = av_rescale(us, fps.num, (int64_t)fps.den * 1000000);
    return av_rescale(frame, (int64_t)fps.den * 1000000, fps.num);
}

static mr_status read_all(const mr_host *host, mr_task *task, const json_t *list, AVRational fps, int64_t end_us, mr_file_parts *ret)
{
    size_t i;
    json_t *cut;
    json_array_foreach(list, i, cut)
    {
        const json_t *start = json_object_get(cut, "start_us");
        const json_t *duration = json_object_get(cut, "duration_us");
        const json_int_t from = json_integer_value(start);
        const json_int_t len = json_integer_value(duration);
        if (!json_is_integer(start) || !json_is_integer(duration) || from < 0 || len <= 0 || from > LONGEST_US || len > LONGEST_US)
            return refuse(host, task, "each takes a start_us and a duration_us, in whole microseconds");
        const mr_file_part part = {on_grid(from, fps), on_grid(from + len < end_us ? from + len : end_us, fps)};
        if (part.end_us > part.start_us)
            ret->parts[ret->count++] = part;
    }
    return ret->count > 0 ? MR_OK : refuse(host, task, "nothing of the source lies in them");
}

mr_status mr_file_parts_read(const mr_host *host, mr_task *task, const mr_artifact *artifact, AVRational fps, int64_t end_us,
                             mr_file_parts *ret_parts)
{
    *ret_parts = (mr_file_parts){0};
    if (!artifact)
        return MR_OK;
    json_t *object = json_loadb(artifact->meta, artifact->meta_len, 0, NULL);
    const json_t *list = json_object_get(object, "cuts");
    const size_t count = json_array_size(list);
    mr_status status = MR_OK;
    if (count == 0 || count > MR_FILE_PARTS)
        status = refuse(host, task, count ? "there are more than 1000" : "there is no list of them");
    else if (!(ret_parts->parts = calloc(count, sizeof(*ret_parts->parts))))
        status = MR_ERR_NOMEM;
    if (status == MR_OK)
        status = read_all(host, task, list, fps, end_us, ret_parts);
    json_decref(object);
    return status;
}

void mr_file_parts_free(mr_file_parts *parts)
{
    free(parts->parts);
    *parts = (mr_file_parts){0};
}

void mr_file_part_fade(float *const *planes, int channels, int count, int64_t from, int64_t total)
{
    for (int i = 0; i < count; i++) {
        const int64_t to = total - (from + i);
        const int64_t near = from + i < to ? from + i : to;
        for (int c = 0; c < channels && near < FADE; c++)
            planes[c][i] *= (float)near / FADE;
    }
}
