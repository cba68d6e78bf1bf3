/* SPDX-License-Identifier: MIT */
/* transcode.audio and transcode.loudness: seams, places in time, layouts, ends, loudness, all by measuring what comes out. */
#include "clip.h"
#include "sound.h"

#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { PRIMING = 1024, MAX_PARTS = 64 };

#define RATE        INT64_C(48000)
#define SEGMENT     INT64_C(96256) /* samples */
#define SEGMENT_LEN ((size_t)SEGMENT)

static const mr_op *audio;
static const mr_op *loudness;

/* ---- what the planner would say ---- */

/* An audio chunk of the segments [first, end) of a track. The caller frees it. */
static char *make_chunk(int64_t samples, int first, int end, int64_t origin_us)
{
    json_t *segments = json_array();
    int count = (int)((samples + SEGMENT - 1) / SEGMENT);
    end = end < count ? end : count;
    for (int i = first; i < end; i++) {
        int64_t stop = (int64_t)(i + 1) * SEGMENT < samples ? (int64_t)(i + 1) * SEGMENT : samples;
        json_array_append_new(segments, json_pack("{s:i,s:I,s:I}", "index", i, "start", (json_int_t)i * SEGMENT, "end", (json_int_t)stop));
    }
    int64_t stop = (int64_t)end * SEGMENT < samples ? (int64_t)end * SEGMENT : samples;
    json_t *chunk = json_pack("{s:s,s:i,s:I,s:i,s:I,s:I,s:b,s:o,s:[{s:i,s:I}]}", "kind", "audio", "index", first, "origin_us", (json_int_t)origin_us,
                              "sample_rate", (int)RATE, "start", (json_int_t)first * SEGMENT, "end", (json_int_t)stop, "last", end == count,
                              "segments", segments, "tracks", "stream", 0, "samples", (json_int_t)samples);
    char *text = json_dumps(chunk, JSON_COMPACT);
    json_decref(chunk);
    return text;
}

static char *make_track(int channels, const char *layout, int64_t start_us)
{
    json_t *track = json_pack("{s:i,s:i,s:s,s:s,s:s,s:b,s:i,s:I}", "stream", 0, "channels", channels, "layout", layout, "language", "en", "title", "",
                              "default", 1, "ordinal", 0, "start_us", (json_int_t)start_us);
    char *text = json_dumps(track, JSON_COMPACT);
    json_decref(track);
    return text;
}

static op_result encode(const char *clip, const char *chunk, const char *track, const char *params, const char *measured)
{
    char *path = strdup(clip_path(clip));
    const op_input inputs[] = {{.port = "chunk", .type = MR_TYPE_CHUNK, .meta = chunk},
                               {.port = "track", .type = MR_TYPE_JSON, .meta = track},
                               {.port = "source", .type = MR_TYPE_MEDIA, .path = path},
                               {.port = "loudness", .type = MR_TYPE_JSON, .meta = measured}};
    op_result result = op_run(audio, params, inputs, measured ? 4 : 3, NULL);
    if (result.messages[0])
        print_message("%s", result.messages);
    free(path);
    return result;
}

static json_int_t number(const op_item *item, const char *key)
{
    json_t *meta = json_loads(item->meta, 0, NULL);
    json_int_t value = json_integer_value(json_object_get(meta, key));
    json_decref(meta);
    return value;
}

static bool says(const op_item *item, const char *key, const char *value)
{
    json_t *meta = json_loads(item->meta, 0, NULL);
    const char *text = json_string_value(json_object_get(meta, key));
    bool same = text && strcmp(text, value) == 0;
    json_decref(meta);
    return same;
}

/* Decodes the rendition's init and media segments of some results, in order. */
static sound listen(const op_result *results, size_t count, const char *rendition)
{
    const op_item *parts[MAX_PARTS];
    size_t used = 0;
    for (size_t r = 0; r < count; r++) {
        for (size_t i = 0; i < results[r].count; i++) {
            const op_item *item = &results[r].items[i];
            if (says(item, "rendition", rendition) && (says(item, "role", "media") || used == 0) && used < MAX_PARTS)
                parts[used++] = item;
        }
    }
    assert_true(file_join(clip_path("made.mp4"), parts, used));
    return sound_read(clip_path("made.mp4"));
}

/* ---- seams ---- */

