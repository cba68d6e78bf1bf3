/* SPDX-License-Identifier: MIT */
/* What plugins.c and plugins_script.c share. */
#ifndef MR_RUNTIME_PLUGINS_INTERNAL_H
#define MR_RUNTIME_PLUGINS_INTERNAL_H

#include "runtime/hosts/script_host.h"
#include "runtime/plugins.h"

struct mr_plugins {
    mr_loaded_plugin *loaded;
    size_t count;
    mr_op_set ops;
    mr_script_host *reader; /* of scripts; NULL: none was needed */
};

/* Checked like any other plugin, and kept with its arena. MR_ERR_CONFLICT: something of it is there already. */
mr_status mr_plugins_keep_script(mr_plugins *plugins, const mr_plugin *entry, const mr_bundle *bundle, mr_arena *arena, mr_diags *diags);

/* A script in a folder of plugins: one without ops is passed over. */
mr_status mr_plugins_add_found(mr_plugins *plugins, const char *path, mr_diags *diags);

#endif
