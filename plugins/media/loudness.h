/* SPDX-License-Identifier: MIT */
/* Integrated loudness and peaks of sound (ITU-R BS.1770-4, EBU R 128), by libavfilter's ebur128. */
#ifndef MR_MEDIA_LOUDNESS_H
#define MR_MEDIA_LOUDNESS_H

#include <libavutil/frame.h>
#include <stdbool.h>

#define MR_SILENCE_LUFS (-70.0) /* R 128's absolute gate: what is below counts as silence */

typedef struct mr_loudness_meter mr_loudness_meter;

typedef struct mr_loudness_reading {
    bool measured;      /* false: there was no sound */
    double integrated;  /* LUFS; MR_SILENCE_LUFS for silence */
    double true_peak;   /* linear */
    double sample_peak; /* linear */
} mr_loudness_reading;

/* For frames like this one. 0, or a libav error, as below. */
int mr_loudness_meter_new(const AVFrame *like, mr_loudness_meter **ret_meter);
void mr_loudness_meter_free(mr_loudness_meter *meter);
/* The frame stays the caller's; NULL: there are no more. AVERROR_INPUT_CHANGED: it is not like the first one. */
int mr_loudness_meter_add(mr_loudness_meter *meter, const AVFrame *frame);
mr_loudness_reading mr_loudness_meter_read(const mr_loudness_meter *meter);

/* A linear peak in dB; silence, and what is below, has 'least'. */
double mr_peak_db(double peak, double least);

#endif