/* The largest difference from the source near seams (or between them), where windows of 2048 samples lie. */
static double worst(const sound *made, const sound *source, size_t priming, bool at_seams)
{
    double most = 0;
    sound shifted = *made;
    shifted.data += priming * (size_t)made->channels;
    shifted.samples -= priming;
    for (size_t seam = SEGMENT_LEN; seam < 4 * SEGMENT_LEN; seam += SEGMENT_LEN) {
        size_t from = at_seams ? seam - 2048 : seam - SEGMENT_LEN / 2;
        size_t to = at_seams ? seam + 2048 : seam - 8192;
        for (size_t at = from; at < to; at += 1024)
            most = fmax(most, sound_difference(&shifted, source, at, at + 2048));
    }
    return most;
}

static void check_seams(const char *params, const char *rendition, const char *source_clip, const char *reference)
{
    op_result parts[4];
    char *track = make_track(2, "stereo", 0);
    size_t priming = 0;
    for (int i = 0; i < 4; i++) {
        char *chunk = make_chunk(4 * SEGMENT, i, i + 1, 0);
        parts[i] = encode(source_clip, chunk, track, params, NULL);
        assert_int_equal(parts[i].status, MR_OK);
        free(chunk);
        priming = (size_t)number(op_result_item(&parts[i], audio, "segments", 0), "priming");
        assert_int_equal(parts[i].items[0].size, parts[0].items[0].size); /* the init is the same from every chunk */
        assert_memory_equal(parts[i].items[0].data, parts[0].items[0].data, parts[0].items[0].size);
    }
    sound source = sound_read(clip_path(reference));
    sound made = listen(parts, 4, rendition);
    assert_true(made.samples >= 4 * SEGMENT_LEN + priming && source.samples >= 4 * SEGMENT_LEN);
    double elsewhere = worst(&made, &source, priming, false);
    double at_seams = worst(&made, &source, priming, true);
    print_message("%s: %.5f at seams, %.5f elsewhere, of %.5f\n", source_clip, at_seams, elsewhere, sound_level(&source, 0, SEGMENT));
    assert_true(elsewhere < 0.1 * sound_level(&source, 0, SEGMENT));
    assert_true(at_seams < 1.25 * elsewhere + 0.0005);
    sound_free(&made);
    /* The check itself: a chunk that was made a third of a millisecond late must not pass. */
    char *late = make_chunk(4 * SEGMENT, 2, 3, -333);
    op_result_free(&parts[2]);
    parts[2] = encode(source_clip, late, track, params, NULL);
    made = listen(parts, 4, rendition);
    assert_true(worst(&made, &source, priming, true) > 2 * elsewhere);
    free(late);
    sound_free(&made);
    sound_free(&source);
    for (int i = 0; i < 4; i++)
        op_result_free(&parts[i]);
    free(track);
}

static void seams_do_not_show(void **state)
{
    (void)state;
    assert_true(clip_make(
        "tones48.wav",
        "-f lavfi -i aevalsrc=0.2*sin(2*PI*440*t)+0.1*sin(2*PI*1237*t)+0.05*sin(2*PI*5011*t)|0.2*sin(2*PI*440*t):s=48000:d=9 -c:a pcm_f32le"));
    assert_true(clip_make(
        "tones44.wav",
        "-f lavfi -i aevalsrc=0.2*sin(2*PI*440*t)+0.1*sin(2*PI*1237*t)+0.05*sin(2*PI*5011*t)|0.2*sin(2*PI*440*t):s=44100:d=9 -c:a pcm_f32le"));
    assert_true(clip_make("tones44.mkv", "-i @tones44.wav -c:a pcm_s16le")); /* time stamps rounded to 1 ms */
    check_seams("{bitrate: 256k}", "audio/en-2ch", "tones48.wav", "tones48.wav");
    check_seams("{bitrate: 256k}", "audio/en-2ch", "tones44.wav", "tones48.wav");
    check_seams("{bitrate: 256k}", "audio/en-2ch", "tones44.mkv", "tones48.wav");
    check_seams("{codec: opus, bitrate: 192k}", "audio/en-2ch", "tones48.wav", "tones48.wav");
}

