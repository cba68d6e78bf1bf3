/* SPDX-License-Identifier: MIT */
/*
 * One pass over the packets. Nothing is decoded; the header of each picture is looked at where packets and pictures are not one to one:
 * H.264 in transport streams has a packet per field, VP8 has packets that are never shown.
 */
#include "media/scan.h"
#include "media/h264.h"
#include "media/limits.h"

#include <libavcodec/avcodec.h>
#include <libavutil/intreadwrite.h>
#include <stdlib.h>
#include <string.h>

#define MAX_TICKS       (INT64_C(1) << 60) /* timestamps beyond are noise */
#define SECOND_US       1000000
#define RESTART_US      2000000 /* so far back … */
#define RESTART_PACKETS 25      /* … for so many packets */
#define MARK_US         1000000
#define PROGRESS_EVERY  512 /* packets */
#define ENTRIES_AHEAD   64  /* of the index: the demuxer gives a packet for each of them, and may leave out damaged ones */
#define KEYS_LOOKED_AT  2   /* an encoder that refreshes pictures piece by piece begins with a whole one, and its next mark is none */

/* Decoding times of one track. */
typedef struct track_clock {
    bool begun;
    int64_t latest_us;
    int behind;        /* packets in a row far behind it */
    int64_t second_us; /* begin of the second that is counted */
    int64_t in_second; /* packets that lie in it, one after the other */
    int64_t key;       /* where reading may begin for its latest keyframe */
    size_t mark_room;
} track_clock;

typedef struct scan_state {
    const mr_host *host;
    mr_task *task;
    AVFormatContext *format;
    mr_scan *scan;
    track_clock *clocks;          /* by stream index */
    AVCodecParserContext *parser; /* of the picture; NULL where it isn't needed */
    AVCodecContext *parser_codec;
    size_t capacity;
    bool may_skip;    /* the tables tell all that is still to be known */
    bool skips;       /* what is in packets is not read any more … */
    bool heads;       /* … but the beginning of listed keyframes */
    bool marks;       /* are made */
    bool by_index;    /* keyframes are found by the demuxer's index, which grows on the way */
    int keys;         /* looked at */
    int entry;        /* of the picture's index: behind that of the last packet */
    int open_field;   /* AV_PICTURE_STRUCTURE_* of a first field that waits for its second; 0: none */
    int64_t next_pts; /* guess for a frame without any timestamp */
    int64_t step;     /* ticks of one frame, as the container has it */
    bool no_pts;      /* AVI has no presentation times; those that libav makes up for some packets are a frame off */
} scan_state;

static mr_status out_of_memory(const mr_host *host, mr_task *task)
{
    mr_media_error(host, task, AVERROR(ENOMEM), "reading the source");
    return MR_ERR_NOMEM;
}

static mr_status start_parser(scan_state *scanner, const AVStream *stream)
{
    enum AVCodecID id = stream->codecpar->codec_id;
    if (id != AV_CODEC_ID_H264 && id != AV_CODEC_ID_MPEG2VIDEO)
        return MR_OK;
    scanner->parser = av_parser_init((int)id);
    if (!scanner->parser)
        return MR_OK; /* a libavcodec without it: packets then count as frames */
    scanner->parser->flags |= PARSER_FLAG_COMPLETE_FRAMES;
    scanner->parser_codec = avcodec_alloc_context3(avcodec_find_decoder(id));
    int ret = scanner->parser_codec ? avcodec_parameters_to_context(scanner->parser_codec, stream->codecpar) : AVERROR(ENOMEM);
    return ret < 0 ? mr_media_error(scanner->host, scanner->task, ret, "reading the source's pictures") : MR_OK;
}

/* The second of two fields in packets of their own? */
static bool is_second_field(scan_state *scanner, const AVPacket *packet, bool is_read)
{
    uint8_t *out = NULL;
    int out_size = 0;
    if (!scanner->parser || !is_read)
        return false;
    scanner->parser->picture_structure = AV_PICTURE_STRUCTURE_UNKNOWN;
    scanner->parser->pict_type = AV_PICTURE_TYPE_NONE;
    av_parser_parse2(scanner->parser, scanner->parser_codec, &out, &out_size, packet->data, packet->size, packet->pts, packet->dts, packet->pos);
    int structure = (int)scanner->parser->picture_structure;
    bool field = structure == AV_PICTURE_STRUCTURE_TOP_FIELD || structure == AV_PICTURE_STRUCTURE_BOTTOM_FIELD;
    bool second = field && scanner->open_field && scanner->open_field != structure;
    scanner->open_field = field && !second ? structure : 0;
    return second;
}

