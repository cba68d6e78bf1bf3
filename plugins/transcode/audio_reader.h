/* SPDX-License-Identifier: MIT */
/*
 * A sound track as planar float samples on the plan's time line: sample n lies n / rate seconds after the plan's time 0, whatever the source's sample
 * rate, time stamps, gaps and overlaps. The samples that a reader gives from some point on do not depend on where it was opened, up to what the
 * decoder itself carries from frame to frame: that is what makes the seams between chunks inaudible.
 */
#ifndef TRANSCODE_AUDIO_READER_H
#define TRANSCODE_AUDIO_READER_H

#include "media/input.h"

#include <libavutil/channel_layout.h>

typedef struct mr_audio_reader mr_audio_reader;

typedef struct mr_audio_reader_options {
    int stream;
    int rate;               /* of what is read, Hz */
    int64_t origin_us;      /* the plan's time 0, in source time */
    int64_t track_start_us; /* the track's first time stamp, in source time */
    int64_t start;          /* the first sample wanted; before time 0 and before the track there is silence */
    int64_t end;            /* the track ends here: silence from this sample on */
    int64_t until;          /* what is read ends about here (a second more is fine); INT64_MAX: with the track; 0: the whole track may be read */
    mr_media_bounds bounds; /* of that in the source */
    AVChannelLayout layout; /* of what is read; native order */
} mr_audio_reader_options;

mr_status mr_audio_reader_open(const mr_host *host, mr_task *task, const mr_artifact *source, const mr_audio_reader_options *options,
                               mr_audio_reader **ret_reader);
void mr_audio_reader_close(mr_audio_reader *reader);
/* Fills each channel's plane with the next count samples. Asks for cancellation. */
mr_status mr_audio_reader_read(mr_audio_reader *reader, float *const *planes, int count);
/* The samples of the last read that were the source's own, not the silence after its end: fewer than it asked for once the source has ended. */
int mr_audio_reader_got(const mr_audio_reader *reader);
/* How much of the source's bytes lie behind it: 0 … 1. */
double mr_audio_reader_passed(const mr_audio_reader *reader);

/*
 * The layout that a track is read in: what the source says when that is a native layout, else the usual one for the number of channels; stereo (the
 * first two channels, or the omnidirectional one of ambisonics) where there is none. name may be NULL or unknown. Never fails.
 */
AVChannelLayout mr_audio_layout(const char *name, int channels);

#endif
