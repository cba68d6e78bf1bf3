/* SPDX-License-Identifier: MIT */
/* One track on its way from the source's packets to CMAF segments. */
#ifndef SEGMENT_REMUX_H
#define SEGMENT_REMUX_H

#include <jansson.h>
#include <libavcodec/bsf.h>
#include "cuts.h"
#include "media/cmaf.h"
#include "media/scan.h"

enum { REMUX_OUT_PLAN, REMUX_OUT_SEGMENTS };

typedef struct remux_track remux_track;

/* info: the track's own, from probe.media. bounds are borrowed: of sound, the starts of its segments (µs from time 0, bound_count + 1 with the end);
 * of the picture, the packets with which they begin. */
typedef struct remux_track_options {
    const AVStream *stream;
    const json_t *info;
    int64_t origin_us;
    const int64_t *start_us;
    const size_t *packet; /* NULL: sound */
    size_t bound_count;
    AVRational fps;
    int64_t max_bitrate;
    int order;
    const mr_artifact *source; /* packets have no bytes, only where in it they lie (pos, size); NULL: they have them */
} remux_track_options;

mr_status remux_track_open(const mr_host *host, mr_task *task, const remux_track_options *options, remux_track **ret_track);
void remux_track_close(remux_track *track);
/* Takes the packet's reference; NULL ends the track. */
mr_status remux_track_write(remux_track *track, AVPacket *packet);

#endif
