/* SPDX-License-Identifier: MIT */
/* Scripts in a task host: ops that the engine makes known, and what a script host is asked. */
#ifndef MR_TASK_HOST_SCRIPTS_H
#define MR_TASK_HOST_SCRIPTS_H

#include "runtime/plugins.h"
#include "task-host/child.h"

typedef struct mr_child_script mr_child_script; /* the script that was evaluated last */

/* MR_FRAME_SCRIPT. False: the engine sent what can't be. */
bool mr_child_add_ops(mr_plugins *plugins, mr_frame *frame);
/* MR_FRAME_EVALUATE and MR_FRAME_CALL; both send their answer. False: the engine sent what can't be. */
bool mr_child_evaluate(mr_child *child, mr_child_script **script, mr_frame *frame);
bool mr_child_call(mr_child *child, mr_child_script *script, mr_frame *frame);

#endif
