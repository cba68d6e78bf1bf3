/* SPDX-License-Identifier: MIT */
/* Adds up events. Cached tasks come without a start; a task that is tried again starts again under the same node and item. */
#include "cli/tally.h"

#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

struct mr_running {
    size_t node;
    double fraction;
    int64_t started_us;
    UT_hash_handle hh;
    char key[]; /* "NODE ITEM" */
};

static const char *const state_names[] = {
    [MR_NODE_WAITING] = "waiting", [MR_NODE_RUNNING] = "running",     [MR_NODE_SUCCEEDED] = "succeeded",
    [MR_NODE_FAILED] = "failed",   [MR_NODE_CANCELLED] = "cancelled", [MR_NODE_SKIPPED] = "skipped",
};

const char *mr_node_state_name(mr_node_state state)
{
    return state_names[state];
}

/* What a node that has ended is called; "cached" is a success. */
static mr_node_state parse_state(const char *name)
{
    for (int state = MR_NODE_SUCCEEDED; name && state <= MR_NODE_SKIPPED; state++) {
        if (strcmp(name, state_names[state]) == 0)
            return (mr_node_state)state;
    }
    return MR_NODE_SUCCEEDED;
}

bool mr_tally_init(mr_tally *tally, const mr_pipeline *pipeline)
{
    *tally = (mr_tally){.count = pipeline->node_count};
    tally->nodes = calloc(pipeline->node_count + 1, sizeof(*tally->nodes));
    if (!tally->nodes)
        return false;
    for (size_t i = 0; i < tally->count; i++)
        tally->nodes[i].node = &pipeline->nodes[i];
    return true;
}

void mr_tally_clear(mr_tally *tally)
{
    mr_running *task = tally->running;
    HASH_CLEAR(hh, tally->running); /* the table's own memory; the entries are still linked */
    while (task) {
        mr_running *next = task->hh.next;
        free(task);
        task = next;
    }
    free(tally->nodes);
    *tally = (mr_tally){0};
}

static mr_tally_node *find_node(const mr_tally *tally, const char *name)
{
    for (size_t i = 0; name && i < tally->count; i++) {
        if (strcmp(tally->nodes[i].node->name, name) == 0)
            return &tally->nodes[i];
    }
    return NULL;
}

static mr_running *find_task(const mr_tally *tally, const mr_event *event)
{
    char key[512];
    mr_running *task;
    int len = snprintf(key, sizeof(key), "%s %s", event->node, event->item ? event->item : "");
    if (len >= (int)sizeof(key))
        return NULL;
    HASH_FIND(hh, tally->running, key, (size_t)len, task);
    return task;
}

static void start_task(mr_tally *tally, mr_tally_node *node, const mr_event *event)
{
    if (!node->started_us)
        node->started_us = event->time_us;
    if (node->state == MR_NODE_WAITING)
        node->state = MR_NODE_RUNNING;
    mr_running *task = find_task(tally, event);
    if (task) { /* another attempt */
        node->fraction -= task->fraction;
        task->fraction = 0;
        task->started_us = event->time_us;
        return;
    }
    const char *item = event->item ? event->item : "";
    size_t size = strlen(event->node) + strlen(item) + 2;
    task = calloc(1, sizeof(*task) + size);
    if (!task)
        return; /* the bars miss a task; nothing else depends on it */
    snprintf(task->key, size, "%s %s", event->node, item);
    task->node = (size_t)(node - tally->nodes);
    task->started_us = event->time_us;
    HASH_ADD(hh, tally->running, key[0], size - 1, task);
    if (!task->hh.tbl) {
        free(task);
        return;
    }
    node->running++;
}

static void end_task(mr_tally *tally, mr_tally_node *node, const mr_event *event)
{
    mr_running *task = find_task(tally, event);
    if (task) {
        node->fraction -= task->fraction;
        node->running--;
        HASH_DEL(tally->running, task);
        free(task);
    }
    node->done++;
    if (!node->planned && node->total < node->done)
        node->total = node->done;
    const char *state = event->state ? event->state : "";
    bool cached = strcmp(state, "cached") == 0;
    node->cached += cached;
    node->failed += strcmp(state, "failed") == 0;
    node->skipped += strcmp(state, "skipped") == 0;
    node->work_us += cached ? 0 : event->elapsed_us; /* looking it up is no measure of the work */
    node->cpu_us += event->cpu_us;
    if (!node->started_us)
        node->started_us = event->time_us - event->elapsed_us;
}

