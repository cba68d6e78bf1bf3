/* SPDX-License-Identifier: MIT */
/* Inputs of manifest.package made by hand, and what it publishes for them. */
#ifndef STORY_H
#define STORY_H

#include <op_host.h>
#include <stdbool.h>

enum { STORY_MAX = 2048 };

typedef struct story {
    op_input inputs[STORY_MAX];
    size_t count;
} story;

typedef struct video_spec {
    const char *id;
    int order, width, height, fps_num, fps_den, frame_ticks, timescale, segment_frames, frames, max_bitrate;
    const char *codec, *codec_name, *range;
} video_spec;

typedef struct audio_spec {
    const char *path, *language, *name;
    int order, stream, channels, sample_rate, segments, segment_samples, last_samples, priming;
    bool is_default;
    const char *codec, *codec_name;
} audio_spec;

extern const video_spec video_1080; /* 257 frames: three segments, the last of 57 */
extern const audio_spec audio_en;
video_spec rung(const char *id, int order, int width, int height, int max_bitrate); /* video_1080 in another size */

void story_add(story *story, const char *port, uint32_t type, size_t size, const char *digest, const char *fmt, ...) MR_PRINTF(6, 7);
void story_plan(story *story, const video_spec *video, const audio_spec *audio);
void story_video(story *story, const video_spec *spec);
void story_audio(story *story, const audio_spec *spec);
void story_text(story *story, const char *path, int order, const char *language, const char *name, bool forced, int segments);
void story_remove(story *story, size_t index);
void story_free(story *story);
/* Everything but the plan in another order, the same for the same seed. */
void story_shuffle(story *story, uint32_t seed);

/* The last publication of each text file, sorted by path: "== PATH\nTEXT". malloc()ed. */
char *published_texts(const op_result *result);
const op_item *published(const op_result *result, const char *path);                 /* the last one */
const op_item *published_nth(const op_result *result, const char *path, size_t nth); /* from 0; NULL: it did not come so often */
/* Fails the test when a publication names a file that was not published before it. */
void check_order(const op_result *result);
void check_golden(const char *name, const char *text);

#endif
