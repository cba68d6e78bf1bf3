/* SPDX-License-Identifier: MIT */
/* Ops of numbers for the tests of the engine: real ops, small enough to reason about. */
#ifndef ENGINE_OPS_H
#define ENGINE_OPS_H

#include "graph/ops.h"

#include <stdatomic.h>

extern const mr_op_set engine_ops;

/* What the ops saw. Reset by the test. */
extern atomic_int ops_runs;       /* tasks that an op of these really ran */
extern atomic_int ops_batches;    /* calls of test.half and test.join */
extern atomic_int ops_largest;    /* tasks in the largest of them */
extern atomic_int ops_flaky_left; /* test.flaky fails as long as it is above 0 */
extern atomic_int ops_noted;      /* tasks of test.note */
extern char ops_note[512];        /* how the run stood when the last of them ran */
extern atomic_bool ops_hold;      /* test.hold keeps value 0 until this is false */
extern atomic_int ops_blocked;    /* tasks of test.block that have begun */

#endif