/* VP9 bitstream specification, 6.2 and annex B: a packet that is one frame with show_frame 0. A superframe ends with one that is shown. */
static bool is_unshown_vp9(const uint8_t *data, int size)
{
    unsigned int marker = data[size - 1];
    unsigned int profile = ((data[0] >> 5) & 1) | ((data[0] >> 3) & 2);
    unsigned int shift = profile == 3 ? 1 : 0; /* a reserved bit */
    if ((marker & 0xe0) == 0xc0) {
        int index = (int)(2 + (((marker >> 3) & 3) + 1) * ((marker & 7) + 1));
        if (size > index && data[size - index] == marker)
            return false;
    }
    if ((data[0] >> 6) != 2 || ((data[0] << shift) & 0x08)) /* no frame at all; show_existing_frame */
        return false;
    return !((data[0] << shift) & 0x02);
}

/* Does the demuxer's index list the packet as a keyframe? The flag in the packet is what libav's parser found in it, where it has one. */
static bool is_key_by_index(scan_state *scanner, AVStream *stream, const AVPacket *packet)
{
    const int count = avformat_index_get_entries_count(stream);
    for (int i = scanner->entry; i < count && i - scanner->entry < ENTRIES_AHEAD; i++) {
        const AVIndexEntry *entry = avformat_index_get_entry(stream, i);
        if (!entry || entry->pos != packet->pos || entry->size != packet->size)
            continue;
        scanner->entry = i + 1;
        return entry->flags & AVINDEX_KEYFRAME;
    }
    scanner->may_skip = false;
    return false;
}

/* MR_FRAME_KEY or 0, from what is in the packet as long as that is read. */
static uint32_t key_of(scan_state *scanner, AVStream *stream, const AVPacket *packet)
{
    bool key = packet->flags & AV_PKT_FLAG_KEY;
    if (scanner->may_skip || scanner->skips) {
        const bool listed = is_key_by_index(scanner, stream, packet);
        scanner->may_skip = scanner->may_skip && listed == key;
        scanner->scan->belied = scanner->scan->belied || (scanner->heads && listed != key);
        key = scanner->heads ? listed && key : scanner->skips ? listed : key;
    }
    return key ? MR_FRAME_KEY : 0;
}

/* MR_FRAME_* of a packet. Each packet is looked at exactly once, in order. */
static uint32_t flags_of(scan_state *scanner, AVStream *stream, const AVPacket *packet)
{
    const enum AVCodecID codec = stream->codecpar->codec_id;
    uint32_t key = key_of(scanner, stream, packet);
    if (packet->size <= 0) /* Theora: empty means "as before", a picture like any other */
        return codec == AV_CODEC_ID_THEORA && !(packet->flags & AV_PKT_FLAG_DISCARD) ? 0 : MR_FRAME_HIDDEN;
    if (codec == AV_CODEC_ID_VP8 && !(packet->data[0] & 0x10)) /* RFC 6386, 9.1: show_frame */
        return MR_FRAME_HIDDEN;
    if (codec == AV_CODEC_ID_VP9 && is_unshown_vp9(packet->data, packet->size))
        return MR_FRAME_HIDDEN | key;
    const bool is_read = !scanner->skips || (scanner->heads && key);
    if (is_second_field(scanner, packet, is_read))
        return MR_FRAME_HIDDEN;
    if (key && is_read) {
        if (scanner->parser && (scanner->parser->pict_type == AV_PICTURE_TYPE_P || scanner->parser->pict_type == AV_PICTURE_TYPE_B)) {
            key |= MR_FRAME_GRADUAL;
            scanner->may_skip = false;
        }
        scanner->keys++;
    }
    return key | (packet->flags & AV_PKT_FLAG_DISCARD ? MR_FRAME_HIDDEN : 0);
}

