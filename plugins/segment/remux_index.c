/* SPDX-License-Identifier: MIT */
/*
 * See remux_index.h. Only MP4's demuxer is known to give samples as the file has them. That a packet is one is asked of the demuxer's own index: an
 * entry of the same place and size. Tracks that it takes apart, or that the segment's writer has to change, are not fit.
 */
#include "remux_index.h"
#include "media/framing.h"

#include <string.h>

static bool is_fit(const AVStream *stream)
{
    const AVCodecParameters *codec = stream->codecpar;
    if (codec->codec_type != AVMEDIA_TYPE_VIDEO && codec->codec_type != AVMEDIA_TYPE_AUDIO)
        return true; /* not read */
    if (codec->codec_id == AV_CODEC_ID_AAC && codec->extradata_size == 0)
        return false; /* its description is in the packets */
    return mr_framing_of(codec).kind == MR_FRAMING_AS_IS;
}

void remux_index_open(remux_index *index, const mr_host *host, mr_task *task, const AVFormatContext *format)
{
    *index = (remux_index){.host = host, .task = task, .format = format, .unfit = strncmp(format->iformat->name, "mov", 3) != 0};
    for (unsigned int i = 0; i < format->nb_streams && !index->unfit; i++)
        index->unfit = !is_fit(format->streams[i]);
}

void remux_index_free(remux_index *index)
{
    av_freep(&index->entries);
    index->count = index->room = 0;
}

static bool is_sample(const AVFormatContext *format, const AVPacket *packet)
{
    AVStream *stream = format->streams[packet->stream_index];
    const int64_t ticks = packet->dts != AV_NOPTS_VALUE ? packet->dts : packet->pts;
    const AVIndexEntry *entry = avformat_index_get_entry_from_timestamp(stream, ticks, AVSEEK_FLAG_ANY | AVSEEK_FLAG_BACKWARD);
    return packet->pos >= 0 && packet->size > 0 && entry && entry->pos == packet->pos && entry->size == packet->size;
}

mr_status remux_index_add(void *opaque, AVPacket *packet)
{
    remux_index *index = opaque;
    if (index->unfit)
        return MR_OK;
    if (!is_sample(index->format, packet)) {
        index->unfit = true;
        remux_index_free(index);
        return MR_OK;
    }
    if (index->count == index->room) { /* as many as the source may have packets (limits.packets) */
        size_t room = index->room ? index->room * 2 : 1024;
        remux_entry *grown = av_realloc_array(index->entries, room, sizeof(*grown));
        if (!grown)
            return mr_media_error(index->host, index->task, AVERROR(ENOMEM), "the list of packets");
        index->entries = grown;
        index->room = room;
    }
    index->entries[index->count++] = (remux_entry){.pts = packet->pts,
                                                   .dts = packet->dts,
                                                   .duration = packet->duration,
                                                   .pos = packet->pos,
                                                   .size = packet->size,
                                                   .flags = packet->flags,
                                                   .stream = packet->stream_index};
    return MR_OK;
}

void remux_index_packet(const remux_index *index, size_t i, AVPacket *packet)
{
    const remux_entry *entry = &index->entries[i];
    av_packet_unref(packet);
    packet->pts = entry->pts;
    packet->dts = entry->dts;
    packet->duration = entry->duration;
    packet->pos = entry->pos;
    packet->size = entry->size;
    packet->flags = entry->flags;
    packet->stream_index = entry->stream;
}
