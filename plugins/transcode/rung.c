/* SPDX-License-Identifier: MIT */
/*
 * See rung.h. Encoders that can't be told where key frames go (SVT-AV1, libvpx) are opened anew for each segment.
 * Invariant: packets leave in decoding order, one per frame, and the GOPs are closed: packet n of a chunk belongs to the segment that frame n is in.
 */
#include "rung.h"
#include "media/cmaf.h"
#include "media/input.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE_MIN = 2, SIDE_MAX = 16384 };
#define BITRATE_MAX 2000000000
/* What somebody waits for: the large rungs of a video's first chunk have two threads, on any machine. Only where x264 does not mind the decoder's
 * buffer, since with it two threads give other bytes from time to time. */
enum { OPENING_THREADS = 2, OPENING_PIXELS = 1280 * 720 };

typedef struct made_segment {
    uint8_t *data;
    size_t len;
    size_t iframe_bytes;
} made_segment;

struct mr_rung_encode {
    const mr_host *host;
    mr_task *task;
    const mr_chunk *chunk;
    const mr_rung *rung;
    const mr_video_params *params;
    mr_encode_options options;
    mr_encoder *encoder;
    mr_cmaf *cmaf;
    AVPacket *packet;
    made_segment init;
    made_segment *segments; /* as many as the chunk has */
    size_t sending;         /* segment of the next frame */
    size_t writing;         /* segment of the next packet */
    int64_t written;        /* packets */
    char codec[64];
    double qp;
};

mr_status mr_rung_read(const mr_host *host, mr_task *task, const mr_artifact *artifact, mr_rung *ret_rung)
{
    json_t *object = artifact ? json_loadb(artifact->meta, artifact->meta_len, 0, NULL) : NULL;
    const char *id = json_string_value(json_object_get(object, "id"));
    int64_t width = json_integer_value(json_object_get(object, "width"));
    int64_t height = json_integer_value(json_object_get(object, "height"));
    int64_t max_bitrate = json_integer_value(json_object_get(object, "max_bitrate"));
    const char *wrong = NULL;
    if (!id || !*id || strlen(id) >= sizeof(ret_rung->id) ||
        strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != strlen(id))
        wrong = "id";
    else if (width < SIDE_MIN || height < SIDE_MIN || width > SIDE_MAX || height > SIDE_MAX || width % 2 || height % 2)
        wrong = "size";
    else if (max_bitrate < 1000 || max_bitrate > BITRATE_MAX)
        wrong = "max_bitrate";
    if (wrong) {
        host->report(task, MR_SEVERITY_ERROR, NULL, "connect the port 'rung' to transcode.ladder's 'rungs'",
                     "the rung can't be used: its %s is wrong", wrong);
    } else {
        *ret_rung = (mr_rung){.size = {(int)width, (int)height}, .max_bitrate = max_bitrate};
        snprintf(ret_rung->id, sizeof(ret_rung->id), "%s", id);
    }
    json_decref(object);
    return wrong ? MR_ERR_INPUT : MR_OK;
}

static void fill_options(mr_rung_encode *encode)
{
    const mr_video_params *params = encode->params;
    const mr_picture_options pictures = {.filters = params->filters, .keep_hdr = params->hdr == MR_HDR_KEEP};
    encode->options = (mr_encode_options){.codec = (mr_video_codec)params->codec,
                                          .preset = mr_video_presets[params->preset],
                                          .tune = params->tune ? mr_video_tunes[params->tune] : NULL,
                                          .profile = mr_video_profiles[params->profile],
                                          .width = encode->rung->size.width,
                                          .height = encode->rung->size.height,
                                          .fps = encode->chunk->fps,
                                          .kind = mr_pictures_kind(encode->chunk, &pictures),
                                          .longest_gop = encode->chunk->longest_segment,
                                          .max_bitrate = encode->rung->max_bitrate};
}

mr_status mr_rung_encode_new(const mr_host *host, mr_task *task, const mr_chunk *chunk, const mr_rung *rung, const mr_video_params *params,
                             mr_rung_encode **ret_encode)
{
    mr_rung_encode *encode = calloc(1, sizeof(*encode));
    if (encode) {
        *encode = (mr_rung_encode){.host = host, .task = task, .chunk = chunk, .rung = rung, .params = params};
        encode->segments = calloc(chunk->segment_count, sizeof(*encode->segments));
        encode->packet = av_packet_alloc();
    }
    if (!encode || !encode->segments || !encode->packet) {
        mr_rung_encode_free(encode);
        return mr_media_error(host, task, AVERROR(ENOMEM), "encoder");
    }
    fill_options(encode);
    *ret_encode = encode;
    return MR_OK;
}

static void forget_attempt(mr_rung_encode *encode)
{
    mr_encoder_close(encode->encoder);
    mr_cmaf_free(encode->cmaf);
    encode->encoder = NULL;
    encode->cmaf = NULL;
    free(encode->init.data);
    encode->init = (made_segment){0};
    for (size_t i = 0; encode->segments && i < encode->chunk->segment_count; i++) {
        free(encode->segments[i].data);
        encode->segments[i] = (made_segment){0};
    }
    encode->sending = encode->writing = 0;
    encode->written = 0;
}

