/* SPDX-License-Identifier: MIT */
/*
 * See filter_line.h. A stage is a chain of libavfilter, or a frame filter of a plugin (millrace/filter.h), which makes pixels (pixel_stage.c) or
 * steers a chain (steered_stage.c).
 *
 * Invariants: 'held' of a stage are the pictures that it got and may still need, in order, without gaps; 'next' is the number that is due. A picture
 * that a stage gives away has one reference in it more, at most: nobody writes to what another still reads.
 */
#include "media/filter_line.h"
#include "media/filter_stage.h"
#include "media/input.h"

#include <libavutil/pixdesc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct mr_filter_line {
    const mr_host *host;
    mr_task *task;
    mr_line_source source;
    void *context;
    mr_stage *stages;
    size_t count;
};

/* ---- lists of filters ---- */

mr_status mr_filters_check(const mr_host *host, mr_task *task, const char *param, const mr_filters *filters)
{
    mr_status status = MR_OK;
    for (size_t i = 0; i < filters->count && status == MR_OK; i++) {
        if (filters->items[i]->chain)
            status = mr_filter_check(host, task, param, filters->items[i]->chain, false);
    }
    return status;
}

bool mr_filters_equal(const mr_filters *a, const mr_filters *b)
{
    bool equal = a->count == b->count;
    for (size_t i = 0; equal && i < a->count; i++)
        equal = strcmp(a->items[i]->key, b->items[i]->key) == 0;
    return equal;
}

size_t mr_filters_lead(const mr_filters *filters, char *text, size_t size)
{
    size_t len = 0;
    size_t i = 0;
    text[0] = '\0';
    for (; i < filters->count && filters->items[i]->chain; i++) {
        const int added = snprintf(text + len, size - len, "%s%s", i ? "," : "", filters->items[i]->chain);
        if (added < 0 || (size_t)added >= size - len)
            return SIZE_MAX;
        len += (size_t)added;
    }
    return i;
}

/* ---- stages ---- */

static void forget(mr_stage *stage)
{
    for (size_t i = 0; i < stage->held_count; i++)
        av_frame_unref(stage->held[i].frame);
    stage->held_count = 0;
    av_frame_unref(stage->made);
    mr_stage_close(stage);
}

static void free_stage(mr_stage *stage)
{
    if (stage->made)
        forget(stage);
    for (size_t i = 0; i < MR_STAGE_HELD; i++)
        av_frame_free(&stage->held[i].frame);
    av_frame_free(&stage->made);
    av_buffer_pool_uninit(&stage->pool);
}

static mr_status add_stage(mr_filter_line *line, const char *chain, const mr_filter_use *use, enum AVPixelFormat format, const mr_chunk *chunk,
                           const mr_picture_kind *kind)
{
    mr_stage *stage = &line->stages[line->count++];
    mr_reach reach = {.size = sizeof(reach)};
    *stage = (mr_stage){.host = line->host, .task = line->task, .chain = chain, .use = use, .format = format, .chunk = chunk, .kind = kind};
    stage->made = av_frame_alloc();
    bool whole = stage->made;
    for (size_t i = 0; i < MR_STAGE_HELD; i++) {
        stage->held[i].frame = av_frame_alloc();
        whole = whole && stage->held[i].frame;
    }
    if (!whole)
        return mr_media_error(line->host, line->task, AVERROR(ENOMEM), "filters");
    if (use && use->filter->reach)
        use->filter->reach(use->filter, use->params, &reach);
    if (reach.back > MR_FILTER_REACH_MAX || reach.ahead > MR_FILTER_REACH_MAX) {
        line->host->report(line->task, MR_SEVERITY_ERROR, "filters", NULL, "the filter '%s' wants to see more than %d pictures before or after one",
                           use->filter->name, MR_FILTER_REACH_MAX);
        return MR_ERR_LIMIT;
    }
    stage->back = (int)reach.back;
    stage->ahead = (int)reach.ahead;
    stage->repeats = !use || (use->filter->apply && (use->filter->flags & MR_FILTER_STILL) && reach.back == 0 && reach.ahead == 0 && !reach.whole);
    return MR_OK;
}

static enum AVPixelFormat taken_format(const mr_frame_filter *filter, enum AVPixelFormat format)
{
    static const enum AVPixelFormat known[] = {[MR_PIXELS_YUV420P] = AV_PIX_FMT_YUV420P, [MR_PIXELS_YUV420P10] = AV_PIX_FMT_YUV420P10};
    for (size_t i = 0; filter->pixels && filter->pixels[i] != MR_PIXELS_END; i++) {
        if (known[filter->pixels[i]] == format)
            return format;
    }
    return filter->pixels ? known[filter->pixels[0]] : format;
}

static const char *to_format(enum AVPixelFormat format)
{
    return format == AV_PIX_FMT_YUV420P ? "format=yuv420p" : "format=yuv420p10";
}

/* A filter of a plugin; between two conversions where it does not take the format. */
static mr_status add_filter(mr_filter_line *line, const mr_filter_use *use, const mr_chunk *chunk, const mr_picture_kind *kind)
{
    const enum AVPixelFormat format = use->filter->apply ? taken_format(use->filter, kind->format) : kind->format;
    mr_status status = MR_OK;
    if (format != kind->format)
        status = add_stage(line, to_format(format), NULL, format, chunk, kind);
    if (status == MR_OK)
        status = add_stage(line, NULL, use, format, chunk, kind);
    if (status == MR_OK && format != kind->format)
        status = add_stage(line, to_format(kind->format), NULL, kind->format, chunk, kind);
    return status;
}

