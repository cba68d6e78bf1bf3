/* SPDX-License-Identifier: MIT */
/*
 * See transport.h. libavformat's muxer turns H.264 and HEVC into Annex B and wraps AAC in ADTS by itself. All times are 1.4 s later than in the
 * presentation (twice the muxer's max_delay), the usual room before the first picture's clock reference.
 */
#include "transport.h"

#include <libavutil/opt.h>
#include "media/input.h"

#define MAX_DELAY_US 700000

struct mr_transport {
    const mr_host *host;
    mr_task *task;
    AVFormatContext *format;
    bool begun; /* the header is written */
};

static mr_status fail(const mr_transport *transport, int ret)
{
    return mr_media_error(transport->host, transport->task, ret, "MPEG-TS");
}

mr_status mr_transport_new(const mr_host *host, mr_task *task, mr_transport **ret_transport)
{
    mr_transport *transport = av_mallocz(sizeof(*transport));
    *ret_transport = NULL;
    mr_media_quiet();
    if (!transport)
        return mr_media_error(host, task, AVERROR(ENOMEM), "MPEG-TS");
    transport->host = host;
    transport->task = task;
    int ret = avformat_alloc_output_context2(&transport->format, NULL, "mpegts", NULL);
    if (ret >= 0)
        ret = avio_open_dyn_buf(&transport->format->pb);
    if (ret < 0) {
        mr_status status = fail(transport, ret);
        mr_transport_free(transport);
        return status;
    }
    transport->format->flags |= AVFMT_FLAG_BITEXACT;
    transport->format->max_delay = MAX_DELAY_US;
    transport->format->avoid_negative_ts = AVFMT_AVOID_NEG_TS_DISABLED; /* the delay is room enough; all times shift alike */
    av_dict_set(&transport->format->metadata, "service_provider", "Millrace", 0);
    av_dict_set(&transport->format->metadata, "service_name", "Millrace", 0);
    *ret_transport = transport;
    return MR_OK;
}

void mr_transport_free(mr_transport *transport)
{
    uint8_t *data = NULL;
    if (!transport)
        return;
    if (transport->begun)
        av_write_trailer(transport->format);
    if (transport->format && transport->format->pb)
        avio_close_dyn_buf(transport->format->pb, &data);
    av_free(data);
    avformat_free_context(transport->format);
    av_free(transport);
}

mr_status mr_transport_add(mr_transport *transport, const AVCodecParameters *codec)
{
    AVStream *stream = avformat_new_stream(transport->format, NULL);
    int ret = stream ? avcodec_parameters_copy(stream->codecpar, codec) : AVERROR(ENOMEM);
    if (ret < 0)
        return fail(transport, ret);
    stream->codecpar->codec_tag = 0;
    stream->time_base = (AVRational){1, 90000};
    return MR_OK;
}

static int begin(mr_transport *transport)
{
    int ret = avformat_write_header(transport->format, NULL);
    transport->begun = ret >= 0;
    return ret;
}

mr_status mr_transport_write(mr_transport *transport, int track, AVPacket *packet, AVRational time_base)
{
    int ret = transport->begun ? 0 : begin(transport);
    if (ret < 0)
        return fail(transport, ret);
    av_packet_rescale_ts(packet, time_base, transport->format->streams[track]->time_base);
    packet->stream_index = track;
    packet->pos = -1;
    ret = av_write_frame(transport->format, packet);
    return ret < 0 ? fail(transport, ret) : MR_OK;
}

mr_status mr_transport_take(mr_transport *transport, uint8_t **ret_data, size_t *ret_len)
{
    int ret = transport->begun ? av_write_frame(transport->format, NULL) : 0; /* the sound that waits for a full packet */
    *ret_data = NULL;
    *ret_len = 0;
    if (ret < 0)
        return fail(transport, ret);
    int len = avio_close_dyn_buf(transport->format->pb, ret_data);
    transport->format->pb = NULL;
    *ret_len = len > 0 ? (size_t)len : 0;
    ret = avio_open_dyn_buf(&transport->format->pb);
    if (ret >= 0 && transport->begun)
        ret = av_opt_set(transport->format->priv_data, "mpegts_flags", "+resend_headers", 0);
    return ret < 0 ? fail(transport, ret) : MR_OK;
}