static mr_status add_frame(scan_state *scanner, AVStream *stream, const AVPacket *packet)
{
    mr_scan *scan = scanner->scan;
    if (scan->frame_count == scanner->capacity) {
        size_t most = (size_t)mr_limits_of(scanner->host, scanner->task)->packets; /* which read_all() keeps */
        size_t capacity = scanner->capacity ? scanner->capacity * 2 : 1024;
        capacity = capacity < most ? capacity : most;
        mr_scan_frame *frames = av_realloc_array(scan->frames, capacity, sizeof(*frames));
        if (!frames)
            return mr_media_error(scanner->host, scanner->task, AVERROR(ENOMEM), "the list of pictures");
        scan->frames = frames;
        scanner->capacity = capacity;
    }
    mr_scan_frame frame = {.duration = packet->duration > 0 ? packet->duration : 0, .size = (uint32_t)(packet->size > 0 ? packet->size : 0)};
    frame.pts = packet->pts;
    if (frame.pts == AV_NOPTS_VALUE || llabs(frame.pts) > MAX_TICKS || scanner->no_pts) {
        frame.pts = packet->dts != AV_NOPTS_VALUE && llabs(packet->dts) <= MAX_TICKS ? packet->dts : scanner->next_pts;
        frame.flags |= MR_FRAME_GUESSED;
    }
    frame.flags |= flags_of(scanner, stream, packet);
    if (!(frame.flags & MR_FRAME_HIDDEN))
        scanner->next_pts = frame.pts + (frame.duration ? frame.duration : scanner->step);
    scan->frames[scan->frame_count++] = frame;
    return MR_OK;
}

static int64_t packet_duration(const AVStream *stream, const AVPacket *packet)
{
    if (packet->duration > 0)
        return packet->duration;
    if (stream->codecpar->codec_type != AVMEDIA_TYPE_AUDIO || stream->codecpar->sample_rate <= 0)
        return 0;
    int samples = av_get_audio_frame_duration2(stream->codecpar, packet->size);
    return samples > 0 ? av_rescale_q(samples, (AVRational){1, stream->codecpar->sample_rate}, stream->time_base) : 0;
}

/* Samples that decoders throw away at the start and at the end of this packet's sound. */
static void skipped(const AVStream *stream, const AVPacket *packet, int64_t *ret_start_us, int64_t *ret_end_us)
{
    size_t size = 0;
    const uint8_t *side = av_packet_get_side_data(packet, AV_PKT_DATA_SKIP_SAMPLES, &size);
    *ret_start_us = *ret_end_us = 0;
    if (!side || size < 8 || stream->codecpar->sample_rate <= 0)
        return;
    *ret_start_us = av_rescale(AV_RL32(side), 1000000, stream->codecpar->sample_rate);
    *ret_end_us = av_rescale(AV_RL32(side + 4), 1000000, stream->codecpar->sample_rate);
}

/* One stray timestamp is a fault; a run of them far behind what came before is another recording. */
static void watch_clock(scan_state *scanner, const AVStream *stream, const AVPacket *packet)
{
    track_clock *clock = &scanner->clocks[stream->index];
    if (packet->dts == AV_NOPTS_VALUE || llabs(packet->dts) > MAX_TICKS)
        return;
    int64_t us = av_rescale_q(packet->dts, stream->time_base, AV_TIME_BASE_Q);
    if (!clock->begun || us > clock->latest_us) {
        if (!clock->begun || us - clock->second_us >= SECOND_US) {
            clock->second_us = us;
            clock->in_second = 0;
        }
        clock->in_second++;
        clock->begun = true;
        clock->latest_us = us;
        clock->behind = 0;
    } else if (us >= clock->latest_us - RESTART_US) {
        clock->behind = 0;
    } else if (++clock->behind == RESTART_PACKETS && !scanner->scan->restarts) {
        scanner->scan->restarts = true;
        scanner->scan->restart_us = clock->latest_us;
    }
}

