/* SPDX-License-Identifier: MIT */
/*
 * Why a task would run: what its identity is made of, against what it was made of when the task was done before. Of the latest runs of the pipeline
 * the one that differs least is compared with: another source in between, or a param tried out, must not hide what changed.
 * Planning only. Reasons live in the run's arena, gathered over the tasks of a node.
 */
#include "runtime/internal.h"

#include <stdlib.h>
#include <string.h>

#define EXPLAINED_MAX 1000u /* tasks of a node that are compared; the others are only counted */
#define ITEMS_SHOWN   8u    /* items that are named with a reason */
#define REASONS_MAX   64u   /* of a node */
#define VALUE_MAX     200u  /* bytes of a value that are shown */

struct mr_reason {
    const char *kind; /* see engine.h */
    const char *name; /* of the param, port or node; "": none */
    const char *old;  /* NULL: not told */
    const char *new;
    size_t tasks;
    char items[ITEMS_SHOWN][96];
    mr_reason *next;
};

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static const char *keep(mr_arena *arena, const char *text)
{
    return text ? mr_arena_copy(arena, text, strlen(text)) : NULL;
}

/* Without the lock. */
static void add_reason(mr_task *task, const char *kind, const char *name, const char *old, const char *new)
{
    mr_node_run *node = task->node;
    mr_arena *arena = task->run->arena;
    mr_reason **at = &node->reasons;
    size_t count = 0;
    pthread_mutex_lock(&task->run->engine->lock);
    while (*at && !(strcmp((*at)->kind, kind) == 0 && same_text((*at)->name, name) && same_text((*at)->old, old) && same_text((*at)->new, new))) {
        at = &(*at)->next;
        count++;
    }
    if (!*at && count < REASONS_MAX && (*at = mr_arena_take(arena, sizeof(**at))))
        **at = (mr_reason){.kind = kind, .name = keep(arena, name), .old = keep(arena, old), .new = keep(arena, new)};
    if (*at) {
        if ((*at)->tasks < ITEMS_SHOWN)
            mr_task_item_text(task, (*at)->items[(*at)->tasks]);
        (*at)->tasks++;
    }
    pthread_mutex_unlock(&task->run->engine->lock);
}

/* ---- comparing ---- */

typedef void (*told)(mr_task *task, const char *kind, const char *name, const char *old, const char *new);

static void not_told(mr_task *task, const char *kind, const char *name, const char *old, const char *new)
{
    (void)task;
    (void)kind;
    (void)name;
    (void)old;
    (void)new;
}

static const mr_param *param_of(const mr_op *op, const char *name)
{
    for (const mr_param *param = op->params; param && param->name; param++) {
        if (strcmp(param->name, name) == 0)
            return param;
    }
    return NULL;
}

/* Exactly: "90s", "0.25s". */
static char *seconds_text(json_int_t us)
{
    char *text = NULL;
    if (asprintf(&text, "%lld.%06llds", (long long)(us / 1000000), llabs(us % 1000000)) < 0)
        return NULL;
    char *end = strchr(text, 's');
    while (end[-1] == '0')
        end--;
    end -= end[-1] == '.';
    memcpy(end, "s", 2);
    return text;
}

/* As people write it, where that is not as it is kept. NULL: there is none, or it is a secret. */
static char *value_text(const mr_param *param, const json_t *value)
{
    if (!value || json_is_null(value) || (param && (param->flags & MR_PARAM_SECRET)))
        return NULL;
    if (param && param->type == MR_PARAM_TYPE_DURATION && json_is_integer(value))
        return seconds_text(json_integer_value(value));
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS);
    if (text && strlen(text) > VALUE_MAX) {
        size_t end = VALUE_MAX;
        while (end > 0 && ((unsigned char)text[end] & 0xc0) == 0x80)
            end--; /* not within a character */
        text[end] = '\0';
    }
    return text;
}

static size_t compare_param(mr_task *task, const char *name, const json_t *old, const json_t *new, told tell)
{
    const mr_param *param = param_of(task->node->node->op, name);
    if (json_equal((json_t *)old, (json_t *)new))
        return 0;
    char *before = value_text(param, old);
    char *after = value_text(param, new);
    tell(task, "param", name, before, after);
    free(before);
    free(after);
    return 1;
}

