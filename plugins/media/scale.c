/* SPDX-License-Identifier: MIT */
/*
 * See scale.h. Halving is done here, exactly, in integers: the mean of four for luma; for chroma, whose samples sit on the left luma column
 * (the siting of H.264 and of MPEG-2), weights of three and one across, so that the colours do not creep sideways step by step.
 * A mean blurs: it is taken only of what is far too large, or where it is all that is to be done, and the scale that follows makes up for it.
 */
#include "media/scale.h"
#include "media/bicubic.h"
#include "media/input.h"

#include <libavutil/buffer.h>
#include <libavutil/imgutils.h>
#include <stdlib.h>
#include <string.h>

enum { LEVELS_MAX = 8, SIZES_MAX = 64 };

/* See mr_bicubic_new(). Sharper where much is left out, and sharper yet where it has to make up for the mean before it. More would be better at equal
 * bits, but what is sharper takes more bits than the analysis foretells (transcode/rate.c), and more is encoded twice. */
#define SHARPNESS      0.6
#define SHARPNESS_FAR  0.8
#define SHARPNESS_HALF 1.0

typedef struct target {
    mr_size size;
    int level;           /* of the half it is made from */
    mr_bicubic *bicubic; /* NULL: the half is it */
    AVBufferPool *pool;
} target;

struct mr_scaler {
    const mr_host *host;
    mr_task *task;
    mr_size source; /* for which the rest is set up */
    enum AVPixelFormat format;
    int levels;
    AVFrame *halves[LEVELS_MAX]; /* [0]: where the picture itself doesn't suit zimg, a copy that does */
    AVBufferPool *pools[LEVELS_MAX];
    target *targets;
    size_t count;
};

static mr_status no_memory(const mr_scaler *scaler)
{
    scaler->host->report(scaler->task, MR_SEVERITY_ERROR, NULL, NULL, "memory ran out while a picture was scaled");
    return MR_ERR_NOMEM;
}

mr_status mr_scaler_new(const mr_host *host, mr_task *task, const mr_size *sizes, size_t count, mr_scaler **ret_scaler)
{
    mr_scaler *scaler = calloc(1, sizeof(*scaler));
    if (scaler)
        scaler->targets = calloc(count ? count : 1, sizeof(*scaler->targets));
    if (!scaler || !scaler->targets || count > SIZES_MAX) {
        mr_scaler_free(scaler);
        host->report(task, MR_SEVERITY_ERROR, NULL, NULL, "%zu sizes can't be made at once", count);
        return count > SIZES_MAX ? MR_ERR_LIMIT : MR_ERR_NOMEM;
    }
    scaler->host = host;
    scaler->task = task;
    scaler->count = count;
    for (size_t i = 0; i < count; i++)
        scaler->targets[i].size = sizes[i];
    *ret_scaler = scaler;
    return MR_OK;
}

static void forget_setup(mr_scaler *scaler)
{
    for (int i = 0; i < LEVELS_MAX; i++) {
        av_frame_free(&scaler->halves[i]);
        av_buffer_pool_uninit(&scaler->pools[i]);
    }
    for (size_t i = 0; scaler->targets && i < scaler->count; i++) {
        mr_bicubic_free(scaler->targets[i].bicubic);
        scaler->targets[i].bicubic = NULL;
        av_buffer_pool_uninit(&scaler->targets[i].pool);
    }
    scaler->source = (mr_size){0};
}

void mr_scaler_free(mr_scaler *scaler)
{
    if (!scaler)
        return;
    forget_setup(scaler);
    free(scaler->targets);
    free(scaler);
}

void mr_scaler_trim(mr_scaler *scaler)
{
    for (size_t i = 0; i < scaler->count; i++)
        av_buffer_pool_uninit(&scaler->targets[i].pool);
}

/* Which half a target starts from. */
static int level_for(mr_size source, mr_size wanted)
{
    int level = 0;
    const bool half = source.width == 2 * wanted.width && source.height == 2 * wanted.height;
    while (level < LEVELS_MAX - 1 && source.width % 4 == 0 && source.height % 4 == 0 &&
           ((half && level == 0) || (source.width >= 3 * wanted.width && source.height >= 3 * wanted.height))) {
        source.width /= 2;
        source.height /= 2;
        level++;
    }
    return level;
}

static double sharpness_of(mr_size source, const target *each)
{
    if (each->level > 0)
        return SHARPNESS_HALF;
    return source.width > 2 * each->size.width ? SHARPNESS_FAR : SHARPNESS;
}

