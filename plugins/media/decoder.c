/* SPDX-License-Identifier: MIT */
/*
 * One stream of an open input, as frames in presentation order.
 * Invariants: timestamps never run backwards between two seeks; after a seek the first frame is at or before the wanted time wherever the source
 * has one there (containers without an index land anywhere: we look at the first packet, and go further back when it came too late); a picture
 * decoder is fed nothing before a keyframe.
 */
#include "media/decoder.h"
#include "media/limits.h"
#include "media/picture_memory.h"

#include <libavutil/avstring.h>
#include <stdio.h>
#include <string.h>

#define MAX_KEYLESS_PACKETS 1000 /* after a seek: streams without marked keyframes are decoded from wherever we are */
#define MAX_DRAIN_ERRORS    64
#define EARLY_S             86400

struct mr_decoder {
    const mr_host *host;
    mr_task *task;
    AVFormatContext *format;
    AVStream *stream;
    AVCodecContext *codec;
    AVPacket *packet;
    mr_picture_memory *memory;
    mr_decode_guard guard;
    uint64_t damaged;
    int64_t last_us;   /* of the frame before; AV_NOPTS_VALUE after a seek */
    int64_t step_us;   /* a frame's length, where the frame does not say */
    int64_t wanted_us; /* a seek whose landing was not checked yet; else AV_NOPTS_VALUE */
    int seeks;         /* tries for wanted_us */
    uint32_t keyless;  /* packets passed over while waiting for a keyframe */
    bool wait_key;
    bool draining;
    bool one_by_one; /* each packet is decoded alone, to its picture: no other has to come first for that to be shown */
    bool emptied;    /* so it was with the last one */
    bool passes_over_marked;
};

/* How far before the wanted time each further try goes; after these, from the start. */
static const int64_t seek_back_us[] = {0, 1000000, 5000000, 20000000};
#define SEEK_TRIES ((int)(sizeof(seek_back_us) / sizeof(seek_back_us[0])))

static mr_status open_codec(mr_decoder *decoder, const mr_decoder_options *options)
{
    const AVCodecParameters *parameters = decoder->stream->codecpar;
    char what[96];
    snprintf(what, sizeof(what), "stream %d (%s) can't be decoded", decoder->stream->index, avcodec_get_name(parameters->codec_id));
    const AVCodec *codec = avcodec_find_decoder(parameters->codec_id);
    if (!codec)
        return mr_media_error(decoder->host, decoder->task, AVERROR_DECODER_NOT_FOUND, what);
    decoder->codec = avcodec_alloc_context3(codec);
    decoder->packet = av_packet_alloc();
    decoder->memory = mr_picture_memory_new();
    if (!decoder->codec || !decoder->packet || !decoder->memory)
        return mr_media_error(decoder->host, decoder->task, AVERROR(ENOMEM), what);
    int ret = avcodec_parameters_to_context(decoder->codec, parameters);
    if (ret < 0)
        return mr_media_error(decoder->host, decoder->task, ret, what);
    decoder->codec->pkt_timebase = decoder->stream->time_base;
    decoder->codec->thread_count = options && options->threads > 1 ? options->threads : 1;
    mr_picture_memory_serve(decoder->memory, decoder->codec);
    mr_guard_init(&decoder->guard, decoder->host, decoder->task, decoder->format, decoder->stream, decoder->codec);
    decoder->codec->flags |= AV_CODEC_FLAG_BITEXACT;
    /* H.264: what can't be right behind a seek comes out marked, and next() passes it over. Kept back by the decoder it would end the draining: the
     * last pictures of a source would be lost where decoding begins shortly before them. */
    decoder->passes_over_marked = parameters->codec_id == AV_CODEC_ID_H264;
    if (decoder->passes_over_marked)
        decoder->codec->flags |= AV_CODEC_FLAG_OUTPUT_CORRUPT;
    if (options && options->keyframes_only) {
        decoder->codec->skip_frame = AVDISCARD_NONKEY;
        decoder->codec->skip_loop_filter = AVDISCARD_ALL;
    }
    /* A picture that comes out alone has its packet's presentation time, or none: only these containers have one for each. */
    decoder->one_by_one = options && options->one_by_one && av_match_list(decoder->format->iformat->name, "mov,matroska", ',') > 0;
    ret = avcodec_open2(decoder->codec, codec, NULL);
    return ret < 0 ? mr_media_error(decoder->host, decoder->task, ret, what) : MR_OK;
}