static void same_bytes_again(void **state)
{
    (void)state;
    char *track = make_track(2, "stereo", 0);
    char *chunk = make_chunk(4 * SEGMENT, 1, 3, 0);
    op_result a = encode("tones44.wav", chunk, track, NULL, NULL);
    op_result b = encode("tones44.wav", chunk, track, NULL, NULL);
    assert_int_equal(a.count, 3);
    assert_int_equal(b.count, a.count);
    for (size_t i = 0; i < a.count; i++) {
        assert_int_equal(a.items[i].size, b.items[i].size);
        assert_memory_equal(a.items[i].data, b.items[i].data, a.items[i].size);
        assert_string_equal(a.items[i].meta, b.items[i].meta);
    }
    assert_int_equal(number(&a.items[1], "index"), 1);
    assert_int_equal(number(&a.items[1], "start"), SEGMENT + PRIMING);
    assert_int_equal(number(&a.items[2], "start"), 2 * SEGMENT + PRIMING);
    op_result_free(&a);
    op_result_free(&b);
    free(track);
    free(chunk);
}

/* ---- places in time ---- */

/* Where the click of a clip comes out, in samples of presentation time. */
static long click_at(const char *clip, const char *layout, int channels, int64_t origin_us, int64_t start_us, int64_t samples)
{
    char *track = make_track(channels, layout, start_us);
    char *chunk = make_chunk(samples, 0, MAX_PARTS, origin_us);
    op_result result = encode(clip, chunk, track, NULL, NULL);
    assert_int_equal(result.status, MR_OK);
    sound made = listen(&result, 1, channels == 1 ? "audio/en-1ch" : "audio/en-2ch");
    long at = sound_find(&made, 0, 0.2f, 0);
    sound_free(&made);
    op_result_free(&result);
    free(track);
    free(chunk);
    return at - PRIMING;
}

#define CLICK "-f lavfi -i aevalsrc=0.9*between(t\\,1\\,1.002):s=48000:d=3 "

static void sound_keeps_its_place(void **state)
{
    (void)state;
    assert_true(clip_make("click.wav", CLICK "-c:a pcm_s16le"));
    assert_true(clip_make("click8.wav", "-f lavfi -i aevalsrc=0.9*between(t\\,1\\,1.002):s=8000:d=3 -c:a pcm_s16le"));
    assert_true(clip_make("click7350.wav", "-f lavfi -i aevalsrc=0.9*between(t\\,1\\,1.004):s=7350:d=3 -c:a pcm_s16le"));
    assert_true(clip_make("click.mp4", CLICK "-c:a aac -b:a 128k"));
    assert_true(clip_make("click.mp3", CLICK "-c:a libmp3lame"));
    assert_true(clip_make("click.ogg", CLICK "-c:a libvorbis"));
    assert_true(clip_make("click.webm", CLICK "-c:a libopus"));
    assert_true(clip_make("click.ts", CLICK "-c:a ac3"));
    const long second = RATE;
    const long near = RATE / 200; /* 5 ms: four times better than asked for */
    assert_in_range(click_at("click.wav", "mono", 1, 0, 0, 3 * RATE), second - near, second + near);
    assert_in_range(click_at("click8.wav", "mono", 1, 0, 0, 3 * RATE), second - near, second + near);
    assert_in_range(click_at("click7350.wav", "mono", 1, 0, 0, 3 * RATE), second - near, second + near);
    assert_in_range(click_at("click.mp4", "mono", 1, 0, 0, 3 * RATE), second - near, second + near);
    assert_in_range(click_at("click.mp3", "mono", 1, 25057, 25057, 3 * RATE), second - near, second + near);
    assert_in_range(click_at("click.ogg", "mono", 1, 0, 0, 3 * RATE), second - near, second + near);
    assert_in_range(click_at("click.webm", "mono", 1, 0, 0, 3 * RATE), second - near, second + near);
    /* Time 0 is not the track's start: it starts late, or begins before and is cut. */
    assert_in_range(click_at("click.wav", "mono", 1, -700000, 0, 4 * RATE), second * 17 / 10 - near, second * 17 / 10 + near);
    assert_in_range(click_at("click.wav", "mono", 1, 333333, 0, 2 * RATE), second * 2 / 3 - near, second * 2 / 3 + near);
}

