/* SPDX-License-Identifier: MIT */
/* A plugin in C++: the headers, the export, and tables without the param macros (those use C's designated initialisers). */
#include <millrace/plugin.h>

static mr_status run(const mr_host *host, const mr_batch *batch)
{
    return host->emit(batch->tasks[0].task, 0, nullptr, nullptr);
}

static const mr_port outputs[] = {{"nothing", MR_TYPE_JSON, 0, "nothing at all"}, {nullptr, 0, 0, nullptr}};

static mr_op make_op()
{
    mr_op op = {};
    op.size = sizeof(mr_op);
    op.version = 1;
    op.name = "cpp.nothing";
    op.summary = "makes nothing";
    op.outputs = outputs;
    op.run = run;
    return op;
}

static const mr_op op = make_op();
static const mr_op *const ops[] = {&op, nullptr};

extern "C" {
MR_PLUGIN_EXPORT const mr_plugin mr_plugin_entry;
const mr_plugin mr_plugin_entry = {sizeof(mr_plugin), MR_ABI_MAJOR, MR_ABI_MINOR, "cpp", "1.0.0", "shows C++", "MIT", ops, nullptr, nullptr, nullptr};
}
