/* SPDX-License-Identifier: MIT */
/*
 * Decoding the beginning of each track while the packets go by: does it decode at all, when does it really start, and what do its frames say
 * (size, colours, interlacing, channels) that the container may not. With the loudness param, sound is decoded to its end.
 */
#include "probe.h"
#include "media/h264.h"

#include <libavutil/mastering_display_metadata.h>
#include <string.h>

#define VIDEO_FRAMES 16 /* looked at: enough to tell interlaced from progressive … */
#define PLAIN_FRAMES                                                                                                                                 \
    6                      /* … or so many, where the stream says itself that it is progressive, and none of them says otherwise; or one, where it \
                              can't be anything else */
#define VIDEO_PACKETS 1500 /* without a picture: it does not decode. A minute at 25 a second: streams that begin between keyframes have time */
#define AUDIO_FRAMES  2
#define AUDIO_PACKETS 500

static void stop(track_sample *sampler)
{
    avcodec_free_context(&sampler->codec);
}

static mr_status open_sampler(probe_state *probe, const AVStream *stream, track_sample *sampler)
{
    const AVCodec *codec = avcodec_find_decoder(stream->codecpar->codec_id);
    if (!codec)
        return MR_OK; /* told later: it never decoded */
    sampler->codec = avcodec_alloc_context3(codec);
    if (!sampler->codec)
        return mr_media_error(probe->host, probe->task, AVERROR(ENOMEM), "decoder");
    sampler->codec->pkt_timebase = stream->time_base;
    sampler->codec->thread_count = 1;
    sampler->codec->skip_loop_filter = AVDISCARD_ALL; /* nobody sees these pictures */
    mr_guard_init(&sampler->guard, probe->host, probe->task, probe->format, stream, sampler->codec);
    if (avcodec_parameters_to_context(sampler->codec, stream->codecpar) < 0 || avcodec_open2(sampler->codec, codec, NULL) < 0)
        stop(sampler);
    return MR_OK;
}

mr_status probe_samplers_open(probe_state *probe)
{
    probe->stream_count = probe->format->nb_streams;
    probe->samplers = av_calloc(probe->stream_count + 1, sizeof(*probe->samplers));
    probe->frame = av_frame_alloc();
    if (!probe->samplers || !probe->frame)
        return mr_media_error(probe->host, probe->task, AVERROR(ENOMEM), "probing");
    for (unsigned int i = 0; i < probe->stream_count; i++) {
        const AVStream *stream = probe->format->streams[i];
        if ((int)i == probe->video || stream->codecpar->codec_type == AVMEDIA_TYPE_AUDIO) {
            mr_status status = open_sampler(probe, stream, &probe->samplers[i]);
            if (status != MR_OK)
                return status;
        }
    }
    return MR_OK;
}

static void look_at_fields(track_sample *sampler, const AVFrame *frame)
{
#ifdef AV_FRAME_FLAG_INTERLACED
    bool interlaced = frame->flags & AV_FRAME_FLAG_INTERLACED;
    bool top_first = frame->flags & AV_FRAME_FLAG_TOP_FIELD_FIRST;
#else
    bool interlaced = frame->interlaced_frame;
    bool top_first = frame->top_field_first;
#endif
    sampler->interlaced += interlaced ? 1 : 0;
    sampler->bottom_first += interlaced && !top_first ? 1 : 0;
}

static void look_at_picture(track_sample *sampler, const AVFrame *frame)
{
    look_at_fields(sampler, frame);
    if (av_frame_get_side_data(frame, AV_FRAME_DATA_MASTERING_DISPLAY_METADATA) || av_frame_get_side_data(frame, AV_FRAME_DATA_CONTENT_LIGHT_LEVEL))
        sampler->static_hdr = true;
    if (sampler->frames > 1)
        return;
    sampler->width = frame->width;
    sampler->height = frame->height;
    sampler->sar = frame->sample_aspect_ratio;
    sampler->pixel_format = frame->format;
    sampler->range = frame->color_range;
    sampler->primaries = frame->color_primaries;
    sampler->transfer = frame->color_trc;
    sampler->matrix = frame->colorspace;
    const AVFrameSideData *side = av_frame_get_side_data(frame, AV_FRAME_DATA_DISPLAYMATRIX);
    if (side && side->size >= sizeof(sampler->display_matrix)) {
        memcpy(sampler->display_matrix, side->data, sizeof(sampler->display_matrix));
        sampler->has_display_matrix = true;
    }
}

