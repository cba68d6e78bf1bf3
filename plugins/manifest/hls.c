/* SPDX-License-Identifier: MIT */
/* Media and I-frame playlists: RFC 8216bis. hls_multivariant.c writes the playlist that names them. */
#include "manifest.h"

#include <inttypes.h>

/*
 * EXT-X-VERSION: decimal durations need 3, EXT-X-MAP outside an I-frame playlist 6. Fragmented MP4 came to clients with version 7, and
 * Apple's own tools write it, so that clients which can't play it say so early.
 */
static int version_of(const mr_rendition *rendition)
{
    return rendition->init_has_content ? 7 : 3;
}

static void add_head(mr_text *out, const mr_rendition *rendition, int64_t target)
{
    text_add(out, "#EXTM3U\n#EXT-X-VERSION:%d\n#EXT-X-TARGETDURATION:%" PRId64 "\n#EXT-X-MEDIA-SEQUENCE:0\n", version_of(rendition), target);
}

static void add_map(mr_text *out, const mr_rendition *rendition)
{
    if (rendition->init_has_content)
        text_add(out, "#EXT-X-MAP:URI=\"init.%s\"\n", rendition->init_ext);
}

static void add_duration(mr_text *out, int64_t us)
{
    text_add(out, "#EXTINF:");
    text_add_seconds(out, us);
    text_add(out, ",\n");
}

void hls_media_playlist(mr_text *out, const mr_model *model, const mr_rendition *rendition, size_t n, bool whole)
{
    int64_t target = target_seconds(model, rendition, n);
    bool as_one = n == 0 && rendition->whole_ext[0]; /* subtitles that come as one file */
    if (as_one)
        target = (presentation_us(model) + 500000) / 1000000;
    add_head(out, rendition, target > 0 ? target : 1);
    text_add(out, whole ? "#EXT-X-PLAYLIST-TYPE:VOD\n" : "#EXT-X-PLAYLIST-TYPE:EVENT\n");
    text_add(out, "#EXT-X-INDEPENDENT-SEGMENTS\n");
    if (!whole)
        text_add(out, "#EXT-X-START:TIME-OFFSET=0\n"); /* players would join a growing playlist at its end */
    add_map(out, rendition);
    for (size_t i = 0; i < n; i++) {
        add_duration(out, piece_media_us(rendition, i));
        text_add(out, "%05zu.%s\n", i, rendition->ext);
    }
    if (as_one) {
        add_duration(out, presentation_us(model));
        text_add(out, "subtitles.%s\n", rendition->whole_ext);
    }
    if (whole)
        text_add(out, "#EXT-X-ENDLIST\n");
}

void hls_iframe_playlist(mr_text *out, const mr_model *model, const mr_rendition *rendition)
{
    add_head(out, rendition, target_seconds(model, rendition, rendition->count));
    text_add(out, "#EXT-X-PLAYLIST-TYPE:VOD\n#EXT-X-I-FRAMES-ONLY\n");
    add_map(out, rendition);
    for (size_t i = 0; i < rendition->count; i++) {
        add_duration(out, piece_media_us(rendition, i));
        text_add(out, "#EXT-X-BYTERANGE:%" PRIu32 "@0\n%05zu.%s\n", rendition->pieces[i].iframe_bytes, i, rendition->ext);
    }
    text_add(out, "#EXT-X-ENDLIST\n");
}
