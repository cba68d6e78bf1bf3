/* SPDX-License-Identifier: MIT */
/* An element of info.audio (docs/plugin-author/artifacts.md), read and checked. */
#ifndef TRANSCODE_AUDIO_TRACK_H
#define TRANSCODE_AUDIO_TRACK_H

#include <jansson.h>
#include <libavutil/channel_layout.h>
#include <millrace/op.h>

typedef struct mr_audio_track {
    int stream;
    int channels;           /* of the source */
    AVChannelLayout layout; /* that it is read in: native, not always with as many channels */
    int ordinal;            /* how many tracks of this language stand before it */
    bool standard;          /* the default one */
    int64_t start_us;       /* source time */
    const char *language;
    const char *title; /* NULL: none */
    json_t *json;      /* owns the texts */
} mr_audio_track;

/* Reports what is wrong. mr_audio_track_free is due in any case. */
mr_status mr_audio_track_read(const mr_host *host, mr_task *task, const mr_artifact *artifact, mr_audio_track *ret_track);
/* The same of JSON that is at hand; takes the reference. */
mr_status mr_audio_track_take(const mr_host *host, mr_task *task, json_t *take_json, mr_audio_track *ret_track);
void mr_audio_track_free(mr_audio_track *track);
/* The channels of the renditions that are made of a track: {1}, {2}, or {2, 6} when surround is kept. Returns how many. */
int mr_audio_track_renditions(const mr_audio_track *track, bool keep_surround, int ret_channels[2]);

#endif
