/* SPDX-License-Identifier: MIT */
/* Measuring loudness (EBU R 128), and the one factor that brings a whole track to a wanted loudness. */
#ifndef TRANSCODE_AUDIO_LOUDNESS_H
#define TRANSCODE_AUDIO_LOUDNESS_H

#include "audio_track.h"

enum { MR_LOUDNESS_MAX = 2 };

typedef struct mr_loudness {
    int channels;
    double integrated; /* LUFS */
    double true_peak;  /* dBTP */
} mr_loudness;

/* Measures a whole track, or its first max_us (0: all), mixed to each of count (at most MR_LOUDNESS_MAX) numbers of channels. */
mr_status mr_loudness_measure(const mr_host *host, mr_task *task, const mr_artifact *source, const mr_audio_track *track, int64_t max_us,
                              const int *channels, int count, mr_loudness *ret_loudness);
/* What transcode.loudness said of a stream's mix to so many channels, among the items of a port. */
bool mr_loudness_find(const mr_host *host, const mr_task *task, uint32_t port, int stream, int channels, mr_loudness *ret_loudness);

/* What to do with peaks that would come out above the ceiling. */
typedef enum mr_peaks { MR_PEAKS_LIMIT, MR_PEAKS_KEEP } mr_peaks;
extern const char *const mr_peaks_words[];

/*
 * The factor on samples that makes it as loud as target (LUFS), and the linear ceiling for a limiter, 0 where none is needed. MR_PEAKS_KEEP: the
 * factor is small enough that nothing exceeds ceiling (dBTP). Silence stays as it is.
 */
void mr_loudness_gain(const mr_loudness *loudness, double target, double ceiling, mr_peaks peaks, double *ret_gain, double *ret_ceiling);

#endif
