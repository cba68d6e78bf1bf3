/* SPDX-License-Identifier: MIT */
/*
 * From a decoded picture to one of the wanted size: scaled first (everything after costs by the pixel), then turned upright, then brought to SDR, and
 * last to the colours that image formats mean: BT.601, in full range for JPEG (JFIF) and limited range for WebP.
 */
#include "media/filter.h"
#include "thumbnail.h"

#include <stdio.h>
#include <stdlib.h>

struct thumb_shape {
    const thumb_source *source;
    int width;
    int height;
    thumb_range range;
    bool fine;
    mr_filter *filter;
};

mr_status thumb_shape_new(const thumb_source *source, int width, int height, thumb_range range, bool fine, thumb_shape **ret_shape)
{
    *ret_shape = calloc(1, sizeof(**ret_shape));
    if (!*ret_shape)
        return mr_media_error(source->host, source->task, AVERROR(ENOMEM), "pictures");
    **ret_shape = (thumb_shape){.source = source, .width = width, .height = height, .range = range, .fine = fine};
    return MR_OK;
}

void thumb_shape_free(thumb_shape *shape)
{
    if (!shape)
        return;
    mr_filter_free(shape->filter);
    free(shape);
}

static bool deinterlaces(const thumb_shape *shape)
{
    return shape->fine && shape->source->picture.interlacing != MR_PROGRESSIVE;
}

static mr_status start(thumb_shape *shape, const AVFrame *like)
{
    static const char *const turns[] = {"", "transpose=clock,", "hflip,vflip,", "transpose=cclock,"};
    char colours[1024];
    char chain[2048];
    const mr_picture_info *info = &shape->source->picture;
    bool sideways = info->rotation % 180 != 0;
    AVFrame scaled = *like; /* only looked at: what comes out of the scaler */
    scaled.width = sideways ? shape->height : shape->width;
    scaled.height = sideways ? shape->width : shape->height;
    mr_colour_chain(&scaled, info, false, colours, sizeof(colours));
    snprintf(chain, sizeof(chain),
             "%sscale=w=%d:h=%d:flags=%s+accurate_rnd+bitexact,setsar=1,%s%s%s,"
             "colorspace=ispace=bt709:irange=tv:iprimaries=bt709:itrc=bt709:space=smpte170m:range=%s:primaries=bt709:trc=bt709:fast=1,format=yuv420p",
             deinterlaces(shape)
                 ? (info->interlacing == MR_TOP_FIRST ? "bwdif=mode=send_frame:parity=tff:deint=all," : "bwdif=mode=send_frame:parity=bff:deint=all,")
                 : "",
             scaled.width, scaled.height, shape->fine ? "lanczos" : "bicubic", info->mirror ? "hflip," : "", turns[info->rotation / 90], colours,
             shape->range == THUMB_FULL ? "pc" : "tv");
    return mr_filter_new(shape->source->host, shape->source->task, like, AV_TIME_BASE_Q, chain, NULL, &shape->filter);
}

mr_status thumb_shape_run(thumb_shape *shape, AVFrame *frame, AVFrame *out)
{
    if (shape->filter && !mr_filter_fits(shape->filter, frame)) {
        mr_filter_free(shape->filter);
        shape->filter = NULL;
    }
    mr_status status = shape->filter ? MR_OK : start(shape, frame);
    frame->pts = 0;
    frame->pict_type = AV_PICTURE_TYPE_NONE;
    av_frame_unref(out);
    if (status == MR_OK)
        status = mr_filter_send(shape->filter, frame);
    /* De-interlacing waits for the next picture: there is none. */
    if (status == MR_OK && deinterlaces(shape))
        status = mr_filter_send(shape->filter, NULL);
    if (status == MR_OK)
        status = mr_filter_receive(shape->filter, out);
    if (deinterlaces(shape)) {
        mr_filter_free(shape->filter);
        shape->filter = NULL;
    }
    if (status == MR_NOT_YET || status == MR_END)
        return mr_media_error(shape->source->host, shape->source->task, AVERROR_BUG, "the filters gave no picture for one");
    return status;
}
