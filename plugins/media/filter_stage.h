/* SPDX-License-Identifier: MIT */
/* One stage of a filter line: see filter_line.c. */
#ifndef MR_MEDIA_FILTER_STAGE_H
#define MR_MEDIA_FILTER_STAGE_H

#include "media/filter.h"
#include "media/picture.h"
#include <libavutil/buffer.h>
#include <millrace/filter.h>

enum { MR_STAGE_HELD = 2 * MR_FILTER_REACH_MAX + 1, MR_STAGE_SETTINGS = 64, MR_STAGE_VALUE = 4096 };

typedef struct mr_held {
    AVFrame *frame;
    int64_t number;
    bool repeat; /* the one before, once more */
} mr_held;

typedef struct mr_stage {
    const mr_host *host;
    mr_task *task;
    const char *chain;        /* of libavfilter; NULL: use */
    const mr_filter_use *use; /* a filter of a plugin */
    const mr_chunk *chunk;
    const mr_picture_kind *kind;
    enum AVPixelFormat format; /* that it gives */
    int back, ahead;
    bool repeats; /* a picture that repeats is not filtered again */

    mr_held held[MR_STAGE_HELD];
    size_t held_count;
    int64_t next;
    bool fresh; /* nothing came out yet */
    bool ended; /* nothing more comes in */
    AVFrame *made;

    /* While it is open: for pictures of this size. */
    bool open;
    int width, height;
    void *state; /* the plugin's */
    mr_video_format out;
    mr_filter *filter; /* chains, also those that are steered */
    AVBufferPool *pool;
    size_t pool_bytes;
    char *values[MR_STAGE_SETTINGS]; /* what was set last; NULL: nothing yet */
} mr_stage;

/* Makes 'made' of held[at], opening the stage, or opening it anew for pictures of another size. */
mr_status mr_stage_run(mr_stage *stage, size_t at);
void mr_stage_close(mr_stage *stage);

/* Of the files of the two kinds. */
mr_status mr_stage_pixels(mr_stage *stage, size_t at);
mr_status mr_stage_steer(mr_stage *stage, size_t at);
void mr_stage_describe(const mr_stage *stage, const mr_held *held, bool planes, mr_picture *ret_picture);

#endif
