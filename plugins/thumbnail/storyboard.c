/* SPDX-License-Identifier: MIT */
/*
 * thumbnail.storyboard: small pictures of a whole video on a few sheets, and a WebVTT file that says which part of which sheet belongs to which time.
 * One decoder, reused: it jumps from keyframe to keyframe, which is all that is decoded. Only where keyframes lie too far apart for the pictures to
 * differ, every picture is decoded.
 */
#include "media/toolchain.h"
#include "thumbnail.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OUT_IMAGES, OUT_TRACK };
enum { AIM = 100, MAX_TILES = 10000, LOOK_AT = 8 };

#define MIN_INTERVAL_US 1000000
#define MAX_INTERVAL_US 10000000

struct storyboard_params {
    int64_t interval;
    int64_t columns;
    int64_t rows;
    int64_t width;
    int64_t quality;
};

static const mr_param params[] = {
    MR_DURATION(struct storyboard_params, interval, .min = "0", .max = "10m",
                .help = "the time between pictures; absent or 0: 1 to 10 seconds, for about a hundred of them"),
    MR_INT(struct storyboard_params, columns, .standard = "5", .min = "1", .max = "20", .help = "pictures side by side on a sheet"),
    MR_INT(struct storyboard_params, rows, .standard = "5", .min = "1", .max = "20", .help = "pictures one below the other on a sheet"),
    MR_INT(struct storyboard_params, width, .standard = "320", .min = "32", .max = "640", .help = "the longer side of a picture, in pixels"),
    MR_INT(struct storyboard_params, quality, .standard = "75", .min = "1", .max = "100", .help = "of the JPEGs: 100 is best"),
    MR_PARAM_END,
};

static const mr_port outputs[] = {
    [OUT_IMAGES] = {"images", MR_TYPE_IMAGE, MR_PORT_MANY, "the sheets, JPEGs"},
    [OUT_TRACK] = {"track", MR_TYPE_FILE, 0, "storyboard.vtt: what lies where, for players"},
    {0},
};

typedef struct storyboard {
    thumb_source *source;
    const struct storyboard_params *params;
    int64_t interval_us;
    int tiles;
    int columns;
    int rows;
    int width; /* of a tile */
    int height;
    thumb_shape *shape;
    AVFrame *frame;
    AVFrame *tile; /* the last one that was made */
    AVFrame *sheet;
    int done; /* tiles placed */
} storyboard;

/* ---- what to make ---- */

static mr_status plan(storyboard *board)
{
    const thumb_source *source = board->source;
    int64_t duration = source->duration_us > 0 ? source->duration_us : 1;
    int64_t interval = board->params->interval;
    if (interval == 0) {
        interval = (duration / AIM + MIN_INTERVAL_US - 1) / MIN_INTERVAL_US * MIN_INTERVAL_US;
        interval = interval < MIN_INTERVAL_US ? MIN_INTERVAL_US : interval > MAX_INTERVAL_US ? MAX_INTERVAL_US : interval;
    }
    if ((duration + interval - 1) / interval > MAX_TILES)
        interval = (duration + MAX_TILES - 1) / MAX_TILES;
    board->interval_us = interval;
    board->tiles = (int)((duration + interval - 1) / interval);
    board->columns = board->tiles < board->params->columns ? board->tiles : (int)board->params->columns;
    int rows = (board->tiles + board->columns - 1) / board->columns;
    board->rows = rows < board->params->rows ? rows : (int)board->params->rows;
    thumb_source_fit(source, (int)board->params->width, (int)board->params->width, &board->width, &board->height);
    board->frame = av_frame_alloc();
    board->tile = av_frame_alloc();
    if (!board->frame || !board->tile)
        return mr_media_error(source->host, source->task, AVERROR(ENOMEM), "pictures");
    return thumb_shape_new(source, board->width, board->height, THUMB_FULL, false, &board->shape);
}

/* The moment that a tile stands for: the middle of its time. */
static int64_t moment(const storyboard *board, int tile)
{
    int64_t us = board->source->origin_us + tile * board->interval_us + board->interval_us / 2;
    int64_t end = board->source->end_us - 1;
    return us < end ? us : end;
}

/* ---- sheets ---- */

