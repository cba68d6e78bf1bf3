/* SPDX-License-Identifier: MIT */
/* Integrated loudness and true peak of a track (ITU-R BS.1770-4, EBU R 128), by libavfilter's ebur128. */
#ifndef PROBE_LOUDNESS_H
#define PROBE_LOUDNESS_H

#include <libavutil/frame.h>
#include <stdbool.h>

typedef struct mr_loudness mr_loudness;

/* For frames like this one. NULL: not possible. */
mr_loudness *mr_loudness_new(const AVFrame *like);
void mr_loudness_free(mr_loudness *loudness);
/* 0, or a libav error. The frame stays the caller's. */
int mr_loudness_add(mr_loudness *loudness, const AVFrame *frame);
/* After the last frame. False: nothing was measured. Silence is -70 LUFS and -120 dBFS. */
bool mr_loudness_result(mr_loudness *loudness, double *ret_lufs, double *ret_peak_dbfs);

#endif
