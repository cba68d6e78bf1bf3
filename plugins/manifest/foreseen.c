/* SPDX-License-Identifier: MIT */
/*
 * Segments before they are made. The plan says where each begins and how long it lasts: pictures to the frame; sound to the sample, to the end of its
 * track. Others (transport streams, text, sound in frames that don't fit the plan's grid) are not foreseen: they are told of when they are made.
 */
#include "model.h"

#include <stdlib.h>
#include <string.h>

/* segments: [[first, length], ...] in units of so many ticks; unit 0: [[start, end], ...] in ticks. */
bool plan_foresee(mr_plan *plan, mr_kind kind, const json_t *segments, int64_t timescale, int64_t unit)
{
    const size_t count = json_array_size(segments);
    int64_t(*pieces)[2] = calloc(count + 1, sizeof(*pieces));
    size_t good = 0;
    if (!pieces)
        return false;
    while (good < count) {
        const json_t *segment = json_array_get(segments, good);
        const int64_t start = json_integer_value(json_array_get(segment, 0));
        const int64_t second = json_integer_value(json_array_get(segment, 1));
        const int64_t length = unit > 0 ? second : second - start;
        const int64_t most = (INT64_C(1) << 50) / (unit > 0 ? unit : 1);
        if (start < 0 || start > most || second < 0 || second > most || length <= 0)
            break;
        pieces[good][0] = start * (unit > 0 ? unit : 1);
        pieces[good++][1] = length * (unit > 0 ? unit : 1);
    }
    free(plan->foreseen[kind].pieces);
    plan->foreseen[kind].pieces = pieces;
    plan->foreseen[kind].count = good == count ? count : 0;
    plan->foreseen[kind].timescale = timescale;
    return true;
}

/* Where the sound track ends, in samples; 0: not known. */
static int64_t track_end(const mr_plan *plan, const mr_rendition *rendition)
{
    for (size_t i = 0; i < plan->track_count; i++) {
        if (plan->tracks[i] == rendition->stream)
            return plan->track_samples[i];
    }
    return 0;
}

static bool can_be(const mr_plan *plan, const mr_rendition *rendition)
{
    if (!rendition->has_init || !rendition->init_has_content || rendition->count > 0 || plan->foreseen[rendition->kind].count == 0 ||
        plan->foreseen[rendition->kind].timescale != rendition->timescale || strcmp(rendition->init_ext, "mp4") != 0)
        return false;
    return rendition->kind == KIND_VIDEO ||
           (rendition->kind == KIND_AUDIO && strcmp(rendition->codec_name, "aac") == 0 && track_end(plan, rendition) > 0);
}

mr_status model_foresee(mr_model *model, mr_rendition *rendition)
{
    const mr_plan *plan = &model->plan;
    if (!can_be(plan, rendition))
        return MR_OK;
    const int64_t end = rendition->kind == KIND_AUDIO ? track_end(plan, rendition) : INT64_MAX;
    const size_t count = plan->foreseen[rendition->kind].count;
    mr_status status = model_reserve(model, rendition, count);
    if (status != MR_OK)
        return status;
    rendition->count = 0;
    for (size_t i = 0; i < count; i++) {
        const int64_t start = plan->foreseen[rendition->kind].pieces[i][0];
        int64_t length = plan->foreseen[rendition->kind].pieces[i][1];
        if (start >= end)
            break;
        const bool tail = rendition->kind == KIND_AUDIO && (start + length > end || i + 1 == count);
        length = tail ? end - start : length;
        /* Sound: the frames before time 0 are in the first one. */
        const int64_t before = rendition->kind == KIND_AUDIO ? rendition->priming : 0;
        rendition->pieces[i].start = i > 0 ? start + before : start;
        rendition->pieces[i].duration = i > 0 ? length : length + before;
        rendition->count = i + 1;
    }
    memcpy(rendition->ext, "m4s", sizeof("m4s"));
    rendition->foreseen = rendition->count > 0;
    return MR_OK;
}

void model_trim(mr_rendition *rendition)
{
    while (rendition->foreseen && rendition->count > 0 && !rendition->pieces[rendition->count - 1].present)
        rendition->count--;
}
