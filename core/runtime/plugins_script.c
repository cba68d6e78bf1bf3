/* SPDX-License-Identifier: MIT */
/*
 * Scripts as plugins: the engine reads their text, a script host runs it to see what it offers, and the tables that come of it are checked here as
 * any plugin's. Nothing of a script runs in the engine's process.
 */
#include "runtime/plugins_internal.h"

#include <stdlib.h>
#include <string.h>

#define READING_TIME_US (2ll * 1000000) /* processor time that a script may use to say what it offers */

static const mr_script_limits task_limits = {.memory = MR_SCRIPT_MEMORY, .time_us = MR_SCRIPT_TIME};

static mr_status describe(mr_plugins *plugins, const mr_bundle *bundle, mr_diags *diags, json_t **ret_description)
{
    const mr_script_limits limits = {.memory = MR_SCRIPT_MEMORY, .time_us = READING_TIME_US};
    const mr_settings *settings = mr_settings_default();
    mr_status status = settings ? MR_OK : MR_ERR_NOMEM;
    if (status == MR_OK && !mr_script_host_is_whole(plugins->reader)) {
        mr_plugins_end_reading(plugins);
        status = mr_script_host_start(settings, diags, &plugins->reader);
    }
    if (status == MR_OK)
        status = mr_script_host_evaluate(plugins->reader, MR_SCRIPT_OPS, bundle, &limits, MR_SCRIPT_HOST_START_US, diags, ret_description);
    return status;
}

void mr_plugins_end_reading(mr_plugins *plugins)
{
    mr_script_host_end(plugins->reader);
    plugins->reader = NULL;
}

/* MR_END: that very script is there. MR_ERR_CONFLICT: another plugin of its name is, where one was asked for. */
static mr_status look_for_others(const mr_plugins *plugins, const mr_plugin *entry, const mr_bundle *bundle, mr_span asked, mr_diags *diags)
{
    for (size_t i = 0; i < plugins->count; i++) {
        const mr_loaded_plugin *other = &plugins->loaded[i];
        if (strcmp(other->plugin->name, entry->name) != 0)
            continue;
        if (other->bundle && strcmp(other->bundle->digest, bundle->digest) == 0)
            return MR_END;
        if (asked.line == 0)
            return MR_OK; /* passed over, with a warning */
        mr_error(diags, "script-conflict", asked, "what script '%s' offers begins with '%s.', as that of '%s' does", bundle->path, entry->name,
                 other->path);
        mr_hint(diags, "give them another name before the dot");
        return MR_ERR_CONFLICT;
    }
    return MR_OK;
}

/* found: it lies in a folder of plugins, where a script that offers nothing is the module of another. */
static mr_status add(mr_plugins *plugins, mr_arena *arena, const mr_bundle *bundle, mr_span asked, bool found, mr_diags *diags, bool *ret_kept)
{
    const mr_plugin *entry = NULL;
    mr_autojson json_t *description = NULL;
    *ret_kept = false;
    mr_bundle_add_texts(bundle, diags);
    mr_status status = describe(plugins, bundle, diags, &description);
    const bool offers = json_array_size(json_object_get(description, "ops")) + json_array_size(json_object_get(description, "filters")) > 0;
    if (status == MR_OK && found && !offers)
        return MR_OK;
    if (status == MR_OK)
        status = mr_ops_build(arena, bundle, description, &task_limits, diags, &entry);
    if (status == MR_OK)
        status = look_for_others(plugins, entry, bundle, asked, diags);
    if (status == MR_END)
        return MR_OK;
    if (status == MR_OK)
        status = mr_plugins_keep_script(plugins, entry, bundle, arena, diags);
    *ret_kept = status == MR_OK;
    return status;
}

static mr_status add_bundle(mr_plugins *plugins, mr_arena *take_arena, const mr_bundle *bundle, mr_span asked, bool found, mr_diags *diags)
{
    bool kept = false;
    mr_status status = add(plugins, take_arena, bundle, asked, found, diags, &kept);
    if (!kept)
        mr_arena_free(take_arena);
    return status;
}

static mr_status add_file(mr_plugins *plugins, const char *path, mr_span asked, bool found, mr_diags *diags)
{
    const mr_bundle *bundle = NULL;
    mr_arena *arena = mr_arena_new(0);
    mr_status status = arena ? mr_bundle_read(arena, path, asked, diags, &bundle) : MR_ERR_NOMEM;
    if (status == MR_OK)
        return add_bundle(plugins, arena, bundle, asked, found, diags);
    mr_arena_free(arena);
    return status;
}

mr_status mr_plugins_add_bundle(mr_plugins *plugins, mr_arena *take_arena, const mr_bundle *bundle, mr_span asked, mr_diags *diags)
{
    return add_bundle(plugins, take_arena, bundle, asked, false, diags);
}

mr_status mr_plugins_add_script(mr_plugins *plugins, const char *path, mr_span asked, mr_diags *diags)
{
    return add_file(plugins, path, asked, false, diags);
}

mr_status mr_plugins_add_found(mr_plugins *plugins, const char *path, mr_diags *diags)
{
    return add_file(plugins, path, (mr_span){0}, true, diags);
}

mr_status mr_plugins_restore_script(mr_plugins *plugins, const char *text, const mr_script_limits *limits, mr_diags *diags)
{
    const mr_plugin *entry = NULL;
    mr_arena *arena = mr_arena_new(0);
    mr_status status = arena ? mr_ops_restore(arena, text, limits, diags, &entry) : MR_ERR_NOMEM;
    if (status == MR_OK)
        status = mr_plugins_keep_script(plugins, entry, mr_plugin_script_of(entry)->bundle, arena, diags);
    if (status != MR_OK)
        mr_arena_free(arena);
    return status;
}

/* True: the plugin that has this script is not among those that stay. */
static bool goes(const mr_plugins *plugins, const mr_ops_script *script, size_t count)
{
    for (size_t i = count; script && i < plugins->count; i++)
        if (plugins->loaded[i].bundle == script->bundle)
            return true;
    return false;
}

void mr_plugins_forget(mr_plugins *plugins, size_t count)
{
    mr_op_entry *entries = (mr_op_entry *)plugins->ops.entries;
    size_t kept = 0;
    for (size_t i = 0; i < plugins->ops.count; i++)
        if (!goes(plugins, mr_ops_script_of(entries[i].op), count))
            entries[kept++] = entries[i];
    plugins->ops.count = kept;
    mr_filter_entry *filters = (mr_filter_entry *)plugins->ops.filters.entries;
    kept = 0;
    for (size_t i = 0; i < plugins->ops.filters.count; i++)
        if (!goes(plugins, mr_filter_script_of(filters[i].filter), count))
            filters[kept++] = filters[i];
    plugins->ops.filters.count = kept;
    for (; plugins->count > count && plugins->loaded[plugins->count - 1].bundle; plugins->count--) {
        mr_loaded_plugin *last = &plugins->loaded[plugins->count - 1];
        free((void *)last->path);
        free((void *)last->label);
        mr_arena_free(last->arena);
    }
}