/* What lies before a mark's time and comes after it in the file is included by it, too. */
static mr_status mark(scan_state *scanner, AVStream *stream, const AVPacket *packet, int64_t at)
{
    mr_scan_track *track = &scanner->scan->tracks[stream->index];
    track_clock *clock = &scanner->clocks[stream->index];
    const int64_t ticks = packet->pts != AV_NOPTS_VALUE ? packet->pts : packet->dts;
    if (!scanner->marks || ticks == AV_NOPTS_VALUE || llabs(ticks) > MAX_TICKS || at <= 0)
        return MR_OK;
    if (scanner->by_index && (packet->flags & AV_PKT_FLAG_KEY)) {
        const AVIndexEntry *entry = avformat_index_get_entry_from_timestamp(stream, ticks, AVSEEK_FLAG_BACKWARD);
        clock->key = entry && entry->pos > 0 ? entry->pos : 0;
    }
    const int64_t us = av_rescale_q(ticks, stream->time_base, AV_TIME_BASE_Q);
    for (size_t i = track->mark_count; i > 0 && track->marks[i - 1].us > us; i--)
        track->marks[i - 1].until = at;
    if (track->mark_count > 0 && us < track->marks[track->mark_count - 1].us + MARK_US)
        return MR_OK;
    if (track->mark_count == clock->mark_room) {
        const size_t room = clock->mark_room ? clock->mark_room * 2 : 256;
        mr_scan_mark *marks = av_realloc_array(track->marks, room, sizeof(*marks));
        if (!marks)
            return out_of_memory(scanner->host, scanner->task);
        track->marks = marks;
        clock->mark_room = room;
    }
    track->marks[track->mark_count++] = (mr_scan_mark){.us = us, .from = clock->key, .until = at};
    return MR_OK;
}

static mr_status check_rate(const scan_state *scanner)
{
    const track_clock *clock = &scanner->clocks[scanner->scan->video];
    double seconds = (double)(clock->latest_us - clock->second_us) / SECOND_US;
    return mr_limits_check_rate(scanner->host, scanner->task, mr_media_name(scanner->format), clock->in_second, seconds);
}

static void count_packet(scan_state *scanner, const AVStream *stream, const AVPacket *packet)
{
    mr_scan_track *track = &scanner->scan->tracks[packet->stream_index];
    int64_t pts = packet->pts != AV_NOPTS_VALUE ? packet->pts : packet->dts;
    int64_t cut_start;
    int64_t cut_end;
    track->packets++;
    track->bytes += (uint64_t)(packet->size > 0 ? packet->size : 0);
    if (pts == AV_NOPTS_VALUE || llabs(pts) > MAX_TICKS || (packet->flags & AV_PKT_FLAG_DISCARD))
        return;
    int64_t duration = packet_duration(stream, packet);
    if (duration > MAX_TICKS)
        duration = 0;
    skipped(stream, packet, &cut_start, &cut_end);
    int64_t start = av_rescale_q(pts, stream->time_base, AV_TIME_BASE_Q) + cut_start;
    int64_t end = av_rescale_q(pts + duration, stream->time_base, AV_TIME_BASE_Q) - cut_end;
    if (end <= start && cut_start + cut_end > 0)
        return; /* nothing of it is heard */
    if (track->first_us == AV_NOPTS_VALUE || start < track->first_us)
        track->first_us = start;
    if (track->end_us == AV_NOPTS_VALUE || end > track->end_us)
        track->end_us = end;
}

/* Neither the scan nor libav's demuxer learns more of such a track by looking into its packets, but for keyframes: whether those of the index are
 * marked in the packets, too, and are whole pictures, the first ones tell. */
static bool is_told_by_tables(const AVCodecParameters *codec)
{
    switch (codec->codec_id) {
    case AV_CODEC_ID_H264: return mr_h264_read_headers(codec).frames_only;
    case AV_CODEC_ID_HEVC:
    case AV_CODEC_ID_MPEG4:
    case AV_CODEC_ID_MJPEG:
    case AV_CODEC_ID_PRORES:
    case AV_CODEC_ID_DNXHD:
    case AV_CODEC_ID_ALAC:
    case AV_CODEC_ID_FLAC:
    case AV_CODEC_ID_OPUS:
    case AV_CODEC_ID_PCM_S16LE:
    case AV_CODEC_ID_PCM_S16BE:
    case AV_CODEC_ID_PCM_S24LE:
    case AV_CODEC_ID_PCM_S24BE: return true;
    case AV_CODEC_ID_AAC: return codec->extradata_size > 0;
    default: return false;
    }
}