static void gaps_are_filled_and_overlaps_dropped(void **state)
{
    (void)state;
    /* Half a second is missing, or there twice, from 0.5 s on. */
    assert_true(clip_make("gap.mkv", CLICK "-af asetpts=PTS+gte(T\\,0.5)*0.5/TB -c:a pcm_s16le"));
    assert_true(clip_make("gap.ts", CLICK "-af asetpts=PTS+gte(T\\,0.5)*0.5/TB -c:a mp2"));
    assert_in_range(click_at("gap.mkv", "mono", 1, 0, 0, 4 * RATE), RATE * 3 / 2 - 240, RATE * 3 / 2 + 240);
    /* The same from a chunk that begins behind the gap. */
    char *track = make_track(1, "mono", 0);
    op_result parts[2];
    for (int i = 0; i < 2; i++) {
        char *chunk = make_chunk(2 * SEGMENT, i, i + 1, 0);
        parts[i] = encode("gap.mkv", chunk, track, NULL, NULL);
        assert_int_equal(parts[i].status, MR_OK);
        free(chunk);
    }
    sound made = listen(parts, 2, "audio/en-1ch");
    assert_in_range(sound_find(&made, 0, 0.2f, 0) - PRIMING, RATE * 3 / 2 - 240, RATE * 3 / 2 + 240);
    sound_free(&made);
    op_result_free(&parts[0]);
    op_result_free(&parts[1]);
    free(track);
}

static void tracks_end_where_they_end(void **state)
{
    (void)state;
    const int64_t ends[] = {1, 1023, 1024, SEGMENT - 1, SEGMENT, SEGMENT + 1, 2 * SEGMENT - 500};
    char *track = make_track(1, "mono", 0);
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        char *chunk = make_chunk(ends[i], 0, MAX_PARTS, 0);
        op_result result = encode("click.wav", chunk, track, NULL, NULL);
        assert_int_equal(result.status, MR_OK);
        int64_t end = 0;
        for (size_t n = 1; n < result.count; n++) {
            assert_int_equal(number(&result.items[n], "start"), end);
            end += number(&result.items[n], "duration");
        }
        assert_int_equal(end, ends[i] + PRIMING);
        op_result_free(&result);
        free(chunk);
    }
    /* A chunk behind the track's end has an init, and nothing in it. */
    char *chunk = make_chunk(4 * SEGMENT, 3, 4, 0);
    char *shorter = strdup(chunk);
    char *samples = strstr(shorter, "\"samples\":");
    memcpy(samples, "\"samples\":000009", 10);
    samples[10] = '9';
    memset(samples + 11, ' ', 5);
    op_result result = encode("click.wav", shorter, track, NULL, NULL);
    assert_int_equal(result.status, MR_OK);
    assert_int_equal(result.count, 1);
    op_result_free(&result);
    free(shorter);
    free(chunk);
    free(track);
}

/* ---- layouts ---- */

static void surround_is_kept_beside_stereo(void **state)
{
    (void)state;
    /* Full scale in every channel: the mix must not clip. */
    assert_true(clip_make("loud51.wav",
                          "-f lavfi -i aevalsrc=sin(2*PI*300*t)|sin(2*PI*300*t)|sin(2*PI*300*t)|0|sin(2*PI*300*t)|sin(2*PI*300*t):c=5.1:d=1 "
                          "-c:a pcm_s16le"));
    char *track = make_track(6, "5.1", 0);
    char *chunk = make_chunk(RATE, 0, 1, 0);
    op_result result = encode("loud51.wav", chunk, track, NULL, NULL);
    assert_int_equal(result.status, MR_OK);
    assert_int_equal(result.count, 4);
    assert_true(says(&result.items[0], "rendition", "audio/en-2ch") && says(&result.items[0], "name", "English"));
    assert_true(says(&result.items[1], "rendition", "audio/en-6ch") && says(&result.items[1], "name", "English (5.1)"));
    sound stereo = listen(&result, 1, "audio/en-2ch");
    sound surround = listen(&result, 1, "audio/en-6ch");
    assert_int_equal(stereo.channels, 2);
    assert_int_equal(surround.channels, 6);
    assert_int_equal(sound_find(&stereo, 0, 1.02f, 0), -1);
    assert_true(sound_find(&stereo, 0, 0.9f, 0) > 0);
    sound_free(&stereo);
    sound_free(&surround);
    op_result_free(&result);
    result = encode("loud51.wav", chunk, track, "{surround: downmix}", NULL);
    assert_int_equal(result.status, MR_OK);
    assert_int_equal(result.count, 2);
    op_result_free(&result);
    free(chunk);
    free(track);
}

