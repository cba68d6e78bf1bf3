/* SPDX-License-Identifier: MIT */
/*
 * See picture.h. Frames go: decoder -> de-interlacing (with the frames around it) -> the grid -> everything else. The last step runs once for each
 * picture that is shown, so those that the grid drops cost nothing.
 * Invariant: 'shown' is the picture of the grid frame before 'next'; 'ahead' is the first one that comes after it.
 */
#include "media/picture.h"
#include "media/colour.h"
#include "media/decoder.h"
#include "media/filter.h"
#include "media/filter_line.h"

#include <libavutil/pixdesc.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

enum { SEEK_BACK_TRIES = 3, LEAD_MAX = 6144, CHAIN_MAX = 8192, CONTEXT_FRAMES = 3 };

struct mr_pictures {
    const mr_host *host;
    mr_task *task;
    const mr_chunk *chunk;
    mr_picture_options options;
    AVFormatContext *format;
    mr_decoder *decoder;
    mr_filter *deinterlace;
    mr_filter *finish;
    char lead[LEAD_MAX];  /* the user's chains before the first filter of a plugin: they are part of 'finish' */
    mr_filter_line *line; /* the user's filters from there on; NULL: there is none */
    mr_picture_kind kind; /* that the line gets */
    AVFrame *decoded;
    AVFrame *spare; /* a frame of another shape that waits for the de-interlacer before it to run dry */
    AVFrame *ahead;
    AVFrame *held;       /* source picture of the frames from here on, until 'ahead' is due */
    AVFrame *shown;      /* what was made of 'held'; empty: nothing yet */
    int64_t ahead_frame; /* grid frame of 'ahead' */
    int64_t spare_us;
    int64_t from; /* grid frame with which it begins: filters may look back */
    int64_t next; /* grid frame that is due */
    int64_t due;  /* the same behind the filters of plugins */
    int64_t padded;
    int retries; /* further back, because nothing could be decoded */
    bool ended;  /* nothing comes behind 'ahead' */
    bool decoder_ended;
    bool warned;
};

mr_picture_kind mr_pictures_kind(const mr_chunk *chunk, const mr_picture_options *options)
{
    mr_hdr hdr = chunk->picture.hdr;
    if (!options->keep_hdr || hdr == MR_HDR_NONE)
        return (mr_picture_kind){AV_PIX_FMT_YUV420P, AVCOL_PRI_BT709, AVCOL_TRC_BT709, AVCOL_SPC_BT709, "SDR"};
    return (mr_picture_kind){AV_PIX_FMT_YUV420P10, AVCOL_PRI_BT2020, hdr == MR_HDR_HLG ? AVCOL_TRC_ARIB_STD_B67 : AVCOL_TRC_SMPTE2084,
                             AVCOL_SPC_BT2020_NCL, hdr == MR_HDR_HLG ? "HLG" : "PQ"};
}

static int64_t frame_us(const mr_chunk *chunk, int64_t frame)
{
    return chunk->origin_us + av_rescale(frame, (int64_t)chunk->fps.den * 1000000, chunk->fps.num);
}

/* The grid frame nearest to a source time; halves go up. */
static int64_t frame_at(const mr_chunk *chunk, int64_t us)
{
    int64_t out;
    if (__builtin_sub_overflow(us, chunk->origin_us, &out))
        return us < 0 ? INT64_MIN : INT64_MAX;
    return av_rescale_rnd(out, chunk->fps.num, (int64_t)chunk->fps.den * 1000000, AV_ROUND_NEAR_INF);
}

static int64_t chunk_end(const mr_chunk *chunk)
{
    return chunk->first_frame + chunk->frames;
}

