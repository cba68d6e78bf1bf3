/* SPDX-License-Identifier: MIT */
/* See audio_track.h. */
#include "audio_track.h"
#include "audio_reader.h"

mr_status mr_audio_track_read(const mr_host *host, mr_task *task, const mr_artifact *artifact, mr_audio_track *ret_track)
{
    json_error_t error = {.text = "it is missing"};
    json_t *json = artifact ? json_loadb(artifact->meta, artifact->meta_len, 0, &error) : NULL;
    if (json)
        return mr_audio_track_take(host, task, json, ret_track);
    *ret_track = (mr_audio_track){0};
    host->report(task, MR_SEVERITY_ERROR, NULL, NULL, "the track can't be used: %s", error.text);
    return MR_ERR_INPUT;
}

mr_status mr_audio_track_take(const mr_host *host, mr_task *task, json_t *take_json, mr_audio_track *ret_track)
{
    json_int_t start = 0;
    int standard = 0;
    const char *layout = NULL;
    json_error_t error;
    *ret_track = (mr_audio_track){.language = "und", .json = take_json};
    if (json_unpack_ex(take_json, &error, 0, "{s:i,s:i,s?s,s?s,s?s,s?b,s?i,s?I}", "stream", &ret_track->stream, "channels", &ret_track->channels,
                       "layout", &layout, "language", &ret_track->language, "title", &ret_track->title, "default", &standard, "ordinal",
                       &ret_track->ordinal, "start_us", &start) != 0) {
        host->report(task, MR_SEVERITY_ERROR, NULL, NULL, "the track can't be used: %s", error.text);
        return MR_ERR_INPUT;
    }
    if (ret_track->channels < 1 || ret_track->ordinal < 0) {
        host->report(task, MR_SEVERITY_ERROR, NULL, NULL, "the track can't be used: it has %d channels", ret_track->channels);
        return MR_ERR_INPUT;
    }
    ret_track->standard = standard;
    ret_track->start_us = start;
    ret_track->layout = mr_audio_layout(layout, ret_track->channels);
    return MR_OK;
}

void mr_audio_track_free(mr_audio_track *track)
{
    if (!track)
        return;
    json_decref(track->json);
    *track = (mr_audio_track){0};
}

int mr_audio_track_renditions(const mr_audio_track *track, bool keep_surround, int ret_channels[2])
{
    ret_channels[0] = track->channels == 1 ? 1 : 2;
    ret_channels[1] = 6;
    return track->layout.nb_channels >= 5 && keep_surround ? 2 : 1;
}
