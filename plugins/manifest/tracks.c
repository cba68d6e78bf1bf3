/* SPDX-License-Identifier: MIT */
/* See tracks.h. */
#include "tracks.h"
#include "text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool same_track(const mr_rendition *a, const mr_rendition *b)
{
    if (a->kind == KIND_AUDIO && (a->stream >= 0 || b->stream >= 0))
        return a->stream == b->stream;
    return a == b;
}

static bool same_encoding(const mr_rendition *a, const mr_rendition *b)
{
    return strcmp(a->codec_name, b->codec_name) == 0 && a->channels == b->channels;
}

/* How many earlier renditions of the same track have the same encoding (two bitrates, say). */
static size_t rank_of(const mr_tracks *tracks, const mr_rendition *rendition)
{
    size_t rank = 0;
    for (size_t i = 0; i < tracks->rendition_count && tracks->renditions[i] != rendition; i++)
        rank += same_track(tracks->renditions[i], rendition) && same_encoding(tracks->renditions[i], rendition);
    return rank;
}

static bool name_taken(const mr_tracks *tracks, const char *name)
{
    for (size_t i = 0; i < tracks->track_count; i++) {
        if (strcmp(tracks->tracks[i].name, name) == 0)
            return true;
    }
    return false;
}

/* Names that differ only in what can't stand in a quoted-string must not become equal: they are compared as they will be written. */
static void name_track(const mr_tracks *tracks, mr_track *track)
{
    char base[sizeof(track->name) - 16];
    const mr_rendition *lead = track->lead;
    const char *name = lead->name[0] ? lead->name : lead->language[0] ? lead->language : lead->kind == KIND_TEXT ? "Subtitles" : "Sound";
    text_make_quotable(base, sizeof(base), name);
    snprintf(track->name, sizeof(track->name), "%s", base);
    for (unsigned n = 2; name_taken(tracks, track->name); n++)
        snprintf(track->name, sizeof(track->name), "%s (%u)", base, n);
}

/* One track of each language may be chosen by the player on its own; a second one (a commentary) only by the viewer. */
static bool is_first_of_language(const mr_tracks *tracks, const mr_rendition *lead)
{
    for (size_t i = 0; i < tracks->track_count; i++) {
        const mr_rendition *earlier = tracks->tracks[i].lead;
        if (strcmp(earlier->language, lead->language) == 0 && earlier->forced == lead->forced)
            return false;
    }
    return true;
}

static void add_track(mr_tracks *tracks, const mr_rendition *rendition)
{
    for (size_t i = 0; i < tracks->track_count; i++) {
        if (same_track(tracks->tracks[i].lead, rendition))
            return;
    }
    mr_track *track = &tracks->tracks[tracks->track_count];
    track->lead = rendition;
    name_track(tracks, track);
    track->autoselect = is_first_of_language(tracks, rendition);
    tracks->track_count++;
}

static void add_group(mr_tracks *tracks, const mr_rendition *rendition)
{
    size_t rank = rank_of(tracks, rendition);
    for (size_t i = 0; i < tracks->group_count; i++) {
        if (tracks->groups[i].rank == rank && same_encoding(tracks->groups[i].lead, rendition))
            return;
    }
    mr_group *group = &tracks->groups[tracks->group_count++];
    *group = (mr_group){.lead = rendition, .rank = rank};
    if (rank == 0)
        snprintf(group->id, sizeof(group->id), "%s-%" PRId64 "ch", rendition->codec_name, rendition->channels);
    else
        snprintf(group->id, sizeof(group->id), "%s-%" PRId64 "ch-%zu", rendition->codec_name, rendition->channels, rank + 1);
}

static int compare_groups(const void *left, const void *right)
{
    const mr_group *a = left;
    const mr_group *b = right;
    if (a->lead->channels != b->lead->channels)
        return a->lead->channels < b->lead->channels ? -1 : 1;
    return strcmp(a->id, b->id);
}

/* Sound needs a default: the first that the source calls so, else the first. Subtitles are on only when the source says so. */
static void choose_default(mr_tracks *tracks, mr_kind kind)
{
    size_t chosen = kind == KIND_AUDIO ? 0 : tracks->track_count;
    for (size_t i = tracks->track_count; i-- > 0;) {
        if (tracks->tracks[i].lead->is_default)
            chosen = i;
    }
    if (chosen >= tracks->track_count)
        return;
    for (size_t i = 0; i < tracks->track_count; i++) { /* DEFAULT needs AUTOSELECT: it takes the place of an earlier one of its language */
        if (strcmp(tracks->tracks[i].lead->language, tracks->tracks[chosen].lead->language) == 0 &&
            tracks->tracks[i].lead->forced == tracks->tracks[chosen].lead->forced)
            tracks->tracks[i].autoselect = i == chosen;
    }
    tracks->tracks[chosen].is_default = true;
}

bool tracks_find(mr_tracks *tracks, const mr_model *model, mr_kind kind, bool whole)
{
    tracks->rendition_count = tracks->track_count = tracks->group_count = 0;
    for (size_t i = 0; i < model->count; i++) {
        const mr_rendition *rendition = model->renditions[i];
        if (rendition->kind == kind && rendition->has_init && (whole || rendition->grown > 0))
            tracks->renditions[tracks->rendition_count++] = rendition;
    }
    tracks->tracks = calloc(tracks->rendition_count + 1, sizeof(*tracks->tracks));
    tracks->groups = calloc(tracks->rendition_count + 1, sizeof(*tracks->groups));
    if (!tracks->tracks || !tracks->groups)
        return false;
    for (size_t i = 0; i < tracks->rendition_count; i++) {
        add_track(tracks, tracks->renditions[i]);
        add_group(tracks, tracks->renditions[i]);
    }
    qsort(tracks->groups, tracks->group_count, sizeof(*tracks->groups), compare_groups);
    choose_default(tracks, kind);
    return true;
}

void tracks_free(mr_tracks *tracks)
{
    free(tracks->tracks);
    free(tracks->groups);
    memset(tracks, 0, sizeof(*tracks));
}

/* Small is near. An encoding with another codec is worse than one with other channels; more channels than the group's worse than fewer. */
static int64_t distance(const mr_tracks *tracks, const mr_group *group, const mr_rendition *rendition)
{
    int64_t channels = rendition->channels - group->lead->channels;
    int64_t far = strcmp(rendition->codec_name, group->lead->codec_name) != 0 ? 1000000 : 0;
    far += channels > 0 ? 10000 + channels * 100 : -channels * 100;
    size_t rank = rank_of(tracks, rendition);
    return far + (int64_t)(rank > group->rank ? rank - group->rank : group->rank - rank);
}

const mr_rendition *tracks_member(const mr_tracks *tracks, const mr_group *group, const mr_track *track)
{
    const mr_rendition *best = NULL;
    for (size_t i = 0; i < tracks->rendition_count; i++) {
        const mr_rendition *rendition = tracks->renditions[i];
        if (same_track(rendition, track->lead) && (!best || distance(tracks, group, rendition) < distance(tracks, group, best)))
            best = rendition;
    }
    return best;
}
