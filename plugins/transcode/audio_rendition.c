/* SPDX-License-Identifier: MIT */
/* See audio_rendition.h. Frames are counted from the track's first, so packets' own time stamps are not needed. */
#include "audio_rendition.h"
#include "media/cmaf.h"
#include "media/input.h"
#include "track_name.h"

#include <jansson.h>
#include <stdlib.h>

/*
 * A second or two. libavcodec's AAC encoder looks for the quality that its rate allows over some thirty frames, and a sound that begins at once
 * throws it off; Opus predicts each frame from those before.
 */
enum { PREROLL_AAC = 48, PREROLL_OPUS = 100 };

/* Segments come out a few percent over the bitrate asked for, with the boxes around them. */
enum { CEILING_PERCENT = 112 };

struct mr_audio_rendition {
    const mr_host *host;
    mr_task *task;
    uint32_t port;
    const mr_audio_work *work;
    mr_audio_encoder *encoder;
    mr_cmaf *cmaf;
    AVPacket *packet;
    char folder[MR_TRACK_FOLDER];
    int frame_size;
    int64_t priming;
    int64_t first;  /* frame of the chunk */
    int64_t end;    /* frame after its last */
    int64_t total;  /* frames of the track */
    int64_t from;   /* frame at which the encoder started */
    int64_t next;   /* frame that the encoder gives next */
    size_t segment; /* that next belongs to */
    bool open;      /* a segment was begun */
    int64_t begun;  /* frame with which it was */
};

/* The first frame whose presentation begins at or after a sample. */
static int64_t frame_at(const mr_audio_rendition *rendition, int64_t sample)
{
    if (sample <= 0)
        return 0;
    int64_t media = sample + rendition->priming;
    return media / rendition->frame_size + (media % rendition->frame_size != 0);
}

