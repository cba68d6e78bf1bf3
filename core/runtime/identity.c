/* SPDX-License-Identifier: MIT */
/*
 * Identity: what went into a task, as one hash. Two tasks with one identity make the same outputs, whoever runs them and when.
 * What goes in: the recipe, which is the op's name and version, its plugin's name and version, the toolchain, and the params in canonical form;
 * and, port by port, the keys of the items it reads in their order. What stays out: names of nodes and files, times, the machine, batches,
 * priorities.
 *
 * A task that reads one source has a pattern, too: the same hash, with the source's size in place of its key. A result is kept with its pattern, the
 * source's key, and the blocks that were read of it (reads.c). Another source of that size whose blocks are the same as far as they were read gives
 * the same result: a verifying trace ("Build Systems à la Carte", section 4.2.2; ccache's manifests). An op is a function of what it reads, so what
 * it read first decides what it read next; no more need be compared.
 */
#include "base/file.h"
#include "config/params.h"
#include "runtime/internal.h"

#include <stdlib.h>
#include <string.h>

#define IDENTITY_FORMAT "millrace-identity-2" /* raise when the rules below change */
#define PATTERN_FORMAT  "millrace-pattern-1"
#define SHORT_KEY       16 /* digits of a key that are kept to tell what changed */

bool mr_value_is_open(const mr_value *value)
{
    if (!value)
        return false;
    switch (value->type) {
    case MR_VALUE_TEXT: return mr_expr_present(value->text);
    case MR_VALUE_LIST:
        for (size_t i = 0; i < value->list.count; i++) {
            if (mr_value_is_open(value->list.items[i]))
                return true;
        }
        return false;
    case MR_VALUE_MAP:
        for (size_t i = 0; i < value->map.count; i++) {
            if (mr_value_is_open(value->map.entries[i].value))
                return true;
        }
        return false;
    default: return false;
    }
}

static json_t *meta_of(const mr_item *item)
{
    return item ? mr_json_read(item->meta, item->pub.meta_len, MR_MAX_META, NULL) : NULL;
}

json_t *mr_task_scope(const mr_task *task)
{
    const mr_node_run *node = task->node;
    json_t *scope = json_object();
    if (!scope)
        return NULL;
    json_object_set_new(scope, "params", json_deep_copy(task->run->bound->params)); /* reference counts are not for several threads */
    for (size_t b = 0; b < node->node->binding_count; b++) {
        const mr_bound_port *port = &node->ports[b];
        const mr_port *table = &node->node->op->inputs[port->binding->port];
        json_t *value = NULL;
        if (port->streaming)
            continue;
        if (b < node->crossed) {
            value = meta_of(task->slots[b]->item);
        } else if (table->flags & MR_PORT_MANY) {
            value = json_array();
            for (size_t i = 0; i < port->item_count; i++)
                json_array_append_new(value, meta_of(port->items[i]));
        } else if (port->item_count > 0) {
            value = meta_of(port->items[0]);
        }
        if (value)
            json_object_set_new(scope, table->name, value);
    }
    return scope;
}

/* ---- the recipe ---- */

/* "transcode 1.2.0"; only the name where the plugin is not known (ops of tests). */
static void plugin_text(const mr_task *task, char *text, size_t size)
{
    const mr_plugins *plugins = task->run->engine->plugins;
    const char *name = task->node->node->plugin;
    snprintf(text, size, "%s", name ? name : "");
    for (size_t i = 0; plugins && name && i < mr_plugins_count(plugins); i++) {
        const mr_plugin *plugin = mr_plugins_get(plugins, i)->plugin;
        if (strcmp(plugin->name, name) == 0)
            snprintf(text, size, "%s %s", name, plugin->version ? plugin->version : "");
    }
}

/* NULL: no memory. */
static char *recipe_text(const mr_task *task)
{
    const mr_op *op = task->node->node->op;
    char plugin[256];
    plugin_text(task, plugin, sizeof(plugin));
    json_t *params = op->params ? mr_params_json(op->params, task->params) : json_object();
    json_t *recipe = params ? json_pack("{s:s, s:I, s:s, s:s, s:o}", "op", op->name, "version", (json_int_t)op->version, "plugin", plugin,
                                        "toolchain", op->toolchain ? op->toolchain() : "", "params", params)
                            : NULL;
    char *text = recipe ? mr_json_text(recipe) : NULL;
    json_decref(recipe);
    return text;
}

