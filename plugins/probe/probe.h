/* SPDX-License-Identifier: MIT */
/*
 * What the files of this plugin share. A probe goes once over the source's packets (media/scan.h); meanwhile the first packets of each track are
 * decoded by a sampler, because headers lie and decoders don't; then the info of docs/plugin-author/artifacts.md is put together.
 */
#ifndef PROBE_H
#define PROBE_H

#include <jansson.h>
#include <libavcodec/avcodec.h>
#include "media/input.h"
#include "media/limits.h"
#include "media/loudness.h"
#include "media/scan.h"

typedef struct probe_params {
    bool loudness;
    int64_t scan_limit;
} probe_params;

/* What decoding the beginning of one track told. */
typedef struct track_sample {
    AVCodecContext *codec; /* NULL: not sampled, or no longer */
    mr_decode_guard guard;
    bool decoded; /* at least one frame came out */
    uint32_t packets, frames;
    int64_t first_us; /* timestamp of the first frame, after priming was cut */
    /* picture */
    uint32_t interlaced, bottom_first; /* frames */
    int width, height;
    AVRational sar;
    int pixel_format;
    enum AVColorRange range;
    enum AVColorPrimaries primaries;
    enum AVColorTransferCharacteristic transfer;
    enum AVColorSpace matrix;
    bool static_hdr; /* mastering display or content light level */
    int32_t display_matrix[9];
    bool has_display_matrix;
    /* sound */
    int sample_rate;
    AVChannelLayout layout;
    mr_loudness_meter *loudness;
} track_sample;

typedef struct probe_state {
    const mr_host *host;
    mr_task *task;
    const mr_artifact *source;
    const probe_params *params;
    AVFormatContext *format;
    track_sample *samplers; /* by stream index */
    unsigned int stream_count;
    AVFrame *frame;
    int video; /* chosen stream; -1: none */
    mr_scan scan;
} probe_state;

/* sample.c */
mr_status probe_samplers_open(probe_state *probe);
mr_status probe_sample(void *probe, AVPacket *packet); /* for mr_scan_options.packet */
bool probe_is_sampling(void *probe);                   /* … and wants_data */
mr_status probe_samplers_drain(probe_state *probe);    /* after the last packet */
void probe_samplers_close(probe_state *probe);

/* tracks.c: new references, NULL when memory ran out */
json_t *probe_describe_video(const probe_state *probe);
json_t *probe_describe_audio(probe_state *probe, const AVStream *stream);
/* Also Matroska's S_TEXT/WEBVTT, which libavformat 5.1 has no number for: its private data is the head of a WebVTT file. */
bool probe_is_webvtt(const AVCodecParameters *codec);
json_t *probe_describe_text(const AVStream *stream);
json_t *probe_chapters(const AVFormatContext *format);
json_t *probe_tags(const AVDictionary *metadata);

int64_t probe_video_end_us(const probe_state *probe, AVRational fps);

#endif