static void advance_task(const mr_tally *tally, mr_tally_node *node, const mr_event *event)
{
    mr_running *task = find_task(tally, event);
    if (task && event->fraction >= 0 && event->fraction <= 1) {
        node->fraction += event->fraction - task->fraction;
        task->fraction = event->fraction;
    }
}

static void end_run(mr_tally *tally, const mr_event *event)
{
    tally->ended_us = event->time_us;
    snprintf(tally->state, sizeof(tally->state), "%s", event->state ? event->state : "succeeded");
}

mr_tally_node *mr_tally_add(mr_tally *tally, const mr_event *event)
{
    mr_tally_node *node = find_node(tally, event->node);
    if (event->type == MR_EVENT_RUN_STARTED)
        tally->started_us = event->time_us;
    else if (event->type == MR_EVENT_RUN_DONE)
        end_run(tally, event);
    if (!node)
        return NULL;
    switch (event->type) {
    case MR_EVENT_NODE_PLANNED:
        node->total = event->total;
        node->planned = true;
        break;
    case MR_EVENT_TASK_STARTED: start_task(tally, node, event); break;
    case MR_EVENT_TASK_PROGRESS: advance_task(tally, node, event); break;
    case MR_EVENT_TASK_DONE: end_task(tally, node, event); break;
    case MR_EVENT_NODE_DONE:
        node->state = parse_state(event->state);
        node->ended_us = event->time_us;
        node->planned = true;
        node->total = node->done;
        break;
    default: break;
    }
    return node;
}

static bool has_ended(const mr_tally_node *node)
{
    return node->state >= MR_NODE_SUCCEEDED;
}

mr_totals mr_tally_totals(const mr_tally *tally)
{
    mr_totals totals = {0};
    double done = 0;
    double all = 0;
    for (size_t i = 0; i < tally->count; i++) {
        const mr_tally_node *node = &tally->nodes[i];
        uint64_t known = node->total > node->done + node->running ? node->total : node->done + node->running;
        totals.tasks += known;
        totals.done += node->done;
        totals.cached += node->cached;
        totals.failed += node->failed;
        /* A node whose tasks can't be counted yet weighs as one, so that the bar does not jump to the end and back. */
        all += known > 0 || has_ended(node) ? (double)known : 1;
        done += (double)node->done + node->fraction;
    }
    totals.fraction = all > 0 ? done / all : 0;
    return totals;
}

int64_t mr_tally_remaining_us(const mr_tally *tally, int64_t now_us)
{
    double left = 0; /* microseconds of work */
    double spent = 0;
    for (size_t i = 0; i < tally->count; i++) {
        const mr_tally_node *node = &tally->nodes[i];
        uint64_t fresh = node->done - node->cached;
        uint64_t open = node->total > node->done ? node->total - node->done : 0;
        bool is_fold = node->node->op->cpu == 0; /* waits for the others, works next to nothing */
        spent += is_fold ? 0 : (double)node->work_us;
        if (has_ended(node) || is_fold)
            continue;
        if (!node->planned)
            return -1;
        if (open > 1 && fresh == 0)
            return -1;
        if (fresh > 0)
            left += ((double)open - node->fraction) * (double)node->work_us / (double)fresh;
    }
    const mr_running *task;
    for (task = tally->running; task; task = task->hh.next) {
        if (tally->nodes[task->node].node->op->cpu > 0)
            spent += (double)(now_us - task->started_us);
    }
    double wall = (double)(now_us - tally->started_us);
    if (wall < 2e6 || spent <= 0)
        return -1;
    double lanes = spent / wall; /* tasks at a time, so far */
    return (int64_t)(left / (lanes > 0.1 ? lanes : 0.1));
}