/* Its digest; the same for all tasks of a node whose params are fixed. */
static mr_status recipe_of(mr_task *task, char ret_recipe[MR_DIGEST_TEXT])
{
    mr_engine *engine = task->run->engine;
    const bool fixed = !task->node->open_params;
    ret_recipe[0] = '\0';
    if (fixed) {
        pthread_mutex_lock(&engine->lock);
        memcpy(ret_recipe, task->node->recipe, MR_DIGEST_TEXT);
        pthread_mutex_unlock(&engine->lock);
    }
    if (ret_recipe[0])
        return MR_OK;
    char *text = recipe_text(task);
    if (!text)
        return MR_ERR_NOMEM;
    mr_digest(text, strlen(text), ret_recipe);
    if (fixed) {
        pthread_mutex_lock(&engine->lock);
        memcpy(task->node->recipe, ret_recipe, MR_DIGEST_TEXT);
        pthread_mutex_unlock(&engine->lock);
    }
    free(text);
    return ret_recipe[0] ? MR_OK : MR_ERR_NOMEM;
}

/* ---- the inputs ---- */

/* What one port of a task holds. */
typedef struct holding {
    const char *name;
    char key[MR_DIGEST_TEXT]; /* "": an item without a key, so there is no identity */
    size_t source_count;
    const mr_item *source; /* one of them */
    bool only;             /* and it has nothing else */
} holding;

/* A json source is its value: an op need not read it to know it. */
static bool is_read(const mr_item *item)
{
    return item->source && item->pub.type != MR_TYPE_JSON;
}

/* Lock held. All items of a port as one key, computed once. */
static void compute_key(mr_bound_port *port)
{
    char count[32];
    bool known = true;
    mr_hash *hash = mr_hash_new();
    snprintf(count, sizeof(count), "%zu", port->item_count);
    port->source_count = 0;
    if (hash)
        mr_hash_add_text(hash, count);
    for (size_t i = 0; i < port->item_count; i++) {
        if (hash)
            mr_hash_add_text(hash, port->items[i]->key);
        known = known && port->items[i]->key[0];
        port->source_count += is_read(port->items[i]);
    }
    if (hash && known)
        mr_hash_finish(hash, port->key);
    mr_hash_free(hash);
}

static holding look_at_port(const mr_task *task, uint32_t b)
{
    const mr_node_run *node = task->node;
    mr_bound_port *port = &node->ports[b];
    holding held = {.name = node->node->op->inputs[port->binding->port].name};
    if (b < node->crossed) {
        pthread_mutex_lock(&task->run->engine->lock); /* its producer may be ending */
        const mr_item *item = task->slots[b]->item;
        pthread_mutex_unlock(&task->run->engine->lock);
        memcpy(held.key, item->key, MR_DIGEST_TEXT);
        held.source_count = is_read(item);
        held.source = held.source_count ? item : NULL;
        held.only = true;
        return held;
    }
    pthread_mutex_lock(&task->run->engine->lock);
    if (!port->key[0])
        compute_key(port);
    memcpy(held.key, port->key, MR_DIGEST_TEXT);
    held.source_count = port->source_count;
    pthread_mutex_unlock(&task->run->engine->lock);
    held.only = port->item_count == 1;
    held.source = held.only && held.source_count ? port->items[0] : NULL;
    return held;
}

/* The one source that it reads; NULL: none, or several. */
static const mr_item *only_source(const mr_task *task)
{
    const mr_item *source = NULL;
    size_t count = 0;
    for (uint32_t b = 0; b < task->node->node->binding_count; b++) {
        const holding held = look_at_port(task, b);
        count += held.source_count;
        source = held.source ? held.source : source;
    }
    return count == 1 ? source : NULL;
}

/* source: in place of its key, only its size counts; NULL: none. */
static void hash_inputs(const mr_task *task, const char *format, const char *recipe, const mr_item *source, char ret_hash[MR_DIGEST_TEXT])
{
    char size[64];
    bool known = true;
    mr_hash *hash = mr_hash_new();
    ret_hash[0] = '\0';
    if (!hash)
        return;
    mr_hash_add_text(hash, format);
    mr_hash_add_text(hash, recipe);
    for (uint32_t b = 0; b < task->node->node->binding_count && known; b++) {
        const holding held = look_at_port(task, b);
        mr_hash_add_text(hash, held.name);
        if (source && held.source == source)
            snprintf(size, sizeof(size), "%u:%llu", source->pub.type, (unsigned long long)source->pub.size);
        mr_hash_add_text(hash, source && held.source == source ? size : held.key);
        known = held.key[0] != '\0';
    }
    if (known)
        mr_hash_finish(hash, ret_hash);
    mr_hash_free(hash);
}

mr_status mr_task_identity(mr_task *task)
{
    char recipe[MR_DIGEST_TEXT];
    task->identity[0] = '\0';
    if ((task->node->node->op->flags & MR_OP_EFFECT) || task->node->streaming)
        return MR_OK;
    mr_status status = recipe_of(task, recipe);
    if (status == MR_OK)
        hash_inputs(task, IDENTITY_FORMAT, recipe, NULL, task->identity);
    return status;
}

/* ---- what is kept with a result ---- */

