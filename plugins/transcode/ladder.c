/* SPDX-License-Identifier: MIT */
/*
 * transcode.ladder: which renditions of the picture to make. A rung's height is that of a 16:9 box, laid down or stood up like the picture, into
 * which the picture is fitted: a portrait 1080x1920 is '1080p', and so is 1920x804. Nothing is ever enlarged.
 */
#include "transcode.h"

#include <jansson.h>
#include <libavutil/common.h>
#include <libavutil/mathematics.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PORT_INFO, OUT_RUNGS = 0, RUNGS_MAX = 32, ID_MAX = 48 };

/* A source that falls short of a rung by no more than this still makes it (1916x1076 is 1080p). */
#define NEARLY 1.05
/* Where the highest rung would be smaller than this part of the source, the next larger one is made in the source's size (640x360 for '480p'). */
#define NEAR_SOURCE 0.75
/* Bits that a picture needs grow with its area, but not as fast. */
#define BITS_OVER_AREA 0.75
#define FAST_FPS       31.0
#define FAST_BITS      1.5

typedef struct rung_param {
    int64_t height;
    int64_t width;
    int64_t max_bitrate;
    const char *id;
} rung_param;

typedef struct ladder_params {
    mr_list rungs;
} ladder_params;

typedef struct rung {
    char id[ID_MAX];
    bool named; /* by the pipeline's author */
    int width;
    int height;
    int64_t max_bitrate;
    double excess; /* how many times larger than the source it was asked for; 1: it fits */
    double share;  /* of the source's size that it has, along a side */
} rung;

typedef struct source_size {
    int width;
    int height;
    double fps;
} source_size;

/* The automatic ladder; its bitrates also serve rungs that name none. */
static const rung_param automatic[] = {
    {2160, 0, 16000000, NULL}, {1440, 0, 9000000, NULL}, {1080, 0, 5000000, NULL},
    {720, 0, 2500000, NULL},   {480, 0, 900000, NULL},   {240, 0, 250000, NULL},
};
enum { AUTOMATIC = sizeof(automatic) / sizeof(automatic[0]) };

static int even(double side)
{
    return FFMAX(2, (int)(side / 2 + 0.5) * 2);
}

static int64_t usual_bitrate(double height, double fps)
{
    const rung_param *base = &automatic[AUTOMATIC - 1];
    for (size_t i = 0; i < AUTOMATIC && (double)automatic[i].height >= height; i++)
        base = &automatic[i];
    double bits = (double)base->max_bitrate * pow(height / (double)base->height, 2 * BITS_OVER_AREA);
    return (int64_t)(bits * (fps > FAST_FPS ? FAST_BITS : 1));
}

static rung fit(const rung_param *param, const source_size *source)
{
    rung made = {.named = param->id != NULL, .excess = 1};
    double width = source->width;
    double height = source->height;
    double scale;
    if (param->width > 0) { /* a shape of its own: for sources that a filter crops */
        scale = fmin(width / (double)param->width, height / (double)param->height);
        made.excess = 1 / fmin(1, scale);
        width = (double)param->width * fmin(1, scale);
        height = (double)param->height * fmin(1, scale);
    } else {
        double box_long = even((double)param->height * 16 / 9);
        scale = fmin(box_long / fmax(width, height), (double)param->height / fmin(width, height));
        made.excess = fmax(1, scale);
        width *= fmin(1, scale);
        height *= fmin(1, scale);
    }
    made.width = FFMIN(even(width), FFMAX(2, source->width & ~1));
    made.height = FFMIN(even(height), FFMAX(2, source->height & ~1));
    made.share = fmin(1, scale);
    double bits = (double)(param->max_bitrate ? param->max_bitrate : usual_bitrate((double)param->height, source->fps));
    made.max_bitrate = (int64_t)(bits / pow(made.excess, 2 * BITS_OVER_AREA));
    if (made.excess > NEARLY && param->width == 0)
        snprintf(made.id, sizeof(made.id), "%dp", FFMIN(made.width, made.height));
    else
        snprintf(made.id, sizeof(made.id), "%lldp", (long long)param->height);
    if (param->id)
        snprintf(made.id, sizeof(made.id), "%s", param->id);
    return made;
}

