/* SPDX-License-Identifier: MIT */
/*
 * The insides of run() of transcode.analyse and transcode.video: the tasks of one chunk that are made together, their pictures (video_pictures.c) and
 * their encodes (video_rungs.c, video_lanes.c). video_run.c says how it goes.
 */
#ifndef TRANSCODE_VIDEO_GROUP_H
#define TRANSCODE_VIDEO_GROUP_H

#include "ahead.h"
#include "analysis.h"
#include "budget.h"
#include "media/picture.h"

#include <stdatomic.h>

enum { MR_VIDEO_PATH = 4096 };

/* How much of the progress the first pass is. */
#define MR_VIDEO_ANALYSIS_PART 0.15

typedef struct mr_video_job {
    const mr_batch_task *one;
    const mr_video_params *params;
    mr_rung rung;
    mr_rung_encode *encode;
    mr_budget budget;
    mr_analysis analysis; /* that came with the task */
    char stats[MR_VIDEO_PATH];
    AVFrame **store; /* scaled pictures of the whole chunk; NULL: none are kept */
    bool made;       /* good, emitted */
} mr_video_job;

typedef struct mr_video_group {
    const mr_host *host;
    const mr_batch_task **tasks; /* of this group, in the batch's order */
    size_t task_count;
    mr_task *reader;
    bool *finished; /* per task */
    mr_chunk chunk;
    mr_picture_options options;
    mr_pictures *pictures;
    mr_scaler *scaler; /* targets: the analysis, then each job */
    AVFrame *frame;    /* the picture that is due; empty: the same as before it */
    AVFrame **source;  /* those of the whole chunk, for the second pass; NULL: it decodes them anew */
    bool source_is_whole;
    atomic_bool stopping; /* one lane has failed */
    AVFrame **scaled;     /* of the picture that is due, those that are wanted */
    bool *wanted;
    bool works_ahead; /* there is a processor for it */
    mr_ahead *ahead;
    double progress_from, progress_to; /* of this decode */
    mr_video_job *jobs;
    size_t job_count;
    size_t analysis_tasks;
    mr_analyser *analyser;
    mr_analysis analysis;
    bool analysed;
} mr_video_group;

/* Of pictures of a rung's size. */
double mr_video_area(const mr_video_job *each);
/* The smallest that is not made; unkept: and whose pictures are not kept. NULL: there is none. */
mr_video_job *mr_video_smallest_pending(mr_video_group *all, bool unkept);
mr_status mr_video_no_memory(const mr_video_group *all);
/* Tells the engine that a task is done; no word about it from then on. */
mr_status mr_video_finish(mr_video_group *all, mr_task *task);

/* video_pictures.c */
/* Tells of the progress of all tasks, and hears whether one is cancelled: that cancels the batch; the others are tried again alone. */
mr_status mr_video_check_in(mr_video_group *all, double progress);
/* From the chunk's first picture; then each in order, and the end in any case. Kept pictures are not decoded again. */
mr_status mr_video_begin_decode(mr_video_group *all, double progress_from, double progress_to);
mr_status mr_video_next_picture(mr_video_group *all, int index); /* in 'frame' */
void mr_video_end_decode(mr_video_group *all);
/* 'frame' in all sizes that are wanted, in 'scaled'. One that repeats is not scaled again. */
mr_status mr_video_scale(mr_video_group *all);
/* When the first picture is there: what is kept for the second pass, and wanted for it. */
mr_status mr_video_choose_kept(mr_video_group *all);
mr_status mr_video_keep(const mr_video_group *all, AVFrame **pictures, int index, const AVFrame *picture); /* pictures NULL: none are kept */
void mr_video_drop_pictures(const mr_video_group *all, AVFrame ***pictures);

/* video_rungs.c */
mr_status mr_video_encode_rungs(mr_video_group *all);
/* Ends an attempt: good ones are emitted, others will be made again. */
mr_status mr_video_settle(mr_video_group *all, mr_video_job *each);

/* video_lanes.c */
bool mr_video_has_lanes(const mr_video_group *all); /* a processor for two, and all pictures */
mr_status mr_video_encode_in_lanes(mr_video_group *all);

#endif
