/* SPDX-License-Identifier: MIT */
/*
 * See streams.h. libavformat decodes a keyframe of H.264, and more, to learn the format of its pictures and how far they are reordered, each
 * time that a source is opened. In an MP4 whose parameter sets tell the latter, the former is made to seem known: then it
 * reads the heads of pictures only. What decoding would have told besides is added here from the parameter sets.
 */
#include "media/streams.h"
#include "media/h264.h"

#include <string.h>

typedef struct stream_hints {
    int width, height;
    bool heads_suffice;
    mr_h264_headers h264;
} stream_hints;

static stream_hints read_hints(const AVFormatContext *format, const AVCodecParameters *codec)
{
    stream_hints hints = {.width = codec->width, .height = codec->height, .h264 = mr_h264_read_headers(codec)};
    hints.heads_suffice = hints.h264.reorder > 0 && strncmp(format->iformat->name, "mov", 3) == 0;
    return hints;
}

/* Decoders that libavformat opens get the same limit on picture sizes as ours. */
static int set_options(AVCodecParameters *codec, const stream_hints *hints, const mr_limits *limits, AVDictionary **options)
{
    int ret = av_dict_set_int(options, "max_pixels", mr_limits_max_pixels(limits), 0);
    if (ret < 0 || !hints->heads_suffice)
        return ret;
    codec->format = AV_PIX_FMT_YUV420P;
    return av_dict_set(options, "skip_frame", "all", 0);
}

static void add_what_decoding_tells(AVCodecParameters *codec, const mr_h264_headers *h264)
{
    codec->format = AV_PIX_FMT_NONE;
    codec->video_delay = FFMAX(codec->video_delay, h264->reorder);
    codec->sample_aspect_ratio = h264->sample_aspect_ratio;
    if (h264->range != AVCOL_RANGE_UNSPECIFIED)
        codec->color_range = h264->range;
    if (h264->primaries != AVCOL_PRI_UNSPECIFIED)
        codec->color_primaries = h264->primaries;
    if (h264->transfer != AVCOL_TRC_UNSPECIFIED)
        codec->color_trc = h264->transfer;
    if (h264->matrix != AVCOL_SPC_UNSPECIFIED)
        codec->color_space = h264->matrix;
}

/* A decoder that refuses a picture for its size forgets what the container said; that is put back, as it is by what it is told from damage when the
 * stream is decoded (limits_decode.c). */
static void correct(AVCodecParameters *codec, const stream_hints *hints)
{
    if (codec->codec_type == AVMEDIA_TYPE_VIDEO && codec->width == 0) {
        codec->width = hints->width;
        codec->height = hints->height;
    }
    if (hints->heads_suffice)
        add_what_decoding_tells(codec, &hints->h264);
}

int mr_streams_find(AVFormatContext *format, const mr_limits *limits)
{
    const unsigned int count = format->nb_streams;
    AVDictionary **options = av_calloc(count + 1, sizeof(AVDictionary *));
    stream_hints *hints = av_calloc(count + 1, sizeof(*hints));
    int ret = options && hints ? 0 : AVERROR(ENOMEM);
    for (unsigned int i = 0; i < count && ret >= 0; i++) {
        AVCodecParameters *codec = format->streams[i]->codecpar;
        hints[i] = read_hints(format, codec);
        ret = set_options(codec, &hints[i], limits, &options[i]);
    }
    if (ret >= 0)
        ret = avformat_find_stream_info(format, count ? options : NULL);
    for (unsigned int i = 0; ret >= 0 && i < count; i++)
        correct(format->streams[i]->codecpar, &hints[i]);
    for (unsigned int i = 0; options && i < count; i++)
        av_dict_free(&options[i]);
    av_free((void *)options);
    av_free(hints);
    return ret;
}
