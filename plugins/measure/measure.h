/* SPDX-License-Identifier: MIT */
/* The ops of this plugin, and what they share. */
#ifndef MEASURE_MEASURE_H
#define MEASURE_MEASURE_H

#include "media/chunk.h"

#include <jansson.h>
#include <libavutil/frame.h>
#include <millrace/plugin.h>

extern const mr_op mr_op_measure_trial;
extern const mr_op mr_op_measure_scenes;

/* source.c: the picture track, as an info describes it: as one chunk without segments. Reports what is wrong. */
mr_status measure_source_read(const mr_host *host, mr_task *task, const mr_artifact *info, mr_chunk *ret_chunk, int64_t *ret_duration_us);

/* likeness.c: how like two pictures are, by their luma (8 bits, equal sizes). */
typedef struct measure_likeness {
    double squares; /* mean squared error of the pictures so far, summed up */
    double ssim;    /* summed up, too */
    int64_t pictures;
} measure_likeness;
void measure_compare(const AVFrame *a, const AVFrame *b, measure_likeness *sum);
double measure_psnr(const measure_likeness *sum); /* dB, 100 at most */
double measure_ssim(const measure_likeness *sum); /* 1: the same */

/* Rounded, so that the last bits of a libm are in no result. New reference. */
json_t *measure_number(double value);

#endif
