/* SPDX-License-Identifier: MIT */
/*
 * See subtitles_cues.h. WebVTT is taken from the packets as it is, with its settings; everything else goes through libavcodec's decoder, which gives
 * ASS. S_TEXT/WEBVTT in Matroska has no codec number in libavformat 5.1: it is told by its private data, and its settings are a block addition.
 */
#include "subtitles_cues.h"
#include "media/chunk.h"
#include "media/input.h"
#include "media/limits.h"
#include "subtitles_text.h"

#include <libavcodec/avcodec.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST_MS = 30000, UNTIMED_MS = 4000, ADDITION_ID = 8 };

typedef struct cue_reader {
    const mr_host *host;
    mr_task *task;
    AVFormatContext *format;
    AVStream *stream;
    AVCodecContext *codec; /* NULL: WebVTT */
    AVPacket *packet;
    int64_t origin_us;
    int64_t duration_ms;
    size_t most; /* limits.cues */
    mr_cues *cues;
} cue_reader;

void mr_cues_free(mr_cues *cues)
{
    if (!cues)
        return;
    for (size_t i = 0; i < cues->count; i++) {
        free(cues->items[i].settings);
        free(cues->items[i].text);
    }
    free(cues->items);
    *cues = (mr_cues){0};
}

/* end_ms < 0: the source does not say. */
static mr_status add_cue(cue_reader *reader, int64_t start_ms, int64_t end_ms, const char *settings, const char *text)
{
    mr_cues *cues = reader->cues;
    if (cues->count == reader->most)
        return MR_END;
    if (!*text || start_ms >= reader->duration_ms || (end_ms >= 0 && (end_ms <= 0 || end_ms <= start_ms)))
        return MR_OK;
    if (cues->count == cues->room) {
        size_t room = cues->room ? cues->room * 2 : 64;
        mr_cue *grown = realloc(cues->items, room * sizeof(*grown));
        if (!grown)
            return MR_ERR_NOMEM;
        cues->items = grown;
        cues->room = room;
    }
    mr_cue cue = {.start_ms = start_ms, .end_ms = end_ms, .order = cues->count, .settings = strdup(settings), .text = strdup(text)};
    if (!cue.settings || !cue.text) {
        free(cue.settings);
        free(cue.text);
        return MR_ERR_NOMEM;
    }
    cues->items[cues->count++] = cue;
    return MR_OK;
}

static bool is_webvtt(const AVCodecParameters *codec)
{
    if (codec->codec_id == AV_CODEC_ID_WEBVTT)
        return true;
    return codec->codec_id == AV_CODEC_ID_NONE && codec->extradata_size >= 6 && memcmp(codec->extradata, "WEBVTT", 6) == 0;
}

static mr_status take_webvtt(cue_reader *reader, int64_t start_ms, int64_t end_ms)
{
    char text[MR_CUE_TEXT];
    char settings[MR_CUE_SETTINGS] = "";
    size_t len = 0;
    const AVPacket *packet = reader->packet;
    const uint8_t *data = av_packet_get_side_data(packet, AV_PKT_DATA_WEBVTT_SETTINGS, &len);
    if (!data) {
        /* Matroska: eight bytes of number, then a line of settings and one with the cue's name. */
        data = av_packet_get_side_data(packet, AV_PKT_DATA_MATROSKA_BLOCKADDITIONAL, &len);
        data = data && len > ADDITION_ID ? data + ADDITION_ID : NULL;
        len = data ? len - ADDITION_ID : 0;
        const uint8_t *line_end = data ? memchr(data, '\n', len) : NULL;
        if (line_end)
            len = (size_t)(line_end - data);
    }
    if (data)
        mr_cue_settings((const char *)data, len, settings);
    mr_cue_from_webvtt((const char *)packet->data, packet->size > 0 ? (size_t)packet->size : 0, text);
    return add_cue(reader, start_ms, end_ms, settings, text);
}

/* Rects of one subtitle are shown together: one cue, so that their order stays. */
static mr_status take_decoded(cue_reader *reader, int64_t start_ms, int64_t end_ms)
{
    AVSubtitle subtitle;
    int got = 0;
    mr_status status = MR_OK;
    char text[MR_CUE_TEXT];
    if (avcodec_decode_subtitle2(reader->codec, &subtitle, &got, reader->packet) < 0 || !got)
        return MR_OK; /* a damaged cue: the others are still of use */
    for (unsigned i = 0; i < subtitle.num_rects && status == MR_OK; i++) {
        const char *event = subtitle.rects[i]->ass;
        if (!event)
            continue;
        int64_t from = start_ms + subtitle.start_display_time;
        int64_t to = end_ms;
        if (subtitle.end_display_time > subtitle.start_display_time && subtitle.end_display_time < UINT32_MAX)
            to = start_ms + subtitle.end_display_time;
        const char *dialogue = mr_ass_text(event);
        mr_cue_from_ass(dialogue, strlen(dialogue), text);
        status = add_cue(reader, from, to, "", text);
    }
    avsubtitle_free(&subtitle);
    return status;
}

