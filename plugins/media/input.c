/* SPDX-License-Identifier: MIT */
/*
 * Opening media through the engine. The bytes come from mr_host.read_at by way of an AVIOContext of our own; io_open refuses everything, so that no
 * demuxer can open a second file; and only demuxers that read one self-contained file are open at all.
 * Why a read stopped (not there yet, cancelled, disk) is kept beside the AVIOContext, because demuxers often turn it into "end of file".
 */
#include "media/input.h"
#include "media/limits.h"
#include "media/mp4_part.h"
#include "media/streams.h"

#include <errno.h>
#include <limits.h>
#include <libavutil/avstring.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define READ_BUFFER    262144               /* one read of a file that is read on and on */
#define READ_FIRST     32768                /* the first read after a jump: grows to READ_BUFFER while reading goes straight on */
#define FORMAT_BYTES   INT64_C(1048576)     /* what recognising the container may read */
#define HOLD_STREAMS   4096                 /* so many are let in, to say how many there are where that is too many */
#define HOLD_LEAST     (INT64_C(256) << 20) /* one allocation of libav: room for an index and a picture at their limits, and at least this */
#define INDEX_ENTRY    24                   /* bytes that libav keeps for a packet in an index */
#define PIXEL_BYTES    8                    /* of the widest pixel format */
#define MAX_BAD_READS  64                   /* errors in a row before a file counts as ended */
#define TEXT_SNIFF     4096
#define AHEAD_US       INT64_C(500000)    /* decoders want some packets more before a picture comes out */
#define ORDINARY_BYTES ((size_t)64 << 20) /* what can be had while memory is not short */
#define ERROR_NOT_YET  FFERRTAG('M', 'R', 'N', 'Y')
#define DEFAULT_SOURCE "the source"

/* Demuxers that read one file from its own bytes. No playlists, no patterns of files, no devices, no network. */
static const char allowed_demuxers[] = "mov,matroska,mpegts,mpeg,mpegvideo,avi,flv,ogg,asf,rm,mxf,gxf,dv,nut,ivf,h264,hevc,m4v,obu,yuv4mpegpipe,gif,"
                                       "wav,w64,mp3,flac,aac,ac3,eac3,dts,truehd,aiff,au,caf,amr,amrnb,amrwb,wv,tta,ape,webvtt,srt,ass";

typedef struct media_source {
    const mr_host *host;
    mr_task *task;
    const mr_artifact *artifact;
    mr_mp4_view view; /* what is to be seen of it */
    uint64_t end;     /* of what is to be seen: its size, or less */
    uint64_t position;
    size_t window;    /* how much the next read asks for */
    mr_status status; /* sticky: the first read_at that did not succeed */
} media_source;

mr_status mr_media_error(const mr_host *host, mr_task *task, int averror, const char *what)
{
    char words[AV_ERROR_MAX_STRING_SIZE] = "";
    mr_status status = MR_ERR_INPUT;
    switch (averror) {
    case AVERROR_EXIT: return MR_ERR_CANCELLED;
    case ERROR_NOT_YET: return MR_NOT_YET;
    case AVERROR(ENOMEM): status = MR_ERR_NOMEM; break;
    case AVERROR(EIO):
    case AVERROR(ENOSPC): status = MR_ERR_IO; break;
    case AVERROR(ENOSYS):
    case AVERROR_PATCHWELCOME:
    case AVERROR_DECODER_NOT_FOUND:
    case AVERROR_ENCODER_NOT_FOUND:
    case AVERROR_FILTER_NOT_FOUND:
    case AVERROR_MUXER_NOT_FOUND: status = MR_ERR_UNSUPPORTED; break;
    case AVERROR_EXTERNAL:
    case AVERROR_BUG:
    case AVERROR_BUG2: status = MR_ERR_INTERNAL; break;
    default: break;
    }
    av_strerror(averror, words, sizeof(words));
    host->report(task, MR_SEVERITY_ERROR, NULL, averror == AVERROR(ENOSPC) ? "free some space on the disk of the state folder" : NULL, "%s: %s", what,
                 words);
    return status;
}

