/* SPDX-License-Identifier: MIT */
/* See filter.h. */
#include "media/filter.h"
#include "media/input.h"

#include <ctype.h>
#include <libavfilter/avfilter.h>
#include <libavfilter/buffersink.h>
#include <libavfilter/buffersrc.h>
#include <libavutil/dict.h>
#include <libavutil/mem.h>
#include <libavutil/opt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_MAX = 4096, FILTERS_MAX = 32 };

struct mr_filter {
    const mr_host *host;
    mr_task *task;
    AVFilterGraph *graph;
    AVFilterContext *source;
    AVFilterContext *sink;
    AVRational time_base;
    int width, height, format;
    enum AVColorSpace matrix;
    enum AVColorRange range;
    AVDictionary *texts; /* that steered drawtexts write: metadata of the pictures that are sent */
};

void mr_filter_free(mr_filter *filter)
{
    if (!filter)
        return;
    avfilter_graph_free(&filter->graph);
    av_dict_free(&filter->texts);
    free(filter);
}

static int add_ends(mr_filter *filter)
{
    char args[256];
    int len = snprintf(args, sizeof(args), "video_size=%dx%d:pix_fmt=%d:time_base=%d/%d:pixel_aspect=1/1", filter->width, filter->height,
                       filter->format, filter->time_base.num, filter->time_base.den);
#if LIBAVFILTER_VERSION_INT >= AV_VERSION_INT(10, 0, 100)
    len += snprintf(args + len, sizeof(args) - (size_t)len, ":colorspace=%d:range=%d", filter->matrix, filter->range);
#endif
    (void)len;
    int error = avfilter_graph_create_filter(&filter->source, avfilter_get_by_name("buffer"), "in", args, NULL, filter->graph);
    if (error >= 0)
        error = avfilter_graph_create_filter(&filter->sink, avfilter_get_by_name("buffersink"), "out", NULL, NULL, filter->graph);
    return error;
}

static int parse_chain(mr_filter *filter, const char *chain)
{
    AVFilterInOut *outputs = avfilter_inout_alloc();
    AVFilterInOut *inputs = avfilter_inout_alloc();
    int error = AVERROR(ENOMEM);
    if (outputs && inputs) {
        outputs->name = av_strdup("in");
        outputs->filter_ctx = filter->source;
        inputs->name = av_strdup("out");
        inputs->filter_ctx = filter->sink;
        if (outputs->name && inputs->name)
            error = avfilter_graph_parse_ptr(filter->graph, chain, &inputs, &outputs, NULL);
    }
    avfilter_inout_free(&outputs);
    avfilter_inout_free(&inputs);
    return error;
}

static mr_status report_chain(mr_filter *filter, int error, const char *chain, const char *param)
{
    char words[AV_ERROR_MAX_STRING_SIZE];
    if (error == AVERROR(ENOMEM))
        return mr_media_error(filter->host, filter->task, error, "filters");
    if (error == AVERROR_FILTER_NOT_FOUND)
        filter->host->report(filter->task, MR_SEVERITY_ERROR, param, "FFmpeg's libavfilter must be built with it", "a filter of '%s' is missing here",
                             chain);
    else
        filter->host->report(filter->task, MR_SEVERITY_ERROR, param, NULL, "the filters '%s' can't be used on pictures of %dx%d: %s", chain,
                             filter->width, filter->height, av_make_error_string(words, sizeof(words), error));
    return error == AVERROR_FILTER_NOT_FOUND ? MR_ERR_UNSUPPORTED : param ? MR_ERR_PARAM : MR_ERR_INPUT;
}

mr_status mr_filter_new(const mr_host *host, mr_task *task, const AVFrame *like, AVRational time_base, const char *chain, const char *param,
                        mr_filter **ret_filter)
{
    mr_filter *filter = calloc(1, sizeof(*filter));
    if (!filter)
        return mr_media_error(host, task, AVERROR(ENOMEM), "filters");
    *filter = (mr_filter){.host = host,
                          .task = task,
                          .time_base = time_base,
                          .width = like->width,
                          .height = like->height,
                          .format = like->format,
                          .matrix = like->colorspace,
                          .range = like->color_range};
    filter->graph = avfilter_graph_alloc();
    int error = filter->graph ? 0 : AVERROR(ENOMEM);
    if (error >= 0) {
        filter->graph->nb_threads = 1;
        filter->graph->thread_type = 0;
        filter->graph->scale_sws_opts = av_strdup("flags=bicubic+accurate_rnd+bitexact+full_chroma_int");
        error = filter->graph->scale_sws_opts ? add_ends(filter) : AVERROR(ENOMEM);
    }
    if (error >= 0)
        error = parse_chain(filter, chain);
    if (error >= 0)
        error = avfilter_graph_config(filter->graph, NULL);
    if (error < 0) {
        mr_status status = report_chain(filter, error, chain, param);
        mr_filter_free(filter);
        return status;
    }
    *ret_filter = filter;
    return MR_OK;
}

