/* SPDX-License-Identifier: MIT */
/* Numbers that manifests state, computed from the segments that were made. Integers only: the same on every machine. */
#include "model.h"

typedef unsigned __int128 wide;

enum { WINDOW_MAX = 256 }; /* segments that are measured together; more within one target duration are nothing that is played */

int64_t ticks_to_us(int64_t ticks, int64_t timescale)
{
    wide us = ((wide)ticks * 1000000 + (wide)timescale / 2) / (wide)timescale;
    return us > TIME_MAX_US ? TIME_MAX_US : (int64_t)us;
}

/* Media time less priming: what lies before presentation time 0 is not shown, so the first segment is shorter than its media. */
static int64_t presented(const mr_rendition *rendition, int64_t ticks)
{
    return ticks > rendition->priming ? ticks_to_us(ticks - rendition->priming, rendition->timescale) : 0;
}

int64_t piece_start_us(const mr_rendition *rendition, size_t i)
{
    return presented(rendition, rendition->pieces[i].start);
}

int64_t piece_end_us(const mr_rendition *rendition, size_t i)
{
    return presented(rendition, rendition->pieces[i].start + rendition->pieces[i].duration);
}

int64_t piece_media_us(const mr_rendition *rendition, size_t i)
{
    const mr_piece *piece = &rendition->pieces[i];
    return ticks_to_us(piece->start + piece->duration, rendition->timescale) - ticks_to_us(piece->start, rendition->timescale);
}

int64_t target_seconds(const mr_model *model, const mr_rendition *rendition, size_t n)
{
    int64_t longest = model->plan.longest_us[rendition->kind];
    for (size_t i = 0; i < n; i++) {
        int64_t length = piece_media_us(rendition, i);
        longest = length > longest ? length : longest;
    }
    int64_t seconds = (longest + 500000) / 1000000;
    return seconds > 0 ? seconds : 1;
}

static uint64_t piece_bytes(const mr_rendition *rendition, size_t i, bool iframes)
{
    return iframes ? rendition->pieces[i].iframe_bytes : rendition->pieces[i].size;
}

static int64_t bits_per_second(uint64_t bytes, int64_t us)
{
    wide rate = us > 0 ? ((wide)bytes * 8000000 + (wide)us - 1) / (wide)us : 0;
    return rate > INT64_MAX ? INT64_MAX : (int64_t)rate;
}

mr_bitrate rendition_bitrate(const mr_rendition *rendition, size_t n, int64_t target, bool iframes)
{
    mr_bitrate result = {0};
    uint64_t all = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t bytes = 0;
        int64_t start = piece_start_us(rendition, i);
        all += piece_bytes(rendition, i, iframes);
        for (size_t k = i; k < n && k - i < WINDOW_MAX; k++) {
            int64_t length = piece_end_us(rendition, k) - start;
            bytes += piece_bytes(rendition, k, iframes);
            if (k > i && length * 2 > target * 3000000)
                break;
            int64_t rate = length * 2 >= target * 1000000 ? bits_per_second(bytes, length) : 0;
            result.peak = rate > result.peak ? rate : result.peak;
        }
    }
    if (n > 0)
        result.average = bits_per_second(all, piece_end_us(rendition, n - 1) - piece_start_us(rendition, 0));
    result.average = result.average > 0 ? result.average : 1;
    result.peak = result.peak > result.average ? result.peak : result.average; /* shorter than half a target altogether */
    return result;
}

int64_t rendition_ceiling(const mr_rendition *rendition)
{
    if (rendition->max_bitrate > 0)
        return rendition->max_bitrate + rendition->max_bitrate / 10;
    return rendition->width > 0 ? rendition->width * rendition->height * 2 : 160000;
}

bool has_iframes(const mr_rendition *rendition)
{
    for (size_t i = 0; i < rendition->count; i++) {
        if (rendition->pieces[i].iframe_bytes == 0)
            return false;
    }
    return rendition->kind == KIND_VIDEO && rendition->count > 0;
}

/* As planned: the last sound frame may reach a little further. */
int64_t presentation_us(const mr_model *model)
{
    int64_t longest = 0;
    if (model->plan.duration_us > 0)
        return model->plan.duration_us;
    for (size_t i = 0; i < model->count; i++) {
        const mr_rendition *rendition = model->renditions[i];
        int64_t end = rendition->count && rendition->kind != KIND_TEXT ? piece_end_us(rendition, rendition->count - 1) : 0;
        longest = end > longest ? end : longest;
    }
    return longest;
}