static bool same_picture(const rung *a, const rung *b)
{
    return a->width == b->width && a->height == b->height && (a->max_bitrate == b->max_bitrate || a->excess > 1 || b->excess > 1);
}

static int highest_first(const void *a, const void *b)
{
    const rung *left = a;
    const rung *right = b;
    int64_t areas = (int64_t)right->width * right->height - (int64_t)left->width * left->height;
    int64_t bits = right->max_bitrate - left->max_bitrate;
    return areas ? (areas > 0 ? 1 : -1) : bits ? (bits > 0 ? 1 : -1) : 0;
}

static size_t choose(const rung_param *params, size_t count, const source_size *source, rung *out)
{
    size_t kept = 0;
    double nearest = INFINITY;
    double highest = 0;
    rung next_larger = {.width = 0};
    for (size_t i = 0; i < count; i++) {
        rung made = fit(&params[i], source);
        bool wanted = made.excess <= NEARLY || params[i].width > 0;
        if (!wanted && made.excess < nearest) {
            nearest = made.excess;
            next_larger = made;
        }
        if (wanted)
            highest = fmax(highest, made.share);
        for (size_t k = 0; k < kept && wanted; k++)
            wanted = !same_picture(&out[k], &made);
        if (wanted)
            out[kept++] = made;
    }
    if (next_larger.width && highest < NEAR_SOURCE)
        out[kept++] = next_larger;
    qsort(out, kept, sizeof(*out), highest_first);
    return kept;
}

/* Rungs of one size and two bitrates: the second one becomes "1080p-2". */
static void make_unique(rung *rungs, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        char base[ID_MAX - 8];
        snprintf(base, sizeof(base), "%.*s", (int)sizeof(base) - 1, rungs[i].id);
        for (size_t k = 0, number = 2; k < i; k++) {
            if (strcmp(rungs[k].id, rungs[i].id) != 0)
                continue;
            snprintf(rungs[i].id, sizeof(rungs[i].id), "%s-%zu", base, number++);
            k = (size_t)-1; /* look at all of them again */
        }
    }
}

static bool is_plain_id(const char *id)
{
    size_t len = strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_");
    return len > 0 && id[len] == '\0' && len < ID_MAX - 8;
}

static mr_status check(const mr_host *host, mr_task *task, const rung_param *params, size_t count)
{
    if (count > RUNGS_MAX) {
        host->report(task, MR_SEVERITY_ERROR, "rungs", NULL, "the ladder has %zu rungs, more than %d", count, RUNGS_MAX);
        return MR_ERR_PARAM;
    }
    for (size_t i = 0; i < count; i++) {
        if (params[i].id && !is_plain_id(params[i].id)) {
            host->report(task, MR_SEVERITY_ERROR, "rungs", "use letters, digits, '-' and '_', at most 39 of them", "a rung can't have the id '%s'",
                         params[i].id);
            return MR_ERR_PARAM;
        }
        for (size_t k = 0; k < i; k++) {
            if (params[i].id && params[k].id && strcmp(params[i].id, params[k].id) == 0) {
                host->report(task, MR_SEVERITY_ERROR, "rungs", "give each rung an id of its own", "two rungs have the id '%s'", params[i].id);
                return MR_ERR_PARAM;
            }
        }
    }
    return MR_OK;
}

static mr_status emit(const mr_host *host, mr_task *task, const rung *rungs, size_t count)
{
    mr_status status = MR_OK;
    for (size_t i = count; i-- > 0 && status == MR_OK;) { /* the lowest is made first: it is playable soonest */
        char meta[256];
        snprintf(meta, sizeof(meta), "{\"height\":%d,\"id\":\"%.47s\",\"max_bitrate\":%lld,\"width\":%d}", rungs[i].height, rungs[i].id,
                 (long long)rungs[i].max_bitrate, rungs[i].width);
        status = host->emit(task, OUT_RUNGS, meta, NULL);
    }
    return status;
}