/* ---- loudness ---- */

static double measured(const op_result *result, const char *key)
{
    json_t *meta = json_loads(op_result_item(result, loudness, "loudness", 0)->meta, 0, NULL);
    double value = json_number_value(json_object_get(json_array_get(json_object_get(meta, "renditions"), 0), key));
    json_decref(meta);
    return value;
}

static op_result measure(const char *clip, const char *track)
{
    char *path = strdup(clip_path(clip));
    const op_input inputs[] = {{.port = "track", .type = MR_TYPE_JSON, .meta = track}, {.port = "source", .type = MR_TYPE_MEDIA, .path = path}};
    op_result result = op_run(loudness, NULL, inputs, 2, NULL);
    free(path);
    return result;
}

static void loudness_is_reached(void **state)
{
    (void)state;
    /* EBU Tech 3341, case 1: a sine of 1 kHz at -23 dBFS in both channels is -23 LUFS. */
    assert_true(clip_make("tone.wav", "-f lavfi -i aevalsrc=0.0707946*sin(2*PI*1000*t)|0.0707946*sin(2*PI*1000*t):s=48000:d=5 -c:a pcm_f32le"));
    char *track = make_track(2, "stereo", 0);
    char *chunk = make_chunk(5 * RATE, 0, MAX_PARTS, 0);
    op_result level = measure("tone.wav", track);
    assert_int_equal(level.status, MR_OK);
    assert_true(fabs(measured(&level, "integrated_lufs") + 23) < 0.15);
    assert_true(fabs(measured(&level, "true_peak_dbtp") + 23) < 0.15);
    op_result louder = encode("tone.wav", chunk, track, "{loudness: -16}", op_result_item(&level, loudness, "loudness", 0)->meta);
    assert_int_equal(louder.status, MR_OK);
    sound made = listen(&louder, 1, "audio/en-2ch");
    sound_free(&made);
    op_result after = measure("made.mp4", track);
    assert_true(fabs(measured(&after, "integrated_lufs") + 16) < 0.5);
    op_result_free(&after);
    op_result_free(&louder);
    /* Without the measurement there is nothing to go by. */
    op_result without = encode("tone.wav", chunk, track, "{loudness: -16}", NULL);
    assert_int_equal(without.status, MR_ERR_PARAM);
    assert_non_null(strstr(without.messages, "transcode.loudness"));
    op_result_free(&without);
    op_result_free(&level);
    free(chunk);
    free(track);
}

static void peaks_are_limited_and_seams_stay(void **state)
{
    (void)state;
    /* A quiet tone, with ten milliseconds of a loud one every 0.4 s: also right at the seam, at 2.005 s. */
    assert_true(clip_make("peaks.wav", "-f lavfi -i aevalsrc=(0.05+0.75*lt(mod(t\\,0.4)\\,0.01))*sin(2*PI*1000*t):s=48000:d=5 -c:a pcm_f32le"));
    char *track = make_track(1, "mono", 0);
    char *all = make_chunk(2 * SEGMENT, 0, 2, 0);
    op_result level = measure("peaks.wav", track);
    const char *said = op_result_item(&level, loudness, "loudness", 0)->meta;
    assert_true(measured(&level, "integrated_lufs") < -14.5);
    op_result whole = encode("peaks.wav", all, track, "{loudness: -10, bitrate: 256k}", said);
    assert_int_equal(whole.status, MR_OK);
    op_result parts[2];
    for (int i = 0; i < 2; i++) {
        char *chunk = make_chunk(2 * SEGMENT, i, i + 1, 0);
        parts[i] = encode("peaks.wav", chunk, track, "{loudness: -10, bitrate: 256k}", said);
        assert_int_equal(parts[i].status, MR_OK);
        free(chunk);
    }
    sound a = listen(&whole, 1, "audio/en-1ch");
    sound b = listen(parts, 2, "audio/en-1ch");
    assert_true(sound_level(&a, SEGMENT, SEGMENT + 4096) > 0.05);
    assert_true(sound_difference(&a, &b, SEGMENT - 4096, SEGMENT + 8192) < 0.02 * sound_level(&a, SEGMENT - 4096, SEGMENT + 8192));
    assert_int_equal(sound_find(&b, 0, 1.05f, 0), -1); /* -1 dBTP is 0.89; the codec adds a little to such bursts. Without a limiter: 2 */
    assert_true(sound_find(&b, 0, 0.8f, 0) > 0);
    /* keep: the loudest moment is at the ceiling, everything else below it as before. */
    op_result kept = encode("peaks.wav", all, track, "{loudness: -10, peaks: keep, bitrate: 256k}", said);
    sound c = listen(&kept, 1, "audio/en-1ch");
    assert_int_equal(sound_find(&c, 0, 1.05f, 0), -1);
    assert_true(sound_level(&c, RATE, 2 * RATE) < 0.95 * sound_level(&a, RATE, 2 * RATE));
    sound_free(&a);
    sound_free(&b);
    sound_free(&c);
    op_result_free(&kept);
    op_result_free(&whole);
    op_result_free(&parts[0]);
    op_result_free(&parts[1]);
    op_result_free(&level);
    free(track);
    free(all);
}

