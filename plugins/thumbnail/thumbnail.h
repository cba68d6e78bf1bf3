/* SPDX-License-Identifier: MIT */
/* The ops of this plugin, and what they share: a source's pictures, in the size and colours of a still image. */
#ifndef THUMBNAIL_THUMBNAIL_H
#define THUMBNAIL_THUMBNAIL_H

#include "media/chunk.h"
#include "media/colour.h"
#include "media/decoder.h"

#include <jansson.h>
#include <libavutil/frame.h>
#include <millrace/plugin.h>

extern const mr_op mr_op_thumbnail_poster;
extern const mr_op mr_op_thumbnail_sheets;
extern const mr_op mr_op_thumbnail_storyboard;
extern const mr_op mr_op_thumbnail_preview;

/* ---- source.c ---- */

typedef struct thumb_source {
    const mr_host *host;
    mr_task *task;
    const mr_artifact *artifact;
    mr_picture_info picture;
    int stream;
    int64_t origin_us;   /* source time of presentation time 0 */
    int64_t start_us;    /* of the picture track, source time */
    int64_t end_us;      /* of the picture track, source time */
    int64_t duration_us; /* of the presentation */
    int64_t *keyframes;  /* source time, sorted; NULL: not known */
    size_t keyframe_count;
    bool progressive; /* of whole pictures, not of fields */
    AVFormatContext *format;
    mr_decoder *decoder;
    bool keyframes_only; /* of the decoder */
} thumb_source;

/* The first ports of every op that opens a source. */
enum { THUMB_IN_SOURCE, THUMB_IN_INFO };
extern const mr_port thumb_inputs[];

/*
 * Runs a batch: reads what probe.media says of each task's source, opens its picture track, and has make() do the rest. MR_END from make(): there was
 * no picture at all, and the source is refused.
 */
mr_status thumb_run(const mr_host *host, const mr_batch *batch, bool keyframes_only, mr_status (*make)(thumb_source *source, const void *params));

/* Fills what probe.media says: all fields before format. MR_ERR_INPUT, reported: it is of no use. */
mr_status thumb_source_describe(thumb_source *source, const mr_artifact *info);
void thumb_source_close(thumb_source *source);

/* Closes the decoder and opens one that decodes everything, or keyframes only. It stands at the start. */
mr_status thumb_source_reopen(thumb_source *source, bool keyframes_only);
/* The next picture. MR_END: none. */
mr_status thumb_source_next(thumb_source *source, AVFrame *frame, int64_t *ret_us);
/* The keyframe at or before a time, wherever one can be found; the pictures after it follow. MR_END: none. */
mr_status thumb_source_seek(thumb_source *source, int64_t us, AVFrame *frame, int64_t *ret_us);
/* The picture shown at a time: the last one that is not after it, else the first. keyframes_only decoders give the keyframe. */
mr_status thumb_source_at(thumb_source *source, int64_t us, AVFrame *frame, int64_t *ret_us);
/* The last keyframe at or before a time; the first when there is none. Only with keyframes. */
int64_t thumb_source_keyframe(const thumb_source *source, int64_t us);
/* The largest even size with the picture's proportions in a box; never larger than the picture. */
void thumb_source_fit(const thumb_source *source, int box_width, int box_height, int *ret_width, int *ret_height);

/* ---- shape.c: upright, with square pixels, in SDR, as image formats want it ---- */

typedef enum thumb_range { THUMB_LIMITED, THUMB_FULL } thumb_range; /* WebP, JPEG */

typedef struct thumb_shape thumb_shape;

/* fine: for one large picture (de-interlaced, a sharp scaler); else for many small ones. source is borrowed. */
mr_status thumb_shape_new(const thumb_source *source, int width, int height, thumb_range range, bool fine, thumb_shape **ret_shape);
void thumb_shape_free(thumb_shape *shape);
/* frame is used up; out gets a yuv420p picture with BT.601 colours. */
mr_status thumb_shape_run(thumb_shape *shape, AVFrame *frame, AVFrame *out);

/* ---- image.c ---- */

/* A full-range picture as JPEG; quality 1 … 100. *ret_data is freed with av_free. */
mr_status thumb_jpeg(const mr_host *host, mr_task *task, const AVFrame *picture, int quality, uint8_t **ret_data, size_t *ret_len);
/* A black yuv420p picture. NULL: no memory. */
AVFrame *thumb_canvas(int width, int height, thumb_range range);
/* Copies a picture into a canvas at an even place. */
void thumb_paste(AVFrame *canvas, const AVFrame *picture, int x, int y);
/* Emits an image; takes meta. */
mr_status thumb_emit(const mr_host *host, mr_task *task, uint32_t port, json_t *meta, const void *data, size_t len);

/* ---- score.c ---- */

/* How well a small yuv420p picture stands for a video: rich, sharp and colourful is high, black, white, plain and blurred low. */
double thumb_score(const AVFrame *picture);

#endif