mr_status mr_pictures_rewind(mr_pictures *pictures)
{
    const mr_chunk *chunk = pictures->chunk;
    int64_t us = chunk->decode_from_us;
    const int context = chunk->picture.interlacing != MR_PROGRESSIVE ? CONTEXT_FRAMES : 0;
    if (context || pictures->from < chunk->first_frame) {
        int64_t context_us = frame_us(chunk, pictures->from - context);
        us = context_us < us ? context_us : us;
    }
    /* Damaged sources: ten seconds further back, a hundred, the start. */
    static const int64_t back_us[SEEK_BACK_TRIES + 1] = {0, 10000000, 100000000, INT64_MAX / 4};
    us -= back_us[pictures->retries];
    mr_filter_free(pictures->deinterlace);
    pictures->deinterlace = NULL;
    av_frame_unref(pictures->spare);
    av_frame_unref(pictures->ahead);
    av_frame_unref(pictures->held);
    av_frame_unref(pictures->shown);
    pictures->next = pictures->from;
    pictures->due = chunk->first_frame;
    if (pictures->line)
        mr_filter_line_begin(pictures->line, pictures->due);
    pictures->padded = 0;
    pictures->ended = false;
    pictures->decoder_ended = false;
    return mr_decoder_seek(pictures->decoder, us);
}

static mr_status next_plain(void *context, AVFrame *ret_frame, int64_t *ret_number, bool *ret_repeat);

static mr_status take_filters(mr_pictures *pictures)
{
    const mr_filters *filters = &pictures->options.filters;
    const mr_chunk *chunk = pictures->chunk;
    const mr_picture_kind kind = mr_pictures_kind(chunk, &pictures->options);
    mr_status status = mr_filters_check(pictures->host, pictures->task, "filters", filters);
    const size_t lead = status == MR_OK ? mr_filters_lead(filters, pictures->lead, sizeof(pictures->lead)) : 0;
    pictures->from = chunk->first_frame;
    if (lead == SIZE_MAX)
        return mr_media_error(pictures->host, pictures->task, AVERROR(ENOSPC), "the filters are too long");
    if (status != MR_OK || lead == filters->count)
        return status;
    pictures->kind = kind;
    status = mr_filter_line_new(pictures->host, pictures->task, filters, lead, chunk, &pictures->kind, next_plain, pictures, &pictures->line);
    if (status == MR_OK)
        pictures->from -= FFMIN(mr_filter_line_back(pictures->line), pictures->from);
    return status;
}

static int64_t end_us(const mr_chunk *chunk)
{
    return chunk->origin_us + av_rescale_q(chunk->first_frame + chunk->frames, av_inv_q(chunk->fps), AV_TIME_BASE_Q);
}

mr_status mr_pictures_open(const mr_host *host, mr_task *task, const mr_artifact *source, const mr_chunk *chunk, const mr_picture_options *options,
                           mr_pictures **ret_pictures)
{
    mr_pictures *pictures = calloc(1, sizeof(*pictures));
    if (!pictures)
        return mr_media_error(host, task, AVERROR(ENOMEM), "pictures");
    *pictures = (mr_pictures){.host = host, .task = task, .chunk = chunk, .options = *options};
    AVFrame **frames[] = {&pictures->decoded, &pictures->spare, &pictures->ahead, &pictures->held, &pictures->shown};
    mr_status status = MR_OK;
    for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]) && status == MR_OK; i++) {
        *frames[i] = av_frame_alloc();
        if (!*frames[i])
            status = mr_media_error(host, task, AVERROR(ENOMEM), "pictures");
    }
    mr_media_part part = {.stream = chunk->stream};
    if (status == MR_OK)
        status = take_filters(pictures);
    if (!pictures->line) /* filters look further than the chunk's bounds reach */
        part.bounds = chunk->bounds;
    if (status == MR_OK)
        status = mr_media_open_part(host, task, source, &part, &pictures->format);
    if (status == MR_OK)
        status = mr_decoder_open(host, task, pictures->format, chunk->stream, NULL, &pictures->decoder);
    if (status == MR_OK)
        status = mr_media_ask_ahead(pictures->format, chunk->stream, end_us(chunk));
    if (status == MR_OK)
        status = mr_pictures_rewind(pictures);
    if (status != MR_OK) {
        mr_pictures_close(pictures);
        return status;
    }
    *ret_pictures = pictures;
    return MR_OK;
}

