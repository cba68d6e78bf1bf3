/* SPDX-License-Identifier: MIT */
/*
 * Binds any values to the params of every op of every plugin: a map from an op's name to its params, as YAML and, where it is JSON, as a script would
 * hand it over. What binds must bind again when it went through JSON, give the same canonical JSON each time, and say nothing; what does not bind
 * must say why. And on its way to a task host (mr_params_dump, mr_params_restore) nothing changes; what is not such a dump is refused or harmless.
 */
#include "config/params.h"
#include "config/yaml.h"
#include "fuzz_plugins.h"
#include <dlfcn.h>
#include <millrace/plugin.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PLUGINS_MAX = 32, TEXT_MAX = 16384 };

static const mr_plugin *plugins[PLUGINS_MAX];

static void require(bool right)
{
    if (!right)
        abort();
}

static void load_plugins(void)
{
    static const char *const files[] = {FUZZ_PLUGINS};
    require(sizeof(files) / sizeof(files[0]) <= PLUGINS_MAX);
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        void *object = dlopen(files[i], RTLD_NOW | RTLD_LOCAL);
        if (!object)
            fprintf(stderr, "%s\n", dlerror());
        require(object != NULL);
        plugins[i] = dlsym(object, MR_PLUGIN_SYMBOL);
        require(plugins[i] != NULL);
    }
}

static const mr_op *find_op(const char *name)
{
    for (size_t i = 0; i < PLUGINS_MAX && plugins[i]; i++) {
        for (const mr_op *const *op = plugins[i]->ops; op && *op; op++) {
            if (strcmp((*op)->name, name) == 0)
                return *op;
        }
    }
    return NULL;
}

/* As an engine tells a task host. */
static void check_journey(mr_arena *arena, const mr_op *op, const void *params)
{
    char *there = calloc(1, op->params_size + 1);
    json_t *dump = mr_params_dump(op->params, params);
    require(there != NULL && dump != NULL);
    require(mr_params_restore(op->params, dump, arena, there, op->params_size) == MR_OK);
    json_t *again = mr_params_dump(op->params, there);
    require(json_equal(dump, again));
    json_decref(again);
    json_decref(dump);
    free(there);
}

/* Any JSON as a dump: refused, or params that can be told of. */
static void check_restore(mr_arena *arena, const mr_op *op, const json_t *json)
{
    char *params = calloc(1, op->params_size + 1);
    require(params != NULL);
    if (mr_params_restore(op->params, json, arena, params, op->params_size) == MR_OK)
        check_journey(arena, op, params);
    free(params);
}

/* The canonical JSON of the params, or NULL when they don't bind. */
static char *bind(mr_arena *arena, const mr_op *op, const mr_value *map)
{
    mr_diags *diags = mr_diags_new();
    char *params = calloc(1, op->params_size + 1);
    char *text = NULL;
    require(diags != NULL && params != NULL);
    mr_status status = mr_params_bind(op->params, map, op->name, (mr_span){0}, arena, params, op->params_size, NULL, diags);
    require((status == MR_OK) == (mr_diags_errors(diags) == 0));
    if (status == MR_OK) {
        json_t *json = mr_params_json(op->params, params);
        text = mr_json_text(json);
        require(text != NULL);
        json_decref(json);
        check_journey(arena, op, params);
    }
    char *said = mr_diags_json(diags);
    require(said != NULL);
    free(said);
    free(params);
    mr_diags_free(diags);
    return text;
}

static void check_op(mr_arena *arena, const mr_op *op, const mr_value *map)
{
    char *first = bind(arena, op, map);
    char *second = bind(arena, op, map);
    require((first == NULL) == (second == NULL) && (!first || strcmp(first, second) == 0));
    if (first) {
        json_t *json = mr_value_to_json(map);
        char *over_json = bind(arena, op, mr_value_from_json(arena, json, map->span));
        require(over_json != NULL);
        free(over_json);
        json_decref(json);
    }
    free(second);
    free(first);
}

static void check_all(mr_arena *arena, const mr_value *map)
{
    for (size_t i = 0; map && map->type == MR_VALUE_MAP && i < map->map.count; i++) {
        const mr_op *op = find_op(map->map.entries[i].key);
        const mr_value *params = map->map.entries[i].value;
        if (op && op->params && params->type == MR_VALUE_MAP)
            check_op(arena, op, params);
    }
}

/* The plugins are loaded before the fuzzer looks what there is to cover. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    load_plugins();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!plugins[0])
        load_plugins();
    if (size > TEXT_MAX)
        return 0;
    mr_arena *arena = mr_arena_new(0);
    mr_diags *diags = mr_diags_new();
    const mr_value *map = NULL;
    if (mr_yaml_read(arena, "fuzz", (const char *)data, size, NULL, diags, &map) == MR_OK)
        check_all(arena, map);
    json_t *json = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL);
    if (json)
        check_all(arena, mr_value_from_json(arena, json, (mr_span){"fuzz", 1, 1, 1}));
    const char *name;
    json_t *value;
    json_object_foreach(json, name, value)
    {
        const mr_op *op = find_op(name);
        if (op && op->params)
            check_restore(arena, op, value);
    }
    json_decref(json);
    mr_diags_free(diags);
    mr_arena_free(arena);
    return 0;
}
