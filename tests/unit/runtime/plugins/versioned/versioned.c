/* SPDX-License-Identifier: MIT */
/* One plugin, built as two versions: what an upgrade looks like to the engine. */
#include "../fixtures/fixture.h"

static mr_status run(const mr_host *host, const mr_batch *batch)
{
    for (uint32_t i = 0; i < batch->count; i++) {
        mr_status status = host->emit(batch->tasks[i].task, 0, "{\"value\":1}", NULL);
        if (status != MR_OK)
            return status;
    }
    return MR_OK;
}

static const mr_port outputs[] = {{"value", MR_TYPE_JSON, 0, "a number"}, {0}};
static const mr_op op = {.size = sizeof(mr_op),
                         .version = 1,
                         .name = "versioned.value",
                         .summary = "gives a number",
                         .cpu = 1,
                         .memory_mb = 1,
                         .outputs = outputs,
                         .run = run};
static const mr_op *const ops[] = {&op, NULL};

MR_PLUGIN_EXPORT const mr_plugin mr_plugin_entry = {.size = sizeof(mr_plugin),
                                                    .abi_major = MR_ABI_MAJOR,
                                                    .abi_minor = MR_ABI_MINOR,
                                                    .name = "versioned",
                                                    .version = VERSION,
                                                    .summary = "for tests",
                                                    .licence = "MIT",
                                                    .ops = ops};