static mr_status take_packet(cue_reader *reader)
{
    AVPacket *packet = reader->packet;
    if (packet->pts == AV_NOPTS_VALUE || !packet->data)
        return MR_OK;
    const int64_t source_us = av_rescale_q(packet->pts, reader->stream->time_base, AV_TIME_BASE_Q);
    const int64_t duration_us = av_rescale_q(packet->duration, reader->stream->time_base, AV_TIME_BASE_Q);
    if (!mr_is_media_time(source_us) || !mr_is_media_time(duration_us)) /* outside any track */
        return MR_OK;
    const int64_t start_us = source_us - reader->origin_us;
    const int64_t start_ms = av_rescale_rnd(start_us, 1, 1000, AV_ROUND_NEAR_INF);
    const int64_t end_ms = packet->duration > 0 ? av_rescale_rnd(start_us + duration_us, 1, 1000, AV_ROUND_NEAR_INF) : -1;
    if (packet->duration > 0 && end_ms <= 0)
        return MR_OK;
    return reader->codec ? take_decoded(reader, start_ms, end_ms) : take_webvtt(reader, start_ms, end_ms);
}

static mr_status open_decoder(cue_reader *reader)
{
    const AVCodecParameters *parameters = reader->stream->codecpar;
    if (is_webvtt(parameters))
        return MR_OK;
    const AVCodec *codec = avcodec_find_decoder(parameters->codec_id);
    if (!codec || parameters->codec_type != AVMEDIA_TYPE_SUBTITLE) {
        reader->host->report(reader->task, MR_SEVERITY_ERROR, NULL, NULL, "stream %d (%s) is not text that can be read", reader->stream->index,
                             avcodec_get_name(parameters->codec_id));
        return MR_ERR_INPUT;
    }
    reader->codec = avcodec_alloc_context3(codec);
    int error = reader->codec ? avcodec_parameters_to_context(reader->codec, parameters) : AVERROR(ENOMEM);
    if (error >= 0) {
        reader->codec->pkt_timebase = reader->stream->time_base;
        reader->codec->sub_charenc_mode = FF_SUB_CHARENC_MODE_IGNORE; /* what is not UTF-8 is replaced here, not refused there */
        error = avcodec_open2(reader->codec, codec, NULL);
    }
    return error < 0 ? mr_media_error(reader->host, reader->task, error, "opening the subtitle decoder") : MR_OK;
}

static mr_status read_all(cue_reader *reader)
{
    mr_status status = open_decoder(reader);
    reader->packet = av_packet_alloc();
    if (status == MR_OK && !reader->packet)
        return MR_ERR_NOMEM;
    for (unsigned i = 0; i < reader->format->nb_streams; i++)
        reader->format->streams[i]->discard = (int)i == reader->stream->index ? AVDISCARD_DEFAULT : AVDISCARD_ALL;
    while (status == MR_OK) {
        if (reader->host->cancelled(reader->task))
            return MR_ERR_CANCELLED;
        status = mr_media_read(reader->format, reader->packet);
        if (status == MR_OK && reader->packet->stream_index == reader->stream->index)
            status = take_packet(reader);
    }
    if (status == MR_END && reader->cues->count == reader->most)
        reader->host->report(reader->task, MR_SEVERITY_WARNING, NULL, "limits.cues in config.yaml says how many are taken",
                             "stream %d has more than %zu cues: the rest is left out", reader->stream->index, reader->most);
    return status == MR_END ? MR_OK : status;
}

static int by_time(const void *a, const void *b)
{
    const mr_cue *x = a;
    const mr_cue *y = b;
    if (x->start_ms != y->start_ms)
        return x->start_ms < y->start_ms ? -1 : 1;
    return (x->order > y->order) - (x->order < y->order);
}

/* In order, inside the video; cues without an end last until the next, but not for ever. */
static void settle(mr_cues *cues, int64_t duration_ms)
{
    if (cues->count > 0)
        qsort(cues->items, cues->count, sizeof(*cues->items), by_time);
    for (size_t i = 0; i < cues->count; i++) {
        mr_cue *cue = &cues->items[i];
        if (cue->end_ms < 0) {
            size_t next = i + 1;
            while (next < cues->count && cues->items[next].start_ms == cue->start_ms)
                next++;
            cue->end_ms = next < cues->count ? cues->items[next].start_ms : cue->start_ms + UNTIMED_MS;
            if (cue->end_ms > cue->start_ms + LONGEST_MS)
                cue->end_ms = cue->start_ms + LONGEST_MS;
        }
        if (cue->start_ms < 0)
            cue->start_ms = 0;
        if (cue->end_ms > duration_ms)
            cue->end_ms = duration_ms;
    }
    size_t kept = 0;
    for (size_t i = 0; i < cues->count; i++) {
        mr_cue cue = cues->items[i];
        if (cue.end_ms > cue.start_ms) {
            cues->items[kept++] = cue;
        } else {
            free(cue.settings);
            free(cue.text);
        }
    }
    cues->count = kept;
}

mr_status mr_cues_read(const mr_host *host, mr_task *task, const mr_artifact *source, int stream, int64_t origin_us, int64_t duration_us,
                       mr_cues *ret_cues)
{
    cue_reader reader = {.host = host, .task = task, .origin_us = origin_us, .duration_ms = (duration_us + 999) / 1000, .cues = ret_cues};
    *ret_cues = (mr_cues){0};
    reader.most = (size_t)mr_limits_of(host, task)->cues;
    mr_status status = mr_media_open_part(host, task, source, &(mr_media_part){.stream = stream}, &reader.format);
    if (status != MR_OK)
        return status;
    if (stream >= 0 && (unsigned)stream < reader.format->nb_streams) {
        reader.stream = reader.format->streams[stream];
        status = read_all(&reader);
        settle(ret_cues, reader.duration_ms);
    } else {
        host->report(task, MR_SEVERITY_ERROR, NULL, NULL, "the source has no stream %d", stream);
        status = MR_ERR_INPUT;
    }
    avcodec_free_context(&reader.codec);
    av_packet_free(&reader.packet);
    mr_media_close(&reader.format);
    return status;
}