static int64_t usual_step_us(const AVStream *stream)
{
    AVRational rate = stream->avg_frame_rate.num > 0 ? stream->avg_frame_rate : stream->r_frame_rate;
    if (stream->codecpar->codec_type != AVMEDIA_TYPE_VIDEO || rate.num <= 0 || rate.den <= 0)
        return 0;
    return av_rescale(1000000, rate.den, rate.num);
}

mr_status mr_decoder_open(const mr_host *host, mr_task *task, AVFormatContext *format, int stream, const mr_decoder_options *options,
                          mr_decoder **ret_decoder)
{
    *ret_decoder = NULL;
    if (stream < 0 || (unsigned int)stream >= format->nb_streams) {
        host->report(task, MR_SEVERITY_ERROR, NULL, NULL, "the source has no stream %d", stream);
        return MR_ERR_INPUT;
    }
    mr_decoder *decoder = av_mallocz(sizeof(*decoder));
    if (!decoder)
        return mr_media_error(host, task, AVERROR(ENOMEM), "decoder");
    *decoder = (mr_decoder){.host = host, .task = task, .format = format, .stream = format->streams[stream]};
    decoder->last_us = AV_NOPTS_VALUE;
    decoder->wanted_us = AV_NOPTS_VALUE;
    decoder->step_us = usual_step_us(decoder->stream);
    decoder->wait_key = decoder->stream->codecpar->codec_type == AVMEDIA_TYPE_VIDEO;
    for (unsigned int i = 0; i < format->nb_streams; i++)
        format->streams[i]->discard = AVDISCARD_ALL;
    decoder->stream->discard = options && options->keyframes_only ? AVDISCARD_NONKEY : AVDISCARD_DEFAULT;
    mr_status status = open_codec(decoder, options);
    if (status != MR_OK) {
        mr_decoder_close(decoder);
        return status;
    }
    *ret_decoder = decoder;
    return MR_OK;
}

void mr_decoder_close(mr_decoder *decoder)
{
    if (!decoder)
        return;
    avcodec_free_context(&decoder->codec);
    mr_picture_memory_free(decoder->memory);
    av_packet_free(&decoder->packet);
    av_free(decoder);
}

void mr_decoder_prepare(const mr_decoder *decoder)
{
    mr_picture_memory_prepare(decoder->memory);
}

uint64_t mr_decoder_damaged(const mr_decoder *decoder)
{
    return decoder ? decoder->damaged : 0;
}

/* To the very beginning. Streams without an index are searched by time only roughly, and may land behind their first keyframe. */
static int rewind_format(mr_decoder *decoder)
{
    static const char plain[] = "mpegts,mpeg,mpegvideo,h264,hevc,m4v,obu,aac,ac3,eac3,dts,truehd,mp3";
    int64_t start = decoder->stream->start_time != AV_NOPTS_VALUE ? decoder->stream->start_time : 0;
    int ret = AVERROR(ENOSYS);
    if (av_match_list(decoder->format->iformat->name, plain, ',') > 0)
        ret = av_seek_frame(decoder->format, -1, 0, AVSEEK_FLAG_BYTE);
    int64_t early = start - av_rescale_q(EARLY_S, (AVRational){1, 1}, decoder->stream->time_base); /* before what an edit list hides, too */
    if (ret < 0)
        ret = avformat_seek_file(decoder->format, decoder->stream->index, INT64_MIN, early, early, 0);
    if (ret < 0)
        ret = avformat_seek_file(decoder->format, decoder->stream->index, INT64_MIN, start, start, 0);
    if (ret < 0)
        ret = av_seek_frame(decoder->format, -1, 0, AVSEEK_FLAG_BYTE);
    return ret;
}

