/* SPDX-License-Identifier: MIT */
/*
 * See grid.h.
 * Time 0 is the earliest start of any track, or up to a frame before it: so that the picture's first frame lies on the grid and not between two of
 * its places, where the rounding of timestamps would push frames to either side by chance.
 */
#include "grid.h"

#include <libavcodec/avcodec.h>
#include <stdio.h>
#include <stdlib.h>
#include "media/rate.h"

#define MIN_TIMESCALE 10000
#define MAX_CUT_US    15000 /* sound before time 0 that is given up rather than repeat the first picture */

static int64_t to_us(int64_t ticks, AVRational time_base)
{
    return av_rescale_q(ticks, time_base, AV_TIME_BASE_Q);
}

mr_status grid_check_clock(const AVFormatContext *format, const mr_scan *scan)
{
    char what[96];
    if (!scan->restarts)
        return MR_OK;
    snprintf(what, sizeof(what), "is several recordings in one file: its clock starts anew after %.3f s", (double)scan->restart_us / 1e6);
    return mr_media_refuse(format, "publish the recordings one by one, or join them so that their times run on", what);
}

static int by_time(const void *a, const void *b)
{
    const grid_frame *left = a;
    const grid_frame *right = b;
    if (left->us != right->us)
        return left->us < right->us ? -1 : 1;
    return (left->packet > right->packet) - (left->packet < right->packet);
}

static size_t first_key(const mr_scan *scan)
{
    for (size_t i = 0; i < scan->frame_count; i++) {
        if (scan->frames[i].flags & MR_FRAME_KEY)
            return i;
    }
    return 0; /* a stream that marks none is decoded from its beginning */
}

bool grid_list(const mr_scan *scan, AVRational time_base, frame_grid *grid)
{
    grid->shown = av_malloc_array(scan->frame_count + 1, sizeof(*grid->shown));
    if (!grid->shown)
        return false;
    for (size_t i = first_key(scan); i < scan->frame_count; i++) {
        if (!(scan->frames[i].flags & MR_FRAME_HIDDEN))
            grid->shown[grid->shown_count++] = (grid_frame){.us = to_us(scan->frames[i].pts, time_base), .packet = i};
    }
    qsort(grid->shown, grid->shown_count, sizeof(*grid->shown), by_time);
    return true;
}

void grid_free(frame_grid *grid)
{
    if (!grid)
        return;
    av_freep(&grid->shown);
    grid->shown_count = 0;
}

bool grid_has_doubtful_head(const mr_scan *scan, AVRational time_base, int64_t *ret_until_us)
{
    size_t key = first_key(scan);
    size_t end = key + 1;
    bool doubtful = false;
    while (end < scan->frame_count && !(scan->frames[end].flags & MR_FRAME_KEY))
        end++;
    *ret_until_us = INT64_MIN;
    for (size_t i = key; i < end && i < scan->frame_count; i++) {
        bool hidden = scan->frames[i].flags & MR_FRAME_HIDDEN;
        if (i > key && !hidden && scan->frames[i].pts < scan->frames[key].pts)
            doubtful = true;
        if (!hidden && to_us(scan->frames[i].pts, time_base) > *ret_until_us)
            *ret_until_us = to_us(scan->frames[i].pts, time_base);
    }
    return doubtful || (key > 0 && scan->frame_count > 0);
}

void grid_keep_decoded(frame_grid *grid, int64_t until_us, const int64_t *decoded_us, size_t count)
{
    size_t kept = 0;
    size_t at = 0;
    for (size_t i = 0; i < grid->shown_count; i++) {
        int64_t us = grid->shown[i].us;
        while (at < count && decoded_us[at] < us)
            at++;
        if (us >= until_us || (at < count && decoded_us[at] == us))
            grid->shown[kept++] = grid->shown[i];
    }
    grid->shown_count = kept;
}

static int64_t place_of(const frame_grid *grid, int64_t us)
{
    return av_rescale_q_rnd(us - grid->origin_us, AV_TIME_BASE_Q, av_inv_q(grid->fps), AV_ROUND_NEAR_INF);
}

/* A timescale in which a frame is a whole number of ticks, as MP4 muxers choose it. */
static void set_timescale(frame_grid *grid)
{
    uint32_t factor = 1;
    while ((int64_t)grid->fps.num * factor < MIN_TIMESCALE)
        factor *= 2;
    grid->timescale = (uint32_t)grid->fps.num * factor;
    grid->frame_ticks = (uint32_t)grid->fps.den * factor;
}

