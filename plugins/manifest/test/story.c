/* SPDX-License-Identifier: MIT */
/* See story.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "story.h"
#include "base/file.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char zeros[8 << 20];

void story_add(story *story, const char *port, uint32_t type, size_t size, const char *digest, const char *fmt, ...)
{
    char *meta = NULL;
    va_list args;
    va_start(args, fmt);
    assert_true(vasprintf(&meta, fmt, args) > 0);
    va_end(args);
    assert_true(story->count < STORY_MAX && size <= sizeof(zeros));
    story->inputs[story->count++] = (op_input){.port = port, .type = type, .meta = meta, .data = size ? zeros : NULL, .size = size, .digest = digest};
}

void story_plan(story *story, const video_spec *video, const audio_spec *audio)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    long long us = video ? (long long)video->frames * video->fps_den * 1000000 / video->fps_num
                         : ((long long)(audio->segments - 1) * audio->segment_samples + audio->last_samples) * 1000000 / audio->sample_rate;
    fprintf(out, "{\"origin_us\":0,\"duration_us\":%lld,\"segment_us\":4000000", us);
    if (video) {
        fprintf(out, ",\"video\":{\"timescale\":%d,\"frame_ticks\":%d,\"frames\":%d,\"segments\":[", video->timescale, video->frame_ticks,
                video->frames);
        for (int first = 0; first < video->frames; first += video->segment_frames) {
            int rest = video->frames - first;
            fprintf(out, "%s[%d,%d]", first ? "," : "", first, rest < video->segment_frames ? rest : video->segment_frames);
        }
        fprintf(out, "]}");
    }
    if (audio) {
        int end = (audio->segments - 1) * audio->segment_samples + audio->last_samples;
        fprintf(out, ",\"audio\":{\"sample_rate\":%d,\"tracks\":[{\"stream\":%d,\"samples\":%d}],\"segments\":[", audio->sample_rate, audio->stream,
                end);
        for (int i = 0; i < audio->segments; i++)
            fprintf(out, "%s[%d,%d]", i ? "," : "", i * audio->segment_samples, i + 1 < audio->segments ? (i + 1) * audio->segment_samples : end);
        fprintf(out, "]}");
    }
    fprintf(out, "}");
    fclose(out);
    story_add(story, "plan", MR_TYPE_JSON, 0, NULL, "%s", text);
    free(text);
}

void story_video(story *story, const video_spec *spec)
{
    int index = 0;
    story_add(story, "segments", MR_TYPE_SEGMENT, 800, "sha256:v",
              "{\"role\":\"init\",\"kind\":\"video\",\"rendition\":\"video/%s\",\"order\":%d,\"codec\":\"%s\",\"codec_name\":\"%s\",\"timescale\":%d,"
              "\"ext\":\"mp4\",\"width\":%d,\"height\":%d,\"fps\":[%d,%d],\"video_range\":\"%s\",\"max_bitrate\":%d}",
              spec->id, spec->order, spec->codec, spec->codec_name, spec->timescale, spec->width, spec->height, spec->fps_num, spec->fps_den,
              spec->range, spec->max_bitrate);
    for (int first = 0; first < spec->frames; first += spec->segment_frames, index++) {
        int frames = spec->frames - first < spec->segment_frames ? spec->frames - first : spec->segment_frames;
        long long ticks = (long long)frames * spec->frame_ticks;
        size_t size = (size_t)((long long)spec->max_bitrate * ticks / spec->timescale / 8 * (70 + index * 7 % 30) / 100);
        story_add(story, "segments", MR_TYPE_SEGMENT, size, NULL,
                  "{\"role\":\"media\",\"kind\":\"video\",\"rendition\":\"video/%s\",\"index\":%d,\"start\":%lld,\"duration\":%lld,\"timescale\":%d,"
                  "\"frames\":%d,\"ext\":\"m4s\",\"iframe_bytes\":%zu}",
                  spec->id, index, (long long)first * spec->frame_ticks, ticks, spec->timescale, frames, size / 9);
    }
}

void story_audio(story *story, const audio_spec *spec)
{
    long long start = 0;
    story_add(
        story, "segments", MR_TYPE_SEGMENT, 700, "sha256:a",
        "{\"role\":\"init\",\"kind\":\"audio\",\"rendition\":\"%s\",\"order\":%d,\"codec\":\"%s\",\"codec_name\":\"%s\",\"timescale\":%d,\"ext\":"
        "\"mp4\","
        "\"sample_rate\":%d,\"channels\":%d,\"language\":\"%s\",\"name\":\"%s\",\"default\":%s,\"priming\":%d,\"stream\":%d,\"max_bitrate\":%d}",
        spec->path, spec->order, spec->codec, spec->codec_name, spec->sample_rate, spec->sample_rate, spec->channels, spec->language, spec->name,
        spec->is_default ? "true" : "false", spec->priming, spec->stream, 64000 * spec->channels);
    for (int i = 0; i < spec->segments; i++) {
        long long samples = (i + 1 < spec->segments ? spec->segment_samples : spec->last_samples) + (i == 0 ? spec->priming : 0);
        story_add(story, "segments", MR_TYPE_SEGMENT, (size_t)(samples * spec->channels / 6), NULL,
                  "{\"role\":\"media\",\"kind\":\"audio\",\"rendition\":\"%s\",\"index\":%d,\"start\":%lld,\"duration\":%lld,\"timescale\":%d,"
                  "\"ext\":\"m4s\"}",
                  spec->path, i, start, samples, spec->sample_rate);
        start += samples;
    }
}

void story_text(story *story, const char *path, int order, const char *language, const char *name, bool forced, int segments)
{
    story_add(
        story, "segments", MR_TYPE_SEGMENT, 0, NULL,
        "{\"role\":\"init\",\"kind\":\"text\",\"rendition\":\"%s\",\"order\":%d,\"codec\":\"wvtt\",\"codec_name\":\"webvtt\",\"timescale\":1000,"
        "\"ext\":\"vtt\",\"language\":\"%s\",\"name\":\"%s\",\"default\":false,\"forced\":%s,\"stream\":%d}",
        path, order, language, name, forced ? "true" : "false", 10 + order);
    for (int i = 0; i < segments; i++)
        story_add(story, "segments", MR_TYPE_SEGMENT, 120, NULL,
                  "{\"role\":\"media\",\"kind\":\"text\",\"rendition\":\"%s\",\"index\":%d,\"start\":%d,\"duration\":4000,\"timescale\":1000,\"ext\":"
                  "\"vtt\"}",
                  path, i, i * 4000);
    story_add(story, "segments", MR_TYPE_SEGMENT, 400, NULL, "{\"role\":\"whole\",\"kind\":\"text\",\"rendition\":\"%s\",\"ext\":\"vtt\"}", path);
}

void story_free(story *story)
{
    for (size_t i = 0; i < story->count; i++)
        free((void *)story->inputs[i].meta);
    story->count = 0;
}

void story_shuffle(story *story, uint32_t seed)
{
    for (size_t i = story->count - 1; i > 1; i--) {
        seed = seed * 1664525u + 1013904223u;
        size_t k = 1 + (seed >> 8) % i; /* the plan stays first */
        op_input swap = story->inputs[i];
        story->inputs[i] = story->inputs[k];
        story->inputs[k] = swap;
    }
}

