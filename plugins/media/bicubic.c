/* SPDX-License-Identifier: MIT */
/*
 * See bicubic.h. zimg reads whole vectors: up to the next multiple of the alignment behind a line's last sample, which lies within the line's room
 * where that begins and ends at such multiples.
 */
#include "media/bicubic.h"

#include <libavutil/macros.h>
#include <stdlib.h>
#include <zimg.h>

struct mr_bicubic {
    zimg_filter_graph *graph;
    void *room; /* that zimg works in */
};

static zimg_image_format describe(mr_size size, enum AVPixelFormat format)
{
    zimg_image_format image;
    zimg_image_format_default(&image, ZIMG_API_VERSION);
    image.width = FFALIGN((unsigned)size.width, 2);
    image.height = FFALIGN((unsigned)size.height, 2);
    image.active_region.width = size.width;
    image.active_region.height = size.height;
    image.pixel_type = format == AV_PIX_FMT_YUV420P ? ZIMG_PIXEL_BYTE : ZIMG_PIXEL_WORD;
    image.depth = format == AV_PIX_FMT_YUV420P ? 8 : 10;
    image.subsample_w = image.subsample_h = 1;
    image.color_family = ZIMG_COLOR_YUV;
    image.matrix_coefficients = ZIMG_MATRIX_BT709; /* of both sides, as is the range: nothing is converted */
    image.pixel_range = ZIMG_RANGE_LIMITED;
    image.chroma_location = ZIMG_CHROMA_LEFT;
    return image;
}

static zimg_filter_graph *build(mr_size from, mr_size to, enum AVPixelFormat format, double sharpness)
{
    const zimg_image_format in = describe(from, format);
    const zimg_image_format out = describe(to, format);
    zimg_graph_builder_params params;
    zimg_graph_builder_params_default(&params, ZIMG_API_VERSION);
    params.resample_filter = params.resample_filter_uv = ZIMG_RESIZE_BICUBIC;
    params.filter_param_a = params.filter_param_a_uv = 0;
    params.filter_param_b = params.filter_param_b_uv = sharpness;
    params.dither_type = ZIMG_DITHER_NONE;
    params.cpu_type = ZIMG_CPU_AUTO_64B;
    return zimg_filter_graph_build(&in, &out, &params);
}

mr_bicubic *mr_bicubic_new(mr_size from, mr_size to, enum AVPixelFormat format, double sharpness)
{
    size_t room = 0;
    mr_bicubic *bicubic = calloc(1, sizeof(*bicubic));
    if (!bicubic)
        return NULL;
    bicubic->graph = build(from, to, format, sharpness);
    if (bicubic->graph && zimg_filter_graph_get_tmp_size(bicubic->graph, &room) == ZIMG_ERROR_SUCCESS)
        bicubic->room = aligned_alloc(MR_BICUBIC_ALIGNMENT, FFALIGN(room + 1, MR_BICUBIC_ALIGNMENT)); /* + 1: it may need none */
    if (!bicubic->room) {
        mr_bicubic_free(bicubic);
        return NULL;
    }
    return bicubic;
}

void mr_bicubic_free(mr_bicubic *bicubic)
{
    if (!bicubic)
        return;
    zimg_filter_graph_free(bicubic->graph);
    free(bicubic->room);
    free(bicubic);
}

bool mr_bicubic_run(const mr_bicubic *bicubic, const AVFrame *from, const AVFrame *to)
{
    zimg_image_buffer_const in = {.version = ZIMG_API_VERSION};
    zimg_image_buffer out = {.version = ZIMG_API_VERSION};
    for (int plane = 0; plane < 3; plane++) {
        in.plane[plane].data = from->data[plane];
        in.plane[plane].stride = from->linesize[plane];
        in.plane[plane].mask = ZIMG_BUFFER_MAX;
        out.plane[plane].data = to->data[plane];
        out.plane[plane].stride = to->linesize[plane];
        out.plane[plane].mask = ZIMG_BUFFER_MAX;
    }
    return zimg_filter_graph_process(bicubic->graph, &in, &out, bicubic->room, NULL, NULL, NULL, NULL) == ZIMG_ERROR_SUCCESS;
}