/* ---- what can't be ---- */

static void bad_inputs_are_refused(void **state)
{
    (void)state;
    char *track = make_track(1, "mono", 0);
    char *chunk = make_chunk(SEGMENT, 0, 1, 0);
    static const char twisted[] =
        "{\"origin_us\":0,\"sample_rate\":48000,\"start\":0,\"end\":9,\"last\":true,\"segments\":[{\"index\":0,\"start\":5,\"end\":9}],"
        "\"tracks\":[{\"stream\":0,\"samples\":9}]}";
    const char *const chunks[] = {
        "{}", "{\"kind\":\"audio\"}", "{\"origin_us\":0,\"sample_rate\":44100,\"start\":0,\"end\":9,\"last\":true,\"segments\":[],\"tracks\":[]}",
        "{\"origin_us\":0,\"sample_rate\":48000,\"start\":0,\"end\":9,\"last\":true,\"segments\":[],\"tracks\":[]}", twisted};
    for (size_t i = 0; i < sizeof(chunks) / sizeof(chunks[0]); i++) {
        op_result result = encode("click.wav", chunks[i], track, NULL, NULL);
        assert_int_equal(result.status, MR_ERR_INPUT);
        assert_non_null(strstr(result.messages, "error: "));
        op_result_free(&result);
    }
    const char *const tracks[] = {"{}", "{\"stream\":0,\"channels\":0}", "{\"stream\":0,\"channels\":2,\"ordinal\":-1}"};
    for (size_t i = 0; i < sizeof(tracks) / sizeof(tracks[0]); i++) {
        op_result result = encode("click.wav", chunk, tracks[i], NULL, NULL);
        assert_int_equal(result.status, MR_ERR_INPUT);
        op_result_free(&result);
    }
    char *path = strdup(clip_path("click.wav"));
    const op_input inputs[] = {{.port = "chunk", .type = MR_TYPE_CHUNK, .meta = chunk},
                               {.port = "track", .type = MR_TYPE_JSON, .meta = track},
                               {.port = "source", .type = MR_TYPE_MEDIA, .path = path}};
    const op_run_options soon = {.cancel_after = 8};
    op_result result = op_run(audio, NULL, inputs, 3, &soon);
    assert_int_equal(result.status, MR_ERR_CANCELLED);
    op_result_free(&result);
    free(path);
    free(chunk);
    free(track);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seams_do_not_show),         cmocka_unit_test(same_bytes_again),
        cmocka_unit_test(sound_keeps_its_place),     cmocka_unit_test(gaps_are_filled_and_overlaps_dropped),
        cmocka_unit_test(tracks_end_where_they_end), cmocka_unit_test(surround_is_kept_beside_stereo),
        cmocka_unit_test(loudness_is_reached),       cmocka_unit_test(peaks_are_limited_and_seams_stay),
        cmocka_unit_test(bad_inputs_are_refused),
    };
    audio = op_load(PLUGIN_FILE, "transcode.audio");
    loudness = op_load(PLUGIN_FILE, "transcode.loudness");
    if (!audio || !loudness)
        return 1;
    return cmocka_run_group_tests_name("transcode.audio", tests, NULL, NULL);
}
