/* SPDX-License-Identifier: MIT */
/*
 * See remux.h. A packet is written when the next one is known, because only that tells how long it lasts.
 * Media time = presentation time + priming, for sound and picture alike. A picture track that begins after time 0 shows its first frame from there
 * on.
 */
#include "remux.h"
#include "cuts.h"
#include "media/sample_entry.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DRIFT_US 20000 /* sound's packets follow each other; a timestamp counts where it is further off than this */

struct remux_track {
    const mr_host *host;
    mr_task *task;
    remux_track_options options;
    bool picture;
    char rendition[96];
    uint32_t timescale;
    AVRational tick;
    int64_t priming;
    AVBSFContext *filter; /* NULL: packets go as they are */
    mr_cmaf *cmaf;        /* NULL until the first packet */
    AVPacket *held;       /* the packet that waits for its duration: pts and dts are media ticks */
    AVPacket *next;
    size_t packet_index; /* of the picture's packets, as the scan counted them */
    size_t segment;      /* the open one */
    bool open;
    bool sounding;         /* a packet came that is not for the decoder alone */
    int64_t segment_start; /* ticks */
    int64_t frames;
    int64_t end;      /* where the held packet ends, as far as it says itself */
    mr_range *ranges; /* with a source: what the open segment takes from it */
    size_t range_count;
    size_t range_room;
};

static mr_status fail(const remux_track *track, int ret)
{
    char what[64];
    if (ret == AVERROR(ENOMEM))
        return mr_media_error(track->host, track->task, ret, "segments without encoding");
    snprintf(what, sizeof(what), "track %d is damaged", track->options.stream->index);
    return cuts_unfit(track->host, track->task, what);
}

static const char *text(const json_t *object, const char *key, const char *standard)
{
    const char *value = json_string_value(json_object_get(object, key));
    return value && value[0] ? value : standard;
}

static void name_rendition(remux_track *track)
{
    const json_t *info = track->options.info;
    char language[40] = "";
    size_t len = 0;
    if (track->picture) {
        snprintf(track->rendition, sizeof(track->rendition), "video/%dp", (int)json_integer_value(json_object_get(info, "display_height")));
        return;
    }
    for (const char *c = text(info, "language", "und"); *c && len + 1 < sizeof(language); c++) {
        if (isalnum((unsigned char)*c) || *c == '-')
            language[len++] = (char)tolower((unsigned char)*c);
    }
    int ordinal = (int)json_integer_value(json_object_get(info, "ordinal"));
    int channels = (int)json_integer_value(json_object_get(info, "channels"));
    if (ordinal > 0)
        snprintf(track->rendition, sizeof(track->rendition), "audio/%s-%dch-%d", language, channels, ordinal + 1);
    else
        snprintf(track->rendition, sizeof(track->rendition), "audio/%s-%dch", language, channels);
}

static mr_status open_filter(remux_track *track)
{
    const AVCodecParameters *codec = track->options.stream->codecpar;
    if (codec->codec_id != AV_CODEC_ID_AAC || codec->extradata_size > 0)
        return MR_OK; /* only AAC out of transport streams has its description in each packet */
    const AVBitStreamFilter *filter = av_bsf_get_by_name("aac_adtstoasc");
    int ret = filter ? av_bsf_alloc(filter, &track->filter) : AVERROR_BSF_NOT_FOUND;
    if (ret >= 0)
        ret = avcodec_parameters_copy(track->filter->par_in, codec);
    if (ret >= 0) {
        track->filter->time_base_in = track->options.stream->time_base;
        ret = av_bsf_init(track->filter);
    }
    return ret < 0 ? fail(track, ret) : MR_OK;
}

mr_status remux_track_open(const mr_host *host, mr_task *task, const remux_track_options *options, remux_track **ret_track)
{
    remux_track *track = av_mallocz(sizeof(*track));
    *ret_track = NULL;
    if (!track)
        return mr_media_error(host, task, AVERROR(ENOMEM), "segments without encoding");
    *track = (remux_track){.host = host, .task = task, .options = *options, .picture = options->packet != NULL};
    AVRational source = options->stream->time_base;
    bool usable = source.num == 1 && source.den > 1000 && source.den <= 1000000;
    track->timescale = !track->picture ? (uint32_t)options->stream->codecpar->sample_rate : usable ? (uint32_t)source.den : 90000;
    track->tick = (AVRational){1, (int)track->timescale};
    name_rendition(track);
    track->held = av_packet_alloc();
    track->next = av_packet_alloc();
    mr_status status = track->held && track->next ? open_filter(track) : fail(track, AVERROR(ENOMEM));
    if (status != MR_OK) {
        remux_track_close(track);
        return status;
    }
    *ret_track = track;
    return MR_OK;
}

