/* SPDX-License-Identifier: MIT */
/*
 * thumbnail.storyboard: one sheet of small pictures of a video, and a WebVTT file that says which part of which sheet belongs to which time.
 * One decoder, reused: it jumps from keyframe to keyframe, which is all that is decoded. Only where keyframes lie too far apart for the pictures to
 * differ, every picture of the sheet's stretch is decoded.
 */
#include "media/toolchain.h"
#include "sheet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { IN_SHEET = THUMB_IN_INFO + 1 };
enum { OUT_IMAGE, OUT_TRACK };
enum { LOOK_AT = 8 };

#define WALK_BACK_US INT64_C(300000000) /* so far before a sheet decoding may begin to show each moment as it is */

struct storyboard_params {
    int64_t quality;
};

static const mr_param params[] = {
    MR_INT(struct storyboard_params, quality, .standard = "75", .min = "1", .max = "100", .help = "of the JPEGs: 100 is best"),
    MR_PARAM_END,
};

static const mr_port inputs[] = {
    [THUMB_IN_SOURCE] = {"source", MR_TYPE_MEDIA, 0, "the source"},
    [THUMB_IN_INFO] = {"info", MR_TYPE_JSON, 0, "what probe.media says of it"},
    [IN_SHEET] = {"sheet", MR_TYPE_JSON, 0, "the sheet to make, from thumbnail.sheets"},
    {0},
};

static const mr_port outputs[] = {
    [OUT_IMAGE] = {"image", MR_TYPE_IMAGE, 0, "the sheet, a JPEG"},
    [OUT_TRACK] = {"track", MR_TYPE_FILE, MR_PORT_OPTIONAL,
                   "storyboard.vtt: what lies where, for players; with the last sheet, and before it whenever twice as many are there"},
    {0},
};

typedef struct storyboard {
    thumb_source *source;
    const struct storyboard_params *params;
    thumb_sheet sheet;
    int first; /* number of its first tile, of all */
    int tiles;
    thumb_shape *shape;
    AVFrame *frame;
    AVFrame *tile; /* the last one that was made */
    AVFrame *canvas;
    int done; /* tiles placed */
} storyboard;

static mr_status no_memory(const storyboard *board)
{
    return mr_media_error(board->source->host, board->source->task, AVERROR(ENOMEM), "pictures");
}

/* The moment that a tile stands for: the middle of its time. */
static int64_t moment(const storyboard *board, int tile)
{
    int64_t us = board->source->origin_us + (board->first + tile) * board->sheet.interval_us + board->sheet.interval_us / 2;
    int64_t end = board->source->end_us - 1;
    return us < end ? us : end;
}

/* Puts the last tile made in the next place. */
static void place(storyboard *board)
{
    const thumb_sheet *sheet = &board->sheet;
    const int at = board->done++;
    thumb_paste(board->canvas, board->tile, at % sheet->columns * sheet->width, at / sheet->columns * sheet->height);
    board->source->host->progress(board->source->task, (double)board->done / board->tiles);
}

/* ---- keyframes ---- */

/* The keyframe that is shown for a moment, as far as it is known without decoding; INT64_MIN: it is not. */
static int64_t known_keyframe(const thumb_source *source, int64_t us)
{
    if (source->keyframes)
        return thumb_source_keyframe(source, us);
    if (strncmp(source->format->iformat->name, "mov", 3) != 0)
        return INT64_MIN; /* others index what they have read */
    AVStream *stream = source->format->streams[source->stream];
    const int64_t ticks = av_rescale_q(us, AV_TIME_BASE_Q, stream->time_base);
    const AVIndexEntry *entry =
        avformat_index_get_entries_count(stream) > 1 ? avformat_index_get_entry_from_timestamp(stream, ticks, AVSEEK_FLAG_BACKWARD) : NULL;
    return entry ? av_rescale_q(entry->timestamp, stream->time_base, AV_TIME_BASE_Q) : INT64_MIN;
}

/* The tile before would show that keyframe just as well. */
static bool is_stale(const storyboard *board, int tile, int64_t keyframe_us)
{
    return keyframe_us <= moment(board, tile) - board->sheet.interval_us;
}

