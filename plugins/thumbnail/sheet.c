/* SPDX-License-Identifier: MIT */
/* See sheet.h. A sheet that comes in may be anybody's: what it says is checked. */
#include "sheet.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { SIDE_MAX = 20, TILE_MAX = 640 };

int thumb_sheet_count(const thumb_sheet *sheet)
{
    const int each = sheet->columns * sheet->rows;
    return (sheet->all + each - 1) / each;
}

int thumb_sheet_first(const thumb_sheet *sheet)
{
    return sheet->index * sheet->columns * sheet->rows;
}

int thumb_sheet_tiles(const thumb_sheet *sheet)
{
    const int left = sheet->all - thumb_sheet_first(sheet);
    return left < sheet->columns * sheet->rows ? left : sheet->columns * sheet->rows;
}

json_t *thumb_sheet_json(const thumb_sheet *sheet)
{
    return json_pack("{s:i,s:i,s:i,s:i,s:i,s:i,s:I}", "index", sheet->index, "all_tiles", sheet->all, "columns", sheet->columns, "rows", sheet->rows,
                     "tile_width", sheet->width, "tile_height", sheet->height, "interval_us", (json_int_t)sheet->interval_us);
}

static bool is_within(int value, int least, int most)
{
    return value >= least && value <= most;
}

mr_status thumb_sheet_read(const mr_host *host, mr_task *task, const mr_artifact *artifact, thumb_sheet *ret_sheet)
{
    thumb_sheet sheet = {0};
    json_int_t interval = 0;
    json_t *meta = artifact ? json_loadb(artifact->meta, artifact->meta_len, 0, NULL) : NULL;
    bool good = json_unpack(meta, "{s:i,s:i,s:i,s:i,s:i,s:i,s:I}", "index", &sheet.index, "all_tiles", &sheet.all, "columns", &sheet.columns, "rows",
                            &sheet.rows, "tile_width", &sheet.width, "tile_height", &sheet.height, "interval_us", &interval) == 0;
    json_decref(meta);
    sheet.interval_us = interval;
    good = good && is_within(sheet.all, 1, THUMB_TILES_MAX) && is_within(sheet.columns, 1, SIDE_MAX) && is_within(sheet.rows, 1, SIDE_MAX) &&
           is_within(sheet.width, 2, TILE_MAX) && is_within(sheet.height, 2, TILE_MAX) && sheet.width % 2 == 0 && sheet.height % 2 == 0 &&
           interval > 0 && interval < INT64_MAX / 8 / THUMB_TILES_MAX && is_within(sheet.index, 0, thumb_sheet_count(&sheet) - 1);
    *ret_sheet = sheet;
    if (good)
        return MR_OK;
    host->report(task, MR_SEVERITY_ERROR, NULL, "write 'each: {sheet: NODE.sheets}', of a node of thumbnail.sheets",
                 "that is not a sheet of a storyboard");
    return MR_ERR_INPUT;
}

static void write_time(FILE *out, int64_t us)
{
    int64_t ms = us / 1000;
    fprintf(out, "%02" PRId64 ":%02" PRId64 ":%02" PRId64 ".%03" PRId64, ms / 3600000, ms / 60000 % 60, ms / 1000 % 60, ms % 1000);
}

char *thumb_sheet_track(const thumb_sheet *sheet, int64_t duration_us, size_t *ret_len)
{
    const int each = sheet->columns * sheet->rows;
    const int end = thumb_sheet_first(sheet) + thumb_sheet_tiles(sheet);
    char *text = NULL;
    FILE *out = open_memstream(&text, ret_len);
    if (!out)
        return NULL;
    fputs("WEBVTT\n\n", out);
    for (int i = 0; i < end; i++) {
        const int at = i % each;
        const int64_t until = (i + 1) * sheet->interval_us;
        write_time(out, i * sheet->interval_us);
        fputs(" --> ", out);
        write_time(out, until < duration_us || i + 1 < sheet->all ? until : duration_us + 999);
        fprintf(out, "\n" THUMB_SHEET_PATH "#xywh=%d,%d,%d,%d\n\n", i / each, at % sheet->columns * sheet->width, at / sheet->columns * sheet->height,
                sheet->width, sheet->height);
    }
    bool written = !ferror(out);
    written = fclose(out) == 0 && written;
    if (written)
        return text;
    free(text);
    return NULL;
}