static json_t *meta_of(const op_item *item)
{
    json_t *meta = json_loads(item->meta, 0, NULL);
    assert_non_null(meta);
    return meta;
}

/* Compares the text of the metadata: no path here needs an escape, and there are millions of comparisons. */
static bool has_path(const op_item *item, const char *path)
{
    static const char key[] = "\"path\":\"";
    const char *found = strstr(item->meta, key);
    size_t len = strlen(path);
    assert_non_null(found);
    found += sizeof(key) - 1;
    return strncmp(found, path, len) == 0 && found[len] == '"';
}

const op_item *published(const op_result *result, const char *path)
{
    for (size_t i = result->count; i-- > 0;) {
        if (has_path(&result->items[i], path))
            return &result->items[i];
    }
    return NULL;
}

const op_item *published_nth(const op_result *result, const char *path, size_t nth)
{
    for (size_t i = 0; i < result->count; i++) {
        if (has_path(&result->items[i], path) && nth-- == 0)
            return &result->items[i];
    }
    return NULL;
}

static int compare_texts(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

char *published_texts(const op_result *result)
{
    char *texts[256], *all = NULL;
    size_t count = 0, len = 0;
    for (size_t i = 0; i < result->count; i++) {
        json_t *meta = meta_of(&result->items[i]);
        const char *path = json_string_value(json_object_get(meta, "path"));
        bool text = json_is_true(json_object_get(meta, "replaceable"));
        if (text && published(result, path) == &result->items[i]) {
            assert_true(count < 256);
            assert_true(asprintf(&texts[count++], "== %s\n%.*s", path, (int)result->items[i].size, (const char *)result->items[i].data) > 0);
        }
        json_decref(meta);
    }
    qsort(texts, count, sizeof(texts[0]), compare_texts);
    FILE *out = open_memstream(&all, &len);
    for (size_t i = 0; i < count; i++) {
        fputs(texts[i], out);
        free(texts[i]);
    }
    fclose(out);
    return all;
}

static void check_named(const op_result *result, size_t before, const char *folder, size_t folder_len, const char *name, size_t name_len)
{
    char path[2048];
    snprintf(path, sizeof(path), "%.*s%.*s", (int)folder_len, folder, (int)name_len, name);
    for (size_t i = 0; i < before; i++) {
        if (has_path(&result->items[i], path))
            return;
    }
    fail_msg("publication %zu names '%s', which was not published before it", before, path);
}

static void check_playlist(const op_result *result, size_t index, const char *path)
{
    char *text = strndup((const char *)result->items[index].data, result->items[index].size);
    const char *slash = strrchr(path, '/');
    size_t folder = slash ? (size_t)(slash - path) + 1 : 0;
    char *save = NULL;
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        char *uri = strstr(line, "URI=\"");
        if (line[0] == '#' && uri)
            check_named(result, index, path, folder, uri + 5, strcspn(uri + 5, "\""));
        else if (line[0] != '#' && line[0])
            check_named(result, index, path, folder, line, strlen(line));
    }
    free(text);
}