/* Are tiles mostly stale? *ret_known: whether that is known. */
static bool keyframes_are_sparse(const storyboard *board, bool *ret_known)
{
    int stale = 0;
    for (int i = 0; i < board->tiles; i++) {
        const int64_t us = known_keyframe(board->source, moment(board, i));
        *ret_known = us != INT64_MIN;
        if (!*ret_known)
            return false;
        stale += is_stale(board, i, us);
    }
    return stale * 2 > board->tiles;
}

/* One keyframe per tile. MR_END: none can be decoded. *ret_sparse: look, and stop where they mostly are stale. */
static mr_status jump_through(storyboard *board, bool look, bool *ret_sparse)
{
    thumb_source *source = board->source;
    int64_t last = INT64_MIN, last_known = INT64_MIN;
    int stale = 0;
    *ret_sparse = false;
    for (int i = 0; i < board->tiles; i++) {
        const int64_t known = known_keyframe(source, moment(board, i));
        int64_t us = last;
        mr_status status = MR_OK;
        if (i == 0 || known == INT64_MIN || known != last_known)
            status = thumb_source_seek(source, moment(board, i), board->frame, &us);
        if (status == MR_OK && i > 0 && known != INT64_MIN && us <= known - board->sheet.interval_us)
            us = last; /* it is damaged, or cut off: the one that was found instead comes from long before */
        if (status == MR_OK && us > last)
            status = thumb_shape_run(board->shape, board->frame, board->tile);
        if (status == MR_END && i > 0)
            status = MR_OK; /* the source ends early: the last picture stays */
        if (status != MR_OK)
            return status;
        stale += is_stale(board, i, us);
        last = us > last ? us : last;
        last_known = known;
        if (look && (i + 1 == LOOK_AT || i + 1 == board->tiles) && stale * 2 > i + 1) {
            *ret_sparse = true;
            return MR_OK;
        }
        place(board);
        look = look && i + 1 < LOOK_AT;
    }
    return MR_OK;
}

/* ---- every picture ---- */

/* A tile gets the picture that is shown at its moment: the held one, until the one in board->frame is due (more: there is one). */
static mr_status walk_on(storyboard *board, AVFrame *held)
{
    int64_t us = INT64_MIN;
    bool shaped = false;
    bool more = true;
    mr_status status = MR_OK;
    while (status == MR_OK && board->done < board->tiles) {
        while (more && (us == INT64_MIN || us <= moment(board, board->done))) {
            if (us != INT64_MIN) {
                av_frame_unref(held);
                av_frame_move_ref(held, board->frame);
                shaped = false;
            }
            status = thumb_source_next(board->source, board->frame, &us);
            more = status == MR_OK;
            if (status != MR_OK && status != MR_END)
                return status;
        }
        status = shaped ? MR_OK : thumb_shape_run(board->shape, held, board->tile);
        shaped = true;
        if (status == MR_OK)
            place(board);
    }
    return status;
}

/* MR_END: nothing can be decoded. *ret_far: nothing was, because it would have to begin further than most_us before the sheet. */
static mr_status walk_through(storyboard *board, int64_t most_us, bool *ret_far)
{
    int64_t us = 0;
    AVFrame *held = av_frame_alloc();
    mr_status status = held ? thumb_source_reopen(board->source, false) : no_memory(board);
    board->done = 0;
    if (status == MR_OK)
        status = thumb_source_seek(board->source, moment(board, 0), held, &us);
    *ret_far = status == MR_OK && moment(board, 0) - us > most_us;
    if (status == MR_OK && !*ret_far)
        status = walk_on(board, held);
    av_frame_free(&held);
    return status;
}

static mr_status fill(storyboard *board)
{
    bool known = false;
    bool far = false;
    bool sparse = keyframes_are_sparse(board, &known);
    mr_status status = sparse ? MR_OK : jump_through(board, !known, &sparse);
    if (status == MR_END) /* perhaps nothing is marked as a keyframe */
        return walk_through(board, INT64_MAX, &far);
    if (status == MR_OK && sparse)
        status = walk_through(board, WALK_BACK_US, &far);
    if (status == MR_OK && far)
        status = thumb_source_reopen(board->source, true);
    return status == MR_OK && far ? jump_through(board, false, &sparse) : status;
}