static mr_status emit(mr_audio_rendition *rendition, json_t *meta, const uint8_t *data, size_t len)
{
    char *text = meta ? json_dumps(meta, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    json_decref(meta);
    if (!text)
        return mr_media_error(rendition->host, rendition->task, AVERROR(ENOMEM), "describing a segment");
    mr_status status = rendition->host->emit_bytes(rendition->task, rendition->port, text, data, len);
    free(text);
    return status;
}

static json_t *init_meta(const mr_audio_rendition *rendition, const mr_audio_encoder_options *options, const char *codec)
{
    const mr_audio_work *work = rendition->work;
    char name[MR_TRACK_NAME];
    const char *extra = options->channels == 6 ? "5.1" : NULL;
    mr_track_name(work->track->title, work->track->language, "Audio", work->track->ordinal, extra, name);
    return json_pack("{s:s,s:s,s:s,s:i,s:s,s:s,s:i,s:s,s:i,s:i,s:s,s:s,s:b,s:I,s:i,s:I}", "role", "init", "kind", "audio", "rendition",
                     rendition->folder, "order", options->channels == 6 ? 1 : 0, "codec", codec, "codec_name",
                     options->codec == MR_AUDIO_OPUS ? "opus" : "aac", "timescale", work->rate, "ext", "mp4", "sample_rate", work->rate, "channels",
                     options->channels, "language", work->track->language, "name", name, "default", work->track->standard, "priming",
                     (json_int_t)rendition->priming, "stream", work->track->stream, "max_bitrate",
                     (json_int_t)(options->bitrate * CEILING_PERCENT / 100));
}

static mr_status emit_init(mr_audio_rendition *rendition, const mr_audio_encoder_options *options)
{
    char codec[64];
    const uint8_t *data;
    size_t len;
    AVCodecParameters *parameters = NULL;
    const mr_cmaf_options cmaf = {
        .timescale = (uint32_t)rendition->work->rate, .language = rendition->work->track->language, .priming = (uint32_t)rendition->priming};
    mr_status status = mr_audio_encoder_parameters(rendition->encoder, &parameters);
    if (status == MR_OK)
        status = mr_cmaf_new(rendition->host, rendition->task, parameters, &cmaf, &rendition->cmaf);
    if (status == MR_OK)
        status = mr_codec_string(parameters, codec, sizeof(codec));
    if (status == MR_OK)
        status = mr_cmaf_init_segment(rendition->cmaf, &data, &len);
    if (status == MR_OK)
        status = emit(rendition, init_meta(rendition, options, codec), data, len);
    avcodec_parameters_free(&parameters);
    return status;
}

static mr_status rendition_init(mr_audio_rendition *rendition, const mr_audio_encoder_options *options)
{
    const mr_audio_work *work = rendition->work;
    char suffix[16];
    snprintf(suffix, sizeof(suffix), "-%dch", options->channels);
    mr_track_folder("audio", work->track->language, suffix, work->track->ordinal, work->track->stream, rendition->folder);
    mr_status status = mr_audio_encoder_open(rendition->host, rendition->task, options, &rendition->encoder);
    if (status != MR_OK)
        return status;
    const AVCodecContext *context = mr_audio_encoder_context(rendition->encoder);
    rendition->packet = av_packet_alloc();
    if (!rendition->packet || context->frame_size <= 0)
        return mr_media_error(rendition->host, rendition->task, AVERROR(ENOMEM), "opening the sound encoder");
    rendition->frame_size = context->frame_size;
    rendition->priming = context->initial_padding;
    rendition->total = (work->samples + rendition->priming + rendition->frame_size - 1) / rendition->frame_size;
    rendition->first = frame_at(rendition, work->start);
    rendition->end = work->last ? rendition->total : frame_at(rendition, work->end);
    if (rendition->end > rendition->total)
        rendition->end = rendition->total;
    int preroll = options->codec == MR_AUDIO_OPUS ? PREROLL_OPUS : PREROLL_AAC;
    rendition->from = rendition->first > preroll ? rendition->first - preroll : 0;
    rendition->next = rendition->from;
    return emit_init(rendition, options);
}

mr_status mr_audio_rendition_open(const mr_host *host, mr_task *task, uint32_t port, const mr_audio_work *work,
                                  const mr_audio_encoder_options *options, mr_audio_rendition **ret_rendition)
{
    mr_audio_rendition *rendition = calloc(1, sizeof(*rendition));
    *ret_rendition = NULL;
    if (!rendition)
        return MR_ERR_NOMEM;
    *rendition = (mr_audio_rendition){.host = host, .task = task, .port = port, .work = work};
    mr_status status = rendition_init(rendition, options);
    if (status != MR_OK) {
        mr_audio_rendition_close(rendition);
        return status;
    }
    *ret_rendition = rendition;
    return MR_OK;
}

void mr_audio_rendition_close(mr_audio_rendition *rendition)
{
    if (!rendition)
        return;
    mr_audio_encoder_close(rendition->encoder);
    mr_cmaf_free(rendition->cmaf);
    av_packet_free(&rendition->packet);
    free(rendition);
}

int mr_audio_rendition_frame_size(const mr_audio_rendition *rendition)
{
    return rendition->frame_size;
}

int64_t mr_audio_rendition_start(const mr_audio_rendition *rendition)
{
    return rendition->from * rendition->frame_size;
}

bool mr_audio_rendition_done(const mr_audio_rendition *rendition)
{
    return rendition->next >= rendition->end;
}

double mr_audio_rendition_progress(const mr_audio_rendition *rendition)
{
    int64_t all = rendition->end - rendition->from;
    return all > 0 ? (double)(rendition->next - rendition->from) / (double)all : 1;
}

/* The track's last frame ends with the track. */
static int64_t frame_end(const mr_audio_rendition *rendition, int64_t frame)
{
    int64_t end = (frame + 1) * rendition->frame_size;
    int64_t track_end = rendition->work->samples + rendition->priming;
    return frame + 1 == rendition->total && track_end < end ? track_end : end;
}

static mr_status end_segment(mr_audio_rendition *rendition)
{
    const uint8_t *data;
    size_t len;
    int64_t start = rendition->begun * rendition->frame_size;
    mr_status status = mr_cmaf_end(rendition->cmaf, &data, &len, NULL);
    rendition->open = false;
    if (status != MR_OK)
        return status;
    json_t *meta = json_pack("{s:s,s:s,s:s,s:I,s:I,s:I,s:i,s:I,s:s}", "role", "media", "kind", "audio", "rendition", rendition->folder, "index",
                             (json_int_t)rendition->work->segments[rendition->segment].index, "start", (json_int_t)start, "duration",
                             (json_int_t)(frame_end(rendition, rendition->next - 1) - start), "timescale", rendition->work->rate, "frames",
                             (json_int_t)(rendition->next - rendition->begun), "ext", "m4s");
    return emit(rendition, meta, data, len);
}

/* The frame after the segment's last. */
static int64_t segment_end(const mr_audio_rendition *rendition)
{
    const mr_audio_work *work = rendition->work;
    bool last = rendition->segment + 1 == work->segment_count;
    int64_t end = last ? rendition->end : frame_at(rendition, work->segments[rendition->segment].end);
    return end < rendition->end ? end : rendition->end;
}

/* Puts the packet, which is frame `next`, into its segment. */
static mr_status write_frame(mr_audio_rendition *rendition)
{
    AVPacket *packet = rendition->packet;
    mr_status status = MR_OK;
    while (rendition->next >= segment_end(rendition))
        rendition->segment++; /* a segment too short for a frame; the chunk's last takes all that are left */
    if (!rendition->open) {
        rendition->begun = rendition->next;
        status =
            mr_cmaf_begin(rendition->cmaf, (uint32_t)rendition->work->segments[rendition->segment].index, rendition->next * rendition->frame_size);
        rendition->open = true;
    }
    packet->pts = packet->dts = rendition->next * rendition->frame_size;
    packet->duration = frame_end(rendition, rendition->next) - packet->pts;
    if (status == MR_OK)
        status = mr_cmaf_write(rendition->cmaf, packet);
    rendition->next++;
    if (status == MR_OK && rendition->next == segment_end(rendition))
        status = end_segment(rendition);
    return status;
}

mr_status mr_audio_rendition_send(mr_audio_rendition *rendition, float *const *planes)
{
    if (mr_audio_rendition_done(rendition))
        return MR_OK;
    mr_status status = mr_audio_encoder_send(rendition->encoder, planes);
    while (status == MR_OK && !mr_audio_rendition_done(rendition)) {
        status = mr_audio_encoder_receive(rendition->encoder, rendition->packet);
        if (status == MR_END)
            return MR_OK;
        if (status == MR_OK && rendition->next < rendition->first)
            rendition->next++;
        else if (status == MR_OK)
            status = write_frame(rendition);
        av_packet_unref(rendition->packet);
    }
    return status;
}