void mr_rung_encode_free(mr_rung_encode *encode)
{
    if (!encode)
        return;
    forget_attempt(encode);
    free(encode->segments);
    av_packet_free(&encode->packet);
    free(encode);
}

static mr_status keep(mr_rung_encode *encode, made_segment *segment, const uint8_t *data, size_t len)
{
    segment->data = malloc(len);
    if (!segment->data)
        return mr_media_error(encode->host, encode->task, AVERROR(ENOMEM), "segment");
    memcpy(segment->data, data, len);
    segment->len = len;
    return MR_OK;
}

static int threads_of(const mr_rung_encode *encode, const mr_rung_rate *rate)
{
    const int wanted = (int)encode->params->encoder_threads;
    const bool large = encode->rung->size.width * encode->rung->size.height >= OPENING_PIXELS;
    return wanted < OPENING_THREADS && encode->chunk->first_frame == 0 && large && rate->free_flow ? OPENING_THREADS : wanted;
}

mr_status mr_rung_encode_begin(mr_rung_encode *encode, const mr_rung_rate *rate)
{
    mr_cmaf_options cmaf = {.timescale = encode->chunk->timescale};
    const uint8_t *data;
    size_t len;
    forget_attempt(encode);
    encode->options.mode = rate->bitrate > 0 ? MR_ENCODE_PASS_2 : MR_ENCODE_CRF;
    encode->options.crf = rate->crf;
    encode->options.bitrate = rate->bitrate;
    encode->options.stats = rate->stats;
    encode->options.free_flow = rate->free_flow;
    encode->options.threads = threads_of(encode, rate);
    encode->options.first_dts = 0;
    mr_status status = mr_encoder_open(encode->host, encode->task, &encode->options, &encode->encoder);
    if (status == MR_OK)
        cmaf.priming = (uint32_t)mr_encoder_parameters(encode->encoder)->video_delay * encode->chunk->frame_ticks;
    if (status == MR_OK)
        status = mr_cmaf_new(encode->host, encode->task, mr_encoder_parameters(encode->encoder), &cmaf, &encode->cmaf);
    if (status == MR_OK)
        status = mr_cmaf_init_segment(encode->cmaf, &data, &len);
    if (status == MR_OK)
        status = keep(encode, &encode->init, data, len);
    if (status == MR_OK && mr_codec_string(mr_encoder_parameters(encode->encoder), encode->codec, sizeof(encode->codec)) != MR_OK) {
        encode->host->report(encode->task, MR_SEVERITY_ERROR, NULL, NULL, "the encoder's headers could not be read");
        status = MR_ERR_INTERNAL;
    }
    return status;
}

/* A packet with times in frames, into the segment that is due. */
static mr_status write_packet(mr_rung_encode *encode)
{
    const mr_chunk *chunk = encode->chunk;
    const mr_chunk_segment *segment = &chunk->segments[encode->writing];
    AVPacket *packet = encode->packet;
    int64_t offset = segment->first_frame - chunk->first_frame;
    if (encode->written >= chunk->frames || (encode->written == offset && (packet->pts != offset || !(packet->flags & AV_PKT_FLAG_KEY)))) {
        encode->host->report(encode->task, MR_SEVERITY_ERROR, NULL, NULL, "the encoder put no key frame at the start of segment %u of %s",
                             segment->index, encode->rung->id);
        return MR_ERR_INTERNAL;
    }
    mr_status status = MR_OK;
    if (encode->written == offset)
        status = mr_cmaf_begin(encode->cmaf, segment->index, segment->first_frame * chunk->frame_ticks);
    packet->pts *= chunk->frame_ticks;
    packet->dts *= chunk->frame_ticks;
    packet->duration = chunk->frame_ticks;
    if (status == MR_OK)
        status = mr_cmaf_write(encode->cmaf, packet);
    if (status == MR_OK && ++encode->written == offset + segment->frames) {
        made_segment *made = &encode->segments[encode->writing++];
        const uint8_t *data;
        size_t len;
        status = mr_cmaf_end(encode->cmaf, &data, &len, &made->iframe_bytes);
        if (status == MR_OK)
            status = keep(encode, made, data, len);
    }
    return status;
}

static mr_status receive_all(mr_rung_encode *encode)
{
    mr_status status = MR_OK;
    while (status == MR_OK) {
        status = mr_encoder_receive(encode->encoder, encode->packet);
        if (status == MR_OK)
            status = write_packet(encode);
    }
    return status == MR_NOT_YET || status == MR_END ? MR_OK : status;
}

static mr_status flush(mr_rung_encode *encode)
{
    mr_status status = mr_encoder_send(encode->encoder, NULL, 0, false);
    return status == MR_OK ? receive_all(encode) : status;
}

