/* SPDX-License-Identifier: MIT */
/* See fragment.h. Both parts are read into one block of memory, which libavformat then takes for a small MP4 file. */
#include "fragment.h"

#include <libavutil/mem.h>
#include <string.h>
#include "media/input.h"

#define MAX_BYTES   (UINT64_C(512) * 1024 * 1024)
#define READ_BUFFER 65536

struct segment_fragment {
    const mr_host *host;
    mr_task *task;
    AVFormatContext *format;
    AVIOContext *bytes;
    uint8_t *data;
    size_t size, position;
};

static int read_bytes(void *opaque, uint8_t *buf, int size)
{
    segment_fragment *fragment = opaque;
    size_t left = fragment->size - fragment->position;
    size_t len = (size_t)size < left ? (size_t)size : left;
    if (len == 0)
        return AVERROR_EOF;
    memcpy(buf, fragment->data + fragment->position, len);
    fragment->position += len;
    return (int)len;
}

static int64_t seek_bytes(void *opaque, int64_t offset, int whence)
{
    segment_fragment *fragment = opaque;
    if (whence & AVSEEK_SIZE)
        return (int64_t)fragment->size;
    if ((whence & ~AVSEEK_FORCE) != SEEK_SET || offset < 0 || (uint64_t)offset > fragment->size)
        return AVERROR(EINVAL);
    fragment->position = (size_t)offset;
    return offset;
}

static mr_status load(segment_fragment *fragment, const mr_artifact *init, const mr_artifact *media)
{
    const mr_artifact *parts[] = {init, media};
    if (init->size + media->size > MAX_BYTES) {
        fragment->host->report(fragment->task, MR_SEVERITY_ERROR, NULL, "use shorter segments", "a segment is larger than %d MiB",
                               (int)(MAX_BYTES >> 20));
        return MR_ERR_LIMIT;
    }
    fragment->data = av_malloc(init->size + media->size + 1);
    if (!fragment->data)
        return mr_media_error(fragment->host, fragment->task, AVERROR(ENOMEM), "reading a segment");
    for (size_t i = 0; i < 2; i++) {
        size_t len = 0;
        mr_status status = fragment->host->read_at(fragment->task, parts[i], 0, fragment->data + fragment->size, parts[i]->size, &len);
        if (status != MR_OK)
            return status;
        fragment->size += len;
    }
    return MR_OK;
}

static int open_format(segment_fragment *fragment)
{
    uint8_t *buffer = av_malloc(READ_BUFFER);
    if (buffer)
        fragment->bytes = avio_alloc_context(buffer, READ_BUFFER, 0, fragment, read_bytes, NULL, seek_bytes);
    fragment->format = avformat_alloc_context();
    if (!fragment->bytes) {
        av_free(buffer);
        return AVERROR(ENOMEM);
    }
    if (!fragment->format)
        return AVERROR(ENOMEM);
    fragment->format->pb = fragment->bytes;
    int ret = avformat_open_input(&fragment->format, "", av_find_input_format("mov"), NULL);
    if (ret >= 0 && fragment->format->nb_streams != 1)
        ret = AVERROR_INVALIDDATA;
    return ret;
}

mr_status fragment_open(const mr_host *host, mr_task *task, const mr_artifact *init, const mr_artifact *media, segment_fragment **ret_fragment)
{
    segment_fragment *opened = av_mallocz(sizeof(*opened));
    *ret_fragment = NULL;
    mr_media_quiet();
    if (!opened)
        return mr_media_error(host, task, AVERROR(ENOMEM), "reading a segment");
    opened->host = host;
    opened->task = task;
    mr_status status = load(opened, init, media);
    int ret = status == MR_OK ? open_format(opened) : 0;
    if (ret < 0)
        status = mr_media_error(host, task, ret, "a segment can't be read back");
    if (status != MR_OK) {
        fragment_close(opened);
        return status;
    }
    *ret_fragment = opened;
    return MR_OK;
}

void fragment_close(segment_fragment *fragment)
{
    if (!fragment)
        return;
    avformat_close_input(&fragment->format);
    if (fragment->bytes)
        av_freep(&fragment->bytes->buffer);
    avio_context_free(&fragment->bytes);
    av_free(fragment->data);
    av_free(fragment);
}

const AVStream *fragment_stream(const segment_fragment *fragment)
{
    return fragment->format->streams[0];
}

mr_status fragment_read(segment_fragment *fragment, AVPacket *packet)
{
    av_packet_unref(packet);
    int ret = av_read_frame(fragment->format, packet);
    if (ret == AVERROR_EOF)
        return MR_END;
    return ret < 0 ? mr_media_error(fragment->host, fragment->task, ret, "a segment can't be read back") : MR_OK;
}
