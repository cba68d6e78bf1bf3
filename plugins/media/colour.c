/* SPDX-License-Identifier: MIT */
/*
 * See colour.h. Matrices and ranges of SDR are converted by libavfilter's 'colorspace', in integers; HDR by zimg and 'tonemap', in floating point.
 * Tone mapping takes 1000 cd/m² as the brightest of any source: what its metadata says may differ from chunk to chunk.
 */
#include "media/colour.h"

#include <libavutil/pixdesc.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { SD_WIDTH_MAX = 1024, SD_HEIGHT_MAX = 576 };

#define SUPPORTED_FORMATS "yuv420p|yuv422p|yuv444p|yuv420p10|yuv422p10|yuv444p10|yuv420p12|yuv422p12|yuv444p12"

static enum AVPixelFormat plain_format(enum AVPixelFormat format)
{
    switch (format) {
    case AV_PIX_FMT_YUVJ420P: return AV_PIX_FMT_YUV420P;
    case AV_PIX_FMT_YUVJ422P: return AV_PIX_FMT_YUV422P;
    case AV_PIX_FMT_YUVJ444P: return AV_PIX_FMT_YUV444P;
    case AV_PIX_FMT_YUVJ440P: return AV_PIX_FMT_YUV440P;
    case AV_PIX_FMT_YUVJ411P: return AV_PIX_FMT_YUV411P;
    default: return format;
    }
}

static bool is_rgb_or_gray(enum AVPixelFormat format)
{
    const AVPixFmtDescriptor *desc = av_pix_fmt_desc_get(format);
    return !desc || desc->nb_components < 3 || (desc->flags & (AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL));
}

void mr_colour_complete(AVFrame *frame, const mr_picture_info *info)
{
    enum AVPixelFormat plain = plain_format(frame->format);
    bool sd = frame->width <= SD_WIDTH_MAX && frame->height <= SD_HEIGHT_MAX;
    if (frame->color_range == AVCOL_RANGE_UNSPECIFIED)
        frame->color_range = plain != (enum AVPixelFormat)frame->format ? AVCOL_RANGE_JPEG : info->range;
    if (frame->color_range == AVCOL_RANGE_UNSPECIFIED)
        frame->color_range = AVCOL_RANGE_MPEG;
    frame->format = plain;
    if (is_rgb_or_gray(plain)) {
        frame->colorspace = AVCOL_SPC_UNSPECIFIED;
        return;
    }
    if (frame->colorspace == AVCOL_SPC_UNSPECIFIED || frame->colorspace == AVCOL_SPC_RGB)
        frame->colorspace = info->matrix;
    if (frame->colorspace == AVCOL_SPC_UNSPECIFIED || frame->colorspace == AVCOL_SPC_RGB)
        frame->colorspace = info->hdr != MR_HDR_NONE ? AVCOL_SPC_BT2020_NCL : sd ? AVCOL_SPC_SMPTE170M : AVCOL_SPC_BT709;
    if (frame->color_primaries == AVCOL_PRI_UNSPECIFIED)
        frame->color_primaries = info->primaries;
    if (frame->color_trc == AVCOL_TRC_UNSPECIFIED)
        frame->color_trc = info->transfer;
    if (info->hdr != MR_HDR_NONE) { /* zimg takes what a frame is from the frame */
        if (frame->color_primaries == AVCOL_PRI_UNSPECIFIED)
            frame->color_primaries = AVCOL_PRI_BT2020;
        frame->color_trc = info->hdr == MR_HDR_HLG ? AVCOL_TRC_ARIB_STD_B67 : AVCOL_TRC_SMPTE2084;
    }
}

/* The names that 'colorspace' knows; what it doesn't is taken for the nearest that it does. */
static const char *matrix_name(enum AVColorSpace matrix)
{
    switch (matrix) {
    case AVCOL_SPC_FCC: return "fcc";
    case AVCOL_SPC_BT470BG: return "bt470bg";
    case AVCOL_SPC_SMPTE170M: return "smpte170m";
    case AVCOL_SPC_SMPTE240M: return "smpte240m";
    case AVCOL_SPC_YCGCO: return "ycgco";
    case AVCOL_SPC_BT2020_NCL:
    case AVCOL_SPC_BT2020_CL: return "bt2020nc";
    default: return "bt709";
    }
}

static void add(char *buf, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void add(char *buf, size_t size, const char *format, ...)
{
    size_t len = strlen(buf);
    va_list args;
    va_start(args, format);
    vsnprintf(buf + len, size - len, format, args);
    va_end(args);
}

static void tone_map(const AVFrame *frame, mr_hdr hdr, char *buf, size_t size)
{
    add(buf, size, "zscale=tin=%s:min=%s:pin=2020:rin=%s:t=linear:npl=100,format=gbrpf32le,", hdr == MR_HDR_HLG ? "arib-std-b67" : "smpte2084",
        frame->colorspace == AVCOL_SPC_BT2020_CL ? "2020_cl" : "2020_ncl", frame->color_range == AVCOL_RANGE_JPEG ? "pc" : "tv");
    add(buf, size, "zscale=pin=2020:tin=linear:p=709,tonemap=tonemap=hable:desat=0:peak=10,zscale=tin=linear:pin=709:t=709:m=709:p=709:r=tv:d=none");
}

static void to_bt709(const AVFrame *frame, char *buf, size_t size)
{
    /* Wide-gamut primaries move colours visibly and are converted in linear light; those of SD differ too little to be worth it. */
    bool wide = frame->color_primaries == AVCOL_PRI_BT2020;
    add(buf, size, "format=" SUPPORTED_FORMATS ",colorspace=");
    add(buf, size, "ispace=%s:irange=%s:iprimaries=%s:itrc=%s:space=bt709:range=tv:primaries=bt709:trc=bt709:fast=%d", matrix_name(frame->colorspace),
        frame->color_range == AVCOL_RANGE_JPEG ? "pc" : "tv", wide ? "bt2020" : "bt709", wide ? "bt2020-10" : "bt709", !wide);
}

void mr_colour_chain(const AVFrame *frame, const mr_picture_info *info, bool keep_hdr, char *buf, size_t size)
{
    mr_hdr hdr = info->hdr;
    buf[0] = '\0';
    if (is_rgb_or_gray(frame->format)) {
        add(buf, size, "scale=out_color_matrix=bt709:out_range=tv:flags=bicubic+accurate_rnd+bitexact+full_chroma_int");
    } else if (hdr != MR_HDR_NONE) {
        if (!keep_hdr)
            tone_map(frame, hdr, buf, size);
        else if (frame->color_range == AVCOL_RANGE_JPEG)
            add(buf, size, "zscale=rin=pc:r=tv");
    } else if (frame->colorspace != AVCOL_SPC_BT709 || frame->color_range == AVCOL_RANGE_JPEG || frame->color_primaries == AVCOL_PRI_BT2020) {
        to_bt709(frame, buf, size);
    }
    add(buf, size, "%sformat=%s", buf[0] ? "," : "", hdr != MR_HDR_NONE && keep_hdr ? "yuv420p10" : "yuv420p");
}
