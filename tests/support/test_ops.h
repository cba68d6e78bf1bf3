/* SPDX-License-Identifier: MIT */
/* The ops of pipelines/vod.yaml as tables: ports and params like the real ones, nothing behind them. */
#ifndef TEST_OPS_H
#define TEST_OPS_H

#include "graph/ops.h"

extern const mr_op_set test_ops;

#endif
