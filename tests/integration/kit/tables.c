/* SPDX-License-Identifier: MIT */
/* Tables that load, and that nobody should publish. */
#include <millrace/plugin.h>

static mr_status run(const mr_host *host, const mr_batch *batch)
{
    return host->emit(batch->tasks[0].task, 0, NULL, NULL);
}

static const mr_port outputs[] = {{.name = "nothing", .types = MR_TYPE_JSON, .help = "nothing"}, {0}};

#define OP(variable, ...) static const mr_op variable = {.size = sizeof(mr_op), .summary = "makes nothing", .run = run, __VA_ARGS__}
OP(fine, .name = "tables.fine", .version = 1, .outputs = outputs);
OP(stranger, .name = "other.op", .version = 1, .outputs = outputs);
OP(unborn, .name = "tables.unborn", .outputs = outputs);
OP(light, .name = "tables.light", .version = 1, .cpu = 1, .outputs = outputs);
OP(idle, .name = "tables.idle", .version = 1);

static const mr_op *const ops[] = {&fine, &stranger, &unborn, &light, &idle, NULL};

MR_PLUGIN_EXPORT const mr_plugin mr_plugin_entry = {
    .size = sizeof(mr_plugin),
    .abi_major = MR_ABI_MAJOR,
    .abi_minor = MR_ABI_MINOR,
    .name = "tables",
    .version = "1.0.0",
    .summary = "has tables that could be better",
    .ops = ops,
};
