/* SPDX-License-Identifier: MIT */
/* See file_mux.h. libavformat writes and reads the scratch file through descriptors that are ours; it never opens a path. */
#include "file_mux.h"
#include "media/input.h"
#include "media/language.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { BUFFER = 256 * 1024, MAX_TRACKS = 4 };

/* One position in the file: the muxer has one for writing, and one for reading back. */
typedef struct cursor {
    int fd;
    int64_t at;
} cursor;

struct mr_mp4 {
    const mr_host *host;
    mr_task *task;
    AVFormatContext *format;
    AVRational time_bases[MAX_TRACKS];
    cursor file;
    bool begun;
};

static int write_bytes(void *opaque, uint8_t *data, int size)
{
    cursor *file = opaque;
    int done = 0;
    while (done < size) {
        ssize_t n = pwrite(file->fd, data + done, (size_t)(size - done), file->at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return AVERROR(errno);
        done += (int)n;
        file->at += n;
    }
    return size;
}

static int read_bytes(void *opaque, uint8_t *data, int size)
{
    cursor *file = opaque;
    ssize_t n;
    do
        n = pread(file->fd, data, (size_t)size, file->at);
    while (n < 0 && errno == EINTR);
    if (n <= 0)
        return n < 0 ? AVERROR(errno) : AVERROR_EOF;
    file->at += n;
    return (int)n;
}

static int64_t seek_bytes(void *opaque, int64_t offset, int whence)
{
    cursor *file = opaque;
    int64_t end = lseek(file->fd, 0, SEEK_END);
    if (whence & AVSEEK_SIZE)
        return end;
    whence &= ~AVSEEK_FORCE;
    int64_t at = whence == SEEK_CUR ? file->at + offset : whence == SEEK_END ? end + offset : offset;
    if (at < 0)
        return AVERROR(EINVAL);
    file->at = at;
    return at;
}

static AVIOContext *open_io(cursor *file, bool writes)
{
    uint8_t *buffer = av_malloc(BUFFER);
    AVIOContext *io = buffer ? avio_alloc_context(buffer, BUFFER, writes, file, read_bytes, writes ? write_bytes : NULL, seek_bytes) : NULL;
    if (!io)
        av_free(buffer);
    return io;
}

static void close_io(AVIOContext **io)
{
    if (!*io)
        return;
    av_freep(&(*io)->buffer);
    avio_context_free(io);
}

/* The muxer reads back what it wrote; nothing else is there to be opened. */
static int reopen(AVFormatContext *format, AVIOContext **ret_io, const char *url, int flags, AVDictionary **options)
{
    const mr_mp4 *mp4 = format->opaque;
    (void)url;
    (void)options;
    *ret_io = NULL;
    if (flags & AVIO_FLAG_WRITE)
        return AVERROR(EACCES);
    cursor *file = av_mallocz(sizeof(*file));
    if (!file)
        return AVERROR(ENOMEM);
    file->fd = mp4->file.fd;
    *ret_io = open_io(file, false);
    if (!*ret_io)
        av_free(file);
    return *ret_io ? 0 : AVERROR(ENOMEM);
}

static int close_reopened(AVFormatContext *format, AVIOContext *io)
{
    (void)format;
    av_freep(&io->opaque);
    close_io(&io);
    return 0;
}

static int mp4_init(mr_mp4 *mp4)
{
    char path[4096];
    const char *scratch = mp4->host->scratch(mp4->task);
    if (!scratch || snprintf(path, sizeof(path), "%s/video.mp4", scratch) >= (int)sizeof(path))
        return AVERROR(EIO);
    mp4->file.fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (mp4->file.fd < 0)
        return AVERROR(errno);
    int error = avformat_alloc_output_context2(&mp4->format, NULL, "mp4", NULL);
    if (error < 0)
        return error;
    mp4->format->opaque = mp4;
    mp4->format->io_open = reopen;
    mp4->format->io_close2 = close_reopened;
    mp4->format->flags |= AVFMT_FLAG_BITEXACT | AVFMT_FLAG_CUSTOM_IO;
    mp4->format->pb = open_io(&mp4->file, true);
    return mp4->format->pb ? 0 : AVERROR(ENOMEM);
}

mr_status mr_mp4_open(const mr_host *host, mr_task *task, mr_mp4 **ret_mp4)
{
    mr_mp4 *mp4 = calloc(1, sizeof(*mp4));
    *ret_mp4 = NULL;
    if (!mp4)
        return MR_ERR_NOMEM;
    *mp4 = (mr_mp4){.host = host, .task = task, .file.fd = -1};
    int error = mp4_init(mp4);
    if (error < 0) {
        mr_mp4_close(mp4);
        return mr_media_error(host, task, error, "making a file");
    }
    *ret_mp4 = mp4;
    return MR_OK;
}

void mr_mp4_close(mr_mp4 *mp4)
{
    if (!mp4)
        return;
    if (mp4->format)
        close_io(&mp4->format->pb);
    avformat_free_context(mp4->format);
    if (mp4->file.fd >= 0)
        close(mp4->file.fd);
    free(mp4);
}

mr_status mr_mp4_add_track(mr_mp4 *mp4, const AVCodecParameters *codec, AVRational time_base, const char *language, int *ret_track)
{
    char code[4];
    AVStream *stream = mp4->format->nb_streams < MAX_TRACKS ? avformat_new_stream(mp4->format, NULL) : NULL;
    int error = stream ? avcodec_parameters_copy(stream->codecpar, codec) : AVERROR(ENOMEM);
    if (error >= 0) {
        stream->codecpar->codec_tag = 0;
        stream->time_base = time_base;
        mp4->time_bases[stream->index] = time_base;
        *ret_track = stream->index;
        if (language) {
            mr_language_code(language, code);
            error = av_dict_set(&stream->metadata, "language", code, 0);
        }
    }
    return error < 0 ? mr_media_error(mp4->host, mp4->task, error, "making a file") : MR_OK;
}

mr_status mr_mp4_begin(mr_mp4 *mp4)
{
    AVDictionary *options = NULL;
    int error = av_dict_set(&options, "movflags", "faststart", 0);
    if (error >= 0)
        error = avformat_write_header(mp4->format, &options);
    av_dict_free(&options);
    return error < 0 ? mr_media_error(mp4->host, mp4->task, error, "making a file") : MR_OK;
}

mr_status mr_mp4_write(mr_mp4 *mp4, int track, AVPacket *packet)
{
    packet->stream_index = track;
    av_packet_rescale_ts(packet, mp4->time_bases[track], mp4->format->streams[track]->time_base);
    int error = av_interleaved_write_frame(mp4->format, packet);
    return error < 0 ? mr_media_error(mp4->host, mp4->task, error, "writing a file") : MR_OK;
}

static mr_status copy_out(mr_mp4 *mp4, mr_content *content, uint8_t *buffer)
{
    cursor from = {.fd = mp4->file.fd};
    for (;;) {
        int64_t at = from.at;
        int n = read_bytes(&from, buffer, BUFFER);
        if (n == AVERROR_EOF)
            return MR_OK;
        if (n < 0)
            return mr_media_error(mp4->host, mp4->task, n, "reading back a file");
        mr_status status = mp4->host->content_write_at(content, (uint64_t)at, buffer, (size_t)n);
        if (status != MR_OK)
            return status;
        if (mp4->host->cancelled(mp4->task))
            return MR_ERR_CANCELLED;
    }
}

mr_status mr_mp4_emit(mr_mp4 *mp4, uint32_t port, const char *meta)
{
    mr_content *content = NULL;
    int error = av_write_trailer(mp4->format);
    if (error >= 0)
        error = mp4->format->pb->error;
    if (error < 0)
        return mr_media_error(mp4->host, mp4->task, error, "writing a file");
    avio_flush(mp4->format->pb);
    uint8_t *buffer = av_malloc(BUFFER);
    if (!buffer)
        return mr_media_error(mp4->host, mp4->task, AVERROR(ENOMEM), "writing a file");
    mr_status status = mp4->host->content_new(mp4->task, &content);
    if (status == MR_OK)
        status = copy_out(mp4, content, buffer);
    av_free(buffer);
    if (status == MR_OK)
        return mp4->host->emit(mp4->task, port, meta, content);
    mp4->host->content_free(content);
    return status;
}