/* Positions the input for try number decoder->seeks. */
static mr_status jump(mr_decoder *decoder)
{
    int64_t start = decoder->stream->start_time;
    int64_t start_us = start != AV_NOPTS_VALUE ? av_rescale_q(start, decoder->stream->time_base, AV_TIME_BASE_Q) : INT64_MIN;
    int64_t us = decoder->seeks < SEEK_TRIES ? decoder->wanted_us - seek_back_us[decoder->seeks] : start_us;
    int ret = AVERROR(EINVAL);
    if (us <= start_us)
        decoder->seeks = SEEK_TRIES; /* there is nothing before: no further tries */
    else {
        int64_t ticks = av_rescale_q(us, AV_TIME_BASE_Q, decoder->stream->time_base);
        ret = avformat_seek_file(decoder->format, decoder->stream->index, INT64_MIN, ticks, ticks, 0);
    }
    if (ret < 0) {
        decoder->seeks = SEEK_TRIES;
        ret = rewind_format(decoder);
    }
    mr_status status = mr_media_source_status(decoder->format);
    if (status != MR_OK)
        return status;
    if (ret < 0)
        return mr_media_error(decoder->host, decoder->task, ret, "the source can't be read from another place");
    avcodec_flush_buffers(decoder->codec);
    decoder->emptied = false;
    decoder->last_us = AV_NOPTS_VALUE;
    decoder->draining = false;
    decoder->wait_key = decoder->stream->codecpar->codec_type == AVMEDIA_TYPE_VIDEO;
    decoder->keyless = 0;
    return MR_OK;
}

mr_status mr_decoder_seek(mr_decoder *decoder, int64_t us)
{
    decoder->wanted_us = us;
    decoder->seeks = 0;
    return jump(decoder);
}

/* The next packet that decoding can go on with: of our stream, and a keyframe where one is due. */
static mr_status next_packet(mr_decoder *decoder)
{
    mr_status status;
    while ((status = mr_media_read(decoder->format, decoder->packet)) == MR_OK) {
        if (decoder->host->cancelled(decoder->task))
            return MR_ERR_CANCELLED;
        if (decoder->packet->stream_index != decoder->stream->index)
            continue;
        if (!decoder->wait_key || (decoder->packet->flags & AV_PKT_FLAG_KEY) || ++decoder->keyless >= MAX_KEYLESS_PACKETS)
            break;
    }
    return status;
}

/* The first packet after a seek: did we land late? Then goes further back (true: look again). */
static bool landed_late(mr_decoder *decoder, bool at_end, mr_status *ret_status)
{
    int64_t ticks = decoder->packet->pts != AV_NOPTS_VALUE ? decoder->packet->pts : decoder->packet->dts;
    if (decoder->wanted_us == AV_NOPTS_VALUE)
        return false;
    bool late = at_end || (ticks != AV_NOPTS_VALUE && av_rescale_q(ticks, decoder->stream->time_base, AV_TIME_BASE_Q) > decoder->wanted_us);
    if (!late || decoder->seeks >= SEEK_TRIES) {
        decoder->wanted_us = AV_NOPTS_VALUE;
        return false;
    }
    decoder->seeks++;
    *ret_status = jump(decoder);
    return true;
}

/* Gives the decoder one packet, or tells it that there are no more. */
static mr_status feed(mr_decoder *decoder)
{
    mr_status status;
    do {
        status = next_packet(decoder);
        if (status != MR_OK && status != MR_END)
            return status;
    } while (landed_late(decoder, status == MR_END, &status) && status == MR_OK);
    if (status != MR_OK && status != MR_END)
        return status;
    decoder->wait_key = false;
    decoder->draining = status == MR_END;
    if (decoder->emptied)
        avcodec_flush_buffers(decoder->codec);
    int ret = avcodec_send_packet(decoder->codec, decoder->draining ? NULL : decoder->packet);
    status = mr_guard_packet(&decoder->guard, decoder->codec, decoder->packet, ret);
    av_packet_unref(decoder->packet);
    if (ret == AVERROR(ENOMEM) && mr_media_memory_is_short())
        return mr_media_error(decoder->host, decoder->task, ret, "decoding");
    if (ret < 0 && ret != AVERROR_EOF)
        decoder->damaged++;
    decoder->emptied = decoder->one_by_one && !decoder->draining && avcodec_send_packet(decoder->codec, NULL) == 0;
    return status;
}

