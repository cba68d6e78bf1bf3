/* SPDX-License-Identifier: MIT */
/*
 * Constant rate: frame i lies at i/fps, all along, to within the rounding of the timestamps (a tick, or Matroska's millisecond). What containers
 * claim is tried first, then the rates that cameras and broadcasts have, then the simplest fraction that fits. Variable rate: the usual distance of
 * frames (their median) tells the nearest common rate; pauses and dropped frames do not pull it down.
 */
#include "media/rate.h"

#include <libavutil/mathematics.h>
#include <libavutil/mem.h>
#include <math.h>
#include <stdlib.h>

#define MAX_FPS      1000.0
#define MIN_VARIABLE 10.0   /* rarer frames at odd moments: a coarser grid would move them too far */
#define ROUNDING     0.0011 /* seconds: Matroska and FLV round to a millisecond */
#define MAX_JITTER   0.3    /* of a frame */
#define VISIBLE      0.02   /* seconds: further off, sound and picture part */
#define MAX_MISSING  0.05   /* of all frames, for a rate that still counts as constant */
#define MAX_TERM     1000000

static const AVRational common_rates[] = {{25, 1},  {30000, 1001},  {30, 1},       {24000, 1001}, {24, 1}, {50, 1}, {60000, 1001}, {60, 1},
                                          {15, 1},  {25, 2},        {10, 1},       {12, 1},       {20, 1}, {48, 1}, {90, 1},       {100, 1},
                                          {120, 1}, {120000, 1001}, {15000, 1001}, {240, 1},      {5, 1},  {2, 1},  {1, 1}};
#define COMMON_COUNT (sizeof(common_rates) / sizeof(common_rates[0]))

typedef struct frame_times {
    const int64_t *ticks;
    size_t count;
    double tick;  /* seconds */
    double usual; /* distance of two frames, seconds */
} frame_times;

/* How a rate has to fit. */
typedef struct strictness {
    bool jitter; /* each frame within a third of a frame of its place, where else only rounding is forgiven */
    bool gaps;   /* some places may be empty */
} strictness;

static bool usable(AVRational rate)
{
    return rate.num > 0 && rate.den > 0 && av_q2d(rate) <= MAX_FPS && av_q2d(rate) >= 0.001;
}

static bool is_common(AVRational rate)
{
    for (size_t i = 0; i < COMMON_COUNT; i++) {
        if (av_cmp_q(rate, common_rates[i]) == 0)
            return true;
    }
    return false;
}

/* Does every frame lie on a place of its own of the grid i/fps? */
static bool fits(const frame_times *times, AVRational fps, strictness strict)
{
    double length = 1.0 / av_q2d(fps);
    double most = MAX_JITTER * length;
    double tolerance = strict.jitter ? fmin(most, VISIBLE) : fmin(fmax(1.1 * times->tick, ROUNDING), most);
    double low = 0.0; /* the spread counts, not the first frame's own rounding */
    double high = 0.0;
    double slot = -1.0;
    if (fabs(times->usual / length - 1.0) > 0.3)
        return false;
    for (size_t i = 0; i < times->count; i++) {
        double at = (double)(times->ticks[i] - times->ticks[0]) * times->tick;
        double place = strict.gaps ? round(at / length) : (double)i;
        double off = at - place * length;
        low = fmin(low, off);
        high = fmax(high, off);
        if (high - low > tolerance || place <= slot)
            return false;
        slot = place;
    }
    return true;
}

typedef struct candidates {
    AVRational rates[COMMON_COUNT + 24];
    size_t count;
} candidates;

static void add_candidate(candidates *list, AVRational rate)
{
    if (usable(rate) && list->count < sizeof(list->rates) / sizeof(list->rates[0]))
        list->rates[list->count++] = rate;
}

static void add_fractions(candidates *list, double fps, const int *denominators, size_t count)
{
    for (size_t i = 0; i < count && fps <= MAX_FPS; i++) {
        AVRational rate = {(int)lround(fps * denominators[i]), denominators[i]};
        av_reduce(&rate.num, &rate.den, rate.num, rate.den, INT32_MAX);
        add_candidate(list, rate);
    }
}

