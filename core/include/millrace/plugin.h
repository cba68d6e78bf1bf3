/* SPDX-License-Identifier: MIT */
/*
 * The one header of a plugin. A plugin is a shared object that exports one constant, mr_plugin_entry:
 *
 *     MR_PLUGIN_EXPORT const mr_plugin mr_plugin_entry = {
 *         .size = sizeof(mr_plugin), .abi_major = MR_ABI_MAJOR, .abi_minor = MR_ABI_MINOR,
 *         .name = "example", .version = "1.0.0", .summary = "counts bytes", .licence = "MIT", .ops = ops,
 *     };
 *
 * ABI policy: within one major, structs only grow at the end, each begins with its size, and numbers keep their meaning.
 * The engine loads a plugin when the major is equal and the plugin's minor is not newer than its own. Plugins are loaded
 * once and never unloaded. They do not link the engine: every call goes through mr_host.
 */
#ifndef MILLRACE_PLUGIN_H
#define MILLRACE_PLUGIN_H

#include "filter.h"
#include "op.h"
#include "server.h"
#include "service.h"
#include "storage.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Minor 1: mr_host.limits. 2: frame filters, services, mr_host.content_copy_at. 3: services of the class "server". 4: mr_host.arrived.
 * 5: mr_batch.processors. 6: mr_platform_host.run_check. */
#define MR_ABI_MAJOR 1
#define MR_ABI_MINOR 6

/* In C++ a const is local to its file unless it is said to be extern; in C an initialised extern is a warning. */
#ifdef __cplusplus
#define MR_PLUGIN_LINKAGE extern "C"
#else
#define MR_PLUGIN_LINKAGE
#endif
#if defined(__GNUC__)
#define MR_PLUGIN_EXPORT MR_PLUGIN_LINKAGE __attribute__((visibility("default")))
#else
#define MR_PLUGIN_EXPORT MR_PLUGIN_LINKAGE
#endif

typedef struct mr_plugin {
    uint32_t size;
    uint16_t abi_major;
    uint16_t abi_minor;
    const char *name;
    const char *version;
    const char *summary;
    const char *licence;     /* SPDX expression */
    const mr_op *const *ops; /* NULL-terminated; NULL: none */
    /* Called once after loading, before any other function of the plugin, in the engine and in each task host; NULL: nothing
     * to prepare. It starts no threads: a task host can't be confined any more then. On error the plugin is rejected with the
     * text written to why (at most why_size bytes with the NUL). */
    mr_status (*load)(const mr_host *host, char *why, size_t why_size);

    /* Since 1.2. */
    const mr_frame_filter *const *filters; /* NULL-terminated; NULL: none */
    const mr_service *const *services;     /* NULL-terminated; NULL: none */
} mr_plugin;

#define MR_PLUGIN_SYMBOL "mr_plugin_entry"

#ifdef __cplusplus
}
#endif
#endif
