/* SPDX-License-Identifier: MIT */
/*
 * transcode.loudness: how loud a whole sound track is (EBU R 128, ITU-R BS.1770), for each layout that transcode.audio makes of it. The mix is
 * measured, not the source: the stereo mix of 5.1 is quieter than the six channels.
 */
#include "audio_encoder.h"
#include "audio_loudness.h"
#include "audio_reader.h"
#include "audio_track.h"
#include "media/input.h"
#include "media/loudness.h"
#include "transcode.h"

#include <libswresample/swresample.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { IN_TRACK, IN_SOURCE };
enum { OUT_LOUDNESS };
enum { RATE = 48000, BLOCK = 4800, MAX_CHANNELS = 64 };

#define MAX_SECONDS INT64_C(604800)
#define MAX_GAIN_DB 30.0 /* nearly silent tracks: their noise is not what was meant */

static const mr_port inputs[] = {
    [IN_TRACK] = {"track", MR_TYPE_JSON, 0, "the sound track, from probe.media's audio_tracks"},
    [IN_SOURCE] = {"source", MR_TYPE_MEDIA, 0, "the source"},
    {0},
};

static const mr_port outputs[] = {
    [OUT_LOUDNESS] = {"loudness", MR_TYPE_JSON, 0, "integrated loudness (LUFS) and true peak (dBTP) of each rendition of the track"},
    {0},
};

/* Measures the mix from a layout to 1, 2 or 6 channels. */
typedef struct mix_meter {
    mr_loudness_meter *meter;
    SwrContext *mixer;
    AVFrame *frame;
    int64_t samples;
} mix_meter;

static void mix_meter_clear(mix_meter *mix)
{
    mr_loudness_meter_free(mix->meter);
    swr_free(&mix->mixer);
    av_frame_free(&mix->frame);
}

static int mix_meter_init(mix_meter *mix, const AVChannelLayout *from, int channels)
{
    AVChannelLayout layout = mr_audio_rendition_layout(channels);
    int error = mr_audio_mixer_new(from, channels, AV_SAMPLE_FMT_DBL, RATE, &mix->mixer);
    mix->frame = error >= 0 ? av_frame_alloc() : NULL;
    if (error >= 0 && !mix->frame)
        error = AVERROR(ENOMEM);
    if (error < 0)
        return error;
    mix->frame->format = AV_SAMPLE_FMT_DBL;
    mix->frame->sample_rate = RATE;
    error = av_channel_layout_copy(&mix->frame->ch_layout, &layout);
    return error >= 0 ? mr_loudness_meter_new(mix->frame, &mix->meter) : error;
}

/* Planar float in the layout it comes from. */
static int mix_meter_add(mix_meter *mix, float *const *planes, int count)
{
    AVFrame *frame = mix->frame;
    av_buffer_unref(&frame->buf[0]);
    frame->nb_samples = count;
    frame->pts = mix->samples;
    mix->samples += count;
    int error = av_frame_get_buffer(frame, 0);
    if (error >= 0)
        error = swr_convert(mix->mixer, frame->extended_data, count, (const uint8_t **)planes, count);
    return error >= 0 ? mr_loudness_meter_add(mix->meter, frame) : error;
}

static mr_loudness mix_meter_result(const mix_meter *mix, int channels)
{
    mr_loudness_reading reading = mr_loudness_meter_read(mix->meter);
    return (mr_loudness){.channels = channels,
                         .integrated = reading.integrated,
                         .true_peak = mr_peak_db(fmax(reading.true_peak, reading.sample_peak), 2 * MR_SILENCE_LUFS)};
}

const char *const mr_peaks_words[] = {"limit", "keep", NULL};

void mr_loudness_gain(const mr_loudness *loudness, double target, double ceiling, mr_peaks peaks, double *ret_gain, double *ret_ceiling)
{
    double gain = fmin(target - loudness->integrated, MAX_GAIN_DB);
    *ret_gain = 1;
    *ret_ceiling = 0;
    if (loudness->integrated <= MR_SILENCE_LUFS)
        return;
    if (peaks == MR_PEAKS_KEEP)
        gain = fmin(gain, ceiling - loudness->true_peak);
    else if (loudness->true_peak + gain > ceiling)
        *ret_ceiling = pow(10, ceiling / 20);
    *ret_gain = pow(10, gain / 20);
}

/* ---- a whole track ---- */

typedef struct measurement {
    const mr_host *host;
    mr_task *task;
    mr_audio_reader *reader;
    mix_meter meters[MR_LOUDNESS_MAX];
    int count;
    int64_t end; /* samples */
    float *planes[MAX_CHANNELS];
} measurement;

static mr_status open_measurement(measurement *work, const mr_artifact *source, const mr_audio_track *track, const int *channels, int count)
{
    for (; work->count < count; work->count++) {
        int error = mix_meter_init(&work->meters[work->count], &track->layout, channels[work->count]);
        if (error < 0)
            return mr_media_error(work->host, work->task, error, "measuring loudness");
    }
    for (int c = 0; c < track->layout.nb_channels; c++) {
        work->planes[c] = calloc(BLOCK, sizeof(float));
        if (!work->planes[c])
            return MR_ERR_NOMEM;
    }
    const mr_audio_reader_options options = {.stream = track->stream,
                                             .rate = RATE,
                                             .origin_us = track->start_us,
                                             .track_start_us = track->start_us,
                                             .start = 0,
                                             .end = work->end,
                                             .layout = track->layout};
    return mr_audio_reader_open(work->host, work->task, source, &options, &work->reader);
}