void mr_pictures_close(mr_pictures *pictures)
{
    if (!pictures)
        return;
    mr_filter_free(pictures->deinterlace);
    mr_filter_free(pictures->finish);
    mr_filter_line_free(pictures->line);
    mr_decoder_close(pictures->decoder);
    mr_media_close(&pictures->format);
    av_frame_free(&pictures->decoded);
    av_frame_free(&pictures->spare);
    av_frame_free(&pictures->ahead);
    av_frame_free(&pictures->held);
    av_frame_free(&pictures->shown);
    free(pictures);
}

void mr_pictures_prepare(const mr_pictures *pictures)
{
    mr_decoder_prepare(pictures->decoder);
}

/* De-interlacing -------------------------------------------------------------------------------------------------------------- */

static mr_status start_deinterlace(mr_pictures *pictures, const AVFrame *like)
{
    char chain[96];
    snprintf(chain, sizeof(chain), "bwdif=mode=send_frame:parity=%s:deint=all", pictures->chunk->picture.interlacing == MR_TOP_FIRST ? "tff" : "bff");
    return mr_filter_new(pictures->host, pictures->task, like, AV_TIME_BASE_Q, chain, NULL, &pictures->deinterlace);
}

/* Feeds the de-interlacer one frame, or its end. A frame of another shape ends it, and waits in 'spare' for the next one. */
static mr_status feed_deinterlace(mr_pictures *pictures)
{
    int64_t us = 0;
    mr_status status;
    if (pictures->spare->buf[0]) {
        av_frame_move_ref(pictures->decoded, pictures->spare);
        us = pictures->spare_us;
        status = MR_OK;
    } else {
        status = mr_decoder_next(pictures->decoder, pictures->decoded, &us);
    }
    if (status == MR_END) {
        pictures->decoder_ended = true;
        return pictures->deinterlace ? mr_filter_send(pictures->deinterlace, NULL) : MR_OK;
    }
    if (status != MR_OK)
        return status;
    mr_colour_complete(pictures->decoded, &pictures->chunk->picture);
    pictures->decoded->pts = us;
    if (!pictures->deinterlace) {
        status = start_deinterlace(pictures, pictures->decoded);
        if (status != MR_OK)
            return status;
    } else if (!mr_filter_fits(pictures->deinterlace, pictures->decoded)) {
        av_frame_move_ref(pictures->spare, pictures->decoded);
        pictures->spare_us = us;
        return mr_filter_send(pictures->deinterlace, NULL);
    }
    return mr_filter_send(pictures->deinterlace, pictures->decoded);
}

static mr_status next_deinterlaced(mr_pictures *pictures, AVFrame *frame, int64_t *ret_us)
{
    for (;;) {
        mr_status status = pictures->deinterlace ? mr_filter_receive(pictures->deinterlace, frame) : MR_NOT_YET;
        if (status == MR_OK) {
            *ret_us = frame->pts;
            return MR_OK;
        }
        if (status == MR_END) {
            mr_filter_free(pictures->deinterlace);
            pictures->deinterlace = NULL;
            status = MR_NOT_YET;
        }
        if (status == MR_NOT_YET && pictures->decoder_ended && !pictures->deinterlace && !pictures->spare->buf[0])
            return MR_END;
        if (status == MR_NOT_YET)
            status = feed_deinterlace(pictures);
        if (status != MR_OK)
            return status;
    }
}

/* The grid -------------------------------------------------------------------------------------------------------------------- */