static mr_status set_up(mr_scaler *scaler, const AVFrame *picture)
{
    mr_size source = {picture->width, picture->height};
    if (scaler->source.width == source.width && scaler->source.height == source.height && scaler->format == (enum AVPixelFormat)picture->format)
        return MR_OK;
    forget_setup(scaler);
    scaler->format = picture->format;
    scaler->levels = 0;
    for (size_t i = 0; i < scaler->count; i++) {
        target *each = &scaler->targets[i];
        each->level = level_for(source, each->size);
        mr_size from = {source.width >> each->level, source.height >> each->level};
        if (each->level > scaler->levels)
            scaler->levels = each->level;
        if (from.width == each->size.width && from.height == each->size.height)
            continue;
        each->bicubic = mr_bicubic_new(from, each->size, scaler->format, sharpness_of(source, each));
        if (!each->bicubic) {
            scaler->host->report(scaler->task, MR_SEVERITY_ERROR, NULL, NULL, "can't scale pictures of %dx%d to %dx%d", from.width, from.height,
                                 each->size.width, each->size.height);
            return MR_ERR_UNSUPPORTED;
        }
    }
    scaler->source = source;
    return MR_OK;
}

/* Fresh buffers, from a pool: they come back when the last encoder lets go of them. */
static int take_buffer(AVBufferPool **pool, AVFrame *frame, mr_size size, enum AVPixelFormat format)
{
    int bytes = av_image_get_buffer_size(format, size.width, size.height, MR_BICUBIC_ALIGNMENT);
    if (bytes < 0)
        return bytes;
    if (!*pool)
        *pool = av_buffer_pool_init((size_t)bytes + (size_t)2 * MR_BICUBIC_ALIGNMENT, NULL);
    frame->buf[0] = *pool ? av_buffer_pool_get(*pool) : NULL;
    if (!frame->buf[0])
        return AVERROR(ENOMEM);
    frame->width = size.width;
    frame->height = size.height;
    frame->format = format;
    uint8_t *first = (uint8_t *)FFALIGN((uintptr_t)frame->buf[0]->data, MR_BICUBIC_ALIGNMENT);
    return av_image_fill_arrays(frame->data, frame->linesize, first, format, size.width, size.height, MR_BICUBIC_ALIGNMENT);
}

static void halve_luma8(const uint8_t *a, const uint8_t *b, uint8_t *out, size_t width)
{
    for (size_t x = 0; x < width; x++)
        out[x] = (uint8_t)((a[2 * x] + a[2 * x + 1] + b[2 * x] + b[2 * x + 1] + 2) >> 2);
}

static void halve_chroma8(const uint8_t *a, const uint8_t *b, uint8_t *out, size_t width)
{
    for (size_t x = 0; x < width; x++)
        out[x] = (uint8_t)((3 * (a[2 * x] + b[2 * x]) + a[2 * x + 1] + b[2 * x + 1] + 4) >> 3);
}

static void halve_luma16(const uint16_t *a, const uint16_t *b, uint16_t *out, size_t width)
{
    for (size_t x = 0; x < width; x++)
        out[x] = (uint16_t)((a[2 * x] + a[2 * x + 1] + b[2 * x] + b[2 * x + 1] + 2) >> 2);
}

static void halve_chroma16(const uint16_t *a, const uint16_t *b, uint16_t *out, size_t width)
{
    for (size_t x = 0; x < width; x++)
        out[x] = (uint16_t)((3 * (a[2 * x] + b[2 * x]) + a[2 * x + 1] + b[2 * x + 1] + 4) >> 3);
}

static void halve(const AVFrame *from, AVFrame *to)
{
    for (int plane = 0; plane < 3; plane++) {
        int width = plane ? to->width / 2 : to->width;
        int height = plane ? to->height / 2 : to->height;
        for (int y = 0; y < height; y++) {
            const uint8_t *a = from->data[plane] + (ptrdiff_t)(2 * y) * from->linesize[plane];
            const uint8_t *b = a + from->linesize[plane];
            uint8_t *out = to->data[plane] + (ptrdiff_t)y * to->linesize[plane];
            if (from->format == AV_PIX_FMT_YUV420P)
                (plane ? halve_chroma8 : halve_luma8)(a, b, out, width);
            else
                (plane ? halve_chroma16 : halve_luma16)((const uint16_t *)a, (const uint16_t *)b, (uint16_t *)out, width);
        }
    }
}

