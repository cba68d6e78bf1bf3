/* SPDX-License-Identifier: MIT */
/* For tests of sound: decoding what was made, and finding things in it. */
#ifndef TRANSCODE_TEST_SOUND_H
#define TRANSCODE_TEST_SOUND_H

#include "op_host.h"
#include <stdbool.h>
#include <stddef.h>

typedef struct sound {
    float *data; /* interleaved */
    size_t samples;
    int channels;
    int rate;
} sound;

/* Every sample that the decoder gives for the first sound track of a file, priming as well. */
sound sound_read(const char *path);
void sound_free(sound *sound);
float sound_at(const sound *sound, size_t sample, int channel); /* 0 outside */
/* The first sample of a channel whose size exceeds level, at or after from; -1: none. */
long sound_find(const sound *sound, int channel, float level, size_t from);
/* Root mean square of the difference of two sounds over [from, to), first channels. */
double sound_difference(const sound *a, const sound *b, size_t from, size_t to);
double sound_level(const sound *sound, size_t from, size_t to);

/* Writes a file of the items' contents, in order. */
bool file_join(const char *path, const op_item *const *items, size_t count);

#endif