void remux_track_close(remux_track *track)
{
    if (!track)
        return;
    av_bsf_free(&track->filter);
    mr_cmaf_free(track->cmaf);
    av_packet_free(&track->held);
    av_packet_free(&track->next);
    free(track->ranges);
    av_free(track);
}

static const char *video_range(const json_t *info)
{
    const char *hdr = text(info, "hdr", "none");
    return strcmp(hdr, "none") == 0 ? "SDR" : strcmp(hdr, "hlg") == 0 ? "HLG" : "PQ";
}

static json_t *init_meta(const remux_track *track, const char *codec)
{
    const json_t *info = track->options.info;
    json_t *meta = json_pack("{s:s,s:s,s:s,s:i,s:s,s:s,s:I,s:s,s:I}", "role", "init", "kind", track->picture ? "video" : "audio", "rendition",
                             track->rendition, "order", track->options.order, "codec", codec, "codec_name", text(info, "codec", ""), "timescale",
                             (json_int_t)track->timescale, "ext", "mp4", "max_bitrate", (json_int_t)track->options.max_bitrate);
    if (!meta)
        return NULL;
    if (track->picture) {
        json_object_set_new(meta, "width", json_integer(track->options.stream->codecpar->width));
        json_object_set_new(meta, "height", json_integer(track->options.stream->codecpar->height));
        json_object_set_new(meta, "fps", json_pack("[i,i]", track->options.fps.num, track->options.fps.den));
        json_object_set_new(meta, "video_range", json_string(video_range(info)));
        return meta;
    }
    const char *language = text(info, "language", "und");
    json_object_set(meta, "sample_rate", json_object_get(info, "sample_rate"));
    json_object_set(meta, "channels", json_object_get(info, "channels"));
    json_object_set_new(meta, "language", json_string(language));
    json_object_set_new(meta, "name", json_string(text(info, "title", strcmp(language, "und") == 0 ? "Audio" : language)));
    json_object_set(meta, "default", json_object_get(info, "default"));
    json_object_set_new(meta, "priming", json_integer(track->priming));
    json_object_set(meta, "stream", json_object_get(info, "stream"));
    return meta;
}

