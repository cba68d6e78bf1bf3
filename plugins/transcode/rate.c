/* SPDX-License-Identifier: MIT */
/* See rate.h. */
#include "rate.h"
#include "media/input.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>

bool mr_rate_uses_analysis(const mr_chunk *chunk, const mr_video_params *params)
{
    bool ten_bits = params->hdr == MR_HDR_KEEP && chunk->picture.hdr != MR_HDR_NONE;
    return params->codec == MR_CODEC_H264 && params->rate_control != MR_RATE_CRF && params->profile != MR_PROFILE_BASELINE && !ten_bits;
}

double mr_rate_crf_max(mr_video_codec codec)
{
    return codec == MR_CODEC_AV1 || codec == MR_CODEC_VP9 ? 63 : 51;
}

double mr_rate_crf(mr_video_codec codec, double quality)
{
    static const double times[] = {[MR_CODEC_H264] = 1, [MR_CODEC_HEVC] = 1, [MR_CODEC_AV1] = 1.5, [MR_CODEC_VP9] = 1.4};
    return fmin(quality * times[codec] + (codec == MR_CODEC_HEVC ? 4 : 0), mr_rate_crf_max(codec));
}

#define QP_RANGE 52.0

double mr_rate_model_bits(const mr_rate_model *model, double steps)
{
    return model->bits * exp2(-model->slope * steps);
}

void mr_rate_model_init(mr_rate_model *model, const mr_analysis *analysis, const mr_chunk *chunk, mr_size size, double quality)
{
    double pixels = (double)analysis->size.width * analysis->size.height;
    double density = fmax(-5, fmin(-1, log2((double)analysis->bits / (pixels * chunk->frames))));
    *model = (mr_rate_model){.qp = analysis->qp, .wanted = quality - MR_ANALYSIS_CRF, .slope = 0.100 - 0.023 * density};
    model->area = (double)size.width * size.height / pixels;
    model->bits = (double)analysis->bits * pow(model->area, 0.446 - 0.090 * density);
    mr_analysis_shares(analysis, &model->texture, &model->vectors, &model->rest);
}

void mr_rate_model_learn(mr_rate_model *model, double bits, double qp)
{
    model->bits = bits * exp2(model->slope * fmin(fmax(qp - model->qp, -QP_RANGE), QP_RANGE));
}

/* x264's rules, in its encoder/ratecontrol.c: what it expects of statistics at another size, and at another quantiser. */
#define X264_AREA    0.7
#define X264_TEXTURE (1.1 / 6)
#define X264_VECTORS (0.5 / 6)

double mr_rate_stats_factor(const mr_rate_model *model, double bits)
{
    double steps = log2(model->bits / bits) / model->slope;
    double expected = model->texture * exp2(-X264_TEXTURE * steps) + model->vectors * exp2(-X264_VECTORS * steps) + model->rest;
    return bits / expected / pow(model->area, X264_AREA);
}

typedef struct shared_chunk {
    double bits;
    double seconds;
} shared_chunk;

/* The factor on the analyses' bits with which the title has the wanted mean while no chunk goes over the ceiling. */
static double solve_factor(const shared_chunk *chunks, size_t count, double scale, double mean, double ceiling)
{
    double low = 0;
    double high = 1e9;
    double seconds = 0;
    for (size_t i = 0; i < count; i++)
        seconds += chunks[i].seconds;
    for (int step = 0; step < 100; step++) {
        double middle = (low + high) / 2;
        double bits = 0;
        for (size_t i = 0; i < count; i++)
            bits += fmin(middle * scale * chunks[i].bits, ceiling * chunks[i].seconds);
        if (bits > mean * seconds)
            high = middle;
        else
            low = middle;
    }
    return low * scale;
}

static bool read_shared(const mr_artifact *artifact, const mr_chunk *chunk, shared_chunk *shared, bool *ret_own)
{
    json_t *object = json_loadb(artifact->meta, artifact->meta_len, 0, NULL);
    int64_t frames = json_integer_value(json_object_get(object, "frames"));
    int64_t bits = json_integer_value(json_object_get(object, "bits"));
    *ret_own = json_integer_value(json_object_get(object, "first_frame")) == chunk->first_frame;
    json_decref(object);
    *shared = (shared_chunk){.bits = (double)bits, .seconds = (double)frames * av_q2d(av_inv_q(chunk->fps))};
    return frames > 0 && bits > 0;
}

mr_status mr_rate_share(const mr_host *host, mr_task *task, uint32_t port, const mr_chunk *chunk, int64_t mean, int64_t max_bitrate,
                        int64_t *ret_bitrate)
{
    size_t count = host->input_count(task, port);
    shared_chunk *chunks = calloc(count + 1, sizeof(*chunks));
    double own_rate = 0;
    mr_status status = chunks ? MR_OK : mr_media_error(host, task, AVERROR(ENOMEM), "bitrates");
    for (size_t i = 0; i < count && status == MR_OK; i++) {
        bool own = false;
        if (!read_shared(host->input(task, port, i), chunk, &chunks[i], &own))
            status = MR_ERR_INPUT;
        else if (own)
            own_rate = chunks[i].bits / chunks[i].seconds;
    }
    if (status == MR_ERR_INPUT || (status == MR_OK && own_rate <= 0)) {
        host->report(task, MR_SEVERITY_ERROR, "rate_control", "connect 'analyses' to the stats of transcode.analyse over all chunks",
                     "a whole title's bitrate needs the analyses of all chunks, and chunk %u is not among the %zu given", chunk->index, count);
        status = MR_ERR_INPUT;
    }
    if (status == MR_OK) {
        double factor = solve_factor(chunks, count, 1.0 / 64, (double)mean, (double)max_bitrate);
        *ret_bitrate = (int64_t)fmin(factor * own_rate, (double)max_bitrate) + 1;
    }
    free(chunks);
    return status;
}
