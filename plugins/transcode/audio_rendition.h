/* SPDX-License-Identifier: MIT */
/*
 * One rendition of one sound track over one chunk: encoder, CMAF segments and their metadata.
 *
 * Encoded frame k covers the media time from k * frame_size; media time is presentation time plus the encoder's priming. A frame belongs to the
 * segment in which its presentation begins; the frames of the priming belong to the first. So the frames of a chunk follow from its samples alone,
 * and the encoder is fed from PREROLL frames before the first of them: what it carries from frame to frame has forgotten where it began.
 */
#ifndef TRANSCODE_AUDIO_RENDITION_H
#define TRANSCODE_AUDIO_RENDITION_H

#include "audio_encoder.h"
#include "audio_track.h"

typedef struct mr_audio_segment {
    int64_t index;
    int64_t start; /* samples of presentation time */
    int64_t end;
} mr_audio_segment;

/* What a chunk and a track say, and all its renditions share. */
typedef struct mr_audio_work {
    int rate;
    int64_t start; /* of the chunk, samples */
    int64_t end;
    bool last;       /* of the track: frames up to its end belong to the last segment */
    int64_t samples; /* where the track ends */
    const mr_audio_segment *segments;
    size_t segment_count;
    const mr_audio_track *track;
} mr_audio_work;

typedef struct mr_audio_rendition mr_audio_rendition;

/* Opens the encoder and emits the init segment on port. work is borrowed. */
mr_status mr_audio_rendition_open(const mr_host *host, mr_task *task, uint32_t port, const mr_audio_work *work,
                                  const mr_audio_encoder_options *options, mr_audio_rendition **ret_rendition);
void mr_audio_rendition_close(mr_audio_rendition *rendition);
int mr_audio_rendition_frame_size(const mr_audio_rendition *rendition);
/* The first sample that must be sent. */
int64_t mr_audio_rendition_start(const mr_audio_rendition *rendition);
/* Every frame of the chunk was made and emitted. */
bool mr_audio_rendition_done(const mr_audio_rendition *rendition);
/* 0 … 1 */
double mr_audio_rendition_progress(const mr_audio_rendition *rendition);
/* The next frame_size samples in the track's layout. Emits segments when they are whole. */
mr_status mr_audio_rendition_send(mr_audio_rendition *rendition, float *const *planes);

#endif