bool mr_media_memory_is_short(void)
{
    void *some = malloc(ORDINARY_BYTES);
    bool is_short = !some;
    free(some);
    return is_short;
}

/* The sticky status as a libav error, for callbacks. */
static int source_error(const media_source *source)
{
    switch (source->status) {
    case MR_OK: return 0;
    case MR_NOT_YET: return ERROR_NOT_YET;
    case MR_ERR_CANCELLED: return AVERROR_EXIT;
    case MR_ERR_NOMEM: return AVERROR(ENOMEM);
    default: return AVERROR(EIO);
    }
}

static int read_source(void *opaque, uint8_t *buf, int size)
{
    media_source *source = opaque;
    size_t want = size > 0 ? (size_t)size : 0;
    size_t got = 0;
    if (source->status == MR_OK && source->host->cancelled(source->task))
        source->status = MR_ERR_CANCELLED;
    if (source->status != MR_OK)
        return source_error(source);
    if (source->position >= source->end)
        return AVERROR_EOF;
    if (want > source->end - source->position)
        want = (size_t)(source->end - source->position);
    got = mr_mp4_view_read(&source->view, source->position, buf, &want);
    if (got > 0) {
        source->position += got;
        return (int)got;
    }
    if (want > source->window)
        want = source->window;
    source->window = source->window >= READ_BUFFER / 2 ? READ_BUFFER : source->window * 2;
    const uint64_t arrived = source->host->arrived ? source->host->arrived(source->task, source->artifact) : UINT64_MAX;
    if (arrived > source->position && arrived - source->position < want)
        want = (size_t)(arrived - source->position); /* reading ahead is not what is waited for */
    source->status = source->host->read_at(source->task, source->artifact, source->position, buf, want, &got);
    if (source->status != MR_OK)
        return source_error(source);
    source->position += got;
    return got ? (int)got : AVERROR_EOF;
}

static int64_t seek_source(void *opaque, int64_t offset, int whence)
{
    media_source *source = opaque;
    int64_t size = (int64_t)source->end;
    int64_t base = 0;
    switch (whence & ~AVSEEK_FORCE) {
    case AVSEEK_SIZE: return size;
    case SEEK_SET: break;
    case SEEK_CUR: base = (int64_t)source->position; break;
    case SEEK_END: base = size; break;
    default: return AVERROR(EINVAL);
    }
    if (__builtin_add_overflow(base, offset, &base) || base < 0)
        return AVERROR(EINVAL);
    if ((uint64_t)base != source->position)
        source->window = READ_FIRST;
    source->position = (uint64_t)base;
    return base;
}

static int interrupted(void *opaque)
{
    const media_source *source = opaque;
    return source->status != MR_OK || source->host->cancelled(source->task);
}

static int refuse_open(AVFormatContext *format, AVIOContext **ret_pb, const char *url, int flags, AVDictionary **options)
{
    (void)format;
    (void)url;
    (void)flags;
    (void)options;
    *ret_pb = NULL;
    return AVERROR(EACCES);
}

static AVIOContext *open_bytes(const mr_host *host, mr_task *task, const mr_artifact *artifact)
{
    media_source *source = av_mallocz(sizeof(*source));
    uint8_t *buffer = av_malloc(READ_BUFFER);
    AVIOContext *bytes = NULL;
    if (source && buffer) {
        *source = (media_source){.host = host, .task = task, .artifact = artifact, .end = artifact->size, .window = READ_FIRST};
        bytes = avio_alloc_context(buffer, READ_BUFFER, 0, source, read_source, NULL, seek_source);
    }
    if (!bytes) {
        av_free(buffer);
        av_free(source);
        return NULL;
    }
    bytes->seekable = AVIO_SEEKABLE_NORMAL;
    return bytes;
}

static void close_bytes(AVIOContext **bytes)
{
    if (!*bytes)
        return;
    mr_mp4_view_free(&((media_source *)(*bytes)->opaque)->view);
    av_freep(&(*bytes)->opaque);
    av_freep(&(*bytes)->buffer);
    avio_context_free(bytes);
}

