/* SPDX-License-Identifier: MIT */
/* See file_fit.h. Cutting copies nothing: the frame's pointers move, by even steps, so that chroma follows. */
#include "file_fit.h"
#include "media/input.h"

#include <libavutil/imgutils.h>
#include <math.h>
#include <stdlib.h>

struct mr_fitter {
    const mr_host *host;
    mr_task *task;
    mr_placement placement;
    mr_scaler *scaler;
    AVFrame *scaled;
};

static int even(double value)
{
    int whole = (int)floor(value / 2 + 0.5) * 2;
    return whole < 2 ? 2 : whole;
}

static int even_down(int value)
{
    return value / 2 * 2;
}

mr_placement mr_fit_place(mr_size picture, int width, int height, mr_fit fit)
{
    mr_placement placement = {0};
    double across = picture.width;
    double down = picture.height;
    if (width == 0 && height == 0) {
        width = picture.width;
        height = picture.height;
    }
    if (width == 0)
        width = even(height * across / down);
    if (height == 0)
        height = even(width * down / across);
    double to_fill = fmax(width / across, height / down);
    double to_fit = fmin(width / across, height / down);
    double factor = fit == MR_FIT_CROP ? to_fill : to_fit;
    double shrink = factor > 1 ? 1 / factor : 1;
    placement.out = (mr_size){even(width * shrink), even(height * shrink)};
    placement.scaled = (mr_size){even(across * factor * shrink), even(down * factor * shrink)};
    if (fit == MR_FIT_SCALE)
        placement.out = placement.scaled;
    /* Rounding must not leave a line that is not covered, nor one that sticks out. */
    if (fit == MR_FIT_CROP) {
        placement.scaled.width = placement.scaled.width < placement.out.width ? placement.out.width : placement.scaled.width;
        placement.scaled.height = placement.scaled.height < placement.out.height ? placement.out.height : placement.scaled.height;
    } else {
        placement.scaled.width = placement.scaled.width > placement.out.width ? placement.out.width : placement.scaled.width;
        placement.scaled.height = placement.scaled.height > placement.out.height ? placement.out.height : placement.scaled.height;
    }
    placement.x = even_down((placement.out.width - placement.scaled.width) / 2);
    placement.y = even_down((placement.out.height - placement.scaled.height) / 2);
    return placement;
}

mr_status mr_fitter_new(const mr_host *host, mr_task *task, const mr_placement *placement, mr_fitter **ret_fitter)
{
    *ret_fitter = NULL;
    mr_fitter *fitter = calloc(1, sizeof(*fitter));
    if (!fitter)
        return MR_ERR_NOMEM;
    *fitter = (mr_fitter){.host = host, .task = task, .placement = *placement, .scaled = av_frame_alloc()};
    mr_status status = fitter->scaled ? mr_scaler_new(host, task, &placement->scaled, 1, &fitter->scaler) : MR_ERR_NOMEM;
    if (status != MR_OK) {
        mr_fitter_free(fitter);
        return status;
    }
    *ret_fitter = fitter;
    return MR_OK;
}

void mr_fitter_free(mr_fitter *fitter)
{
    if (!fitter)
        return;
    mr_scaler_free(fitter->scaler);
    av_frame_free(&fitter->scaled);
    free(fitter);
}

static int cut(const mr_fitter *fitter, AVFrame *out)
{
    const mr_placement *placement = &fitter->placement;
    int error = av_frame_ref(out, fitter->scaled);
    if (error < 0)
        return error;
    for (int plane = 0; plane < 3; plane++) {
        int shift = plane > 0;
        out->data[plane] += (ptrdiff_t)(-placement->y >> shift) * out->linesize[plane] + (-placement->x >> shift);
    }
    out->width = placement->out.width;
    out->height = placement->out.height;
    return 0;
}

static int surround(const mr_fitter *fitter, AVFrame *out)
{
    const mr_placement *placement = &fitter->placement;
    out->format = fitter->scaled->format;
    out->width = placement->out.width;
    out->height = placement->out.height;
    int error = av_frame_get_buffer(out, 0);
    if (error >= 0)
        error = av_frame_copy_props(out, fitter->scaled);
    if (error < 0)
        return error;
    ptrdiff_t strides[4] = {out->linesize[0], out->linesize[1], out->linesize[2]};
    av_image_fill_black(out->data, strides, (enum AVPixelFormat)out->format, AVCOL_RANGE_MPEG, out->width, out->height);
    for (int plane = 0; plane < 3; plane++) {
        int shift = plane > 0;
        uint8_t *to = out->data[plane] + (ptrdiff_t)(placement->y >> shift) * out->linesize[plane] + (placement->x >> shift);
        av_image_copy_plane(to, out->linesize[plane], fitter->scaled->data[plane], fitter->scaled->linesize[plane], placement->scaled.width >> shift,
                            placement->scaled.height >> shift);
    }
    return 0;
}

mr_status mr_fitter_run(mr_fitter *fitter, const AVFrame *picture, AVFrame *out)
{
    const mr_placement *placement = &fitter->placement;
    av_frame_unref(fitter->scaled);
    mr_status status = mr_scaler_run(fitter->scaler, picture, NULL, &fitter->scaled);
    if (status != MR_OK)
        return status;
    av_frame_unref(out);
    bool cuts = placement->scaled.width > placement->out.width || placement->scaled.height > placement->out.height;
    bool pads = placement->scaled.width < placement->out.width || placement->scaled.height < placement->out.height;
    int error = pads ? surround(fitter, out) : cuts ? cut(fitter, out) : av_frame_ref(out, fitter->scaled);
    return error < 0 ? mr_media_error(fitter->host, fitter->task, error, "fitting a picture") : MR_OK;
}
