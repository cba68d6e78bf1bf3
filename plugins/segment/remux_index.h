/* SPDX-License-Identifier: MIT */
/*
 * The packets of a source, without their bytes: when all of them lie in it just as they go into segments, it need not be read a second time, and the
 * engine moves the bytes (mr_host.content_copy_at).
 */
#ifndef SEGMENT_REMUX_INDEX_H
#define SEGMENT_REMUX_INDEX_H

#include "media/scan.h"

typedef struct remux_entry {
    int64_t pts;
    int64_t dts;
    int64_t duration;
    int64_t pos; /* of its first byte in the source */
    int32_t size;
    int32_t flags;
    int32_t stream;
} remux_entry;

typedef struct remux_index {
    const mr_host *host;
    mr_task *task;
    const AVFormatContext *format;
    remux_entry *entries; /* in the order in which the source has them */
    size_t count;
    size_t room;
    bool unfit; /* some packet is not in the source as it is: nothing is kept */
} remux_index;

void remux_index_open(remux_index *index, const mr_host *host, mr_task *task, const AVFormatContext *format);
void remux_index_free(remux_index *index);
/* For mr_scan_options.packet; opaque is the index. */
mr_status remux_index_add(void *opaque, AVPacket *packet);
/* Makes packet one without bytes: pts, dts, duration, pos, size, flags and stream_index. */
void remux_index_packet(const remux_index *index, size_t i, AVPacket *packet);

#endif
