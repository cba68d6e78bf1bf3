/* SPDX-License-Identifier: MIT */
/* See video_kit.h. */
#include "video_kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *kit_chunk(const kit_source *source, int index, int first_frame, int64_t decode_from_us, const int *segments)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    int den = source->fps_den ? source->fps_den : 1;
    int frames = 0;
    fprintf(out, "{\"segments\":[");
    for (int i = 0; segments[i]; i++) {
        fprintf(out, "%s{\"index\":%d,\"first_frame\":%d,\"frames\":%d}", i ? "," : "", index * KIT_SEGMENTS_MAX + i, first_frame + frames,
                segments[i]);
        frames += segments[i];
    }
    fprintf(out, "],\"kind\":\"video\",\"index\":%d,\"stream\":0,\"origin_us\":%lld,\"fps\":[%d,%d],\"timescale\":%d,\"frame_ticks\":%d,", index,
            (long long)source->origin_us, source->fps, den, source->fps * 512, den * 512);
    fprintf(out, "\"first_frame\":%d,\"frames\":%d,\"last\":false,\"decode_from_us\":%lld,", first_frame, frames, (long long)decode_from_us);
    fprintf(out, "\"picture\":{\"width\":%d,\"height\":%d,\"display_width\":%d,\"display_height\":%d%s}}", source->width, source->height,
            source->display_width ? source->display_width : source->width, source->display_height ? source->display_height : source->height,
            source->more ? source->more : "");
    fclose(out);
    return text;
}

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
/* x265 leaks a few rows of each encoder. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libx265\n";
}
#endif
#endif

static op_result run_analysis(const kit_run *run, const op_input *chunk, const op_input *source, const mr_op *op)
{
    const op_input inputs[] = {*chunk, *source};
    const op_run_options options = {.filters = run->filters, .processors = run->processors};
    return op_run(op, run->analyse_params, inputs, 2, &options);
}

/* transcode.init says beforehand with what the rendition will begin: else the result becomes a failure. */
static void check_init(const kit_run *run, const op_input *chunk, const op_input *rung, op_result *result)
{
    static const mr_op *init;
    if (!init)
        init = op_load(PLUGIN_FILE, "transcode.init");
    if (result->status != MR_OK)
        return;
    const op_run_options options = {.filters = run->filters, .processors = run->processors};
    const op_input inputs[] = {*chunk, *rung};
    op_result told = op_run(init, run->params, inputs, 2, &options);
    if (told.status != MR_OK || told.count != 1 || strcmp(told.items[0].meta, result->items[0].meta) != 0 ||
        told.items[0].size != result->items[0].size || memcmp(told.items[0].data, result->items[0].data, told.items[0].size) != 0) {
        fprintf(stderr, "transcode.init does not foretell the init segment (%s)\n", result->items[0].meta);
        result->status = MR_ERR_INTERNAL;
    }
    op_result_free(&told);
}

void kit_video(const kit_run *run, op_result *results)
{
    static const mr_op *analyse;
    static const mr_op *video;
    if (!analyse)
        analyse = op_load(PLUGIN_FILE, "transcode.analyse");
    if (!video)
        video = op_load(PLUGIN_FILE, "transcode.video");
    char rungs[KIT_RUNGS_MAX][160];
    op_input inputs[KIT_RUNGS_MAX][4];
    op_batch_task tasks[KIT_RUNGS_MAX + 1];
    op_result all[KIT_RUNGS_MAX + 1];
    const op_run_options options = {.cancel_after = run->cancel_after, .filters = run->filters, .processors = run->processors};
    const op_input chunk = {.port = "chunk", .type = MR_TYPE_CHUNK, .meta = run->chunk};
    const op_input source = {.port = "source", .type = MR_TYPE_MEDIA, .path = run->source->path};
    const op_input analysis_inputs[] = {chunk, source};
    size_t first = run->analyse ? 1 : 0;
    tasks[0] = (op_batch_task){.op = analyse, .params = run->analyse_params, .inputs = analysis_inputs, .input_count = 2};
    for (size_t i = 0; i < run->rung_count; i++) {
        snprintf(rungs[i], sizeof(rungs[i]), "{\"id\":\"%s\",\"width\":%d,\"height\":%d,\"max_bitrate\":%lld}", run->rungs[i].id, run->rungs[i].width,
                 run->rungs[i].height, (long long)run->rungs[i].max_bitrate);
        inputs[i][0] = chunk;
        inputs[i][1] = source;
        inputs[i][2] = (op_input){.port = "rung", .type = MR_TYPE_JSON, .meta = rungs[i]};
        tasks[first + i] =
            (op_batch_task){.op = video, .params = run->params, .inputs = inputs[i], .input_count = 3, .from = first, .port = "analysis"};
    }
    if (run->batch) {
        op_run_batch(tasks, first + run->rung_count, &options, all);
        memcpy(results, all + first, run->rung_count * sizeof(*results));
        if (run->analyse)
            op_result_free(&all[0]);
        for (size_t i = 0; i < run->rung_count; i++)
            check_init(run, &chunk, &inputs[i][2], &results[i]);
        return;
    }
    op_result stats = {0};
    if (run->analyse)
        stats = run_analysis(run, &chunk, &source, analyse);
    for (size_t i = 0; i < run->rung_count; i++) {
        if (run->analyse && stats.count)
            inputs[i][3] = (op_input){
                .port = "analysis", .type = MR_TYPE_JSON, .meta = stats.items[0].meta, .data = stats.items[0].data, .size = stats.items[0].size};
        results[i] = op_run(video, run->params, inputs[i], run->analyse && stats.count ? 4 : 3, &options);
        check_init(run, &chunk, &inputs[i][2], &results[i]);
    }
    if (run->analyse)
        op_result_free(&stats);
}

static void append(uint8_t **bytes, size_t *len, const op_item *item)
{
    uint8_t *grown = realloc(*bytes, *len + item->size + 1);
    if (!grown)
        abort();
    memcpy(grown + *len, item->data, item->size);
    *bytes = grown;
    *len += item->size;
}

uint8_t *kit_join(const op_result *results, size_t count, size_t *ret_len)
{
    uint8_t *bytes = NULL;
    *ret_len = 0;
    for (size_t i = 0; i < count; i++) {
        for (size_t k = i ? 1 : 0; k < results[i].count; k++)
            append(&bytes, ret_len, &results[i].items[k]);
    }
    return bytes;
}

bool kit_same(const op_result *a, const op_result *b)
{
    bool same = a->count == b->count && a->count > 0;
    for (size_t i = 0; same && i < a->count; i++)
        same = a->items[i].size == b->items[i].size && memcmp(a->items[i].data, b->items[i].data, a->items[i].size) == 0 &&
               strcmp(a->items[i].meta, b->items[i].meta) == 0;
    return same;
}
