/* SPDX-License-Identifier: MIT */
/*
 * See cuts.h. A cut is possible at a keyframe that nothing after it looks behind: one with leading pictures (an open group) would make the segment
 * depend on the one before. Of the possible ones the last within the wanted length is taken, or the next one.
 */
#include "cuts.h"

#include <libavcodec/avcodec.h>
#include <libavutil/pixdesc.h>
#include <stdio.h>
#include <string.h>

#define MAX_SEGMENTS 250000
#define HINT         "use a pipeline that encodes, as vod.yaml does (transcode.video, transcode.audio)"

mr_status cuts_unfit(const mr_host *host, mr_task *task, const char *what)
{
    host->report(task, MR_SEVERITY_ERROR, NULL, HINT, "the source can't be streamed as it is: %s", what);
    return MR_ERR_INPUT;
}

mr_status cuts_check_picture(const mr_host *host, mr_task *task, const AVStream *stream, const json_t *picture)
{
    const char *interlaced = json_string_value(json_object_get(picture, "interlaced"));
    const char *format = json_string_value(json_object_get(picture, "pixel_format"));
    char what[160];
    switch (stream->codecpar->codec_id) {
    case AV_CODEC_ID_H264:
    case AV_CODEC_ID_HEVC:
    case AV_CODEC_ID_AV1:
    case AV_CODEC_ID_VP9: break;
    default:
        snprintf(what, sizeof(what), "its picture is in %s, where players take H.264, HEVC, AV1 and VP9",
                 avcodec_get_name(stream->codecpar->codec_id));
        return cuts_unfit(host, task, what);
    }
    if (interlaced && strcmp(interlaced, "no") != 0)
        return cuts_unfit(host, task, "its picture is interlaced");
    if (json_integer_value(json_object_get(picture, "rotation")) != 0 || json_is_true(json_object_get(picture, "mirror")))
        return cuts_unfit(host, task, "its picture is stored turned or mirrored");
    bool ten = format && strcmp(format, "yuv420p10le") == 0 && stream->codecpar->codec_id != AV_CODEC_ID_H264;
    if (!format || (!ten && strcmp(format, "yuv420p") != 0 && strcmp(format, "yuvj420p") != 0)) {
        snprintf(what, sizeof(what), "its pixels are %s, where players take 4:2:0", format ? format : "of an unknown kind");
        return cuts_unfit(host, task, what);
    }
    return MR_OK;
}

mr_status cuts_check_sound(const mr_host *host, mr_task *task, const AVStream *stream)
{
    char what[160];
    switch (stream->codecpar->codec_id) {
    case AV_CODEC_ID_AAC:
    case AV_CODEC_ID_OPUS:
    case AV_CODEC_ID_MP3:
    case AV_CODEC_ID_FLAC: return MR_OK;
    default:
        snprintf(what, sizeof(what), "sound track %d is in %s, where players take AAC, Opus, MP3 and FLAC", stream->index,
                 avcodec_get_name(stream->codecpar->codec_id));
        return cuts_unfit(host, task, what);
    }
}

void cuts_free(cut_list *cuts)
{
    if (!cuts)
        return;
    av_freep(&cuts->start_us);
    av_freep(&cuts->packet);
}

/* Frames that are decoded but not shown, in the middle: an edit list cuts inside a group of pictures. Trailing ones are simply left out. */
static mr_status find_packets(const mr_host *host, mr_task *task, const frame_grid *grid, const mr_scan *scan, size_t *ret_first, size_t *ret_end)
{
    size_t first = scan->frame_count;
    size_t end = 0;
    for (size_t i = 0; i < grid->shown_count; i++) {
        first = grid->shown[i].packet < first ? grid->shown[i].packet : first;
        end = grid->shown[i].packet + 1 > end ? grid->shown[i].packet + 1 : end;
    }
    for (size_t i = first; i < end; i++) {
        if (scan->frames[i].flags & MR_FRAME_HIDDEN)
            return cuts_unfit(host, task, "it has pictures that are decoded but not shown");
        if (scan->frames[i].flags & MR_FRAME_GUESSED)
            return cuts_unfit(host, task, "its pictures have no presentation times");
    }
    if (first == end || !(scan->frames[first].flags & MR_FRAME_KEY))
        return cuts_unfit(host, task, "it begins between two keyframes");
    *ret_first = first;
    *ret_end = end;
    return MR_OK;
}

/* Can a segment begin with this packet? */
static bool is_clean(const mr_scan *scan, size_t key, size_t end)
{
    const mr_scan_frame *frames = scan->frames;
    if (!(frames[key].flags & MR_FRAME_KEY) || (frames[key].flags & MR_FRAME_GRADUAL))
        return false;
    for (size_t i = key + 1; i < end && !(frames[i].flags & MR_FRAME_KEY); i++) {
        if (frames[i].pts < frames[key].pts)
            return false;
    }
    return true;
}

