/* SPDX-License-Identifier: MIT */
/*
 * A part of an MP4 (mr_media_part) as a view of the file in which there is nothing else: the media of other tracks is blanked, and the sample table
 * of a sound track lists what is wanted only, at the times that it has in the whole. libav makes an index of 24 bytes for each sample it is told of,
 * so without this every task that opens two hours of sound holds 8 MB of it, and reads the tables for it. The view differs from the file in a few
 * ranges of bytes within 'moov', all of their old length: every other place is what it was.
 */
#ifndef MR_MEDIA_MP4_PART_H
#define MR_MEDIA_MP4_PART_H

#include "media/input.h"
#include "media/mp4.h"

typedef struct mr_mp4_patch {
    uint64_t at;
    uint8_t *bytes; /* NULL: zeros */
    uint64_t len;
} mr_mp4_patch;

typedef struct mr_mp4_view {
    mr_mp4_patch *patches; /* in the order of their places */
    size_t count;          /* 0: the file as it is */
    int track_id;          /* what libav has to call the stream: whoever opens a view looks whether it does */
    bool cut;              /* the track goes on behind what the view shows of it */
} mr_mp4_view;

/* A file that is not as usual gets the view that shows all. Anything but MR_OK: why the bytes did not come, already reported by the host. */
mr_status mr_mp4_view_make(const mr_host *host, mr_task *task, const mr_artifact *source, const mr_media_part *part, mr_mp4_view *ret_view);
void mr_mp4_view_free(mr_mp4_view *view);
/* Copies what the view has of its own at a place, and returns how much; 0: the file's bytes are right there, *len of them at most. */
size_t mr_mp4_view_read(const mr_mp4_view *view, uint64_t at, void *bytes, size_t *len);

/* Adds that the content of each 'mdat' is zeros: what samples hold is not read any more, wherever they are. Where keys_of is not NULL, its samples
 * that libav's index lists as keyframes keep their beginning. */
mr_status mr_mp4_view_empty(const mr_host *host, mr_task *task, const mr_artifact *source, AVStream *keys_of, mr_mp4_view *view);

/* The sample table of a sound track, cut to what lies between two places in time. */
typedef struct mr_mp4_sound {
    mr_mp4_box table; /* stbl */
    uint32_t timescale;
    int64_t shift;          /* ticks from the time of its samples to that of the stream: the edit list */
    int64_t first, end;     /* ticks of its samples: of the edit */
    int64_t from_us, to_us; /* of the stream */
} mr_mp4_sound;

/* *ret_patch: none (bytes NULL) where nothing is to be gained, or the table is not of the plain kind. */
mr_status mr_mp4_sound_cut(mr_mp4 *in, const mr_mp4_sound *sound, mr_mp4_patch *ret_patch, bool *ret_cut);

#endif