static mr_status read_ahead(mr_pictures *pictures)
{
    int64_t us = 0;
    mr_status status;
    if (pictures->chunk->picture.interlacing != MR_PROGRESSIVE) {
        status = next_deinterlaced(pictures, pictures->ahead, &us);
    } else {
        status = mr_decoder_next(pictures->decoder, pictures->ahead, &us);
        if (status == MR_OK)
            mr_colour_complete(pictures->ahead, &pictures->chunk->picture);
    }
    if (status == MR_OK)
        pictures->ahead_frame = frame_at(pictures->chunk, us);
    if (status == MR_END)
        pictures->ended = true;
    return status == MR_END ? MR_OK : status;
}

/* Moves 'held' on to the source picture of the frame that is due. */
static mr_status hold_due(mr_pictures *pictures, bool *ret_changed)
{
    *ret_changed = false;
    for (;;) {
        if (!pictures->ahead->buf[0] && !pictures->ended) {
            mr_status status = read_ahead(pictures);
            if (status != MR_OK)
                return status;
        }
        bool due = pictures->ahead->buf[0] && (pictures->ahead_frame <= pictures->next || !pictures->held->buf[0]);
        if (!due)
            return MR_OK;
        /* The first picture of all also stands in for the grid frames before it. */
        bool early = pictures->ahead_frame > pictures->next;
        av_frame_unref(pictures->held);
        av_frame_move_ref(pictures->held, pictures->ahead);
        *ret_changed = true;
        if (early)
            return MR_OK;
    }
}

static mr_status retry_further_back(mr_pictures *pictures)
{
    if (pictures->retries == SEEK_BACK_TRIES)
        return mr_media_refuse(pictures->format, "copy or upload it again", "is damaged: none of its pictures can be decoded");
    pictures->retries++;
    return mr_pictures_rewind(pictures);
}

static void warn_of_padding(mr_pictures *pictures)
{
    uint64_t damaged = mr_decoder_damaged(pictures->decoder);
    if (pictures->warned || pictures->padded == 0 || (pictures->chunk->picture.variable_rate && damaged == 0))
        return;
    if (pictures->padded == 1 && damaged == 0) /* rounding of the source's duration */
        return;
    pictures->warned = true;
    pictures->host->report(pictures->task, MR_SEVERITY_WARNING, NULL, NULL, "the source's pictures end %lld frames early: the last one is repeated",
                           (long long)pictures->padded);
}

/* Everything else ------------------------------------------------------------------------------------------------------------- */

static mr_status start_finish(mr_pictures *pictures, const AVFrame *like)
{
    const mr_picture_info *info = &pictures->chunk->picture;
    const char *user = pictures->lead[0] ? pictures->lead : NULL;
    /* hflip and vflip turn strides around; 'copy' turns them back, since not every encoder takes that. */
    static const char *const turns[] = {"", "transpose=clock,", "hflip,vflip,copy,", "transpose=cclock,"};
    char colours[1024];
    char chain[CHAIN_MAX];
    mr_picture_kind kind = mr_pictures_kind(pictures->chunk, &pictures->options);
    mr_colour_chain(like, info, pictures->options.keep_hdr, colours, sizeof(colours));
    /* A line that has no partner goes: what follows works on pairs, and the picture that is asked for is even. */
    bool odd = (like->width % 2 && like->width > 1) || (like->height % 2 && like->height > 1);
    int len = snprintf(chain, sizeof(chain), "%s%s%s%s", odd ? "crop=max(1\\,floor(iw/2)*2):max(1\\,floor(ih/2)*2):0:0," : "",
                       info->mirror ? "hflip,copy," : "", turns[info->rotation / 90], colours);
    if (user && len > 0 && (size_t)len < sizeof(chain))
        len += snprintf(chain + len, sizeof(chain) - (size_t)len, ",%s,format=%s,copy", user, av_get_pix_fmt_name(kind.format));
    if (len < 0 || (size_t)len >= sizeof(chain))
        return mr_media_error(pictures->host, pictures->task, AVERROR(ENOSPC), "the filters are too long");
    return mr_filter_new(pictures->host, pictures->task, like, av_inv_q(pictures->chunk->fps), chain, user ? "filters" : NULL, &pictures->finish);
}

