/* SPDX-License-Identifier: MIT */
/* A sheet of a storyboard: a grid of small pictures, of the same size on every sheet, each the picture of one stretch of time. */
#ifndef THUMBNAIL_SHEET_H
#define THUMBNAIL_SHEET_H

#include "thumbnail.h"

enum { THUMB_TILES_MAX = 10000 };

typedef struct thumb_sheet {
    int index;           /* of this sheet */
    int all;             /* pictures on all sheets together */
    int columns, rows;   /* of a sheet; on the last one some places may stay empty */
    int width, height;   /* of a picture */
    int64_t interval_us; /* between pictures */
} thumb_sheet;

int thumb_sheet_count(const thumb_sheet *sheet); /* of sheets */
int thumb_sheet_first(const thumb_sheet *sheet); /* the number of its first picture, of all */
int thumb_sheet_tiles(const thumb_sheet *sheet); /* pictures on it */
json_t *thumb_sheet_json(const thumb_sheet *sheet);
/* MR_ERR_INPUT, reported: it is not one. */
mr_status thumb_sheet_read(const mr_host *host, mr_task *task, const mr_artifact *artifact, thumb_sheet *ret_sheet);
/* storyboard.vtt up to and with this sheet; duration_us: of the presentation. NULL: no memory. The caller frees it. */
char *thumb_sheet_track(const thumb_sheet *sheet, int64_t duration_us, size_t *ret_len);

#define THUMB_SHEET_PATH "storyboard/%05d.jpg" /* in the published tree, by index */

#endif