static mr_status skip_if_told(scan_state *scanner, const mr_scan_options *options)
{
    if (!scanner->may_skip || scanner->skips || (options->video >= 0 && scanner->keys < KEYS_LOOKED_AT))
        return MR_OK;
    if (options->wants_data && options->wants_data(options->opaque))
        return MR_OK;
    scanner->may_skip = false;
    scanner->skips = true;
    scanner->heads = options->each_key && options->video >= 0;
    return mr_media_skip_samples(scanner->format, scanner->heads ? options->video : -1);
}

static bool wanted(const AVStream *stream, const mr_scan_options *options)
{
    return stream->index == options->video || stream->codecpar->codec_type == AVMEDIA_TYPE_AUDIO;
}

static mr_status read_all(scan_state *scanner, const mr_scan_options *options, AVPacket *packet)
{
    AVFormatContext *format = scanner->format;
    int64_t size = avio_size(format->pb);
    uint64_t most = (uint64_t)mr_limits_of(scanner->host, scanner->task)->packets;
    mr_status status = MR_OK;
    for (uint64_t n = 0; status == MR_OK; n++) {
        if (scanner->host->cancelled(scanner->task))
            return MR_ERR_CANCELLED;
        status = mr_media_read(format, packet);
        if (status != MR_OK)
            break;
        if (n >= most)
            return mr_limit_exceeded(scanner->host, scanner->task, MR_LIMIT_PACKETS, "'%s' has %llu packets and more", mr_media_name(format),
                                     (unsigned long long)n + 1);
        int64_t at = avio_tell(format->pb);
        if (n % PROGRESS_EVERY == 0 && size > 0 && at >= 0)
            scanner->host->progress(scanner->task, at >= size ? 1.0 : (double)at / (double)size);
        if (packet->stream_index < 0 || (unsigned int)packet->stream_index >= scanner->scan->track_count)
            continue;
        AVStream *stream = format->streams[packet->stream_index];
        if (!wanted(stream, options))
            continue;
        if (options->max_bytes && at > 0 && (uint64_t)at > options->max_bytes) {
            scanner->scan->complete = false;
            return MR_OK;
        }
        if (options->packet)
            status = options->packet(options->opaque, packet);
        if (status == MR_OK && packet->stream_index == options->video)
            status = add_frame(scanner, stream, packet);
        if (scanner->scan->belied)
            return status;
        if (status == MR_OK)
            count_packet(scanner, stream, packet);
        watch_clock(scanner, stream, packet);
        if (status == MR_OK)
            status = mark(scanner, stream, packet, at);
        if (status == MR_OK && packet->stream_index == options->video)
            status = check_rate(scanner);
        if (status == MR_OK)
            status = skip_if_told(scanner, options);
    }
    return status == MR_END ? MR_OK : status;
}