static mr_status make_halves(mr_scaler *scaler, const AVFrame *picture, int levels)
{
    const AVFrame *from = picture;
    for (int level = 0; level <= levels; level++) {
        AVFrame **half = &scaler->halves[level];
        if (!*half)
            *half = av_frame_alloc();
        if (!*half)
            return no_memory(scaler);
        av_frame_unref(*half);
        if (level == 0)
            continue;
        mr_size size = {from->width / 2, from->height / 2};
        if (take_buffer(&scaler->pools[level], *half, size, scaler->format) < 0)
            return no_memory(scaler);
        halve(from, *half);
        from = *half;
    }
    return MR_OK;
}

static bool fits_bicubic(const AVFrame *picture)
{
    bool fits = picture->width % 2 == 0 && picture->height % 2 == 0;
    for (int plane = 0; plane < 3; plane++)
        fits = fits && (uintptr_t)picture->data[plane] % MR_BICUBIC_ALIGNMENT == 0 && picture->linesize[plane] % MR_BICUBIC_ALIGNMENT == 0;
    return fits;
}

/* An odd side has no partner for its last line or column of luma: that is it again. */
static void make_even(const AVFrame *copy, const AVFrame *picture)
{
    const size_t sample = copy->format == AV_PIX_FMT_YUV420P ? 1 : 2;
    const ptrdiff_t stride = copy->linesize[0];
    for (int y = 0; picture->width % 2 && y < picture->height; y++) {
        uint8_t *end = copy->data[0] + y * stride + (ptrdiff_t)sample * picture->width;
        memcpy(end, end - sample, sample);
    }
    if (picture->height % 2) {
        uint8_t *last = copy->data[0] + picture->height * stride;
        memcpy(last, last - stride, sample * (size_t)copy->width);
    }
}

/* The picture as zimg can read it. Those of decoders fit, those that filters have cut may not, and are copied, once for all targets. NULL: no memory.
 */
static const AVFrame *fit(mr_scaler *scaler, const AVFrame *picture)
{
    AVFrame *copy = scaler->halves[0];
    mr_size size = {FFALIGN(picture->width, 2), FFALIGN(picture->height, 2)};
    if (fits_bicubic(picture))
        return picture;
    if (copy->buf[0])
        return copy;
    if (take_buffer(&scaler->pools[0], copy, size, scaler->format) < 0)
        return NULL;
    av_image_copy(copy->data, copy->linesize, (const uint8_t **)picture->data, picture->linesize, scaler->format, picture->width, picture->height);
    make_even(copy, picture);
    return copy;
}

/* The picture of an earlier target of the same size; NULL: none was made. */
static const AVFrame *find_made(const mr_scaler *scaler, size_t target, AVFrame *const *out)
{
    mr_size size = scaler->targets[target].size;
    for (size_t i = 0; i < target; i++) {
        if (out[i]->buf[0] && scaler->targets[i].size.width == size.width && scaler->targets[i].size.height == size.height)
            return out[i];
    }
    return NULL;
}

static mr_status make_target(mr_scaler *scaler, target *each, const AVFrame *made, const AVFrame *from, AVFrame *out)
{
    if (made)
        return av_frame_ref(out, made) < 0 ? no_memory(scaler) : MR_OK;
    if (!each->bicubic)
        return av_frame_ref(out, from) < 0 ? no_memory(scaler) : MR_OK;
    const AVFrame *source = fit(scaler, from);
    if (!source || take_buffer(&each->pool, out, each->size, scaler->format) < 0)
        return no_memory(scaler);
    return mr_bicubic_run(each->bicubic, source, out) ? MR_OK
                                                      : mr_media_error(scaler->host, scaler->task, AVERROR_EXTERNAL, "a picture can't be scaled");
}

mr_status mr_scaler_run(mr_scaler *scaler, const AVFrame *picture, const bool *wanted, AVFrame *const *out)
{
    mr_status status = set_up(scaler, picture);
    int levels = 0;
    for (size_t i = 0; i < scaler->count; i++) {
        if ((!wanted || wanted[i]) && scaler->targets[i].level > levels)
            levels = scaler->targets[i].level;
    }
    if (status == MR_OK)
        status = make_halves(scaler, picture, levels);
    for (size_t i = 0; i < scaler->count && status == MR_OK; i++) {
        target *each = &scaler->targets[i];
        if (!wanted || wanted[i])
            status = make_target(scaler, each, find_made(scaler, i, out), each->level ? scaler->halves[each->level] : picture, out[i]);
        if (status == MR_OK && out[i]->buf[0] && av_frame_copy_props(out[i], picture) < 0)
            status = no_memory(scaler);
    }
    return status;
}
