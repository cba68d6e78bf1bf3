/* SPDX-License-Identifier: MIT */
/* manifest.package: its params, and the writers of the formats. */
#ifndef MANIFEST_MANIFEST_H
#define MANIFEST_MANIFEST_H

#include "model.h"
#include "text.h"

typedef struct mr_package_params {
    mr_list formats; /* const char * */
    const char *hls_name, *dash_name, *playlist_name;
    bool growing, waits, iframes;
} mr_package_params;

/* Indices into the op's port tables. */
enum { IN_PLAN, IN_LADDER, IN_SEGMENTS, IN_IMAGES };
enum { OUT_FILES };

#define IFRAMES_NAME "iframes.m3u8"

mr_status package_run(const mr_host *host, const mr_batch *batch);

/* hls.c. A media playlist of a rendition's first n segments: growing (EVENT), or whole (VOD, ENDLIST). */
void hls_media_playlist(mr_text *out, const mr_model *model, const mr_rendition *rendition, size_t n, bool whole);
/* Byte ranges of the first sample of each segment. */
void hls_iframe_playlist(mr_text *out, const mr_model *model, const mr_rendition *rendition);
/* The multivariant playlist. whole: of what was made, measured. Else of renditions that are ready (at least one segment published), with ceilings. */
void hls_multivariant(mr_text *out, const mr_model *model, const mr_package_params *params, bool whole);
/* dash.c: the MPD, from a sorted and checked model. */
void dash_mpd(mr_text *out, const mr_model *model);

#endif