bool mr_filter_fits(const mr_filter *filter, const AVFrame *frame)
{
    return filter->width == frame->width && filter->height == frame->height && filter->format == frame->format &&
           filter->matrix == frame->colorspace && filter->range == frame->color_range;
}

mr_status mr_filter_send(mr_filter *filter, AVFrame *frame)
{
    if (filter->texts && frame && av_dict_copy(&frame->metadata, filter->texts, 0) < 0)
        return mr_media_error(filter->host, filter->task, AVERROR(ENOMEM), "filters");
    int error = av_buffersrc_add_frame(filter->source, frame);
    return error < 0 ? mr_media_error(filter->host, filter->task, error, "a picture can't be filtered") : MR_OK;
}

mr_status mr_filter_receive(mr_filter *filter, AVFrame *ret_frame)
{
    av_frame_unref(ret_frame);
    int error = av_buffersink_get_frame(filter->sink, ret_frame);
    if (error == AVERROR(EAGAIN))
        return MR_NOT_YET;
    if (error == AVERROR_EOF)
        return MR_END;
    if (error < 0)
        return mr_media_error(filter->host, filter->task, error, "a picture can't be filtered");
    ret_frame->pts = av_rescale_q(ret_frame->pts, av_buffersink_get_time_base(filter->sink), filter->time_base);
    return MR_OK;
}

/* Steering -------------------------------------------------------------------------------------------------------------------- */

/* The first filter called "crop", or the one called "crop@name". */
static AVFilterContext *find_filter(const mr_filter *filter, const char *name, size_t len)
{
    const bool labelled = memchr(name, '@', len);
    for (unsigned i = 0; i < filter->graph->nb_filters; i++) {
        AVFilterContext *each = filter->graph->filters[i];
        const char *called = labelled ? each->name : each->filter->name;
        if (called && strlen(called) == len && strncmp(called, name, len) == 0)
            return each;
    }
    return NULL;
}

/* drawtext reads the text from the picture's metadata: it would open its font anew for each change of its option. */
static int set_text(mr_filter *filter, AVFilterContext *drawtext, const char *value)
{
    char key[64];
    char text[96];
    unsigned index = 0;
    while (filter->graph->filters[index] != drawtext)
        index++;
    snprintf(key, sizeof(key), "millrace_text_%u", index);
    snprintf(text, sizeof(text), "%%{metadata:%s}", key);
    const bool first = !av_dict_get(filter->texts, key, NULL, 0);
    const int error = first ? av_opt_set(drawtext, "text", text, AV_OPT_SEARCH_CHILDREN) : 0;
    return error < 0 ? error : av_dict_set(&filter->texts, key, value, 0);
}

mr_status mr_filter_set(mr_filter *filter, const char *setting, const char *value)
{
    char words[AV_ERROR_MAX_STRING_SIZE];
    const char *option = strrchr(setting, '.');
    AVFilterContext *found = option ? find_filter(filter, setting, (size_t)(option - setting)) : NULL;
    const bool text = found && strcmp(found->filter->name, "drawtext") == 0 && strcmp(option, ".text") == 0;
    const AVOption *known = found ? av_opt_find(found, option + 1, NULL, 0, AV_OPT_SEARCH_CHILDREN) : NULL;
    if (!known || !(text || (known->flags & AV_OPT_FLAG_RUNTIME_PARAM))) {
        filter->host->report(filter->task, MR_SEVERITY_ERROR, "filters", NULL, "'%s' can't be set: %s", setting,
                             !found   ? "the chain has no such filter"
                             : !known ? "the filter has no such option"
                                      : "the option can't change while the filter runs");
        return MR_ERR_PARAM;
    }
    const int error = text ? set_text(filter, found, value) : avfilter_graph_send_command(filter->graph, found->name, option + 1, value, NULL, 0, 0);
    if (error >= 0)
        return MR_OK;
    filter->host->report(filter->task, MR_SEVERITY_ERROR, "filters", NULL, "'%s' can't be '%.200s': %s", setting, value,
                         av_make_error_string(words, sizeof(words), error));
    return MR_ERR_PARAM;
}

