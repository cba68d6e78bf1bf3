/* SPDX-License-Identifier: MIT */
/*
 * How well a picture stands for a video. Everything is counted on a small limited-range picture: the entropy of luma (black, white and plain pictures
 * and fades have little), the strength of edges (blur and motion have little), and how far colours lie from grey.
 */
#include "thumbnail.h"

#include <math.h>
#include <stdlib.h>

enum { BINS = 64 };

static double luma_entropy(const AVFrame *picture, double *ret_mean)
{
    unsigned counts[BINS] = {0};
    double sum = 0;
    double entropy = 0;
    double total = (double)picture->width * picture->height;
    for (int y = 0; y < picture->height; y++) {
        const uint8_t *row = picture->data[0] + (ptrdiff_t)y * picture->linesize[0];
        for (int x = 0; x < picture->width; x++) {
            counts[row[x] * BINS / 256]++;
            sum += row[x];
        }
    }
    for (int i = 0; i < BINS; i++) {
        if (counts[i])
            entropy -= counts[i] / total * log2(counts[i] / total);
    }
    *ret_mean = sum / total;
    return entropy;
}

/* Mean absolute Laplacian. */
static double edges(const AVFrame *picture)
{
    double sum = 0;
    ptrdiff_t stride = picture->linesize[0];
    if (picture->width < 3 || picture->height < 3)
        return 0;
    for (int y = 1; y + 1 < picture->height; y++) {
        const uint8_t *row = picture->data[0] + y * stride;
        for (int x = 1; x + 1 < picture->width; x++)
            sum += abs(4 * row[x] - row[x - 1] - row[x + 1] - row[x - stride] - row[x + stride]);
    }
    return sum / ((double)(picture->width - 2) * (picture->height - 2));
}

/* Mean distance from grey. */
static double colourfulness(const AVFrame *picture)
{
    double sum = 0;
    int width = picture->width / 2;
    int height = picture->height / 2;
    for (int y = 0; y < height; y++) {
        const uint8_t *u = picture->data[1] + (ptrdiff_t)y * picture->linesize[1];
        const uint8_t *v = picture->data[2] + (ptrdiff_t)y * picture->linesize[2];
        for (int x = 0; x < width; x++)
            sum += abs(u[x] - 128) + abs(v[x] - 128);
    }
    return width * height > 0 ? sum / ((double)width * height) : 0;
}

double thumb_score(const AVFrame *picture)
{
    double mean;
    double score = luma_entropy(picture, &mean);
    score += 0.8 * log2(1 + edges(picture));
    score += 0.3 * log2(1 + colourfulness(picture));
    if (mean < 50)
        score -= (50 - mean) / 8;
    if (mean > 205)
        score -= (mean - 205) / 8;
    return score;
}