void check_order(const op_result *result)
{
    for (size_t i = 0; i < result->count; i++) {
        json_t *meta = meta_of(&result->items[i]);
        const char *path = json_string_value(json_object_get(meta, "path"));
        if (strstr(path, ".m3u8"))
            check_playlist(result, i, path);
        if (!json_is_true(json_object_get(meta, "replaceable")))
            assert_ptr_equal(published(result, path), &result->items[i]); /* comes once */
        json_decref(meta);
    }
}

void check_golden(const char *name, const char *text)
{
    char path[1024];
    char *expected = NULL;
    size_t len = 0;
    snprintf(path, sizeof(path), "%s/%s.txt", GOLDEN, name);
    if (getenv("MILLRACE_GOLDEN_UPDATE")) /* NOLINT(concurrency-mt-unsafe): one thread */
        assert_int_equal(mr_file_write_atomic(path, text, strlen(text), 0644, NULL), MR_OK);
    assert_int_equal(mr_file_read(path, 1 << 20, &expected, &len, NULL), MR_OK);
    assert_string_equal(text, expected);
    free(expected);
}

/* ---- what most stories are about ---- */

const video_spec video_1080 = {.id = "1080p",
                               .order = 0,
                               .width = 1920,
                               .height = 1080,
                               .fps_num = 25,
                               .fps_den = 1,
                               .frame_ticks = 512,
                               .timescale = 12800,
                               .segment_frames = 100,
                               .frames = 257,
                               .max_bitrate = 5000000,
                               .codec = "avc1.640028",
                               .codec_name = "h264",
                               .range = "SDR"};
const audio_spec audio_en = {.path = "audio/en-2ch",
                             .language = "en",
                             .name = "English",
                             .order = 0,
                             .stream = 1,
                             .channels = 2,
                             .sample_rate = 48000,
                             .segments = 3,
                             .segment_samples = 192512,
                             .last_samples = 108544,
                             .priming = 1024,
                             .is_default = true,
                             .codec = "mp4a.40.2",
                             .codec_name = "aac"};

video_spec rung(const char *id, int order, int width, int height, int max_bitrate)
{
    video_spec spec = video_1080;
    spec.id = id;
    spec.order = order;
    spec.width = width;
    spec.height = height;
    spec.max_bitrate = max_bitrate;
    return spec;
}

void story_remove(story *story, size_t index)
{
    free((void *)story->inputs[index].meta);
    memmove(&story->inputs[index], &story->inputs[index + 1], (story->count - index - 1) * sizeof(story->inputs[0]));
    story->count--;
}