mr_status mr_filter_line_new(const mr_host *host, mr_task *task, const mr_filters *filters, size_t first, const mr_chunk *chunk,
                             const mr_picture_kind *kind, mr_line_source source, void *context, mr_filter_line **ret_line)
{
    mr_filter_line *line = calloc(1, sizeof(*line));
    mr_status status = MR_OK;
    *ret_line = NULL;
    if (line) {
        *line = (mr_filter_line){.host = host, .task = task, .source = source, .context = context};
        line->stages = calloc((filters->count - first) * 3 + 1, sizeof(*line->stages));
    }
    if (!line || !line->stages) {
        free(line);
        return mr_media_error(host, task, AVERROR(ENOMEM), "filters");
    }
    for (size_t i = first; i < filters->count && status == MR_OK; i++) {
        const mr_filter_use *use = filters->items[i];
        status = use->chain ? add_stage(line, use->chain, NULL, kind->format, chunk, kind) : add_filter(line, use, chunk, kind);
    }
    if (status != MR_OK) {
        mr_filter_line_free(line);
        return status;
    }
    *ret_line = line;
    return MR_OK;
}

void mr_filter_line_free(mr_filter_line *line)
{
    if (!line)
        return;
    for (size_t i = 0; i < line->count; i++)
        free_stage(&line->stages[i]);
    free(line->stages);
    free(line);
}

int64_t mr_filter_line_back(const mr_filter_line *line)
{
    int64_t back = 0;
    for (size_t i = 0; i < line->count; i++)
        back += line->stages[i].back;
    return back;
}

int64_t mr_filter_line_ahead(const mr_filter_line *line)
{
    int64_t ahead = 0;
    for (size_t i = 0; i < line->count; i++)
        ahead += line->stages[i].ahead;
    return ahead;
}

/* A stage begins where the one behind it begins to look. */
void mr_filter_line_begin(mr_filter_line *line, int64_t number)
{
    for (size_t i = line->count; i-- > 0;) {
        forget(&line->stages[i]);
        line->stages[i].next = number > 0 ? number : 0;
        line->stages[i].fresh = true;
        line->stages[i].ended = false;
        number -= line->stages[i].back;
    }
}

/* ---- pulling ---- */

static mr_status pull(mr_filter_line *line, size_t count, AVFrame *frame, int64_t *ret_number, bool *ret_repeat);

/* Lets go of what is not looked at any more, and gets what will be. */
static mr_status fill(mr_filter_line *line, size_t index)
{
    mr_stage *stage = &line->stages[index];
    size_t gone = 0;
    while (gone < stage->held_count && stage->held[gone].number < stage->next - stage->back)
        av_frame_unref(stage->held[gone++].frame);
    for (size_t i = gone; gone > 0 && i < stage->held_count; i++) {
        const mr_held empty = stage->held[i - gone];
        stage->held[i - gone] = stage->held[i];
        stage->held[i] = empty;
    }
    stage->held_count -= gone;
    while (!stage->ended && (stage->held_count == 0 || stage->held[stage->held_count - 1].number < stage->next + stage->ahead)) {
        mr_held *last = &stage->held[stage->held_count];
        mr_status status = pull(line, index, last->frame, &last->number, &last->repeat);
        stage->ended = status == MR_END;
        if (status != MR_OK && status != MR_END)
            return status;
        /* What lies before the first picture that can be wanted is of no use: the source may begin a little earlier. */
        if (status == MR_OK && last->number < stage->next - stage->back)
            av_frame_unref(last->frame);
        else if (status == MR_OK)
            stage->held_count++;
    }
    return MR_OK;
}

/* What stage number 'count - 1' gives; 0: the source. */
static mr_status pull(mr_filter_line *line, size_t count, AVFrame *frame, int64_t *ret_number, bool *ret_repeat)
{
    if (count == 0)
        return line->source(line->context, frame, ret_number, ret_repeat);
    mr_stage *stage = &line->stages[count - 1];
    mr_status status = fill(line, count - 1);
    size_t at = 0;
    while (at < stage->held_count && stage->held[at].number < stage->next)
        at++;
    if (status != MR_OK)
        return status;
    if (at == stage->held_count)
        return MR_END;
    *ret_repeat = stage->repeats && stage->held[at].repeat && !stage->fresh && stage->made->buf[0];
    if (!*ret_repeat) {
        av_frame_unref(stage->made);
        status = mr_stage_run(stage, at);
    }
    if (status == MR_OK && av_frame_ref(frame, stage->made) < 0)
        status = mr_media_error(line->host, line->task, AVERROR(ENOMEM), "filters");
    if (!stage->repeats)
        av_frame_unref(stage->made);
    stage->fresh = false;
    *ret_number = stage->next++;
    return status;
}

mr_status mr_filter_line_next(mr_filter_line *line, AVFrame *frame, bool *ret_repeat)
{
    int64_t number;
    return pull(line, line->count, frame, &number, ret_repeat);
}