static mr_status emit(const remux_track *track, json_t *take_meta, const uint8_t *data, size_t len)
{
    char *words = take_meta ? json_dumps(take_meta, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    mr_status status = words ? track->host->emit_bytes(track->task, REMUX_OUT_SEGMENTS, words, data, len) : fail(track, AVERROR(ENOMEM));
    free(words);
    json_decref(take_meta);
    return status;
}

/* A segment whose samples the engine takes from the source. */
static mr_status emit_placed(const remux_track *track, json_t *take_meta, const uint8_t *data, size_t len)
{
    mr_content *content = NULL;
    char *words = take_meta ? json_dumps(take_meta, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    mr_status status = words ? track->host->content_new(track->task, &content) : fail(track, AVERROR(ENOMEM));
    if (status == MR_OK)
        status = track->host->content_write_at(content, 0, data, len);
    if (status == MR_OK)
        status = track->host->content_copy_at(content, len, track->options.source, track->ranges, track->range_count);
    if (status == MR_OK)
        status = track->host->emit(track->task, REMUX_OUT_SEGMENTS, words, content);
    else
        track->host->content_free(content);
    free(words);
    json_decref(take_meta);
    return status;
}

/* The held packet's place in the source becomes part of the segment. */
static mr_status add_range(remux_track *track)
{
    const mr_range range = {(uint64_t)track->held->pos, (uint64_t)track->held->size};
    mr_range *last = track->range_count > 0 ? &track->ranges[track->range_count - 1] : NULL;
    if (last && last->offset + last->size == range.offset) {
        last->size += range.size;
        return MR_OK;
    }
    if (!track->ranges || track->range_count == track->range_room) {
        size_t room = track->range_room ? track->range_room * 2 : 64;
        mr_range *grown = reallocarray(track->ranges, room, sizeof(*grown));
        if (!grown)
            return fail(track, AVERROR(ENOMEM));
        track->ranges = grown;
        track->range_room = room;
    }
    track->ranges[track->range_count++] = range;
    return MR_OK;
}

/* The track's description; of AAC in ADTS the filter gives what is missing with the first packet. */
static int describe(const remux_track *track, const AVPacket *packet, AVCodecParameters **ret_parameters)
{
    size_t size = 0;
    const uint8_t *side = track->filter ? av_packet_get_side_data(packet, AV_PKT_DATA_NEW_EXTRADATA, &size) : NULL;
    AVCodecParameters *parameters = avcodec_parameters_alloc();
    int ret = parameters ? avcodec_parameters_copy(parameters, track->options.stream->codecpar) : AVERROR(ENOMEM);
    *ret_parameters = parameters;
    if (ret < 0 || !side)
        return ret;
    uint8_t *copy = av_mallocz(size + AV_INPUT_BUFFER_PADDING_SIZE);
    if (!copy)
        return AVERROR(ENOMEM);
    memcpy(copy, side, size);
    av_freep(&parameters->extradata);
    parameters->extradata = copy;
    parameters->extradata_size = (int)size;
    return 0;
}

/* Headers that can't be put into MP4 are found before anything is written: they are the source's. */
static int try_entry(const AVCodecParameters *parameters)
{
    mr_bytes entry = {0};
    int ret = mr_sample_entry_write(parameters, &entry);
    mr_bytes_free(&entry);
    return ret;
}

static mr_status emit_init(remux_track *track, const AVPacket *packet)
{
    char codec[64];
    const uint8_t *data;
    size_t len;
    AVCodecParameters *parameters = NULL;
    int ret = describe(track, packet, &parameters);
    if (ret >= 0)
        ret = try_entry(parameters);
    const mr_cmaf_options options = {
        .timescale = track->timescale, .language = text(track->options.info, "language", "und"), .priming = (uint32_t)track->priming};
    mr_status status = ret < 0 ? fail(track, ret) : mr_cmaf_new(track->host, track->task, parameters, &options, &track->cmaf);
    if (status == MR_OK && mr_codec_string(parameters, codec, sizeof(codec)) != MR_OK)
        status = fail(track, AVERROR_INVALIDDATA);
    if (status == MR_OK)
        status = mr_cmaf_init_segment(track->cmaf, &data, &len);
    avcodec_parameters_free(&parameters);
    return status == MR_OK ? emit(track, init_meta(track, codec), data, len) : status;
}

static mr_status end_segment(remux_track *track, int64_t end)
{
    const uint8_t *data;
    size_t len;
    size_t iframe = 0;
    mr_status status = mr_cmaf_end(track->cmaf, &data, &len, &iframe);
    track->open = false;
    if (status != MR_OK)
        return status;
    json_t *meta = json_pack("{s:s,s:s,s:s,s:I,s:I,s:I,s:I,s:I,s:s}", "role", "media", "kind", track->picture ? "video" : "audio", "rendition",
                             track->rendition, "index", (json_int_t)track->segment, "start", (json_int_t)track->segment_start, "duration",
                             (json_int_t)(end - track->segment_start), "timescale", (json_int_t)track->timescale, "frames", (json_int_t)track->frames,
                             "ext", "m4s");
    if (meta && track->picture)
        json_object_set_new(meta, "iframe_bytes", json_integer((json_int_t)iframe));
    return track->options.source ? emit_placed(track, meta, data, len) : emit(track, meta, data, len);
}

/* Does this packet (media ticks) begin the segment after the open one? */
static bool begins_next(const remux_track *track, const AVPacket *packet, size_t index)
{
    size_t next = track->segment + 1;
    if (next >= track->options.bound_count)
        return false;
    if (track->picture)
        return index >= track->options.packet[next];
    return packet->pts - track->priming >= av_rescale_q(track->options.start_us[next], AV_TIME_BASE_Q, track->tick);
}

/* Writes the held packet, which lasts until end. */
static mr_status write_held(remux_track *track, int64_t end)
{
    mr_status status = MR_OK;
    if (!track->open) {
        track->segment_start = track->held->dts;
        track->frames = 0;
        track->range_count = 0;
        track->open = true;
        status = mr_cmaf_begin(track->cmaf, (uint32_t)track->segment, track->held->dts);
    }
    track->held->duration = end > track->held->dts ? end - track->held->dts : 1;
    if (track->picture)
        track->held->pts -= track->priming; /* which the writer adds again */
    if (status == MR_OK && track->options.source)
        status = add_range(track);
    if (status == MR_OK)
        status = track->options.source ? mr_cmaf_place(track->cmaf, track->held) : mr_cmaf_write(track->cmaf, track->held);
    track->frames++;
    av_packet_unref(track->held);
    return status;
}

static int64_t to_media(const remux_track *track, int64_t ticks)
{
    AVRational source = track->options.stream->time_base;
    return av_rescale_q(ticks, source, track->tick) - av_rescale_q(track->options.origin_us, AV_TIME_BASE_Q, track->tick) + track->priming;
}

static int64_t own_duration(const remux_track *track, const AVPacket *packet)
{
    int samples = track->picture ? 0 : av_get_audio_frame_duration2(track->options.stream->codecpar, packet->size);
    if (samples > 0)
        return samples;
    int64_t duration = av_rescale_q(packet->duration, track->options.stream->time_base, track->tick);
    if (duration <= 0 && track->picture)
        duration = av_rescale_q(1, av_inv_q(track->options.fps), track->tick);
    return duration > 0 ? duration : 1;
}

static mr_status begin(remux_track *track, const AVPacket *packet)
{
    int64_t dts = packet->dts != AV_NOPTS_VALUE ? packet->dts : packet->pts;
    int64_t first = to_media(track, track->picture ? dts : packet->pts);
    track->priming = first < 0 ? -first : 0;
    return emit_init(track, packet);
}

/* The packet's timestamps become media time. */
static void place(remux_track *track, AVPacket *packet, bool first)
{
    int64_t duration = own_duration(track, packet);
    int64_t pts = to_media(track, packet->pts);
    int64_t dts = pts;
    if (track->picture)
        dts = packet->dts != AV_NOPTS_VALUE ? to_media(track, packet->dts) : track->end;
    if (first && track->picture) { /* from time 0 on */
        pts = track->priming;
        dts = 0;
    } else if (!first && !track->picture) {
        int64_t drift = av_rescale_q(DRIFT_US, AV_TIME_BASE_Q, track->tick);
        if (llabs(pts - track->end) <= drift || pts <= track->held->dts)
            pts = track->end;
        dts = pts;
    } else if (!first && dts <= track->held->dts) {
        dts = track->held->dts + 1;
    }
    packet->pts = pts;
    packet->dts = dts;
    track->end = dts + duration;
}

static mr_status take(remux_track *track, AVPacket *packet)
{
    bool first = !track->cmaf;
    size_t index = track->packet_index;
    mr_status status = first ? begin(track, packet) : MR_OK;
    if (status != MR_OK)
        return status;
    place(track, packet, first);
    if (!first) {
        bool cut = begins_next(track, packet, index);
        status = write_held(track, packet->dts);
        if (status == MR_OK && cut) {
            status = end_segment(track, packet->dts);
            while (begins_next(track, packet, index))
                track->segment++;
        }
    }
    av_packet_move_ref(track->held, packet);
    return status;
}

static mr_status filtered(remux_track *track, AVPacket *packet)
{
    int ret = av_bsf_send_packet(track->filter, packet);
    mr_status status = MR_OK;
    while (ret >= 0 && status == MR_OK) {
        ret = av_bsf_receive_packet(track->filter, track->next);
        if (ret >= 0)
            status = take(track, track->next);
    }
    av_packet_unref(track->next);
    return ret < 0 && ret != AVERROR(EAGAIN) && ret != AVERROR_EOF ? fail(track, ret) : status;
}

mr_status remux_track_write(remux_track *track, AVPacket *packet)
{
    if (!packet) {
        if (!track->cmaf)
            return MR_OK;
        mr_status status = write_held(track, track->end);
        return status == MR_OK ? end_segment(track, track->end) : status;
    }
    size_t index = track->packet_index;
    const size_t *bounds = track->options.packet;
    bool unheard = !track->picture && (packet->flags & AV_PKT_FLAG_DISCARD); /* before the first sound: priming; after it: cut off by an edit list */
    bool outside = track->picture ? index < bounds[0] || index >= bounds[track->options.bound_count] : unheard && track->sounding;
    track->sounding = track->sounding || !unheard;
    mr_status status = MR_OK;
    if (!outside && packet->pts != AV_NOPTS_VALUE && packet->size > 0)
        status = track->filter ? filtered(track, packet) : take(track, packet);
    track->packet_index++;
    av_packet_unref(packet);
    return status;
}
