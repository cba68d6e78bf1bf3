/* SPDX-License-Identifier: MIT */
/* See pictures.h. */
#include "pictures.h"

#include <libavcodec/avcodec.h>
#include <libavfilter/avfilter.h>
#include <libavfilter/buffersink.h>
#include <libavformat/avformat.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool complain(const char *what, int error)
{
    char words[AV_ERROR_MAX_STRING_SIZE];
    fprintf(stderr, "pictures: %s: %s\n", what, av_make_error_string(words, sizeof(words), error));
    return false;
}

/* A graph with a source in it, ready to be pulled from. */
static AVFilterGraph *open_graph(const char *text, AVFilterContext **ret_sink)
{
    AVFilterGraph *graph = avfilter_graph_alloc();
    AVFilterInOut *inputs = NULL;
    AVFilterInOut *outputs = NULL;
    int error = avfilter_graph_parse2(graph, text, &inputs, &outputs);
    if (error >= 0)
        error = avfilter_graph_create_filter(ret_sink, avfilter_get_by_name("buffersink"), "out", NULL, NULL, graph);
    if (error >= 0 && outputs)
        error = avfilter_link(outputs->filter_ctx, (unsigned)outputs->pad_idx, *ret_sink, 0);
    if (error >= 0)
        error = avfilter_graph_config(graph, NULL);
    avfilter_inout_free(&inputs);
    avfilter_inout_free(&outputs);
    if (error < 0) {
        complain(text, error);
        avfilter_graph_free(&graph);
    }
    return graph;
}

static bool add_picture(test_pictures *pictures, const AVFrame *frame)
{
    AVFrame **grown = realloc(pictures->frames, (pictures->count + 1) * sizeof(*grown));
    if (!grown)
        return false;
    pictures->frames = grown;
    grown[pictures->count] = av_frame_clone(frame);
    return grown[pictures->count++] != NULL;
}

bool pictures_render(const char *text, int frames, test_pictures *ret_pictures)
{
    AVFilterContext *sink = NULL;
    AVFilterGraph *graph = open_graph(text, &sink);
    AVFrame *frame = av_frame_alloc();
    *ret_pictures = (test_pictures){0};
    if (graph)
        ret_pictures->time_base = av_buffersink_get_time_base(sink);
    for (int i = 0; graph && i < frames && av_buffersink_get_frame(sink, frame) >= 0; i++) {
        add_picture(ret_pictures, frame);
        av_frame_unref(frame);
    }
    av_frame_free(&frame);
    avfilter_graph_free(&graph);
    return ret_pictures->count == (size_t)frames;
}

void pictures_free(test_pictures *pictures)
{
    for (size_t i = 0; i < pictures->count; i++)
        av_frame_free(&pictures->frames[i]);
    free(pictures->frames);
    *pictures = (test_pictures){0};
}

/* Reading --------------------------------------------------------------------------------------------------------------------- */

typedef struct bytes {
    const uint8_t *data;
    size_t len;
    size_t at;
} bytes;

static int read_bytes(void *context, uint8_t *buf, int size)
{
    bytes *from = context;
    size_t left = from->len - from->at;
    size_t take = left < (size_t)size ? left : (size_t)size;
    if (take == 0)
        return AVERROR_EOF;
    memcpy(buf, from->data + from->at, take);
    from->at += take;
    return (int)take;
}

static int64_t seek_bytes(void *context, int64_t offset, int whence)
{
    bytes *from = context;
    if (whence == AVSEEK_SIZE)
        return (int64_t)from->len;
    from->at = (size_t)offset < from->len ? (size_t)offset : from->len;
    return offset;
}

static bool decode_all(AVFormatContext *format, test_pictures *pictures)
{
    int stream = av_find_best_stream(format, AVMEDIA_TYPE_VIDEO, -1, -1, NULL, 0);
    if (stream < 0)
        return false;
    const AVCodec *codec = avcodec_find_decoder(format->streams[stream]->codecpar->codec_id);
    AVCodecContext *decoder = avcodec_alloc_context3(codec);
    AVPacket *packet = av_packet_alloc();
    AVFrame *frame = av_frame_alloc();
    avcodec_parameters_to_context(decoder, format->streams[stream]->codecpar);
    decoder->thread_count = 1;
    pictures->time_base = format->streams[stream]->time_base;
    bool fine = avcodec_open2(decoder, codec, NULL) >= 0;
    bool more = fine;
    while (more) {
        more = av_read_frame(format, packet) >= 0;
        if (!more || packet->stream_index == stream)
            fine &= avcodec_send_packet(decoder, more ? packet : NULL) >= 0;
        av_packet_unref(packet);
        while (avcodec_receive_frame(decoder, frame) >= 0) {
            fine &= add_picture(pictures, frame);
            av_frame_unref(frame);
        }
    }
    av_frame_free(&frame);
    av_packet_free(&packet);
    avcodec_free_context(&decoder);
    return fine;
}

bool pictures_read(const uint8_t *data, size_t len, test_pictures *ret_pictures)
{
    bytes from = {data, len, 0};
    AVFormatContext *format = avformat_alloc_context();
    uint8_t *buf = av_malloc(65536);
    *ret_pictures = (test_pictures){0};
    format->pb = avio_alloc_context(buf, 65536, 0, &from, read_bytes, NULL, seek_bytes);
    AVIOContext *io = format->pb;
    int error = avformat_open_input(&format, NULL, NULL, NULL);
    bool fine = error >= 0 ? avformat_find_stream_info(format, NULL) >= 0 && decode_all(format, ret_pictures) : complain("read", error);
    avformat_close_input(&format);
    av_freep(&io->buffer);
    avio_context_free(&io);
    return fine;
}

double picture_psnr(const AVFrame *a, const AVFrame *b)
{
    double sum = 0;
    if (a->width != b->width || a->height != b->height)
        return 0;
    for (int y = 0; y < a->height; y++) {
        const uint8_t *left = a->data[0] + (ptrdiff_t)y * a->linesize[0];
        const uint8_t *right = b->data[0] + (ptrdiff_t)y * b->linesize[0];
        for (int x = 0; x < a->width; x++)
            sum += (left[x] - right[x]) * (double)(left[x] - right[x]);
    }
    double mean = sum / ((double)a->width * a->height);
    return mean > 0 ? 10 * log10(255 * 255 / mean) : 99;
}

double picture_mean(const AVFrame *frame, int plane)
{
    int width = plane ? (frame->width + 1) / 2 : frame->width;
    int height = plane ? (frame->height + 1) / 2 : frame->height;
    double sum = 0;
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++)
            sum += frame->data[plane][(ptrdiff_t)y * frame->linesize[plane] + x];
    }
    return sum / ((double)width * height);
}