static size_t compare_params(mr_task *task, const json_t *old, const json_t *new, told tell)
{
    const char *name;
    json_t *value;
    size_t count = 0;
    json_object_foreach((json_t *)new, name, value)
    {
        count += compare_param(task, name, json_object_get(old, name), value, tell);
    }
    json_object_foreach((json_t *)old, name, value)
    {
        if (!json_object_get(new, name))
            count += compare_param(task, name, value, NULL, tell);
    }
    return count;
}

static size_t compare_text(mr_task *task, const char *kind, const json_t *old, const json_t *new, told tell)
{
    char texts[2][32];
    const char *before = json_string_value(old);
    const char *after = json_string_value(new);
    if (json_equal((json_t *)old, (json_t *)new))
        return 0;
    for (int i = 0; i < 2; i++) {
        const json_t *value = i == 0 ? old : new;
        snprintf(texts[i], sizeof(texts[i]), "%lld", (long long)json_integer_value(value));
    }
    if (strcmp(kind, "plugin") == 0 && mr_ops_script_of(task->node->node->op))
        tell(task, "script", "", NULL, NULL); /* its version is a digest */
    else
        tell(task, kind, "", json_is_integer(old) ? texts[0] : before, json_is_integer(new) ? texts[1] : after);
    return 1;
}

static size_t compare_inputs(mr_task *task, const json_t *old, const json_t *new, told tell)
{
    const char *port;
    json_t *value;
    size_t count = 0;
    json_object_foreach((json_t *)new, port, value)
    {
        const json_t *before = json_object_get(old, port);
        if (json_equal((json_t *)before, value))
            continue;
        tell(task, "input", port, NULL, NULL);
        count++;
    }
    json_object_foreach((json_t *)old, port, value)
    {
        if (json_object_get(new, port))
            continue;
        tell(task, "input", port, NULL, NULL);
        count++;
    }
    return count;
}

/* How many parts differ; tells them. */
static size_t compare(mr_task *task, const json_t *old, const json_t *old_recipe, const json_t *new, const json_t *new_recipe, told tell)
{
    static const char *const parts[][2] = {{"op", "op"}, {"version", "version"}, {"plugin", "plugin"}, {"toolchain", "toolchain"}};
    size_t count = 0;
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        count += compare_text(task, parts[i][1], json_object_get(old_recipe, parts[i][0]), json_object_get(new_recipe, parts[i][0]), tell);
    count += compare_params(task, json_object_get(old_recipe, "params"), json_object_get(new_recipe, "params"), tell);
    return count + compare_inputs(task, json_object_get(old, "in"), json_object_get(new, "in"), tell);
}

/* ---- what was before ---- */

typedef struct before {
    json_t *facts;
    json_t *recipe;
    size_t differences;
} before;

static void look_at_run(mr_task *task, const json_t *row, const json_t *facts, const json_t *recipe, before *best)
{
    bool there = false;
    mr_catalogue *catalogue = task->run->engine->catalogue;
    const char *identity = json_string_value(json_object_get(row, "identity"));
    json_t *theirs = identity ? mr_catalogue_facts(catalogue, identity, &there) : NULL;
    const char *name = json_string_value(json_object_get(theirs, "recipe"));
    json_t *made = name ? mr_catalogue_recipe(catalogue, name) : NULL;
    const size_t count = made ? compare(task, theirs, made, facts, recipe, not_told) : SIZE_MAX;
    if (made && (!best->recipe || count < best->differences)) {
        json_decref(best->facts);
        json_decref(best->recipe);
        *best = (before){.facts = json_incref(theirs), .recipe = json_incref(made), .differences = count};
    }
    json_decref(made);
    json_decref(theirs);
}

/* A row with its very identity. */
static const json_t *same_before(const mr_task *task, const json_t *history)
{
    for (size_t i = 0; i < json_array_size(history); i++) {
        const json_t *row = json_array_get(history, i);
        if (same_text(json_string_value(json_object_get(row, "identity")), task->identity))
            return row;
    }
    return NULL;
}

