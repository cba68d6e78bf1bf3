/* SPDX-License-Identifier: MIT */
/*
 * MP4 and QuickTime files (ISO/IEC 14496-12) as they lie in a source: their boxes, before libav sees them. Nothing is believed: a box ends where what
 * it lies in ends, and only so many are looked at.
 */
#ifndef MR_MEDIA_MP4_H
#define MR_MEDIA_MP4_H

#include <millrace/op.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    MR_MP4_HEAD = 16,     /* bytes kept of a box's content: version and flags, three numbers */
    MR_MP4_BUFFER = 4096, /* read at a time: the boxes of a track or a fragment are small, and lie one after the other */
};

typedef struct mr_mp4 {
    const mr_host *host;
    mr_task *task;
    const mr_artifact *source;
    uint32_t boxes; /* looked at so far */
    uint64_t buffer_at;
    size_t buffer_len;
    uint8_t buffer[MR_MP4_BUFFER];
} mr_mp4;

typedef struct mr_mp4_box {
    uint64_t at, content, end; /* the header, what is in it, and what comes behind it */
    uint8_t head[MR_MP4_HEAD]; /* of the content */
    size_t head_len;
    char type[5];
} mr_mp4_box;

uint64_t mr_mp4_number(const uint8_t *bytes, size_t count); /* big-endian */
/* The box at that place. MR_END: none there, or enough were looked at. */
mr_status mr_mp4_box_at(mr_mp4 *in, uint64_t at, uint64_t end, mr_mp4_box *ret_box);
/* Exactly so many bytes. MR_END: the source has fewer. */
mr_status mr_mp4_read(mr_mp4 *in, uint64_t at, void *bytes, size_t len);

#endif