static mr_status listen(measurement *work)
{
    int64_t samples = 0;
    int got = BLOCK;
    while (got == BLOCK) {
        mr_status status = mr_audio_reader_read(work->reader, work->planes, BLOCK);
        if (status != MR_OK)
            return status;
        got = mr_audio_reader_got(work->reader);
        samples += got;
        for (int i = 0; i < work->count; i++) {
            int error = got > 0 ? mix_meter_add(&work->meters[i], work->planes, got) : 0;
            if (error >= 0 && got < BLOCK)
                error = mr_loudness_meter_add(work->meters[i].meter, NULL);
            if (error < 0)
                return mr_media_error(work->host, work->task, error, "measuring loudness");
        }
        work->host->progress(work->task, fmin(fmax((double)samples / (double)work->end, mr_audio_reader_passed(work->reader)), 1));
    }
    return MR_OK;
}

mr_status mr_loudness_measure(const mr_host *host, mr_task *task, const mr_artifact *source, const mr_audio_track *track, int64_t max_us,
                              const int *channels, int count, mr_loudness *ret_loudness)
{
    measurement work = {.host = host, .task = task, .end = RATE * MAX_SECONDS};
    if (max_us > 0 && max_us < MAX_SECONDS * 1000000)
        work.end = max_us * RATE / 1000000;
    mr_status status = open_measurement(&work, source, track, channels, count);
    if (status == MR_OK)
        status = listen(&work);
    for (int i = 0; status == MR_OK && i < count; i++)
        ret_loudness[i] = mix_meter_result(&work.meters[i], channels[i]);
    for (int i = 0; i < MR_LOUDNESS_MAX; i++)
        mix_meter_clear(&work.meters[i]);
    for (int c = 0; c < MAX_CHANNELS; c++)
        free(work.planes[c]);
    mr_audio_reader_close(work.reader);
    return status;
}

bool mr_loudness_find(const mr_host *host, const mr_task *task, uint32_t port, int stream, int channels, mr_loudness *ret_loudness)
{
    bool found = false;
    size_t count = host->input_count(task, port);
    for (size_t i = 0; i < count && !found; i++) {
        const mr_artifact *artifact = host->input(task, port, i);
        json_t *json = artifact ? json_loadb(artifact->meta, artifact->meta_len, 0, NULL) : NULL;
        json_t *list = json_object_get(json, "renditions");
        json_t *item;
        size_t n;
        int of = -1;
        bool mine = json_unpack(json, "{s:i}", "stream", &of) == 0 && of == stream;
        json_array_foreach(list, n, item)
        {
            mr_loudness loudness;
            if (mine && !found &&
                json_unpack(item, "{s:i,s:F,s:F}", "channels", &loudness.channels, "integrated_lufs", &loudness.integrated, "true_peak_dbtp",
                            &loudness.true_peak) == 0 &&
                loudness.channels == channels) {
                *ret_loudness = loudness;
                found = true;
            }
        }
        json_decref(json);
    }
    return found;
}

/* ---- the op ---- */

/* Numbers in hundredths: what they are good for, and the same text everywhere. */
static double hundredths(double value)
{
    return round(value * 100) / 100;
}

static mr_status emit(const mr_host *host, mr_task *task, int stream, const mr_loudness *loudness, int count)
{
    json_t *list = json_array();
    json_t *meta = json_pack("{s:i,s:o}", "stream", stream, "renditions", list);
    for (int i = 0; i < count; i++)
        json_array_append_new(list, json_pack("{s:i,s:f,s:f}", "channels", loudness[i].channels, "integrated_lufs",
                                              hundredths(loudness[i].integrated), "true_peak_dbtp", hundredths(loudness[i].true_peak)));
    char *text = meta ? json_dumps(meta, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(6)) : NULL;
    json_decref(meta);
    if (!text)
        return mr_media_error(host, task, AVERROR(ENOMEM), "describing loudness");
    mr_status status = host->emit(task, OUT_LOUDNESS, text, NULL);
    free(text);
    return status;
}

static mr_status run_one(const mr_host *host, const mr_batch_task *one)
{
    mr_audio_track track;
    mr_loudness loudness[MR_LOUDNESS_MAX];
    int channels[2];
    int count = 0;
    mr_status status = mr_audio_track_read(host, one->task, host->input(one->task, IN_TRACK, 0), &track);
    if (status == MR_OK) {
        count = mr_audio_track_renditions(&track, true, channels);
        status = mr_loudness_measure(host, one->task, host->input(one->task, IN_SOURCE, 0), &track, 0, channels, count, loudness);
    }
    if (status == MR_OK)
        status = emit(host, one->task, track.stream, loudness, count);
    mr_audio_track_free(&track);
    return status;
}

static mr_status run(const mr_host *host, const mr_batch *batch)
{
    for (uint32_t i = 0; i < batch->count; i++)
        host->finish(batch->tasks[i].task, run_one(host, &batch->tasks[i]));
    return MR_OK;
}

const mr_op mr_op_transcode_loudness = {
    .size = sizeof(mr_op),
    .version = 1,
    .name = "transcode.loudness",
    .summary = "measures how loud a sound track is",
    .help = "EBU R 128: integrated loudness and true peak of the whole track, for each layout that transcode.audio makes of it. Connect it to "
            "transcode.audio's "
            "input loudness: the factor is then the same in every chunk.",
    .cpu = 1,
    .memory_mb = 96,
    .inputs = inputs,
    .outputs = outputs,
    .run = run,
    .toolchain = mr_transcode_audio_toolchain,
};