mr_status mr_scan_run(const mr_host *host, mr_task *task, AVFormatContext *format, const mr_scan_options *options, mr_scan *ret_scan)
{
    scan_state scanner = {.host = host, .task = task, .format = format, .scan = ret_scan};
    AVPacket *packet = av_packet_alloc();
    mr_status status = MR_OK;
    *ret_scan = (mr_scan){.video = options->video, .track_count = format->nb_streams, .complete = true};
    ret_scan->tracks = av_calloc(format->nb_streams + 1, sizeof(*ret_scan->tracks));
    scanner.clocks = av_calloc(format->nb_streams + 1, sizeof(*scanner.clocks));
    if (!packet || !ret_scan->tracks || !scanner.clocks)
        status = out_of_memory(host, task);
    for (unsigned int i = 0; status == MR_OK && i < format->nb_streams; i++) {
        ret_scan->tracks[i].first_us = ret_scan->tracks[i].end_us = AV_NOPTS_VALUE;
        format->streams[i]->discard = wanted(format->streams[i], options) ? AVDISCARD_DEFAULT : AVDISCARD_ALL;
    }
    scanner.by_index = strncmp(format->iformat->name, "matroska", 8) == 0;
    scanner.marks = scanner.by_index || strcmp(format->iformat->name, "mpegts") == 0;
    scanner.may_skip = strncmp(format->iformat->name, "mov", 3) == 0;
    for (unsigned int i = 0; i < format->nb_streams; i++)
        scanner.may_skip = scanner.may_skip && (!wanted(format->streams[i], options) || is_told_by_tables(format->streams[i]->codecpar));
    if (status == MR_OK && options->video >= 0) {
        const AVStream *stream = format->streams[options->video];
        AVRational rate = stream->avg_frame_rate.num > 0 ? stream->avg_frame_rate : stream->r_frame_rate;
        if (rate.num > 0 && rate.den > 0)
            scanner.step = av_rescale_q(1, av_inv_q(rate), stream->time_base);
        scanner.no_pts = strcmp(format->iformat->name, "avi") == 0 && stream->codecpar->video_delay > 0;
        status = start_parser(&scanner, stream);
    }
    if (status == MR_OK)
        status = read_all(&scanner, options, packet);
    av_packet_free(&packet);
    av_free(scanner.clocks);
    av_parser_close(scanner.parser);
    avcodec_free_context(&scanner.parser_codec);
    if (status != MR_OK)
        mr_scan_free(ret_scan);
    return status;
}

void mr_scan_free(mr_scan *scan)
{
    if (!scan)
        return;
    for (unsigned int i = 0; scan->tracks && i < scan->track_count; i++)
        av_freep(&scan->tracks[i].marks);
    av_freep(&scan->tracks);
    av_freep(&scan->frames);
    scan->frame_count = 0;
    scan->track_count = 0;
}

/* The first mark at or after a time. */
static size_t mark_at(const mr_scan_track *track, int64_t us)
{
    size_t low = 0;
    size_t high = track->mark_count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (track->marks[middle].us < us)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

mr_media_bounds mr_scan_bounds(const mr_scan *scan, int stream, int64_t from_us, int64_t to_us)
{
    const mr_scan_track *track = &scan->tracks[stream];
    const size_t behind = mark_at(track, from_us + 1);
    const size_t end = mark_at(track, to_us);
    mr_media_bounds bounds = {.known = track->mark_count > 0};
    if (behind > 0) {
        bounds.from = track->marks[behind - 1].from;
        bounds.from_us = from_us;
    }
    if (end < track->mark_count)
        bounds.until = (uint64_t)track->marks[end].until;
    return bounds;
}

static int by_value(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a;
    int64_t right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

mr_status mr_scan_times(const mr_scan *scan, int64_t **ret_times, size_t *ret_count)
{
    int64_t *times = av_malloc_array(scan->frame_count + 1, sizeof(*times));
    size_t count = 0;
    if (!times)
        return MR_ERR_NOMEM;
    for (size_t i = 0; i < scan->frame_count; i++) {
        if (!(scan->frames[i].flags & MR_FRAME_HIDDEN))
            times[count++] = scan->frames[i].pts;
    }
    qsort(times, count, sizeof(*times), by_value);
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (kept == 0 || times[i] != times[kept - 1])
            times[kept++] = times[i];
    }
    *ret_times = times;
    *ret_count = kept;
    return MR_OK;
}

int64_t mr_scan_end(const mr_scan *scan, const int64_t *times, size_t count, AVRational time_base, AVRational fps)
{
    int64_t last = times[count - 1];
    int64_t usual = av_rescale_q(1, av_inv_q(fps), time_base);
    int64_t most = av_rescale_q(1, (AVRational){1, 1}, time_base); /* a second, or twice the longest frame before it */
    int64_t duration = 0;
    for (size_t i = 0; i + 1 < count; i++) {
        if (times[i + 1] - times[i] > most / 2)
            most = 2 * (times[i + 1] - times[i]);
    }
    for (size_t i = scan->frame_count; i-- > 0 && duration == 0;) {
        if (scan->frames[i].pts == last && !(scan->frames[i].flags & MR_FRAME_HIDDEN))
            duration = scan->frames[i].duration;
    }
    return last + (duration > 0 && duration <= most ? duration : usual);
}