static void set_rate(frame_grid *grid, const mr_scan *scan, const AVStream *stream, AVRational fps, AVRational max_fps)
{
    const AVRational hints[] = {stream->avg_frame_rate, stream->r_frame_rate};
    int64_t *times = NULL;
    size_t count = 0;
    grid->fps = (AVRational){25, 1};
    grid->end_us = grid->shown[grid->shown_count - 1].us;
    if (mr_scan_times(scan, &times, &count) == MR_OK && count > 0) {
        mr_rate found = mr_rate_find(times, count, stream->time_base, hints, 2);
        int64_t last = times[count - 1];
        grid->fps = found.fps;
        grid->variable = found.variable;
        grid->end_us += to_us(mr_scan_end(scan, times, count, stream->time_base, found.fps) - last, stream->time_base);
    }
    av_free(times);
    AVRational own = grid->fps;
    grid->fps = fps.num > 0 && fps.den > 0 ? fps : mr_rate_cap(own, max_fps);
    grid->thinned = av_cmp_q(grid->fps, own) < 0;
}

void grid_lay_out(frame_grid *grid, const mr_scan *scan, const AVStream *stream, AVRational fps, AVRational max_fps, int64_t earliest_us)
{
    set_rate(grid, scan, stream, fps, max_fps);
    grid->start_us = grid->shown[0].us;
    grid->origin_us = grid->start_us;
    if (earliest_us < grid->start_us - MAX_CUT_US) {
        int64_t places = av_rescale_q_rnd(grid->start_us - earliest_us - MAX_CUT_US, AV_TIME_BASE_Q, av_inv_q(grid->fps), AV_ROUND_UP);
        grid->origin_us = grid->start_us - av_rescale_q(places, av_inv_q(grid->fps), AV_TIME_BASE_Q);
    }
    int64_t last = place_of(grid, grid->shown[grid->shown_count - 1].us);
    int64_t end = place_of(grid, grid->end_us - 1); /* half a frame more is none: edit lists stretch the last one a little */
    grid->frames =
        end > last || (grid->thinned && end > 0) ? end : last + 1; /* thinned: the last frame may lie past the end of what it should fill */
    set_timescale(grid);
}

/* The source frame that grid frame n shows: an index in shown. */
static size_t source_of(const frame_grid *grid, int64_t n)
{
    size_t low = 0;
    size_t high = grid->shown_count;
    while (low < high) { /* the first frame that belongs after n */
        size_t middle = low + (high - low) / 2;
        if (place_of(grid, grid->shown[middle].us) > n)
            high = middle;
        else
            low = middle + 1;
    }
    return low > 0 ? low - 1 : 0;
}

/* An H.264 keyframe that pictures are shown before but come after (an open group): when decoding starts there, libavcodec also holds back pictures
 * behind it for a while. */
static bool is_open_h264(const mr_scan *scan, const AVStream *stream, size_t key)
{
    if (stream->codecpar->codec_id != AV_CODEC_ID_H264)
        return false;
    for (size_t i = key + 1; i < scan->frame_count && !(scan->frames[i].flags & MR_FRAME_KEY); i++) {
        if (scan->frames[i].pts < scan->frames[key].pts)
            return true;
    }
    return false;
}

int64_t grid_decode_from(const frame_grid *grid, const mr_scan *scan, const AVStream *stream, int64_t n, bool context)
{
    size_t shown = source_of(grid, n);
    if (context && shown > 0)
        shown--;
    size_t packet = grid->shown[shown].packet;
    int64_t pts = scan->frames[packet].pts;
    bool guessed = (scan->frames[packet].flags & MR_FRAME_GUESSED) && stream->codecpar->video_delay > 0;
    int spare = guessed ? 1 : -1; /* keyframes to go back further; -1: not known yet. Without presentation times the order is not known: one */
    int marks = 0;
    for (size_t i = packet + 1; i-- > 0;) {
        const mr_scan_frame *frame = &scan->frames[i];
        if (!(frame->flags & MR_FRAME_KEY))
            continue;
        if (frame->flags & MR_FRAME_GRADUAL) {
            if (++marks == 2) /* refreshed piece by piece between two marks, whole from the second on */
                return to_us(frame->pts, stream->time_base);
        } else if (pts >= frame->pts) { /* what is shown before a keyframe may refer to what lies before it */
            if (spare < 0)
                spare = is_open_h264(scan, stream, i) ? 1 : 0;
            if (spare-- == 0)
                return to_us(frame->pts, stream->time_base);
        }
    }
    int64_t first_us = to_us(scan->frames[first_key(scan)].pts, stream->time_base);
    return first_us < grid->shown[0].us ? first_us : grid->shown[0].us;
}