static mr_status emit_sheet(storyboard *board)
{
    uint8_t *data = NULL;
    size_t len = 0;
    char path[64];
    const thumb_source *source = board->source;
    int per_sheet = board->columns * board->rows;
    int index = (board->done - 1) / per_sheet;
    int tiles = board->done - index * per_sheet;
    snprintf(path, sizeof(path), "storyboard/%05d.jpg", index);
    mr_status status = thumb_jpeg(source->host, source->task, board->sheet, (int)board->params->quality, &data, &len);
    if (status == MR_OK)
        status = thumb_emit(source->host, source->task, OUT_IMAGES,
                            json_pack("{s:s,s:s,s:s,s:i,s:i,s:i,s:i,s:i,s:i,s:i,s:I,s:I}", "role", "storyboard", "path", path, "content_type",
                                      "image/jpeg", "width", board->sheet->width, "height", board->sheet->height, "columns", board->columns, "rows",
                                      board->rows, "tiles", tiles, "tile_width", board->width, "tile_height", board->height, "start_us",
                                      (json_int_t)index * per_sheet * board->interval_us, "interval_us", (json_int_t)board->interval_us),
                            data, len);
    av_free(data);
    av_frame_free(&board->sheet);
    return status;
}

/* Puts the last tile made in the next place. */
static mr_status place(storyboard *board)
{
    const thumb_source *source = board->source;
    int per_sheet = board->columns * board->rows;
    int at = board->done % per_sheet;
    if (!board->sheet)
        board->sheet = thumb_canvas(board->columns * board->width, board->rows * board->height, THUMB_FULL);
    if (!board->sheet)
        return mr_media_error(source->host, source->task, AVERROR(ENOMEM), "pictures");
    thumb_paste(board->sheet, board->tile, at % board->columns * board->width, at / board->columns * board->height);
    board->done++;
    source->host->progress(source->task, (double)board->done / board->tiles);
    return board->done % per_sheet == 0 || board->done == board->tiles ? emit_sheet(board) : MR_OK;
}

/* ---- pictures ---- */

/* The keyframe that is shown for a moment; decodes it into board->frame when it is another than `last`. */
static mr_status keyframe_at(storyboard *board, int64_t wanted, int64_t last, int64_t *ret_us)
{
    thumb_source *source = board->source;
    *ret_us = last;
    if (last != INT64_MIN && source->keyframes && thumb_source_keyframe(source, wanted) == last)
        return MR_OK;
    return thumb_source_seek(source, wanted, board->frame, ret_us);
}

/* As far as the container's index tells. INT64_MIN: it does not. */
static int64_t indexed_keyframe(const thumb_source *source, int64_t us)
{
    AVStream *stream = source->format->streams[source->stream];
    const AVIndexEntry *entry =
        avformat_index_get_entries_count(stream) > 1
            ? avformat_index_get_entry_from_timestamp(stream, av_rescale_q(us, AV_TIME_BASE_Q, stream->time_base), AVSEEK_FLAG_BACKWARD)
            : NULL;
    return entry ? av_rescale_q(entry->timestamp, stream->time_base, AV_TIME_BASE_Q) : INT64_MIN;
}

/*
 * Would neighbouring tiles mostly show the same keyframe? Where the keyframes are not known, some neighbours in the middle are looked up, or else
 * tried.
 */
static mr_status check_keyframes(storyboard *board, bool *ret_sparse)
{
    const thumb_source *source = board->source;
    int first = source->keyframes ? 0 : board->tiles / 2;
    int end = source->keyframes || board->tiles - first < LOOK_AT ? board->tiles : first + LOOK_AT;
    bool indexed = strncmp(source->format->iformat->name, "mov", 3) == 0 && indexed_keyframe(source, moment(board, first)) != INT64_MIN;
    int different = 0;
    int64_t last = INT64_MIN;
    *ret_sparse = false;
    for (int i = first; i < end; i++) {
        int64_t us = last;
        mr_status status = MR_OK;
        if (source->keyframes)
            us = thumb_source_keyframe(source, moment(board, i));
        else if (indexed)
            us = indexed_keyframe(source, moment(board, i));
        else
            status = keyframe_at(board, moment(board, i), last, &us);
        if (status != MR_OK)
            return status == MR_END ? MR_OK : status;
        different += us != last;
        last = us;
    }
    *ret_sparse = different * 2 < end - first;
    return MR_OK;
}

/* One keyframe per tile. MR_END: none can be decoded. */
static mr_status jump_through(storyboard *board)
{
    int64_t last = INT64_MIN;
    for (int i = 0; i < board->tiles; i++) {
        int64_t us = last;
        mr_status status = keyframe_at(board, moment(board, i), last, &us);
        if (status == MR_OK && us != last)
            status = thumb_shape_run(board->shape, board->frame, board->tile);
        if (status == MR_END && last != INT64_MIN)
            status = MR_OK; /* the source ends early: the last picture stays */
        else
            last = us;
        if (status == MR_OK)
            status = place(board);
        if (status != MR_OK)
            return status;
    }
    return MR_OK;
}

