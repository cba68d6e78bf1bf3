/* SPDX-License-Identifier: MIT */
/* See loudness.h. The filter writes its running result into the metadata of its output frames; the last one's is the whole's. */
#include "loudness.h"

#include <libavfilter/avfilter.h>
#include <libavfilter/buffersink.h>
#include <libavfilter/buffersrc.h>
#include <libavutil/mem.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define SILENCE_LUFS (-70.0)
#define SILENCE_DBFS (-120.0)

struct mr_loudness {
    AVFilterGraph *graph;
    AVFilterContext *source, *sink;
    AVFrame *frame;
    int sample_rate, format, channels; /* of the frames that the graph takes */
    double lufs, peak;
    bool measured;
};

static int build(mr_loudness *loudness, const AVFrame *like)
{
    char layout[128];
    char args[320];
    AVFilterContext *meter = NULL;
    if (av_channel_layout_describe(&like->ch_layout, layout, sizeof(layout)) < 0)
        return AVERROR(EINVAL);
    snprintf(args, sizeof(args), "sample_rate=%d:sample_fmt=%d:channel_layout=%s:time_base=1/%d", like->sample_rate, like->format, layout,
             like->sample_rate);
    int ret = avfilter_graph_create_filter(&loudness->source, avfilter_get_by_name("abuffer"), "in", args, NULL, loudness->graph);
    if (ret >= 0)
        ret = avfilter_graph_create_filter(&meter, avfilter_get_by_name("ebur128"), "meter", "metadata=1:peak=true:framelog=verbose", NULL,
                                           loudness->graph);
    if (ret >= 0)
        ret = avfilter_graph_create_filter(&loudness->sink, avfilter_get_by_name("abuffersink"), "out", NULL, NULL, loudness->graph);
    if (ret >= 0)
        ret = avfilter_link(loudness->source, 0, meter, 0);
    if (ret >= 0)
        ret = avfilter_link(meter, 0, loudness->sink, 0);
    return ret >= 0 ? avfilter_graph_config(loudness->graph, NULL) : ret;
}

mr_loudness *mr_loudness_new(const AVFrame *like)
{
    mr_loudness *loudness = av_mallocz(sizeof(*loudness));
    if (!loudness)
        return NULL;
    loudness->graph = avfilter_graph_alloc();
    loudness->frame = av_frame_alloc();
    loudness->sample_rate = like->sample_rate;
    loudness->format = like->format;
    loudness->channels = like->ch_layout.nb_channels;
    if (loudness->graph)
        loudness->graph->nb_threads = 1;
    if (!loudness->graph || !loudness->frame || build(loudness, like) < 0) {
        mr_loudness_free(loudness);
        return NULL;
    }
    return loudness;
}

void mr_loudness_free(mr_loudness *loudness)
{
    if (!loudness)
        return;
    avfilter_graph_free(&loudness->graph);
    av_frame_free(&loudness->frame);
    av_free(loudness);
}

static void read_result(mr_loudness *loudness)
{
    char key[48];
    const AVDictionary *metadata = loudness->frame->metadata;
    const AVDictionaryEntry *entry = av_dict_get(metadata, "lavfi.r128.I", NULL, 0);
    if (!entry)
        return;
    loudness->lufs = strtod(entry->value, NULL);
    loudness->measured = true;
    for (int channel = 0; channel < loudness->channels; channel++) {
        snprintf(key, sizeof(key), "lavfi.r128.true_peaks_ch%d", channel);
        entry = av_dict_get(metadata, key, NULL, 0);
        if (entry)
            loudness->peak = fmax(loudness->peak, strtod(entry->value, NULL));
    }
}

static int collect(mr_loudness *loudness)
{
    int ret;
    while ((ret = av_buffersink_get_frame(loudness->sink, loudness->frame)) >= 0) {
        read_result(loudness);
        av_frame_unref(loudness->frame);
    }
    return ret == AVERROR(EAGAIN) || ret == AVERROR_EOF ? 0 : ret;
}

int mr_loudness_add(mr_loudness *loudness, const AVFrame *frame)
{
    if (frame->sample_rate != loudness->sample_rate || frame->format != loudness->format || frame->ch_layout.nb_channels != loudness->channels)
        return AVERROR_INPUT_CHANGED;
    int ret = av_frame_ref(loudness->frame, frame);
    if (ret >= 0)
        ret = av_buffersrc_add_frame(loudness->source, loudness->frame);
    av_frame_unref(loudness->frame);
    return ret >= 0 ? collect(loudness) : ret;
}

bool mr_loudness_result(mr_loudness *loudness, double *ret_lufs, double *ret_peak_dbfs)
{
    if (av_buffersrc_add_frame(loudness->source, NULL) >= 0)
        collect(loudness);
    *ret_lufs = isfinite(loudness->lufs) && loudness->lufs > SILENCE_LUFS ? loudness->lufs : SILENCE_LUFS;
    *ret_peak_dbfs = loudness->peak > 0.0 ? fmax(20.0 * log10(loudness->peak), SILENCE_DBFS) : SILENCE_DBFS;
    return loudness->measured;
}
