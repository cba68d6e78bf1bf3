/* SPDX-License-Identifier: MIT */
/* See loudness.h. The filter writes its running result into the metadata of its output frames; what it says last is about all so far. */
#include "media/loudness.h"

#include <libavfilter/avfilter.h>
#include <libavfilter/buffersink.h>
#include <libavfilter/buffersrc.h>
#include <libavutil/mem.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

struct mr_loudness_meter {
    AVFilterGraph *graph;
    AVFilterContext *source, *sink;
    AVFrame *frame;
    int sample_rate, format, channels; /* of the frames that it takes */
    mr_loudness_reading reading;
};

static int build(mr_loudness_meter *meter, const AVFrame *like)
{
    char layout[128];
    char args[320];
    AVFilterContext *scanner = NULL;
    if (av_channel_layout_describe(&like->ch_layout, layout, sizeof(layout)) < 0)
        return AVERROR(EINVAL);
    snprintf(args, sizeof(args), "sample_rate=%d:sample_fmt=%d:channel_layout=%s:time_base=1/%d", like->sample_rate, like->format, layout,
             like->sample_rate);
    int ret = avfilter_graph_create_filter(&meter->source, avfilter_get_by_name("abuffer"), "in", args, NULL, meter->graph);
    if (ret >= 0)
        ret = avfilter_graph_create_filter(&scanner, avfilter_get_by_name("ebur128"), "meter", "metadata=1:peak=true+sample:framelog=verbose", NULL,
                                           meter->graph);
    if (ret >= 0)
        ret = avfilter_graph_create_filter(&meter->sink, avfilter_get_by_name("abuffersink"), "out", NULL, NULL, meter->graph);
    if (ret >= 0)
        ret = avfilter_link(meter->source, 0, scanner, 0);
    if (ret >= 0)
        ret = avfilter_link(scanner, 0, meter->sink, 0);
    return ret >= 0 ? avfilter_graph_config(meter->graph, NULL) : ret;
}

int mr_loudness_meter_new(const AVFrame *like, mr_loudness_meter **ret_meter)
{
    mr_loudness_meter *meter = av_mallocz(sizeof(*meter));
    int ret = AVERROR(ENOMEM);
    *ret_meter = NULL;
    if (!meter)
        return ret;
    meter->graph = avfilter_graph_alloc();
    meter->frame = av_frame_alloc();
    meter->sample_rate = like->sample_rate;
    meter->format = like->format;
    meter->channels = like->ch_layout.nb_channels;
    meter->reading.integrated = MR_SILENCE_LUFS;
    if (meter->graph && meter->frame) {
        meter->graph->nb_threads = 1;
        ret = build(meter, like);
    }
    if (ret < 0) {
        mr_loudness_meter_free(meter);
        return ret;
    }
    *ret_meter = meter;
    return 0;
}

void mr_loudness_meter_free(mr_loudness_meter *meter)
{
    if (!meter)
        return;
    avfilter_graph_free(&meter->graph);
    av_frame_free(&meter->frame);
    av_free(meter);
}

static bool read_number(const AVDictionary *metadata, const char *key, double *ret_value)
{
    const AVDictionaryEntry *entry = av_dict_get(metadata, key, NULL, 0);
    char *end = NULL;
    double value = entry ? strtod(entry->value, &end) : NAN;
    if (!entry || end == entry->value || !isfinite(value))
        return false;
    *ret_value = value;
    return true;
}

static int collect(mr_loudness_meter *meter)
{
    int ret;
    while ((ret = av_buffersink_get_frame(meter->sink, meter->frame)) >= 0) {
        double peak = 0;
        if (read_number(meter->frame->metadata, "lavfi.r128.I", &meter->reading.integrated))
            meter->reading.measured = true;
        if (read_number(meter->frame->metadata, "lavfi.r128.true_peak", &peak))
            meter->reading.true_peak = fmax(meter->reading.true_peak, peak);
        if (read_number(meter->frame->metadata, "lavfi.r128.sample_peak", &peak))
            meter->reading.sample_peak = fmax(meter->reading.sample_peak, peak);
        av_frame_unref(meter->frame);
    }
    return ret == AVERROR(EAGAIN) || ret == AVERROR_EOF ? 0 : ret;
}

int mr_loudness_meter_add(mr_loudness_meter *meter, const AVFrame *frame)
{
    if (frame && (frame->sample_rate != meter->sample_rate || frame->format != meter->format || frame->ch_layout.nb_channels != meter->channels))
        return AVERROR_INPUT_CHANGED;
    int ret = av_buffersrc_write_frame(meter->source, frame);
    return ret >= 0 ? collect(meter) : ret;
}

mr_loudness_reading mr_loudness_meter_read(const mr_loudness_meter *meter)
{
    return meter->reading;
}

double mr_peak_db(double peak, double least)
{
    return peak > 0 ? fmax(20 * log10(peak), least) : least;
}