static bool read_source(const json_t *video, source_size *source)
{
    int64_t width = json_integer_value(json_object_get(video, "display_width"));
    int64_t height = json_integer_value(json_object_get(video, "display_height"));
    const json_t *rate = json_object_get(video, "frame_rate");
    double num = (double)json_integer_value(json_array_get(rate, 0));
    double den = (double)json_integer_value(json_array_get(rate, 1));
    *source = (source_size){.width = (int)width, .height = (int)height, .fps = den > 0 ? num / den : 25};
    return width >= 1 && height >= 1 && width <= 65536 && height <= 65536;
}

static mr_status run_task(const mr_host *host, const mr_batch_task *one)
{
    const ladder_params *params = one->params;
    const mr_artifact *info = host->input(one->task, PORT_INFO, 0);
    const rung_param *asked = params->rungs.count ? params->rungs.items : automatic;
    size_t count = params->rungs.count ? params->rungs.count : AUTOMATIC;
    rung rungs[RUNGS_MAX];
    source_size source;
    mr_status status = check(host, one->task, asked, count);
    if (status != MR_OK)
        return status;
    json_t *object = info ? json_loadb(info->meta, info->meta_len, 0, NULL) : NULL;
    const json_t *video = json_object_get(object, "video");
    bool usable = video && read_source(video, &source);
    if (video && !usable) {
        host->report(one->task, MR_SEVERITY_ERROR, NULL, "connect the port 'info' to probe.media's 'info'", "the picture's size is missing");
        status = MR_ERR_INPUT;
    }
    json_decref(object);
    if (!usable)
        return status;
    size_t kept = choose(asked, count, &source, rungs);
    make_unique(rungs, kept);
    return emit(host, one->task, rungs, kept);
}

static mr_status run(const mr_host *host, const mr_batch *batch)
{
    for (uint32_t i = 0; i < batch->count; i++) {
        mr_status status = run_task(host, &batch->tasks[i]);
        if (batch->count == 1)
            return status;
        host->finish(batch->tasks[i].task, status);
    }
    return MR_OK;
}

static const mr_port inputs[] = {
    {"info", MR_TYPE_JSON, 0, "what probe.media found"},
    {0},
};

static const mr_port outputs[] = {
    {"rungs", MR_TYPE_JSON, MR_PORT_MANY | MR_PORT_OPTIONAL, "one for each rendition of the picture, lowest first; none without a picture"},
    {0},
};

static const mr_param rung_params[] = {
    MR_INT(rung_param, height, .flags = MR_PARAM_REQUIRED, .min = "16", .max = "8640", .help = "lines of a 16:9 picture of this rung, in pixels"),
    MR_INT(rung_param, width, .min = "16", .max = "16384",
           .help = "columns; then the rung has exactly this shape, for sources that a filter crops to it"),
    MR_BITRATE(rung_param, max_bitrate, .min = "10k", .max = "1000M", .help = "ceiling of the rung; without it, what is usual for its size"),
    MR_TEXT(rung_param, id, .min = "1", .max = "39", .help = "its name in the published tree; without it, the height and a 'p'"),
    MR_PARAM_END,
};

static const mr_param params_table[] = {
    MR_LIST(ladder_params, rungs, .item_type = 0, .fields = rung_params, .item_size = sizeof(rung_param), .max = "32",
            .help = "the renditions wanted; without it, 2160, 1440, 1080, 720, 480 and 240 lines as far as the source fills them"),
    MR_PARAM_END,
};

const mr_op mr_op_transcode_ladder = {
    .size = sizeof(mr_op),
    .version = 2,
    .name = "transcode.ladder",
    .summary = "chooses the renditions of the picture",
    .help =
        "A rung's height is that of a 16:9 box, turned like the picture, into which the picture is fitted: 1080 makes 1920x1080, 1080x1920 of an "
        "upright source, 1920x804 of a wide one, 1440x1080 of a 4:3 one. Rungs that the source does not fill are left out; when none comes near the "
        "source's size, one of that size takes the place of the next larger. Sides are even, nothing is enlarged, and a rung that became smaller "
        "than asked gets fewer bits.",
    .cpu = 1,
    .memory_mb = 16,
    .inputs = inputs,
    .outputs = outputs,
    .params = params_table,
    .params_size = sizeof(ladder_params),
    .run = run,
};