static void look_at_sound(const probe_state *probe, track_sample *sampler, AVFrame *frame)
{
    if (frame->ch_layout.order == AV_CHANNEL_ORDER_UNSPEC) /* the file doesn't say: the usual one for so many channels */
        av_channel_layout_default(&frame->ch_layout, frame->ch_layout.nb_channels);
    if (sampler->frames == 1) {
        sampler->sample_rate = frame->sample_rate;
        av_channel_layout_copy(&sampler->layout, &frame->ch_layout);
        if (probe->params->loudness)
            mr_loudness_meter_new(frame, &sampler->loudness); /* NULL where it can't be measured */
    }
    if (sampler->loudness && mr_loudness_meter_add(sampler->loudness, frame) < 0) {
        mr_loudness_meter_free(sampler->loudness); /* what changes on the way has no one loudness */
        sampler->loudness = NULL;
    }
}

static void look(const probe_state *probe, const AVStream *stream, track_sample *sampler)
{
    AVFrame *frame = probe->frame;
    int64_t at = frame->best_effort_timestamp != AV_NOPTS_VALUE ? frame->best_effort_timestamp : frame->pts;
    sampler->frames++;
    if (!sampler->decoded)
        sampler->first_us = at != AV_NOPTS_VALUE ? av_rescale_q(at, stream->time_base, AV_TIME_BASE_Q) : AV_NOPTS_VALUE;
    sampler->decoded = true;
    if (stream->codecpar->codec_type == AVMEDIA_TYPE_VIDEO)
        look_at_picture(sampler, frame);
    else
        look_at_sound(probe, sampler, frame);
}

static bool is_done(const probe_state *probe, const AVStream *stream, const track_sample *sampler)
{
    const bool plain = stream->codecpar->field_order == AV_FIELD_PROGRESSIVE && sampler->interlaced == 0;
    const uint32_t frames = plain && mr_h264_read_headers(stream->codecpar).frames_only ? 1 : plain ? PLAIN_FRAMES : VIDEO_FRAMES;
    if (stream->codecpar->codec_type == AVMEDIA_TYPE_VIDEO)
        return sampler->frames >= frames || (!sampler->decoded && sampler->packets >= VIDEO_PACKETS);
    if (!sampler->decoded)
        return sampler->packets >= AUDIO_PACKETS;
    return sampler->frames >= AUDIO_FRAMES && !(probe->params->loudness && sampler->loudness);
}

static mr_status decode(probe_state *probe, const AVStream *stream, const AVPacket *packet)
{
    track_sample *sampler = &probe->samplers[stream->index];
    int ret = avcodec_send_packet(sampler->codec, packet);
    sampler->packets++;
    if (ret == AVERROR(ENOMEM) && mr_media_memory_is_short())
        return mr_media_error(probe->host, probe->task, ret, "decoding");
    mr_status status = mr_guard_packet(&sampler->guard, sampler->codec, packet, ret);
    while (status == MR_OK && avcodec_receive_frame(sampler->codec, probe->frame) >= 0) {
        status = mr_guard_frame(&sampler->guard, probe->frame, AV_NOPTS_VALUE);
        if (status == MR_OK)
            look(probe, stream, sampler);
        av_frame_unref(probe->frame);
    }
    if (status == MR_OK && !packet)
        status = mr_guard_end(&sampler->guard);
    if (is_done(probe, stream, sampler) || !packet)
        stop(sampler);
    return status;
}

mr_status probe_sample(void *opaque, AVPacket *packet)
{
    probe_state *probe = opaque;
    if ((unsigned int)packet->stream_index >= probe->stream_count || !probe->samplers[packet->stream_index].codec)
        return MR_OK;
    return decode(probe, probe->format->streams[packet->stream_index], packet);
}

bool probe_is_sampling(void *opaque)
{
    const probe_state *probe = opaque;
    for (unsigned int i = 0; i < probe->stream_count; i++) {
        if (probe->samplers[i].codec)
            return true;
    }
    return false;
}

mr_status probe_samplers_drain(probe_state *probe)
{
    mr_status status = MR_OK;
    for (unsigned int i = 0; status == MR_OK && i < probe->stream_count; i++) {
        if (probe->samplers[i].codec)
            status = decode(probe, probe->format->streams[i], NULL);
    }
    return status;
}

void probe_samplers_close(probe_state *probe)
{
    for (unsigned int i = 0; probe->samplers && i < probe->stream_count; i++) {
        stop(&probe->samplers[i]);
        av_channel_layout_uninit(&probe->samplers[i].layout);
        mr_loudness_meter_free(probe->samplers[i].loudness);
    }
    av_freep(&probe->samplers);
    av_frame_free(&probe->frame);
}
