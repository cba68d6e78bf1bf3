/* SPDX-License-Identifier: MIT */
/*
 * See picture_memory.h. Invariants: the pool is made by the decoder's thread, once, for pictures like its first one; others are libavcodec's to
 * allocate. A buffer is either in the pool, or somebody's alone: so who has it may read and set its mark.
 */
#include "media/picture_memory.h"

#include <libavutil/imgutils.h>
#include <libavutil/pixdesc.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

enum { SPARE = 3, PLANE_END = 128 /* decoders write a little beyond */, PLANES = 4 };

struct mr_picture_memory {
    _Atomic(AVBufferPool *) pool;
    size_t size;
};

typedef struct layout {
    int lines[PLANES];
    size_t planes[PLANES];
    size_t size;
} layout;

/* What decoders may ask for (AVCodecContext.get_buffer2): lines and their number aligned, and room behind each plane. */
static int lay_out(AVCodecContext *codec, const AVFrame *frame, layout *ret_layout)
{
    int align[AV_NUM_DATA_POINTERS];
    int width = frame->width;
    int height = frame->height;
    ptrdiff_t lines[PLANES];
    bool aligned;
    avcodec_align_dimensions2(codec, &width, &height, align);
    do {
        const int ret = av_image_fill_linesizes(ret_layout->lines, frame->format, width);
        if (ret < 0)
            return ret;
        aligned = true;
        for (int i = 0; i < PLANES; i++)
            aligned = aligned && ret_layout->lines[i] % align[i] == 0;
        width += width & ~(width - 1); /* its lowest bit */
    } while (!aligned);
    for (int i = 0; i < PLANES; i++)
        lines[i] = ret_layout->lines[i];
    const int ret = av_image_fill_plane_sizes(ret_layout->planes, frame->format, height, lines);
    ret_layout->size = 0;
    for (int i = 0; i < PLANES && ret >= 0; i++) {
        if (ret_layout->planes[i] > 0)
            ret_layout->planes[i] = FFALIGN(ret_layout->planes[i] + PLANE_END, PLANE_END);
        ret_layout->size += ret_layout->planes[i];
    }
    return ret;
}

/* Behind its bytes is the mark: have they been cleared? */
static AVBufferRef *new_buffer(void *context, size_t size)
{
    (void)context;
    uint8_t *data = av_malloc(size + sizeof(bool));
    bool *cleared = data ? (bool *)(data + size) : NULL;
    AVBufferRef *buffer = data ? av_buffer_create(data, size, NULL, cleared, 0) : NULL;
    if (buffer)
        *cleared = false;
    else
        av_free(data);
    return buffer;
}

/* What damaged streams leave out is black and the same each time, as it is with libavcodec's own memory. */
static void clear(AVBufferRef *buffer)
{
    bool *cleared = av_buffer_pool_buffer_get_opaque(buffer);
    if (!*cleared)
        memset(buffer->data, 0, buffer->size);
    *cleared = true;
}

static bool is_ordinary(const AVCodecContext *codec, const AVFrame *frame)
{
    const AVPixFmtDescriptor *format = av_pix_fmt_desc_get(frame->format);
    return codec->codec_type == AVMEDIA_TYPE_VIDEO && format && !(format->flags & (AV_PIX_FMT_FLAG_HWACCEL | AV_PIX_FMT_FLAG_PAL));
}

static int get_buffer(AVCodecContext *codec, AVFrame *frame, int flags)
{
    mr_picture_memory *memory = codec->opaque;
    layout wanted = {0};
    if (!is_ordinary(codec, frame) || lay_out(codec, frame, &wanted) < 0)
        return avcodec_default_get_buffer2(codec, frame, flags);
    if (!memory->pool) {
        memory->size = wanted.size;
        atomic_store(&memory->pool, av_buffer_pool_init2(wanted.size, NULL, new_buffer, NULL));
    }
    if (!memory->pool || memory->size != wanted.size)
        return avcodec_default_get_buffer2(codec, frame, flags);
    frame->buf[0] = av_buffer_pool_get(memory->pool);
    if (!frame->buf[0])
        return AVERROR(ENOMEM);
    clear(frame->buf[0]);
    uint8_t *at = frame->buf[0]->data;
    for (int i = 0; i < PLANES; i++) {
        frame->data[i] = wanted.planes[i] > 0 ? at : NULL;
        frame->linesize[i] = wanted.lines[i];
        at += wanted.planes[i];
    }
    frame->extended_data = frame->data;
    return 0;
}

mr_picture_memory *mr_picture_memory_new(void)
{
    return av_mallocz(sizeof(mr_picture_memory));
}

void mr_picture_memory_serve(mr_picture_memory *memory, AVCodecContext *codec)
{
    if (!(codec->codec->capabilities & AV_CODEC_CAP_DR1) || codec->thread_count != 1)
        return;
    codec->opaque = memory;
    codec->get_buffer2 = get_buffer;
    codec->thread_type &= ~FF_THREAD_FRAME; /* it warns of frame threads, even where there is to be one thread */
}

void mr_picture_memory_prepare(mr_picture_memory *memory)
{
    AVBufferPool *pool = atomic_load(&memory->pool);
    AVBufferRef *spare[SPARE] = {NULL};
    for (int i = 0; i < SPARE && pool; i++) {
        spare[i] = av_buffer_pool_get(pool);
        if (spare[i])
            clear(spare[i]);
    }
    for (int i = 0; i < SPARE; i++)
        av_buffer_unref(&spare[i]);
}

void mr_picture_memory_free(mr_picture_memory *memory)
{
    if (!memory)
        return;
    AVBufferPool *pool = memory->pool;
    av_buffer_pool_uninit(&pool);
    av_free(memory);
}
