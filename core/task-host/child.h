/* SPDX-License-Identifier: MIT */
/* A task host from within: one process, one batch at a time. The calls of ops become frames to the engine. */
#ifndef MR_TASK_HOST_CHILD_H
#define MR_TASK_HOST_CHILD_H

#include "base/block_tree.h"
#include "runtime/hosts/protocol.h"
#include "runtime/hosts/wire.h"
#include <millrace/limits.h>
#include <millrace/plugin.h>

#include <pthread.h>
#include <sys/types.h>

#define MR_CHILD_PORTS 64u /* of an op */
#define MR_CHILD_OPEN  16u /* descriptors that a task keeps open */

/* An artifact as the engine described it; lives until the batch has ended. */
typedef struct mr_known {
    mr_artifact pub; /* first: an artifact handed to an op is its record */
    uint32_t number;
    uint64_t have; /* bytes that have arrived, as far as it is known. By __atomic builtins */
    struct mr_known *next;
    unsigned char *reads; /* sources: a bit for each block that was read; within texts. Else NULL */
    uint32_t new_first;   /* bytes of reads that the engine has not been told of */
    uint32_t new_end;
    char texts[]; /* digest, name, meta */
} mr_known;

typedef struct mr_child_port {
    uint64_t count;
    bool counted;
    mr_known **items; /* by index; NULL: not asked for yet */
    size_t room;
} mr_child_port;

typedef struct mr_open_input {
    const mr_known *artifact;
    int fd;
} mr_open_input;

typedef struct mr_child mr_child;

struct mr_task {
    mr_child *child;
    uint32_t slot;
    const mr_op *op;
    mr_child_port ports[MR_CHILD_PORTS];
    mr_open_input open[MR_CHILD_OPEN];
    uint32_t open_next;
    const mr_known *ahead[MR_HOST_AHEAD]; /* streaming: what came with an earlier one */
    uint32_t ahead_ports[MR_HOST_AHEAD];
    uint32_t ahead_count, ahead_next;
    char *scratch;
    int64_t progress_us; /* when it was last sent */
};

struct mr_child {
    pthread_mutex_t lock; /* the socket: an op may make threads */
    mr_wire wire;
    mr_packer packer;
    const mr_control *control;
    char *scratch;
    mr_limits limits;
    mr_task *tasks;
    uint32_t task_count;
    mr_known *known; /* all of this batch */
    bool content_used[MR_HOST_CONTENTS];
    int64_t cpu_mark_us;
};

extern const mr_host mr_child_host;

/* Any of these ends the process when the engine is gone: there is nobody left to work for. */
void mr_child_send(mr_child *child);                           /* what is in the packer */
mr_frame mr_child_ask(mr_child *child, mr_status *ret_status); /* sends it, and waits for its REPLY; the socket's lock held */

/* process.c */
bool mr_child_tie(pid_t engine); /* its parent: it ends with that, also when that was killed. False: it is gone already */
/* Another process like this one, which must have one thread: 0 in the new one, whose parent is this one's parent; -1 and errno. */
pid_t mr_child_fork(void);
/* In the new one: the wire is its own from here on. */
bool mr_child_take_over(mr_child *child, pid_t engine, int socket_fd, int words_fd);

/* reads.c */
size_t mr_child_reads_size(const mr_artifact *artifact); /* bytes of mr_known.reads; 0: not a source */
bool mr_child_is_source(const mr_artifact *artifact);
void mr_child_count_read(mr_known *known, uint64_t offset, uint64_t len);
void mr_child_tell_reads(mr_child *child);

/* words.c */
void mr_child_log_line(const char *line);

/* After run(): what the batch held is given back. */
void mr_child_clear(mr_child *child);
int64_t mr_child_cpu_us(void);

#endif