/* Rates worth trying, the likely ones first: common ones that the container claims, common ones by nearness, simple fractions, other claims. */
static void list_candidates(const frame_times *times, const AVRational *hints, size_t hint_count, candidates *list)
{
    double span = (double)(times->ticks[times->count - 1] - times->ticks[0]) * times->tick;
    double average = (double)(times->count - 1) / span;
    for (size_t i = 0; i < hint_count; i++) {
        if (usable(hints[i]) && is_common(hints[i]))
            add_candidate(list, hints[i]);
    }
    double off = -1.0;
    for (size_t n = 0; n < COMMON_COUNT; n++) { /* selection by distance: the list is short */
        AVRational best = {0, 1};
        double best_off = INFINITY;
        for (size_t i = 0; i < COMMON_COUNT; i++) {
            double this_off = fabs(log(av_q2d(common_rates[i]) * times->usual));
            if (this_off < best_off && this_off > off) {
                best = common_rates[i];
                best_off = this_off;
            }
        }
        add_candidate(list, best);
        off = best_off;
    }
    static const int simple[] = {1, 2, 3, 4, 6, 12};
    static const int others[] = {100, 1001, 10000};
    add_fractions(list, average, simple, sizeof(simple) / sizeof(simple[0]));
    for (size_t i = 0; i < hint_count; i++) {
        if (hints[i].num <= MAX_TERM && hints[i].den <= MAX_TERM)
            add_candidate(list, hints[i]);
    }
    add_fractions(list, average, others, sizeof(others) / sizeof(others[0]));
}

static int by_value(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a;
    int64_t right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

/* The usual distance of two frames, seconds: the lower quartile, since pauses and dropped frames are no rate. */
static double usual_distance(const int64_t *times, size_t count, double tick)
{
    int64_t *distances = av_malloc_array(count, sizeof(*distances));
    double average = (double)(times[count - 1] - times[0]) * tick / (double)(count - 1);
    if (!distances)
        return average;
    for (size_t i = 0; i + 1 < count; i++)
        distances[i] = times[i + 1] - times[i];
    qsort(distances, count - 1, sizeof(*distances), by_value);
    int64_t usual = distances[(count - 1) / 4];
    /* The mean of what is near: rounding to milliseconds would otherwise turn 29.97 into 30.3. */
    double sum = 0.0;
    size_t near = 0;
    for (size_t i = 0; i + 1 < count; i++) {
        if (distances[i] >= usual - usual / 4 && distances[i] <= usual + usual / 4) {
            sum += (double)distances[i];
            near++;
        }
    }
    av_free(distances);
    return near ? sum / (double)near * tick : average;
}

static AVRational nearest_common(double fps, const AVRational *hints, size_t hint_count)
{
    AVRational best = common_rates[0];
    double best_off = INFINITY;
    if (fps < MIN_VARIABLE)
        fps = MIN_VARIABLE;
    for (size_t i = 0; i < COMMON_COUNT; i++) {
        double off = fabs(log(av_q2d(common_rates[i]) / fps));
        if (off < best_off - 1e-9 && av_q2d(common_rates[i]) >= MIN_VARIABLE) {
            best = common_rates[i];
            best_off = off;
        }
    }
    for (size_t i = 0; i < hint_count; i++) { /* between 29.97 and 30 a claim of the container may decide */
        if (usable(hints[i]) && is_common(hints[i]) && fabs(log(av_q2d(hints[i]) / fps)) < fmax(best_off, 0.012))
            return hints[i];
    }
    return best;
}

mr_rate mr_rate_find(const int64_t *times, size_t count, AVRational time_base, const AVRational *hints, size_t hint_count)
{
    mr_rate rate = {.fps = {25, 1}};
    if (count < 2) {
        for (size_t i = 0; i < hint_count; i++) {
            if (usable(hints[i]) && av_q2d(hints[i]) <= 120.0 && av_q2d(hints[i]) >= 1.0)
                return (mr_rate){.fps = hints[i]};
        }
        return rate;
    }
    static const strictness grades[] = {{false, false}, {false, true}, {true, false}, {true, true}};
    frame_times all = {.ticks = times, .count = count, .tick = av_q2d(time_base)};
    all.usual = usual_distance(times, count, all.tick);
    candidates list = {.count = 0};
    list_candidates(&all, hints, hint_count, &list);
    for (size_t grade = 0; grade < sizeof(grades) / sizeof(grades[0]); grade++) {
        for (size_t i = 0; i < list.count; i++) {
            if (fits(&all, list.rates[i], grades[grade])) {
                double slots = (double)(times[count - 1] - times[0]) * all.tick * av_q2d(list.rates[i]) + 1.0;
                return (mr_rate){.fps = list.rates[i], .variable = grades[grade].jitter || slots > (double)count * (1.0 + MAX_MISSING) + 1.0};
            }
        }
    }
    rate.variable = true;
    rate.fps = nearest_common(1.0 / all.usual, hints, hint_count);
    return rate;
}

AVRational mr_rate_cap(AVRational fps, AVRational max)
{
    if (max.num <= 0 || max.den <= 0 || av_cmp_q(fps, max) <= 0)
        return fps;
    double ratio = av_q2d(fps) / av_q2d(max);
    int divisor = (int)ceil(ratio - 2e-3); /* 60 under 59.94 is 60 played a thousandth slower, not 30 */
    if (divisor <= 1)
        return max;
    AVRational capped = {0, 1};
    av_reduce(&capped.num, &capped.den, fps.num, (int64_t)fps.den * divisor, INT32_MAX);
    return capped;
}
