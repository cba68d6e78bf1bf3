/* SPDX-License-Identifier: MIT */
/* The cues of one text track, in order, at the plan's times. */
#ifndef TRANSCODE_SUBTITLES_CUES_H
#define TRANSCODE_SUBTITLES_CUES_H

#include <millrace/op.h>

typedef struct mr_cue {
    int64_t start_ms; /* presentation time */
    int64_t end_ms;
    size_t order;   /* in the source */
    char *settings; /* "" or WebVTT settings */
    char *text;     /* safe WebVTT */
} mr_cue;

typedef struct mr_cues {
    mr_cue *items;
    size_t count;
    size_t room;
} mr_cues;

/* Reads a whole track. origin_us: source time of presentation time 0; cues outside 0 … duration_us are cut or left out. mr_cues_free is due in any
 * case. */
mr_status mr_cues_read(const mr_host *host, mr_task *task, const mr_artifact *source, int stream, int64_t origin_us, int64_t duration_us,
                       mr_cues *ret_cues);
void mr_cues_free(mr_cues *cues);

#endif
