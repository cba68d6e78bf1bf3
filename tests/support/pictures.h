/* SPDX-License-Identifier: MIT */
/* The pictures of encoded bytes, and of libavfilter's sources, for tests that compare them. Failures are told on stderr. */
#ifndef TEST_PICTURES_H
#define TEST_PICTURES_H

#include <libavutil/frame.h>
#include <libavutil/rational.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct test_pictures {
    AVFrame **frames;
    size_t count;
    AVRational time_base; /* of the frames' pts */
} test_pictures;

/* Decodes the first picture track of bytes in memory (an init segment and media segments, one after the other). */
bool pictures_read(const uint8_t *data, size_t len, test_pictures *ret_pictures);
/* What a graph with a source in it gives: "testsrc2=size=320x180:rate=25,format=yuv420p". False when it gives fewer frames. */
bool pictures_render(const char *graph, int frames, test_pictures *ret_pictures);
void pictures_free(test_pictures *pictures);
/* PSNR of the luma planes of two 8-bit pictures of one size, dB; 99 when they are equal, 0 when the sizes differ. */
double picture_psnr(const AVFrame *a, const AVFrame *b);
/* Mean of a plane of 8-bit 4:2:0. */
double picture_mean(const AVFrame *frame, int plane);

#endif