static mr_status renew_encoder(mr_rung_encode *encode, int index)
{
    mr_status status = flush(encode);
    mr_encoder_close(encode->encoder);
    encode->encoder = NULL;
    encode->options.first_dts = index;
    return status == MR_OK ? mr_encoder_open(encode->host, encode->task, &encode->options, &encode->encoder) : status;
}

mr_status mr_rung_encode_send(mr_rung_encode *encode, const AVFrame *frame, int index)
{
    const mr_chunk *chunk = encode->chunk;
    bool key = encode->sending < chunk->segment_count && chunk->segments[encode->sending].first_frame == chunk->first_frame + index;
    mr_status status = MR_OK;
    if (key)
        encode->sending++;
    if (key && index > 0 && !mr_codec_forces_keys(encode->options.codec))
        status = renew_encoder(encode, index);
    if (status == MR_OK)
        status = mr_encoder_send(encode->encoder, frame, index, key);
    return status == MR_OK ? receive_all(encode) : status;
}

mr_status mr_rung_encode_finish(mr_rung_encode *encode)
{
    mr_status status = flush(encode);
    encode->qp = mr_encoder_mean_qp(encode->encoder);
    mr_encoder_close(encode->encoder); /* frees most of the memory */
    encode->encoder = NULL;
    if (status == MR_OK && encode->writing != encode->chunk->segment_count) {
        encode->host->report(encode->task, MR_SEVERITY_ERROR, NULL, NULL, "the encoder gave %lld of %d pictures of %s", (long long)encode->written,
                             encode->chunk->frames, encode->rung->id);
        status = MR_ERR_INTERNAL;
    }
    return status;
}

double mr_rung_encode_excess(const mr_rung_encode *encode)
{
    const mr_chunk *chunk = encode->chunk;
    int64_t rate = MR_VBV_RATE(encode->rung->max_bitrate);
    int64_t buffer = MR_VBV_BUFFER(encode->rung->max_bitrate);
    double worst = 0;
    for (size_t i = 0; i < chunk->segment_count; i++) {
        double seconds = chunk->segments[i].frames * av_q2d(av_inv_q(chunk->fps));
        double allowed = (double)rate * seconds + (double)buffer;
        double excess = 8 * (double)encode->segments[i].len / allowed;
        worst = excess > worst ? excess : worst;
    }
    return worst;
}

double mr_rung_encode_bits(const mr_rung_encode *encode)
{
    double bits = 0;
    for (size_t i = 0; i < encode->chunk->segment_count; i++)
        bits += 8 * (double)encode->segments[i].len;
    return bits;
}

double mr_rung_encode_qp(const mr_rung_encode *encode)
{
    return encode->qp;
}

mr_status mr_rung_encode_emit_init(mr_rung_encode *encode, uint32_t port)
{
    static const char *const names[] = {"h264", "hevc", "av1", "vp9"};
    const mr_chunk *chunk = encode->chunk;
    const mr_rung *rung = encode->rung;
    char meta[768];
    snprintf(meta, sizeof(meta),
             "{\"codec\":\"%s\",\"codec_name\":\"%s\",\"ext\":\"mp4\",\"fps\":[%d,%d],\"height\":%d,\"kind\":\"video\",\"max_bitrate\":%lld,"
             "\"rendition\":\"video/%s\",\"role\":\"init\",\"timescale\":%u,\"video_range\":\"%s\",\"width\":%d}",
             encode->codec, names[encode->options.codec], chunk->fps.num, chunk->fps.den, rung->size.height, (long long)rung->max_bitrate, rung->id,
             chunk->timescale, encode->options.kind.video_range, rung->size.width);
    return encode->host->emit_bytes(encode->task, port, meta, encode->init.data, encode->init.len);
}

mr_status mr_rung_encode_emit(mr_rung_encode *encode)
{
    const mr_chunk *chunk = encode->chunk;
    mr_status status = mr_rung_encode_emit_init(encode, MR_VIDEO_SEGMENTS);
    for (size_t i = 0; i < chunk->segment_count && status == MR_OK; i++) {
        const mr_chunk_segment *segment = &chunk->segments[i];
        const made_segment *made = &encode->segments[i];
        char meta[512];
        snprintf(meta, sizeof(meta),
                 "{\"duration\":%lld,\"ext\":\"m4s\",\"frames\":%d,\"iframe_bytes\":%zu,\"index\":%u,\"kind\":\"video\",\"rendition\":\"video/%s\","
                 "\"role\":\"media\",\"start\":%lld,\"timescale\":%u}",
                 (long long)segment->frames * chunk->frame_ticks, segment->frames, made->iframe_bytes, segment->index, encode->rung->id,
                 (long long)segment->first_frame * chunk->frame_ticks, chunk->timescale);
        status = encode->host->emit_bytes(encode->task, MR_VIDEO_SEGMENTS, meta, made->data, made->len);
    }
    return status;
}