/* Where there are no presentation times (AVI has none; libav makes some up for some packets), a frame has the time of the packet with which it came
 * out, and that is as many frames late as the decoder holds back. */
static int64_t frame_ticks(const mr_decoder *decoder, const AVFrame *frame)
{
    int64_t ticks = frame->best_effort_timestamp != AV_NOPTS_VALUE ? frame->best_effort_timestamp : frame->pts;
    AVRational rate = decoder->stream->avg_frame_rate;
    bool from_packet = frame->pts == AV_NOPTS_VALUE || strcmp(decoder->format->iformat->name, "avi") == 0;
    if (!from_packet || decoder->codec->has_b_frames <= 0 || rate.num <= 0 || rate.den <= 0)
        return ticks;
    if (frame->pts != AV_NOPTS_VALUE)
        ticks = frame->pkt_dts;
    return ticks == AV_NOPTS_VALUE ? ticks : ticks - av_rescale_q(decoder->codec->has_b_frames, av_inv_q(rate), decoder->stream->time_base);
}

static int64_t timestamp(mr_decoder *decoder, const AVFrame *frame)
{
    int64_t ticks = frame_ticks(decoder, frame);
    int64_t us;
    if (ticks != AV_NOPTS_VALUE)
        us = av_rescale_q(ticks, decoder->stream->time_base, AV_TIME_BASE_Q);
    else if (decoder->last_us != AV_NOPTS_VALUE)
        us = decoder->last_us + decoder->step_us;
    else
        us =
            decoder->stream->start_time != AV_NOPTS_VALUE ? av_rescale_q(decoder->stream->start_time, decoder->stream->time_base, AV_TIME_BASE_Q) : 0;
    if (decoder->last_us != AV_NOPTS_VALUE && us < decoder->last_us)
        us = decoder->last_us;
    if (frame->sample_rate > 0)
        decoder->step_us = av_rescale(frame->nb_samples, 1000000, frame->sample_rate);
    return us;
}

mr_status mr_decoder_next(mr_decoder *decoder, AVFrame *frame, int64_t *ret_us)
{
    mr_status status = MR_OK;
    int drain_errors = 0;
    while (status == MR_OK) {
        av_frame_unref(frame);
        int ret = avcodec_receive_frame(decoder->codec, frame);
        if (ret == 0 && decoder->passes_over_marked && (frame->flags & AV_FRAME_FLAG_CORRUPT))
            continue;
        if (ret == 0) {
            *ret_us = decoder->last_us = timestamp(decoder, frame);
            status = mr_guard_frame(&decoder->guard, frame, *ret_us);
            if (status == MR_OK)
                return MR_OK;
        } else if (ret == AVERROR(EAGAIN) || (ret == AVERROR_EOF && decoder->emptied)) {
            status = feed(decoder);
        } else if (ret == AVERROR_EOF) {
            status = mr_guard_end(&decoder->guard);
            return status == MR_OK ? MR_END : status;
        } else if (ret == AVERROR(ENOMEM) && mr_media_memory_is_short()) {
            status = mr_media_error(decoder->host, decoder->task, ret, "decoding");
        } else {
            decoder->damaged++;
            status = mr_guard_packet(&decoder->guard, decoder->codec, NULL, ret);
            if (decoder->draining && ++drain_errors > MAX_DRAIN_ERRORS)
                return MR_END;
        }
    }
    av_frame_unref(frame);
    return status;
}
