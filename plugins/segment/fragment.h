/* SPDX-License-Identifier: MIT */
/* Reading CMAF segments back: the packets of one media segment. */
#ifndef SEGMENT_FRAGMENT_H
#define SEGMENT_FRAGMENT_H

#include <libavformat/avformat.h>
#include <millrace/op.h>

typedef struct segment_fragment segment_fragment;

/* Opens init + media segment (both with content). Timestamps are presentation times: the init segment's edit list is applied. */
mr_status fragment_open(const mr_host *host, mr_task *task, const mr_artifact *init, const mr_artifact *media, segment_fragment **ret_fragment);
void fragment_close(segment_fragment *fragment);
/* The track. Borrowed. */
const AVStream *fragment_stream(const segment_fragment *fragment);
/* MR_END: no more. */
mr_status fragment_read(segment_fragment *fragment, AVPacket *packet);

#endif
