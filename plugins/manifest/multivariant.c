/* SPDX-License-Identifier: MIT */
/*
 * The multivariant playlist: RFC 8216bis, and Apple's HLS authoring specification.
 * Order of variants: the one that players start with comes first, the one nearest to 2 Mbit/s (what the authoring specification asks of the first);
 * then from the highest down.
 */
#include "manifest.h"
#include "tracks.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { START_BITRATE = 2000000 };

struct variant {
    const mr_rendition *lead;
    const mr_group *group; /* NULL: no sound beside it */
    mr_bitrate rate;       /* with its sound and subtitles */
};

struct master {
    mr_text *out;
    const mr_model *model;
    const mr_package_params *params;
    bool whole;
    mr_tracks sound, subtitles;
    struct variant *variants;
    size_t count;
};

/* Measured, or while segments are still being made: the ceiling that was asked for, with a tenth for the container. */
static mr_bitrate rate_of(const struct master *master, const mr_rendition *rendition)
{
    size_t n = master->whole ? rendition->count : rendition->prefix;
    mr_bitrate rate = rendition_bitrate(rendition, n, target_seconds(master->model, rendition, n), false);
    int64_t ceiling = rendition->kind == KIND_TEXT ? 0 : rendition_ceiling(rendition);
    if (n == 0 && rendition->whole_ext[0]) {
        int64_t seconds = presentation_us(master->model) / 1000000 + 1;
        rate.peak = rate.average = (int64_t)(rendition->whole_size * 8) / seconds + 1;
    }
    if (!master->whole && ceiling > rate.peak)
        rate.peak = ceiling;
    return rate;
}

/* RFC 8216, 4.3.4.2: the largest sum that any playable combination produces. */
static void add_largest(const struct master *master, const mr_tracks *tracks, const mr_group *group, mr_bitrate *sum)
{
    mr_bitrate largest = {0};
    for (size_t i = 0; i < tracks->track_count; i++) {
        mr_bitrate rate = rate_of(master, tracks_member(tracks, group, &tracks->tracks[i]));
        largest.peak = rate.peak > largest.peak ? rate.peak : largest.peak;
        largest.average = rate.average > largest.average ? rate.average : largest.average;
    }
    sum->peak += largest.peak;
    sum->average += largest.average;
}

static void add_variant(struct master *master, const mr_rendition *lead, const mr_group *group)
{
    struct variant variant = {.lead = lead, .group = group};
    if (lead->kind != KIND_AUDIO)
        variant.rate = rate_of(master, lead);
    if (group)
        add_largest(master, &master->sound, group, &variant.rate);
    if (master->subtitles.group_count > 0 && lead->kind != KIND_AUDIO)
        add_largest(master, &master->subtitles, &master->subtitles.groups[0], &variant.rate);
    master->variants[master->count++] = variant;
}

static int compare_variants(const void *left, const void *right)
{
    const struct variant *a = left;
    const struct variant *b = right;
    if (a->lead != b->lead && a->lead->height != b->lead->height)
        return a->lead->height > b->lead->height ? -1 : 1;
    if (a->rate.peak != b->rate.peak)
        return a->rate.peak > b->rate.peak ? -1 : 1;
    return strcmp(a->lead->path, b->lead->path);
}

/* How far from what players should start with, as a ratio in thousandths: 1000 is right there. */
static int64_t start_distance(int64_t rate)
{
    return rate > START_BITRATE ? rate * 1000 / START_BITRATE : (int64_t)START_BITRATE * 1000 / (rate > 0 ? rate : 1);
}

/* Of the variants with the fewest channels. */
static void start_first(struct master *master)
{
    size_t start = master->count;
    for (size_t i = 0; i < master->count; i++) {
        const struct variant *candidate = &master->variants[i];
        if (candidate->group && candidate->group != &master->sound.groups[0])
            continue;
        if (start == master->count || start_distance(candidate->rate.peak) < start_distance(master->variants[start].rate.peak))
            start = i;
    }
    if (start == 0 || start == master->count)
        return;
    struct variant chosen = master->variants[start];
    memmove(&master->variants[1], &master->variants[0], start * sizeof(chosen));
    master->variants[0] = chosen;
}

