/* SPDX-License-Identifier: MIT */
/*
 * A chain of libavfilter with one way in and one way out, single-threaded, rebuilt when the frames that come in change their shape.
 * Conversions that libavfilter inserts are exact (accurate_rnd, bitexact).
 */
#ifndef MR_MEDIA_FILTER_H
#define MR_MEDIA_FILTER_H

#include <libavutil/frame.h>
#include <libavutil/rational.h>
#include <millrace/op.h>

typedef struct mr_filter mr_filter;

/* For frames of the size, format and colours of like, with timestamps in time_base. param: which is at fault when the chain can't be built, or NULL.
 */
mr_status mr_filter_new(const mr_host *host, mr_task *task, const AVFrame *like, AVRational time_base, const char *chain, const char *param,
                        mr_filter **ret_filter);
void mr_filter_free(mr_filter *filter);
bool mr_filter_fits(const mr_filter *filter, const AVFrame *frame);
/* frame's content is moved in; NULL: there are no more. */
mr_status mr_filter_send(mr_filter *filter, AVFrame *frame);
/* MR_NOT_YET: it wants more frames first; MR_END: all came out. pts is in the time base given to mr_filter_new. */
mr_status mr_filter_receive(mr_filter *filter, AVFrame *ret_frame);

/* Is text a plain chain ("crop=100:100,eq=gamma=1.1") of filters that look at one picture at a time and open no files? Reports what is not.
 * NULL and "" are fine. steered: of a chain that a plugin steers, which may also write text on pictures. */
mr_status mr_filter_check(const mr_host *host, mr_task *task, const char *param, const char *text, bool steered);
/* Sets an option of a filter for the pictures that are sent from now on: "crop.x", "drawtext@title.text". Reports what can't be set. */
mr_status mr_filter_set(mr_filter *filter, const char *setting, const char *value);

#endif
