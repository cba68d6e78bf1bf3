/* SPDX-License-Identifier: MIT */
/*
 * PSNR, and SSIM after Wang et al., "Image Quality Assessment: From Error Visibility to Structural Similarity" (2004), on blocks of 8x8 that lie side
 * by side instead of windows around each pixel. Sums are whole numbers: the order in which they are added makes no difference.
 */
#include "measure.h"

#include <math.h>

enum { BLOCK = 8, PIXELS = BLOCK * BLOCK };
#define C1       (0.01 * 255 * 0.01 * 255)
#define C2       (0.03 * 255 * 0.03 * 255)
#define PSNR_MAX 100.0

static double block_ssim(const uint8_t *a, ptrdiff_t a_stride, const uint8_t *b, ptrdiff_t b_stride, uint64_t *squares)
{
    int64_t sum_a = 0;
    int64_t sum_b = 0;
    int64_t aa_bb = 0;
    int64_t ab = 0;
    for (int y = 0; y < BLOCK; y++) {
        for (int x = 0; x < BLOCK; x++) {
            const int p = a[y * a_stride + x];
            const int q = b[y * b_stride + x];
            sum_a += p;
            sum_b += q;
            const int squared = p * p + q * q;
            const int product = p * q;
            aa_bb += squared;
            ab += product;
        }
    }
    *squares += (uint64_t)(aa_bb - 2 * ab);
    const double mean_a = (double)sum_a / PIXELS;
    const double mean_b = (double)sum_b / PIXELS;
    const double variances = (double)aa_bb / PIXELS - mean_a * mean_a - mean_b * mean_b;
    const double covariance = (double)ab / PIXELS - mean_a * mean_b;
    return (2 * mean_a * mean_b + C1) * (2 * covariance + C2) / ((mean_a * mean_a + mean_b * mean_b + C1) * (variances + C2));
}

void measure_compare(const AVFrame *a, const AVFrame *b, measure_likeness *sum)
{
    uint64_t squares = 0;
    double ssim = 0;
    int64_t blocks = 0;
    for (int y = 0; y + BLOCK <= a->height; y += BLOCK) {
        for (int x = 0; x + BLOCK <= a->width; x += BLOCK) {
            ssim += block_ssim(a->data[0] + (ptrdiff_t)y * a->linesize[0] + x, a->linesize[0], b->data[0] + (ptrdiff_t)y * b->linesize[0] + x,
                               b->linesize[0], &squares);
            blocks++;
        }
    }
    if (blocks == 0)
        return;
    sum->squares += (double)squares / ((double)blocks * PIXELS);
    sum->ssim += ssim / (double)blocks;
    sum->pictures++;
}

double measure_psnr(const measure_likeness *sum)
{
    const double mean = sum->pictures ? sum->squares / (double)sum->pictures : 0;
    const double psnr = mean > 0 ? 10 * log10(255.0 * 255.0 / mean) : PSNR_MAX;
    return psnr < PSNR_MAX ? psnr : PSNR_MAX;
}

double measure_ssim(const measure_likeness *sum)
{
    return sum->pictures ? sum->ssim / (double)sum->pictures : 1;
}

json_t *measure_number(double value)
{
    return json_real(round(value * 10000) / 10000);
}