static bool is_ready(const struct master *master, const mr_rendition *rendition)
{
    return rendition->has_init && (master->whole || rendition->grown > 0);
}

static bool find_variants(struct master *master)
{
    const mr_model *model = master->model;
    size_t groups = master->sound.group_count;
    bool picture = false;
    master->variants = calloc(model->count * (groups + 1) + groups + 1, sizeof(*master->variants));
    if (!master->variants)
        return false;
    for (size_t i = 0; i < model->count; i++) {
        const mr_rendition *lead = model->renditions[i];
        if ((lead->kind != KIND_VIDEO && lead->kind != KIND_MUXED) || !is_ready(master, lead))
            continue;
        picture = true;
        for (size_t g = 0; g < groups && lead->kind == KIND_VIDEO; g++)
            add_variant(master, lead, &master->sound.groups[g]);
        if (groups == 0 || lead->kind == KIND_MUXED)
            add_variant(master, lead, NULL);
    }
    for (size_t g = 0; g < groups && !picture; g++) { /* sound alone: the default track's playlist stands for the group */
        const mr_track *chosen = &master->sound.tracks[0];
        for (size_t t = 0; t < master->sound.track_count; t++)
            chosen = master->sound.tracks[t].is_default ? &master->sound.tracks[t] : chosen;
        add_variant(master, tracks_member(&master->sound, &master->sound.groups[g], chosen), &master->sound.groups[g]);
    }
    qsort(master->variants, master->count, sizeof(*master->variants), compare_variants);
    start_first(master);
    return true;
}

static void add_playlist_url(struct master *master, const mr_rendition *rendition, const char *name)
{
    text_add_url(master->out, rendition->path);
    text_add(master->out, "/");
    text_add_url(master->out, name);
}

static void add_media_tag(struct master *master, const char *type, const char *group, const mr_track *track, const mr_rendition *rendition)
{
    mr_text *out = master->out;
    text_add(out, "#EXT-X-MEDIA:TYPE=%s,GROUP-ID=\"%s\",NAME=\"%s\"", type, group, track->name);
    if (rendition->language[0])
        text_add(out, ",LANGUAGE=\"%s\"", rendition->language);
    text_add(out, ",DEFAULT=%s,AUTOSELECT=%s", track->is_default ? "YES" : "NO", track->autoselect ? "YES" : "NO");
    if (rendition->kind == KIND_TEXT)
        text_add(out, ",FORCED=%s", rendition->forced ? "YES" : "NO");
    if (rendition->kind == KIND_AUDIO && rendition->channels > 0)
        text_add(out, ",CHANNELS=\"%" PRId64 "\"", rendition->channels);
    text_add(out, ",URI=\"");
    add_playlist_url(master, rendition, master->params->playlist_name);
    text_add(out, "\"\n");
}

static bool has_groups(const struct master *master)
{
    for (size_t i = 0; i < master->count; i++) {
        if (master->variants[i].lead->kind == KIND_VIDEO)
            return true;
    }
    return master->sound.track_count > 1; /* one sound track alone is its variant, and needs no group */
}

static void add_media_tags(struct master *master)
{
    const mr_tracks *sound = &master->sound;
    for (size_t g = 0; g < sound->group_count && has_groups(master); g++) {
        for (size_t t = 0; t < sound->track_count; t++)
            add_media_tag(master, "AUDIO", sound->groups[g].id, &sound->tracks[t], tracks_member(sound, &sound->groups[g], &sound->tracks[t]));
    }
    for (size_t t = 0; t < master->subtitles.track_count; t++)
        add_media_tag(master, "SUBTITLES", "subtitles", &master->subtitles.tracks[t], master->subtitles.tracks[t].lead);
}