static json_t *short_keys(const mr_task *task)
{
    json_t *keys = json_object();
    for (uint32_t b = 0; b < task->node->node->binding_count; b++) {
        const holding held = look_at_port(task, b);
        const char *digits = strchr(held.key, ':');
        json_object_set_new(keys, held.name, json_stringn(digits ? digits + 1 : "", digits ? SHORT_KEY : 0));
    }
    return keys;
}

json_t *mr_task_facts(mr_task *task)
{
    char recipe[MR_DIGEST_TEXT];
    char pattern[MR_DIGEST_TEXT];
    mr_autofree char *blocks = NULL;
    if (!task->identity[0] || recipe_of(task, recipe) != MR_OK)
        return NULL;
    if (!mr_catalogue_has_recipe(task->run->engine->catalogue, recipe)) {
        mr_autofree char *text = recipe_text(task);
        if (text)
            mr_catalogue_add_recipe(task->run->engine->catalogue, recipe, text);
    }
    json_t *facts = json_pack("{s:s, s:o}", "recipe", recipe, "in", short_keys(task));
    const mr_item *source = only_source(task);
    if (facts && source)
        blocks = mr_reads_text(task->batch, source);
    if (blocks) {
        hash_inputs(task, PATTERN_FORMAT, recipe, source, pattern);
        json_object_set_new(facts, "pattern", json_string(pattern));
        json_object_set_new(facts, "source", json_string(mr_source_key(source->source)));
        json_object_set_new(facts, "blocks", json_string(blocks));
    }
    return facts;
}

json_t *mr_task_facts_for_plan(mr_task *task, json_t **ret_recipe)
{
    mr_autofree char *text = recipe_text(task);
    *ret_recipe = text ? json_loads(text, 0, NULL) : NULL;
    return *ret_recipe ? json_pack("{s:o}", "in", short_keys(task)) : NULL;
}

static void look_whether_grown(const mr_item *item)
{
    if (item && item->growth && mr_growth_is_over(item->growth))
        mr_source_has_grown(item->source);
}

json_t *mr_task_find_trace(mr_task *task, json_t **ret_facts)
{
    char recipe[MR_DIGEST_TEXT];
    char pattern[MR_DIGEST_TEXT];
    json_t *outputs = NULL;
    const mr_item *source = only_source(task);
    *ret_facts = NULL;
    if (!source || recipe_of(task, recipe) != MR_OK)
        return NULL;
    look_whether_grown(source);
    hash_inputs(task, PATTERN_FORMAT, recipe, source, pattern);
    json_t *traces = pattern[0] ? mr_catalogue_traces(task->run->engine->catalogue, pattern) : NULL;
    for (size_t i = 0; i < json_array_size(traces) && !outputs; i++) {
        const json_t *trace = json_array_get(traces, i);
        json_t *facts = json_object_get(trace, "facts");
        const char *key = json_string_value(json_object_get(facts, "source"));
        const char *blocks = json_string_value(json_object_get(facts, "blocks"));
        if (!key || !blocks || !mr_source_same_blocks(source->source, key, blocks))
            continue;
        outputs = json_incref(json_object_get(trace, "outputs"));
        json_object_set_new(facts, "source", json_string(mr_source_key(source->source)));
        json_object_set_new(facts, "in", short_keys(task));
        *ret_facts = json_incref(facts);
    }
    json_decref(traces);
    return outputs;
}

/* ---- sources that change ---- */

static bool check_item(const mr_item *item, char **ret_why)
{
    look_whether_grown(item);
    return !item || !item->source || mr_source_check(item->source, ret_why) == MR_OK;
}

/* The pipeline's inputs are there before the first task is, and stay: no lock. */
static bool check_ports(mr_task *task, char **ret_why)
{
    const mr_node_run *node = task->node;
    for (uint32_t b = 0; b < node->node->binding_count; b++) {
        const mr_binding *binding = node->ports[b].binding;
        for (size_t s = 0; s < binding->source_count; s++) {
            const mr_stream *stream = node->ports[b].sources[s];
            if (binding->sources[s].kind != MR_SOURCE_INPUT)
                continue;
            if (b < node->crossed && !check_item(task->slots[b]->item, ret_why))
                return false;
            for (size_t i = 0; b >= node->crossed && i < stream->count; i++) {
                if (!check_item(stream->slots[i]->item, ret_why))
                    return false;
            }
        }
    }
    return true;
}

mr_status mr_task_check_sources(mr_task *task, mr_status status)
{
    mr_run *run = task->run;
    char *why = NULL;
    if (status == MR_ERR_CANCELLED || status == MR_NOT_YET || check_ports(task, &why))
        return status;
    pthread_mutex_lock(&run->engine->lock);
    if (!run->stopping) {
        mr_run_failure(run, "input", (mr_span){0}, why, strdup("run again when nothing writes to it any more; what was made from it is not kept"));
        why = NULL;
        mr_run_stop(run, MR_ERR_INPUT);
        mr_run_settle(run);
    }
    pthread_mutex_unlock(&run->engine->lock);
    free(why);
    return MR_ERR_CANCELLED;
}
