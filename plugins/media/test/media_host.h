/* SPDX-License-Identifier: MIT */
/* A host for what is below ops: reads one file, keeps what was reported. */
#ifndef MEDIA_HOST_H
#define MEDIA_HOST_H

#include <millrace/op.h>

struct mr_task {
    int fd; /* of the source; 0: none */
    mr_artifact source;
    char messages[4096]; /* "error: …\n" lines */
    int cancelled;
    uint64_t bytes_read;
    uint64_t have; /* bytes that have arrived, of a source that still does; 0: all */
    mr_limits limits;
};

extern const mr_host media_host;
extern char media_log[4096]; /* lines of libav, the first of them */

/* Opens path as the task's source; its limits are the defaults. */
void media_task_open(mr_task *task, const char *path);
void media_task_close(mr_task *task);

#endif