/* The user's chain ------------------------------------------------------------------------------------------------------------ */

/* Filters that see one picture at a time (what comes out does not depend on where a chunk begins) and have no way to a file. Sorted. */
static const char *const allowed[] = {
    "avgblur",
    "boxblur",
    "cas",
    "chromashift",
    "colorbalance",
    "colorchannelmixer",
    "colorcontrast",
    "colorcorrect",
    "colorlevels",
    "colortemperature",
    "crop",
    "delogo",
    "drawbox",
    "drawgrid",
    "eq",
    "exposure",
    "fillborders",
    "gblur",
    "hflip",
    "hue",
    "lenscorrection",
    "limiter",
    "lut",
    "lutrgb",
    "lutyuv",
    "negate",
    "null",
    "pad",
    "rotate",
    "scale",
    "setsar",
    "smartblur",
    "sobel",
    "transpose",
    "unsharp",
    "vflip",
    "vibrance",
    "vignette",
};

static int compare_names(const void *a, const void *b)
{
    return strcmp(a, *(const char *const *)b);
}

/* Copies the filter's name at text into name and returns what follows it; NULL: there is none. */
static const char *read_name(const char *text, char *name, size_t size)
{
    size_t len = 0;
    text += strspn(text, " \t\r\n");
    while (isalnum((unsigned char)text[len]) || text[len] == '_')
        len++;
    if (len == 0 || len >= size)
        return NULL;
    memcpy(name, text, len);
    name[len] = '\0';
    text += len;
    return text + strspn(text, " \t\r\n");
}

/* Past the arguments: to the comma behind them or the end. NULL: a label, a second chain, or a quote that does not end. */
static const char *skip_arguments(const char *text)
{
    bool quoted = false;
    for (; *text && (quoted || *text != ','); text++) {
        if (*text == '\'')
            quoted = !quoted;
        else if (*text == '\\' && !quoted && text[1])
            text++;
        else if (!quoted && strchr("[];", *text))
            return NULL;
    }
    return quoted ? NULL : text;
}

/* What drawtext writes comes from the one who steers it, and from no file. */
static bool is_drawtext(const char *name, const char *arguments, const char *end)
{
    const char *file = strcmp(name, "drawtext") == 0 ? strstr(arguments, "textfile") : NULL;
    return strcmp(name, "drawtext") == 0 && (!file || file >= end);
}

mr_status mr_filter_check(const mr_host *host, mr_task *task, const char *param, const char *text, bool steered)
{
    char name[40];
    if (!text || !text[strspn(text, " \t\r\n")])
        return MR_OK;
    if (strlen(text) > TEXT_MAX) {
        host->report(task, MR_SEVERITY_ERROR, param, NULL, "the filters are longer than %d characters", TEXT_MAX);
        return MR_ERR_PARAM;
    }
    for (int count = 0; count < FILTERS_MAX; count++) {
        const char *after = read_name(text, name, sizeof(name));
        if (after && steered && *after == '@') /* an instance's own name, for the one who steers it */
            after += 1 + strspn(after + 1, "abcdefghijklmnopqrstuvwxyz0123456789_");
        const char *next = after && strchr("=,", *after) ? skip_arguments(after) : NULL;
        if (!next) {
            host->report(task, MR_SEVERITY_ERROR, param, "write filters as 'name=option=value:option=value', with commas between them",
                         "the filters are not a plain chain at '%.40s'", text);
            return MR_ERR_PARAM;
        }
        if (!(steered && is_drawtext(name, after, next)) &&
            !bsearch(name, allowed, sizeof(allowed) / sizeof(allowed[0]), sizeof(allowed[0]), compare_names)) {
            host->report(task, MR_SEVERITY_ERROR, param, "only filters that work on one picture at a time and open no file are possible",
                         "the filter '%s' can't be used here", name);
            return MR_ERR_PARAM;
        }
        if (*next == '\0')
            return MR_OK;
        text = next + 1;
    }
    host->report(task, MR_SEVERITY_ERROR, param, NULL, "there are more than %d filters", FILTERS_MAX);
    return MR_ERR_LIMIT;
}
