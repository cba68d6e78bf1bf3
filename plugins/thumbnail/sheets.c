/* SPDX-License-Identifier: MIT */
/*
 * thumbnail.sheets: which sheets a storyboard has, before any is made. A function of what is known of the source alone; each sheet is a task of
 * thumbnail.storyboard then, so that a long video's storyboard is made in parts, beside each other and in step with the video.
 */
#include "sheet.h"

#include <stdlib.h>

enum { OUT_SHEETS };
enum { AIM = 100 };

#define MIN_INTERVAL_US 1000000
#define MAX_INTERVAL_US 10000000

struct sheets_params {
    int64_t interval;
    int64_t columns;
    int64_t rows;
    int64_t width;
};

static const mr_param params[] = {
    MR_DURATION(struct sheets_params, interval, .min = "0", .max = "10m",
                .help = "the time between pictures; absent or 0: 1 to 10 seconds, for about a hundred of them"),
    MR_INT(struct sheets_params, columns, .standard = "5", .min = "1", .max = "20", .help = "pictures side by side on a sheet"),
    MR_INT(struct sheets_params, rows, .standard = "5", .min = "1", .max = "20", .help = "pictures one below the other on a sheet"),
    MR_INT(struct sheets_params, width, .standard = "320", .min = "32", .max = "640", .help = "the longer side of a picture, in pixels"),
    MR_PARAM_END,
};

static const mr_port inputs[] = {
    {"info", MR_TYPE_JSON, 0, "what probe.media says of the source"},
    {0},
};

static const mr_port outputs[] = {
    [OUT_SHEETS] = {"sheets", MR_TYPE_JSON, MR_PORT_MANY, "each sheet: how many pictures it has, and of which moments"},
    {0},
};

static thumb_sheet lay_out(const thumb_source *source, const struct sheets_params *wanted)
{
    int64_t duration = source->duration_us > 0 ? source->duration_us : 1;
    int64_t interval = wanted->interval;
    if (interval == 0) {
        interval = (duration / AIM + MIN_INTERVAL_US - 1) / MIN_INTERVAL_US * MIN_INTERVAL_US;
        interval = interval < MIN_INTERVAL_US ? MIN_INTERVAL_US : interval > MAX_INTERVAL_US ? MAX_INTERVAL_US : interval;
    }
    if ((duration + interval - 1) / interval > THUMB_TILES_MAX)
        interval = (duration + THUMB_TILES_MAX - 1) / THUMB_TILES_MAX;
    thumb_sheet sheet = {.interval_us = interval, .all = (int)((duration + interval - 1) / interval)};
    sheet.columns = sheet.all < wanted->columns ? sheet.all : (int)wanted->columns;
    const int rows = (sheet.all + sheet.columns - 1) / sheet.columns;
    sheet.rows = rows < wanted->rows ? rows : (int)wanted->rows;
    thumb_source_fit(source, (int)wanted->width, (int)wanted->width, &sheet.width, &sheet.height);
    return sheet;
}

static mr_status emit(const mr_host *host, mr_task *task, const thumb_sheet *sheet)
{
    json_t *meta = thumb_sheet_json(sheet);
    char *text = meta ? json_dumps(meta, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    mr_status status = text ? host->emit(task, OUT_SHEETS, text, NULL) : mr_media_error(host, task, AVERROR(ENOMEM), "the storyboard's sheets");
    free(text);
    json_decref(meta);
    return status;
}

static mr_status make(const mr_host *host, mr_task *task, const struct sheets_params *wanted)
{
    thumb_source source = {.host = host, .task = task};
    mr_status status = thumb_source_describe(&source, host->input(task, 0, 0));
    if (status == MR_OK) {
        thumb_sheet sheet = lay_out(&source, wanted);
        const int count = thumb_sheet_count(&sheet);
        for (; sheet.index < count && status == MR_OK; sheet.index++)
            status = emit(host, task, &sheet);
    }
    thumb_source_close(&source);
    return status;
}

static mr_status run(const mr_host *host, const mr_batch *batch)
{
    for (uint32_t i = 0; i < batch->count; i++)
        host->finish(batch->tasks[i].task, make(host, batch->tasks[i].task, batch->tasks[i].params));
    return MR_OK;
}

const mr_op mr_op_thumbnail_sheets = {
    .size = sizeof(mr_op),
    .version = 1,
    .name = "thumbnail.sheets",
    .summary = "says which sheets of small pictures a storyboard has",
    .help = "Sheets of the same grid over the whole duration. Each is made by a task of thumbnail.storyboard.",
    .cpu = 1,
    .memory_mb = 64,
    .inputs = inputs,
    .outputs = outputs,
    .params = params,
    .params_size = sizeof(struct sheets_params),
    .run = run,
};
