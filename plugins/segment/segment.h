/* SPDX-License-Identifier: MIT */
/* The ops of this plugin. */
#ifndef SEGMENT_H
#define SEGMENT_H

#include <millrace/plugin.h>

extern const mr_op mr_op_segment_plan;
extern const mr_op mr_op_segment_remux;
extern const mr_op mr_op_segment_mpegts;

#endif