mr_status mr_media_source_status(const AVFormatContext *format)
{
    const media_source *source = format && format->pb ? format->pb->opaque : NULL;
    return source ? source->status : MR_OK;
}

static const char *name_of(const mr_artifact *artifact)
{
    return artifact->name && artifact->name[0] ? artifact->name : DEFAULT_SOURCE;
}

const char *mr_media_name(const AVFormatContext *format)
{
    return name_of(((const media_source *)format->pb->opaque)->artifact);
}

uint64_t mr_media_size(const AVFormatContext *format)
{
    return ((const media_source *)format->pb->opaque)->artifact->size;
}

static mr_status refuse(const media_source *source, const char *hint, const char *what)
{
    source->host->report(source->task, MR_SEVERITY_ERROR, NULL, hint, "'%s' %s", name_of(source->artifact), what);
    return MR_ERR_INPUT;
}

mr_status mr_media_refuse(const AVFormatContext *format, const char *hint, const char *what)
{
    return refuse(format->pb->opaque, hint, what);
}

/* Playlists and lists of files, told by their first bytes, so that the sentence is right whatever libav takes them for. */
static const char *known_list(const char *head)
{
    if (strncmp(head, "\xef\xbb\xbf", 3) == 0)
        head += 3;
    if (strncmp(head, "#EXTM3U", 7) == 0)
        return "is an HLS playlist, not media";
    if (strncmp(head, "ffconcat", 8) == 0)
        return "is a list of files, not media";
    if (strncmp(head, "<?xml", 5) == 0 || strncmp(head, "<MPD", 4) == 0)
        return strstr(head, "<MPD") ? "is a DASH manifest, not media" : "is XML, not media";
    if (strncmp(head, "v=0\r\n", 5) == 0 || strncmp(head, "v=0\n", 4) == 0)
        return "is a session description, not media";
    if (strncmp(head, "[playlist]", 10) == 0)
        return "is a playlist, not media";
    return NULL;
}

static bool is_text(const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] < 0x20 && bytes[i] != '\n' && bytes[i] != '\r' && bytes[i] != '\t' && bytes[i] != '\f' && bytes[i] != 0x1b)
            return false;
    }
    return true;
}

static mr_status refuse_unknown(const media_source *source, const uint8_t *head, size_t len)
{
    static const char hint[] = "give a video or sound file: MP4, MOV, MKV, WebM, MPEG-TS, AVI, MP3, WAV …";
    return refuse(source, hint, is_text(head, len) ? "is text, not media" : "is not media: its container is not known, or its beginning is damaged");
}

static mr_status refuse_format(const media_source *source, const AVInputFormat *format)
{
    static const char *const lists[] = {"hls", "dash", "concat", "sdp", "rtsp", "webm_dash_manifest", "applehttp", NULL};
    size_t len = strlen(format->name);
    if (len > 5 && strcmp(format->name + len - 5, "_pipe") == 0)
        return refuse(source, "give a video or a sound file", "is a still picture, not a video");
    for (size_t i = 0; lists[i]; i++) {
        if (av_match_list(format->name, lists[i], ',') > 0)
            return refuse(source, "give the media file itself", "is a playlist, not media");
    }
    source->host->report(source->task, MR_SEVERITY_ERROR, NULL, NULL, "'%s' is '%s' (%s), a container that is not read", name_of(source->artifact),
                         format->name, format->long_name ? format->long_name : "");
    return MR_ERR_INPUT;
}