/* ---- what comes out ---- */

static mr_status emit_sheet(const storyboard *board)
{
    uint8_t *data = NULL;
    size_t len = 0;
    char path[64];
    const thumb_source *source = board->source;
    const thumb_sheet *sheet = &board->sheet;
    snprintf(path, sizeof(path), THUMB_SHEET_PATH, sheet->index);
    mr_status status = thumb_jpeg(source->host, source->task, board->canvas, (int)board->params->quality, &data, &len);
    if (status == MR_OK)
        status = thumb_emit(source->host, source->task, OUT_IMAGE,
                            json_pack("{s:s,s:s,s:s,s:i,s:i,s:i,s:i,s:i,s:i,s:i,s:I,s:I}", "role", "storyboard", "path", path, "content_type",
                                      "image/jpeg", "width", board->canvas->width, "height", board->canvas->height, "columns", sheet->columns, "rows",
                                      sheet->rows, "tiles", board->tiles, "tile_width", sheet->width, "tile_height", sheet->height, "start_us",
                                      (json_int_t)board->first * sheet->interval_us, "interval_us", (json_int_t)sheet->interval_us),
                            data, len);
    av_free(data);
    return status;
}

/* Sheets come in their order, so a track names what is there. */
static mr_status emit_track(const storyboard *board)
{
    const thumb_source *source = board->source;
    const int sheets = board->sheet.index + 1;
    const bool whole = sheets == thumb_sheet_count(&board->sheet);
    size_t len = 0;
    if (!whole && (sheets & (sheets - 1)) != 0)
        return MR_OK;
    char *text = thumb_sheet_track(&board->sheet, source->duration_us, &len);
    if (!text)
        return mr_media_error(source->host, source->task, AVERROR(ENOMEM), "the storyboard's track");
    mr_status status = thumb_emit(
        source->host, source->task, OUT_TRACK,
        json_pack("{s:s,s:s,s:b,s:b}", "path", "storyboard.vtt", "content_type", "text/vtt", "replaceable", 1, "growing", whole ? 0 : 1), text, len);
    free(text);
    return status;
}

static mr_status make_all(storyboard *board)
{
    const thumb_source *source = board->source;
    const thumb_sheet *sheet = &board->sheet;
    mr_status status = thumb_sheet_read(source->host, source->task, source->host->input(source->task, IN_SHEET, 0), &board->sheet);
    if (status != MR_OK)
        return status;
    board->first = thumb_sheet_first(sheet);
    board->tiles = thumb_sheet_tiles(sheet);
    board->frame = av_frame_alloc();
    board->tile = av_frame_alloc();
    board->canvas = thumb_canvas(sheet->columns * sheet->width, sheet->rows * sheet->height, THUMB_FULL);
    if (!board->frame || !board->tile || !board->canvas)
        return no_memory(board);
    status = thumb_shape_new(source, sheet->width, sheet->height, THUMB_FULL, false, &board->shape);
    if (status == MR_OK)
        status = fill(board);
    if (status == MR_OK)
        status = emit_sheet(board);
    return status == MR_OK ? emit_track(board) : status;
}

static mr_status make(thumb_source *source, const void *given)
{
    storyboard board = {.source = source, .params = given};
    mr_status status = make_all(&board);
    thumb_shape_free(board.shape);
    av_frame_free(&board.frame);
    av_frame_free(&board.tile);
    av_frame_free(&board.canvas);
    return status;
}

static mr_status run(const mr_host *host, const mr_batch *batch)
{
    return thumb_run(host, batch, true, make);
}

const mr_op mr_op_thumbnail_storyboard = {
    .size = sizeof(mr_op),
    .version = 2,
    .name = "thumbnail.storyboard",
    .summary = "makes a sheet of small pictures for a player's time line",
    .help =
        "A sheet of thumbnail.sheets, and a WebVTT track with #xywh fragments that covers the whole duration once the last sheet is there. Keyframes "
        "are all that is decoded, where there are enough of them.",
    .cpu = 1,
    .memory_mb = 256,
    .inputs = inputs,
    .outputs = outputs,
    .params = params,
    .params_size = sizeof(struct storyboard_params),
    .run = run,
    .toolchain = mr_media_toolchain,
};