static void explain_by_history(mr_task *task, const json_t *history)
{
    before best = {0};
    mr_autojson json_t *recipe = NULL;
    mr_autojson json_t *facts = mr_task_facts_for_plan(task, &recipe);
    const json_t *same = same_before(task, history);
    if (same) {
        const char *state = json_string_value(json_object_get(same, "state"));
        const bool made = same_text(state, "succeeded") || same_text(state, "cached");
        add_reason(task, made ? "gone" : "unfinished", "", made ? NULL : state, NULL);
        return;
    }
    for (size_t i = 0; facts && recipe && i < json_array_size(history); i++)
        look_at_run(task, json_array_get(history, i), facts, recipe, &best);
    if (best.recipe && best.differences > 0)
        compare(task, best.facts, best.recipe, facts, recipe, add_reason);
    else
        add_reason(task, json_array_size(history) ? "gone" : "new", "", NULL, NULL);
    json_decref(best.facts);
    json_decref(best.recipe);
}

void mr_explain_task(mr_task *task)
{
    char item[96];
    const mr_run *run = task->run;
    const char *pipeline = run->bound->pipeline->name ? run->bound->pipeline->name : "";
    if (task->node->node->op->flags & MR_OP_EFFECT) {
        add_reason(task, "effect", "", NULL, NULL);
    } else if (task->node->streaming) {
        add_reason(task, "stream", "", NULL, NULL);
    } else if (run->no_cache) {
        add_reason(task, "no-cache", "", NULL, NULL);
    } else if (task->index >= EXPLAINED_MAX) {
        add_reason(task, "more", "", NULL, NULL);
    } else {
        json_t *history = mr_catalogue_history(run->engine->catalogue, pipeline, task->node->node->name, mr_task_item_text(task, item));
        explain_by_history(task, history);
        json_decref(history);
    }
}

/* ---- the node ---- */

static json_t *reason_json(const mr_reason *reason)
{
    json_t *items = json_array();
    for (size_t i = 0; i < reason->tasks && i < ITEMS_SHOWN; i++) {
        if (reason->items[i][0])
            json_array_append_new(items, json_string(reason->items[i]));
    }
    json_t *json = json_pack("{s:s, s:I, s:o}", "reason", reason->kind, "tasks", (json_int_t)reason->tasks, "items", items);
    if (reason->name && reason->name[0])
        json_object_set_new(json, "name", json_string(reason->name));
    if (reason->old)
        json_object_set_new(json, "old", json_string(reason->old));
    if (reason->new)
        json_object_set_new(json, "new", json_string(reason->new));
    return json;
}

/* The nodes that it waits for: those whose streams have no end yet, or promise what is not there. */
static void add_waits(const mr_node_run *node, json_t *why)
{
    const mr_run *run = node->run;
    for (size_t i = 0; i < run->node_count; i++) {
        const mr_node_run *other = &run->nodes[run->bound->pipeline->order[i]];
        bool waits = false;
        for (uint32_t b = 0; b < node->node->binding_count; b++) {
            const mr_binding *binding = &node->node->bindings[b];
            for (size_t s = 0; s < binding->source_count; s++)
                waits = waits || (binding->sources[s].kind == MR_SOURCE_NODE && &run->nodes[binding->sources[s].index] == other);
        }
        if (waits && !other->done)
            json_array_append_new(why, json_pack("{s:s, s:s}", "reason", "waits", "name", other->node->name));
    }
}

json_t *mr_explain_node(const mr_node_run *node)
{
    size_t known = 0;
    json_t *why = json_array();
    for (const mr_reason *reason = node->reasons; reason; reason = reason->next)
        json_array_append_new(why, reason_json(reason));
    for (size_t i = 0; i < node->task_count; i++)
        known += node->tasks[i]->state == MR_TASK_KNOWN;
    if (!node->done && (!node->expanded || known + node->ended < node->task_count)) {
        if (node->node->trigger != MR_TRIGGER_NONE)
            json_array_append_new(why, json_pack("{s:s}", "reason", "trigger"));
        else
            add_waits(node, why);
    }
    return why;
}