static void add_codecs(struct master *master, const struct variant *variant)
{
    const mr_tracks *sound = &master->sound;
    text_add(master->out, ",CODECS=\"%s", variant->lead->codec);
    for (size_t t = 0; variant->group && t < sound->track_count; t++) {
        const char *codec = tracks_member(sound, variant->group, &sound->tracks[t])->codec;
        bool known = strcmp(codec, variant->lead->codec) == 0;
        for (size_t k = 0; k < t; k++)
            known |= strcmp(codec, tracks_member(sound, variant->group, &sound->tracks[k])->codec) == 0;
        if (!known)
            text_add(master->out, ",%s", codec);
    }
    text_add(master->out, "\"");
}

static void add_picture(mr_text *out, const mr_rendition *rendition, bool with_rate)
{
    if (rendition->width > 0 && rendition->height > 0)
        text_add(out, ",RESOLUTION=%" PRId64 "x%" PRId64, rendition->width, rendition->height);
    if (with_rate && rendition->fps.den > 0) {
        int64_t milli = ((int64_t)rendition->fps.num * 1000 + rendition->fps.den / 2) / rendition->fps.den;
        text_add(out, ",FRAME-RATE=%" PRId64 ".%03" PRId64, milli / 1000, milli % 1000);
    }
    if (rendition->kind == KIND_VIDEO)
        text_add(out, ",VIDEO-RANGE=%s", rendition->video_range);
}

static void add_stream_inf(struct master *master, const struct variant *variant)
{
    mr_text *out = master->out;
    text_add(out, "#EXT-X-STREAM-INF:BANDWIDTH=%" PRId64, variant->rate.peak);
    if (master->whole)
        text_add(out, ",AVERAGE-BANDWIDTH=%" PRId64, variant->rate.average);
    add_codecs(master, variant);
    add_picture(out, variant->lead, true);
    if (variant->group && has_groups(master))
        text_add(out, ",AUDIO=\"%s\"", variant->group->id);
    if (variant->lead->kind != KIND_AUDIO) {
        if (master->subtitles.track_count > 0)
            text_add(out, ",SUBTITLES=\"subtitles\"");
        text_add(out, ",CLOSED-CAPTIONS=NONE");
    }
    text_add(out, "\n");
    add_playlist_url(master, variant->lead, master->params->playlist_name);
    text_add(out, "\n");
}

static void add_iframe_stream_infs(struct master *master)
{
    for (size_t i = 0; i < master->model->count; i++) {
        const mr_rendition *rendition = master->model->renditions[i];
        if (!has_iframes(rendition))
            continue;
        mr_bitrate rate = rendition_bitrate(rendition, rendition->count, target_seconds(master->model, rendition, rendition->count), true);
        text_add(master->out, "#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=%" PRId64 ",AVERAGE-BANDWIDTH=%" PRId64 ",CODECS=\"%s\"", rate.peak, rate.average,
                 rendition->codec);
        add_picture(master->out, rendition, false);
        text_add(master->out, ",URI=\"");
        add_playlist_url(master, rendition, IFRAMES_NAME);
        text_add(master->out, "\"\n");
    }
}

void hls_multivariant(mr_text *out, const mr_model *model, const mr_package_params *params, bool whole)
{
    struct master master = {.out = out, .model = model, .params = params, .whole = whole};
    bool fragmented = false;
    for (size_t i = 0; i < model->count; i++)
        fragmented |= model->renditions[i]->init_has_content;
    if (!tracks_find(&master.sound, model, KIND_AUDIO, whole) || !tracks_find(&master.subtitles, model, KIND_TEXT, whole) ||
        !find_variants(&master)) {
        out->failed = true;
    } else {
        text_add(out, "#EXTM3U\n#EXT-X-VERSION:%d\n#EXT-X-INDEPENDENT-SEGMENTS\n", fragmented ? 7 : 3);
        add_media_tags(&master);
        for (size_t i = 0; i < master.count; i++)
            add_stream_inf(&master, &master.variants[i]);
        if (whole && params->iframes)
            add_iframe_stream_infs(&master);
    }
    tracks_free(&master.sound);
    tracks_free(&master.subtitles);
    free(master.variants);
}
