/* SPDX-License-Identifier: MIT */
/*
 * The other direction: any bytes and frames as the engine's replies to what an op asks in a task host (task-host/calls.c). A host believes its
 * engine, but must not fall over a damaged word: it ends, or the op gets a status.
 */
#include "host_frames.h"
#include "task-host/child.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
_Noreturn void fuzz_exit(int code); /* stands for _exit in calls.c */

enum { INPUT_MAX = 65536, ITEMS = 4 };

static jmp_buf ended;
static mr_content *open_content; /* the op's, when the process ends under it */

static void require(bool right)
{
    if (!right)
        abort();
}

_Noreturn void fuzz_exit(int code)
{
    require(code == 0 || code == 1);
    longjmp(ended, 1);
}

static void check_artifact(const mr_artifact *artifact)
{
    require(artifact->digest && artifact->name && artifact->meta && strlen(artifact->meta) == artifact->meta_len);
    require(strlen(artifact->digest) + strlen(artifact->name) + artifact->meta_len < MR_FRAME_MAX);
}

static void read_some(const mr_host *host, mr_task *task, const mr_artifact *artifact)
{
    char some[64];
    size_t len = 0;
    mr_status status = host->read_at(task, artifact, 0, some, sizeof(some), &len); /* the engine's word where the bytes have not arrived */
    require(len <= sizeof(some) && (status == MR_OK || status == MR_ERR_IO || len == 0));
}

/* An op that makes each call. */
static void run_op(const mr_host *host, mr_task *task)
{
    const mr_artifact *artifact = NULL;
    uint32_t port = 0;
    for (size_t i = 0; i < host->input_count(task, 0) && i < ITEMS; i++) {
        artifact = host->input(task, 0, i);
        if (!artifact)
            continue;
        check_artifact(artifact);
        require(host->input(task, 0, i) == artifact); /* known, so not asked for again */
        read_some(host, task, artifact);
    }
    if (host->next(task, &port, &artifact) == MR_OK) {
        check_artifact(artifact);
        read_some(host, task, artifact);
        (void)host->emit_from(task, 0, NULL, artifact);
    }
    if (host->content_new(task, &open_content) == MR_OK) {
        require(host->content_write_at(open_content, 0, "words", 5) == MR_OK);
        mr_content *taken = open_content;
        (void)host->emit(task, 0, "{\"a\":1}", taken);
        open_content = NULL;
    }
    host->progress(task, 0.5);
    host->report(task, MR_SEVERITY_WARNING, NULL, "hint", "%s", "words");
    (void)host->finish(task, MR_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static mr_control control;
    static mr_child child;
    static const mr_op op = {.size = sizeof(mr_op), .name = "fuzz.op"};
    int peer = -1;
    if (size > INPUT_MAX)
        return 0;
    child = (mr_child){.lock = PTHREAD_MUTEX_INITIALIZER, .control = &control};
    child.tasks = calloc(1, sizeof(*child.tasks));
    require(child.tasks != NULL);
    child.task_count = 1;
    child.tasks[0] = (mr_task){.child = &child, .op = &op};
    open_content = NULL;
    host_frames_open(data, size, MR_FRAME_REPLY, &child.wire, &peer);
    if (setjmp(ended) == 0)
        run_op(&mr_child_host, &child.tasks[0]);
    free(open_content);
    mr_child_clear(&child);
    mr_wire_close(&child.wire);
    close(peer);
    mr_packer_free(&child.packer);
    return 0;
}