static mr_status finish_held(mr_pictures *pictures)
{
    av_frame_unref(pictures->shown);
    if (pictures->finish && !mr_filter_fits(pictures->finish, pictures->held)) {
        mr_filter_free(pictures->finish);
        pictures->finish = NULL;
    }
    mr_status status = pictures->finish ? MR_OK : start_finish(pictures, pictures->held);
    if (status != MR_OK)
        return status;
    pictures->held->pts = pictures->next;
    pictures->held->pict_type = AV_PICTURE_TYPE_NONE;
    if (av_frame_ref(pictures->decoded, pictures->held) < 0)
        return mr_media_error(pictures->host, pictures->task, AVERROR(ENOMEM), "pictures");
    status = mr_filter_send(pictures->finish, pictures->decoded);
    if (status == MR_OK)
        status = mr_filter_receive(pictures->finish, pictures->shown);
    if (status == MR_NOT_YET || status == MR_END)
        return mr_media_error(pictures->host, pictures->task, AVERROR_BUG, "the filters gave no picture for one");
    return status;
}

/* Where filters look ahead, it goes on behind the chunk; where the source has no more, it does not. */
static bool is_behind_all(const mr_pictures *pictures)
{
    const int64_t end = chunk_end(pictures->chunk);
    if (pictures->next < end)
        return false;
    return !pictures->line || pictures->chunk->last || pictures->next >= end + mr_filter_line_ahead(pictures->line) ||
           (pictures->ended && !pictures->ahead->buf[0]);
}

static mr_status next_plain(void *context, AVFrame *ret_frame, int64_t *ret_number, bool *ret_repeat)
{
    mr_pictures *pictures = context;
    bool changed = false;
    if (is_behind_all(pictures))
        return MR_END;
    mr_status status = hold_due(pictures, &changed);
    while (status == MR_OK && !pictures->held->buf[0]) {
        status = retry_further_back(pictures);
        if (status == MR_OK)
            status = hold_due(pictures, &changed);
    }
    if (status == MR_OK && (changed || !pictures->shown->buf[0]))
        status = finish_held(pictures);
    if (status != MR_OK)
        return status;
    if (av_frame_ref(ret_frame, pictures->shown) < 0)
        return mr_media_error(pictures->host, pictures->task, AVERROR(ENOMEM), "pictures");
    mr_picture_kind kind = mr_pictures_kind(pictures->chunk, &pictures->options);
    ret_frame->color_primaries = kind.primaries;
    ret_frame->color_trc = kind.transfer;
    ret_frame->colorspace = kind.matrix;
    ret_frame->color_range = AVCOL_RANGE_MPEG;
    ret_frame->sample_aspect_ratio = (AVRational){1, 1};
    if (pictures->ended && !pictures->ahead->buf[0] && !changed && pictures->next < chunk_end(pictures->chunk))
        pictures->padded++;
    *ret_repeat = !changed && pictures->next > pictures->from;
    *ret_number = pictures->next++;
    if (pictures->next == chunk_end(pictures->chunk))
        warn_of_padding(pictures);
    return MR_OK;
}

mr_status mr_pictures_next(mr_pictures *pictures, AVFrame *ret_frame, bool *ret_repeat)
{
    int64_t number;
    av_frame_unref(ret_frame);
    if (pictures->due >= chunk_end(pictures->chunk))
        return MR_END;
    mr_status status =
        pictures->line ? mr_filter_line_next(pictures->line, ret_frame, ret_repeat) : next_plain(pictures, ret_frame, &number, ret_repeat);
    if (status != MR_OK)
        return status;
    *ret_repeat = *ret_repeat && pictures->due > pictures->chunk->first_frame;
    ret_frame->pts = pictures->due++ - pictures->chunk->first_frame;
    return MR_OK;
}