/* Every picture is decoded; a tile gets the one that is shown at its moment. MR_END: none can be decoded. */
static mr_status walk_through(storyboard *board)
{
    thumb_source *source = board->source;
    int64_t held_us;
    int64_t us = INT64_MIN;
    bool shaped = false;
    AVFrame *held = av_frame_alloc();
    mr_status status = held ? thumb_source_reopen(source, false) : mr_media_error(source->host, source->task, AVERROR(ENOMEM), "pictures");
    if (status == MR_OK)
        status = thumb_source_next(source, held, &held_us);
    bool more = status == MR_OK;
    while (status == MR_OK && board->done < board->tiles) {
        /* held is what is shown until the picture in frame is due */
        while (more && (us == INT64_MIN || us <= moment(board, board->done))) {
            if (us != INT64_MIN) {
                av_frame_unref(held);
                av_frame_move_ref(held, board->frame);
                shaped = false;
            }
            status = thumb_source_next(source, board->frame, &us);
            more = status == MR_OK;
            if (status == MR_END)
                status = MR_OK;
            if (status != MR_OK)
                break;
        }
        if (status == MR_OK && !shaped)
            status = thumb_shape_run(board->shape, held, board->tile);
        shaped = true;
        if (status == MR_OK)
            status = place(board);
    }
    av_frame_free(&held);
    return status;
}

/* ---- the track ---- */

static void write_time(FILE *out, int64_t us)
{
    int64_t ms = us / 1000;
    fprintf(out, "%02" PRId64 ":%02" PRId64 ":%02" PRId64 ".%03" PRId64, ms / 3600000, ms / 60000 % 60, ms / 1000 % 60, ms % 1000);
}

static mr_status emit_track(const storyboard *board)
{
    const thumb_source *source = board->source;
    int per_sheet = board->columns * board->rows;
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    if (!out)
        return mr_media_error(source->host, source->task, AVERROR(ENOMEM), "the storyboard's track");
    fputs("WEBVTT\n\n", out);
    for (int i = 0; i < board->tiles; i++) {
        int at = i % per_sheet;
        int64_t end = (i + 1) * board->interval_us;
        write_time(out, i * board->interval_us);
        fputs(" --> ", out);
        write_time(out, end < source->duration_us || i + 1 < board->tiles ? end : source->duration_us + 999);
        fprintf(out, "\nstoryboard/%05d.jpg#xywh=%d,%d,%d,%d\n\n", i / per_sheet, at % board->columns * board->width,
                at / board->columns * board->height, board->width, board->height);
    }
    bool written = !ferror(out);
    written = fclose(out) == 0 && written;
    mr_status status = MR_ERR_NOMEM;
    if (written)
        status = thumb_emit(source->host, source->task, OUT_TRACK,
                            json_pack("{s:s,s:s,s:b}", "path", "storyboard.vtt", "content_type", "text/vtt", "replaceable", 0), text, len);
    free(text);
    return status;
}

/* MR_END: none can be decoded. */
static mr_status make_all(storyboard *board)
{
    bool sparse;
    mr_status status = plan(board);
    if (status == MR_OK)
        status = check_keyframes(board, &sparse);
    if (status != MR_OK)
        return status;
    status = sparse ? walk_through(board) : jump_through(board);
    if (status == MR_END && board->done == 0 && !sparse)
        status = walk_through(board);
    return status == MR_OK ? emit_track(board) : status;
}

static mr_status make(thumb_source *source, const void *given)
{
    storyboard board = {.source = source, .params = given};
    mr_status status = make_all(&board);
    thumb_shape_free(board.shape);
    av_frame_free(&board.frame);
    av_frame_free(&board.tile);
    av_frame_free(&board.sheet);
    return status;
}

static mr_status run(const mr_host *host, const mr_batch *batch)
{
    return thumb_run(host, batch, true, make);
}

const mr_op mr_op_thumbnail_storyboard = {
    .size = sizeof(mr_op),
    .version = 1,
    .name = "thumbnail.storyboard",
    .summary = "makes sheets of small pictures for a player's time line",
    .help = "Sheets of the same grid, and a WebVTT track with #xywh fragments that covers the whole duration. Keyframes are all that is decoded, "
            "where there are "
            "enough of them.",
    .cpu = 1,
    .memory_mb = 256,
    .inputs = thumb_inputs,
    .outputs = outputs,
    .params = params,
    .params_size = sizeof(struct storyboard_params),
    .run = run,
    .toolchain = mr_media_toolchain,
};