/* The container, by content; by the name's extension only where the bytes don't tell. */
static mr_status find_container(AVIOContext *bytes, const AVInputFormat **ret_format)
{
    media_source *source = bytes->opaque;
    uint8_t head[TEXT_SNIFF + 1] = {0};
    size_t len = 0;
    if (source->artifact->size == 0)
        return refuse(source, "copy or upload it again", "is empty");
    mr_status status = source->host->read_at(source->task, source->artifact, 0, head, TEXT_SNIFF, &len);
    if (status != MR_OK)
        return status;
    const char *list = known_list((const char *)head);
    if (list)
        return refuse(source, "give the media file itself", list);
    const AVInputFormat *format = NULL;
    int64_t probe_bytes = mr_limits_of(source->host, source->task)->probe_bytes;
    unsigned int most = (unsigned int)(probe_bytes < FORMAT_BYTES ? probe_bytes : FORMAT_BYTES);
    int ret = av_probe_input_buffer2(bytes, &format, NULL, NULL, 0, most);
    if ((ret < 0 || !format) && source->status == MR_OK && !is_text(head, len)) {
        avio_seek(bytes, 0, SEEK_SET);
        format = NULL;
        ret = av_probe_input_buffer2(bytes, &format, source->artifact->name, NULL, 0, most);
    }
    if (source->status != MR_OK)
        return source->status;
    if (ret == AVERROR(ENOMEM) && mr_media_memory_is_short())
        return mr_media_error(source->host, source->task, ret, name_of(source->artifact));
    if (ret < 0 || !format)
        return refuse_unknown(source, head, len);
    if (av_match_list(format->name, allowed_demuxers, ',') <= 0)
        return refuse_format(source, format);
    *ret_format = format;
    return MR_OK;
}

static bool is_mp4(const AVInputFormat *container)
{
    return container && strncmp(container->name, "mov", 3) == 0;
}

static mr_status open_failed(const media_source *source, int averror, const AVInputFormat *container)
{
    char words[AV_ERROR_MAX_STRING_SIZE] = "";
    if (source->status != MR_OK)
        return source->status;
    if (averror == AVERROR_EXIT)
        return MR_ERR_CANCELLED;
    if (averror == AVERROR(ENOMEM) && mr_media_memory_is_short())
        return mr_media_error(source->host, source->task, averror, name_of(source->artifact));
    if (averror == AVERROR(ENOMEM))
        return refuse(source, "copy or upload it again",
                      "is damaged: one of its parts says that it is larger than memory, or that it has thousands of streams");
    av_strerror(averror, words, sizeof(words));
    if (is_mp4(container))
        return refuse(source, "copy or upload it again, whole: the index often is the last part of the file",
                      "is damaged or cut off: it has no usable index ('moov')");
    source->host->report(source->task, MR_SEVERITY_ERROR, NULL, "copy or upload it again",
                         "'%s' is damaged or cut off: nothing can be read from it as %s (%s)", name_of(source->artifact), container->name, words);
    return MR_ERR_INPUT;
}

/* libav's largest single allocation, for the whole process: as hosts have one set of limits, it is set to the same value again and again. */
static void limit_memory(const mr_limits *limits)
{
    int64_t most = HOLD_LEAST;
    if (limits->packets * INDEX_ENTRY + READ_BUFFER > most)
        most = limits->packets * INDEX_ENTRY + READ_BUFFER;
    if (limits->picture_pixels * PIXEL_BYTES + READ_BUFFER > most)
        most = limits->picture_pixels * PIXEL_BYTES + READ_BUFFER;
    av_max_alloc((size_t)(most < INT_MAX ? most : INT_MAX));
}

/* Opens the container with what it may take; then its streams. */
static int open_container(AVFormatContext **format, const AVInputFormat *container, const mr_limits *limits, bool headers_suffice,
                          mr_status *ret_status)
{
    const media_source *source = (*format)->pb->opaque;
    const char *name = name_of(source->artifact);
    (*format)->io_open = refuse_open;
    (*format)->interrupt_callback = (AVIOInterruptCB){.callback = interrupted, .opaque = (*format)->pb->opaque};
    (*format)->probesize = limits->probe_bytes;
    (*format)->max_analyze_duration = limits->probe_time;
    (*format)->max_streams = HOLD_STREAMS;
    (*format)->format_whitelist = av_strdup(allowed_demuxers);
    (*format)->protocol_whitelist = av_strdup("none");
    int ret = avformat_open_input(format, "", container, NULL); /* frees it when it fails */
    if (ret >= 0)
        *ret_status = mr_limits_check_headers(source->host, source->task, name, *format);
    const bool described = headers_suffice && is_mp4(container);
    if (ret >= 0 && *ret_status == MR_OK && !described)
        ret = mr_streams_find(*format, limits);
    if (ret >= 0 && *ret_status == MR_OK)
        *ret_status = mr_limits_check_headers(source->host, source->task, name, *format);
    return ret;
}

