/* SPDX-License-Identifier: MIT */
/*
 * Sound for HLS. RFC 8216, 4.3.4.1.1: renditions of one group are alternatives (languages); several groups are several encodings (stereo, 5.1),
 * and have to have the same members. A track is one alternative: what was made of one stream of the source. Subtitles are tracks too, in one group.
 */
#ifndef MANIFEST_TRACKS_H
#define MANIFEST_TRACKS_H

#include "model.h"

typedef struct mr_track {
    const mr_rendition *lead;  /* its first rendition */
    char name[NAME_SIZE + 16]; /* for people; unique among the tracks; may stand in a quoted-string */
    bool autoselect, is_default;
} mr_track;

typedef struct mr_group {
    const mr_rendition *lead; /* the encoding that makes the group: codec and channels */
    size_t rank;              /* of several encodings of one track with the same codec and channels */
    char id[64];
} mr_group;

typedef struct mr_tracks {
    const mr_rendition *renditions[RENDITIONS_MAX];
    size_t rendition_count;
    mr_track *tracks;
    size_t track_count;
    mr_group *groups; /* fewest channels first */
    size_t group_count;
} mr_tracks;

/* Of the renditions of that kind which are ready (all of them when whole). The model is sorted. False: memory is short. */
bool tracks_find(mr_tracks *tracks, const mr_model *model, mr_kind kind, bool whole);
void tracks_free(mr_tracks *tracks);
/* The track's rendition in that group: the encoding that makes the group, or the nearest that there is. */
const mr_rendition *tracks_member(const mr_tracks *tracks, const mr_group *group, const mr_track *track);

#endif
