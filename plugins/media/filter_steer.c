/* SPDX-License-Identifier: MIT */
/*
 * Steered chains: options of filters of libavfilter, set for each picture. Every setting has a value for every picture, so that what comes out does
 * not depend on what was set before; an option whose value stays the same is not set again.
 */
#include "media/filter_stage.h"
#include "media/input.h"

#include <stdlib.h>
#include <string.h>

typedef struct steering {
    mr_steering pub; /* first */
    mr_stage *stage;
    size_t count;
    bool given[MR_STAGE_SETTINGS];
    mr_status status;
} steering;

static mr_status set(const mr_steering *to, uint32_t setting, const char *value)
{
    steering *of = (steering *)to; /* the one that steer() was given */
    mr_stage *stage = of->stage;
    if (of->status != MR_OK)
        return of->status;
    if (setting >= of->count || !value) {
        of->status = MR_ERR_INTERNAL;
    } else if (strlen(value) > MR_STAGE_VALUE) {
        stage->host->report(stage->task, MR_SEVERITY_ERROR, "filters", NULL, "the filter '%s' sets '%s' to more than %d bytes",
                            stage->use->filter->name, stage->use->filter->settings[setting], MR_STAGE_VALUE);
        of->status = MR_ERR_LIMIT;
    } else {
        of->given[setting] = true;
        if (!stage->values[setting] || strcmp(stage->values[setting], value) != 0) {
            char *copy = strdup(value);
            of->status = copy ? mr_filter_set(stage->filter, stage->use->filter->settings[setting], copy) : MR_ERR_NOMEM;
            free(stage->values[setting]);
            stage->values[setting] = copy;
        }
    }
    return of->status;
}

mr_status mr_stage_steer(mr_stage *stage, size_t at)
{
    const mr_frame_filter *filter = stage->use->filter;
    steering to = {.pub = {.size = sizeof(to.pub), .set = set}, .stage = stage};
    mr_picture picture;
    mr_stage_describe(stage, &stage->held[at], false, &picture);
    while (to.count < MR_STAGE_SETTINGS && filter->settings[to.count])
        to.count++;
    mr_status status = filter->steer(stage->state, &picture, &to.pub);
    if (status == MR_OK)
        status = to.status;
    for (size_t i = 0; i < to.count && status == MR_OK; i++) {
        if (to.given[i])
            continue;
        stage->host->report(stage->task, MR_SEVERITY_ERROR, "filters", "give each of its settings a value for every picture",
                            "the filter '%s' did not set '%s' for frame %lld", filter->name, filter->settings[i], (long long)picture.number);
        status = MR_ERR_INPUT;
    }
    return status > 0 ? MR_ERR_INTERNAL : status;
}
