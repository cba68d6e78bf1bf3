/* SPDX-License-Identifier: MIT */
/* A plugin that starts a thread when it is loaded, which no host that is to be confined can bear. */
#include <millrace/plugin.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

static void *wait_for_ever(void *context)
{
    for (;;)
        pause();
    return context;
}

static mr_status start(const mr_host *host, char *why, size_t why_size)
{
    pthread_t thread;
    (void)host;
    if (pthread_create(&thread, NULL, wait_for_ever, NULL) == 0)
        return MR_OK;
    snprintf(why, why_size, "no thread can be made");
    return MR_ERR_LIMIT;
}

static mr_status emit(const mr_host *host, const mr_batch *batch)
{
    return host->emit(batch->tasks[0].task, 0, "{}", NULL);
}

static const mr_port outputs[] = {{.name = "done", .types = MR_TYPE_JSON, .help = "nothing"}, {0}};
static const mr_op op = {.size = sizeof(mr_op),
                         .version = 1,
                         .name = "eager.nothing",
                         .summary = "does nothing",
                         .cpu = 1,
                         .memory_mb = 1,
                         .outputs = outputs,
                         .run = emit};
static const mr_op *const ops[] = {&op, NULL};

MR_PLUGIN_EXPORT const mr_plugin mr_plugin_entry = {.size = sizeof(mr_plugin),
                                                    .abi_major = MR_ABI_MAJOR,
                                                    .abi_minor = MR_ABI_MINOR,
                                                    .name = "eager",
                                                    .version = "1.0.0",
                                                    .summary = "starts a thread when it is loaded",
                                                    .licence = "MIT",
                                                    .ops = ops,
                                                    .load = start};