/* Ends what is seen of it. Its last byte is asked for: who would stop half-way stops before any work. */
static mr_status set_bounds(media_source *source, const mr_media_bounds *bounds)
{
    uint8_t byte;
    size_t got = 0;
    if (bounds->until > 0 && bounds->until < source->end)
        source->end = bounds->until;
    return source->host->read_at(source->task, source->artifact, source->end - 1, &byte, 1, &got);
}

/* The container's bytes, as they are or as a part is seen; *ret_container from the first call on. */
static mr_status open_source(const mr_host *host, mr_task *task, const mr_artifact *source, const mr_media_part *part, AVIOContext **ret_bytes,
                             const AVInputFormat **ret_container)
{
    AVIOContext *bytes = open_bytes(host, task, source);
    mr_mp4_view view = {0};
    if (!bytes)
        return mr_media_error(host, task, AVERROR(ENOMEM), name_of(source));
    mr_status status = part && part->bounds.known && source->size > 0 ? set_bounds(bytes->opaque, &part->bounds) : MR_OK;
    if (status == MR_OK)
        status = find_container(bytes, ret_container);
    if (status == MR_OK && is_mp4(*ret_container))
        status = mr_limits_check_mp4(host, task, source, name_of(source));
    if (status == MR_OK && part && is_mp4(*ret_container))
        status = mr_mp4_view_make(host, task, source, part, &view);
    if (status == MR_ERR_NOMEM)
        status = mr_media_error(host, task, AVERROR(ENOMEM), name_of(source));
    if (status == MR_OK && view.count > 0) { /* from the beginning: what was read to find the container is in its buffer */
        close_bytes(&bytes);
        bytes = open_bytes(host, task, source);
        if (bytes)
            ((media_source *)bytes->opaque)->view = view;
        else
            mr_mp4_view_free(&view);
        status = bytes ? MR_OK : mr_media_error(host, task, AVERROR(ENOMEM), name_of(source));
    }
    if (status != MR_OK)
        close_bytes(&bytes);
    *ret_bytes = bytes;
    return status;
}

/* Does libav see the track as the view's maker did? */
static bool is_seen(const AVFormatContext *format, const mr_mp4_view *view, const mr_media_part *part)
{
    return !part || view->count == 0 || ((unsigned int)part->stream < format->nb_streams && format->streams[part->stream]->id == view->track_id);
}

static mr_status open_media(const mr_host *host, mr_task *task, const mr_artifact *source, const mr_media_part *part, bool headers_suffice,
                            AVFormatContext **ret_format)
{
    const mr_limits *limits = mr_limits_of(host, task);
    const AVInputFormat *container = NULL;
    AVIOContext *bytes = NULL;
    bool whole = false;

    *ret_format = NULL;
    mr_media_log_to(host);
    limit_memory(limits);
    mr_status status = open_source(host, task, source, part, &bytes, &container);
    if (status != MR_OK || !bytes || !container)
        return status;
    AVFormatContext *format = avformat_alloc_context();
    if (!format) {
        status = mr_media_error(host, task, AVERROR(ENOMEM), name_of(source));
    } else {
        format->pb = bytes;
        const mr_mp4_view *view = &((const media_source *)bytes->opaque)->view;
        const int ret = open_container(&format, container, limits, headers_suffice, &status);
        const mr_status read = ((const media_source *)bytes->opaque)->status;
        whole = status == MR_OK && read == MR_OK && view->count > 0 && (ret < 0 || !is_seen(format, view, part));
        if (status == MR_OK && (ret < 0 || read != MR_OK) && !whole)
            status = open_failed(bytes->opaque, ret, container);
    }
    if (status == MR_OK && !whole) {
        if (part)
            mr_media_bounds_seed(format, part->stream, &part->bounds);
        *ret_format = format;
        return MR_OK;
    }
    avformat_close_input(&format);
    close_bytes(&bytes);
    return whole ? open_media(host, task, source, NULL, headers_suffice, ret_format) : status;
}