static mr_status add(const mr_host *host, mr_task *task, cut_list *cuts, int64_t start_us, size_t packet)
{
    if (cuts->count >= MAX_SEGMENTS) {
        host->report(task, MR_SEVERITY_ERROR, "segment_duration", NULL, "the source has more than %d segments", MAX_SEGMENTS);
        return MR_ERR_LIMIT;
    }
    if ((cuts->count & (cuts->count + 1)) == 0) { /* grow at powers of two */
        size_t room = 2 * cuts->count + 4;
        int64_t *starts = av_realloc_array(cuts->start_us, room, sizeof(*starts));
        if (starts)
            cuts->start_us = starts;
        size_t *packets = av_realloc_array(cuts->packet, room, sizeof(*packets));
        if (packets)
            cuts->packet = packets;
        if (!starts || !packets)
            return mr_media_error(host, task, AVERROR(ENOMEM), "the list of segments");
    }
    cuts->start_us[cuts->count] = start_us;
    cuts->packet[cuts->count] = packet;
    cuts->count++;
    return MR_OK;
}

static mr_status close_list(const mr_host *host, mr_task *task, cut_list *cuts, int64_t end_us, size_t packet)
{
    mr_status status = add(host, task, cuts, end_us, packet);
    if (status == MR_OK)
        cuts->count--;
    return status;
}

static void measure_peak(const mr_scan *scan, cut_list *cuts)
{
    for (size_t i = 0; i < cuts->count; i++) {
        int64_t bytes = 0;
        int64_t length = cuts->start_us[i + 1] - cuts->start_us[i];
        for (size_t k = cuts->packet[i]; k < cuts->packet[i + 1]; k++)
            bytes += scan->frames[k].size;
        int64_t bits = length > 0 ? av_rescale(bytes * 8, 1000000, length) : 0;
        cuts->peak_bits = bits > cuts->peak_bits ? bits : cuts->peak_bits;
    }
}

static mr_status check_lengths(const mr_host *host, mr_task *task, const cut_list *cuts, const cuts_options *options)
{
    char what[160];
    for (size_t i = 0; i < cuts->count; i++) {
        int64_t length = cuts->start_us[i + 1] - cuts->start_us[i];
        if (length > options->most_us) {
            snprintf(what, sizeof(what), "from %.3f s on it has no keyframe to cut at for %.3f s", (double)cuts->start_us[i] / 1e6,
                     (double)length / 1e6);
            return cuts_unfit(host, task, what);
        }
    }
    return MR_OK;
}

mr_status cuts_find(const mr_host *host, mr_task *task, const frame_grid *grid, const mr_scan *scan, AVRational time_base,
                    const cuts_options *options, cut_list *ret_cuts)
{
    size_t first = 0;
    size_t end = 0;
    int64_t fitting_us = 0; /* the last possible cut that still lies within the wanted length */
    size_t fitting = 0;
    int64_t slack_us = options->target_us / 20;
    *ret_cuts = (cut_list){.origin_us = grid->origin_us};
    mr_status status = find_packets(host, task, grid, scan, &first, &end);
    if (status == MR_OK)
        status = add(host, task, ret_cuts, 0, first);
    for (size_t i = first + 1; status == MR_OK && i < end; i++) {
        if (!is_clean(scan, i, end))
            continue;
        int64_t at = av_rescale_q(scan->frames[i].pts, time_base, AV_TIME_BASE_Q) - grid->origin_us;
        int64_t begun = ret_cuts->start_us[ret_cuts->count - 1];
        if (at <= begun + options->target_us + slack_us) {
            fitting = i;
            fitting_us = at;
            continue;
        }
        if (fitting) {
            status = add(host, task, ret_cuts, fitting_us, fitting);
            begun = fitting_us;
            fitting = 0;
        }
        if (status == MR_OK && at <= begun + options->target_us + slack_us) {
            fitting = i;
            fitting_us = at;
        } else if (status == MR_OK) {
            status = add(host, task, ret_cuts, at, i);
        }
    }
    int64_t length = grid->end_us - grid->origin_us;
    if (status == MR_OK && fitting && length > ret_cuts->start_us[ret_cuts->count - 1] + options->target_us + slack_us)
        status = add(host, task, ret_cuts, fitting_us, fitting);
    if (status == MR_OK)
        status = close_list(host, task, ret_cuts, length, end);
    if (status == MR_OK)
        status = check_lengths(host, task, ret_cuts, options);
    if (status == MR_OK)
        measure_peak(scan, ret_cuts);
    return status;
}

mr_status cuts_even(const mr_host *host, mr_task *task, int64_t origin_us, int64_t end_us, const cuts_options *options, cut_list *ret_cuts)
{
    mr_status status = MR_OK;
    *ret_cuts = (cut_list){.origin_us = origin_us};
    for (int64_t at = 0; status == MR_OK && at < end_us - origin_us; at += options->target_us)
        status = add(host, task, ret_cuts, at, 0);
    return status == MR_OK ? close_list(host, task, ret_cuts, end_us - origin_us, 0) : status;
}