mr_status mr_media_open(const mr_host *host, mr_task *task, const mr_artifact *source, AVFormatContext **ret_format)
{
    return open_media(host, task, source, NULL, false, ret_format);
}

mr_status mr_media_open_part(const mr_host *host, mr_task *task, const mr_artifact *source, const mr_media_part *part, AVFormatContext **ret_format)
{
    return open_media(host, task, source, part, part->headers_suffice, ret_format);
}

mr_status mr_media_skip_samples(AVFormatContext *format, int keys_of)
{
    media_source *source = format->pb->opaque;
    if (!is_mp4(format->iformat))
        return MR_ERR_UNSUPPORTED;
    format->pb->direct = 1; /* each sample into its packet, none by way of the buffer */
    mr_media_log_to(NULL);  /* libav's parsers complain of each sample that is zeros */
    return mr_mp4_view_empty(source->host, source->task, source->artifact, keys_of < 0 ? NULL : format->streams[keys_of], &source->view);
}

void mr_media_close(AVFormatContext **format)
{
    if (!format || !*format)
        return;
    AVIOContext *bytes = (*format)->pb;
    avformat_close_input(format);
    close_bytes(&bytes);
}

mr_status mr_media_ask_ahead(const AVFormatContext *format, int stream, int64_t until_us)
{
    media_source *source = format->pb->opaque;
    AVStream *track = format->streams[stream];
    const int64_t until = av_rescale_q_rnd(until_us < INT64_MAX - AHEAD_US ? until_us + AHEAD_US : INT64_MAX, AV_TIME_BASE_Q, track->time_base,
                                           AV_ROUND_UP | AV_ROUND_PASS_MINMAX);
    const uint64_t size = source->artifact->size;
    uint64_t end = 0;
    uint8_t byte;
    size_t got = 0;
    for (int i = 0; is_mp4(format->iformat) && i < avformat_index_get_entries_count(track); i++) {
        const AVIndexEntry *entry = avformat_index_get_entry(track, i);
        if (entry->timestamp < until && entry->pos >= 0 && (uint64_t)entry->pos + (uint64_t)entry->size > end)
            end = (uint64_t)entry->pos + (uint64_t)entry->size;
    }
    if (end == 0 || source->status != MR_OK)
        return source->status;
    source->status = source->host->read_at(source->task, source->artifact, (end < size ? end : size) - 1, &byte, 1, &got);
    return source->status;
}

/* Fragments and clusters add to the index while they are read. */
static mr_status check_index(const AVFormatContext *format, const AVPacket *packet)
{
    const media_source *source = format->pb->opaque;
    bool known = packet->stream_index >= 0 && (unsigned int)packet->stream_index < format->nb_streams;
    int count = known ? avformat_index_get_entries_count(format->streams[packet->stream_index]) : 0;
    return mr_limits_check_index(source->host, source->task, name_of(source->artifact), count > 0 ? (uint64_t)count : 0, source->artifact->size);
}

/* The end: of the source, or of the part that was asked for. */
static mr_status read_on(const AVFormatContext *format)
{
    const media_source *source = format->pb->opaque;
    if (!source->view.cut)
        return MR_END;
    source->host->report(source->task, MR_SEVERITY_ERROR, NULL, "this is a defect of the plugin", "reads '%s' beyond the part that it asked for",
                         name_of(source->artifact));
    return MR_ERR_INTERNAL;
}

mr_status mr_media_read(AVFormatContext *format, AVPacket *packet)
{
    for (int bad = 0; bad < MAX_BAD_READS; bad++) {
        av_packet_unref(packet);
        int ret = av_read_frame(format, packet);
        mr_status status = mr_media_source_status(format);
        if (status != MR_OK) {
            av_packet_unref(packet);
            return status;
        }
        if (ret >= 0)
            return check_index(format, packet);
        if (ret == AVERROR_EXIT)
            return MR_ERR_CANCELLED;
        if (ret == AVERROR(ENOMEM) && mr_media_memory_is_short()) {
            const media_source *source = format->pb->opaque;
            return mr_media_error(source->host, source->task, ret, name_of(source->artifact));
        }
        if (ret == AVERROR_EOF)
            break;
    }
    return read_on(format);
}
