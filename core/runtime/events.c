/* SPDX-License-Identifier: MIT */
/*
 * Names of events, and their JSON: one flat object per event, with only the fields that say something about its type. A field that
 * belongs to a type is there even when it is zero (progress 0, attempt 1), so that readers need no defaults.
 */
#include "runtime/events.h"

#include <stdlib.h>
#include <string.h>

enum {
    FIELD_ITEM = 1u << 0,
    FIELD_ATTEMPT = 1u << 1,
    FIELD_TOTAL = 1u << 2,
    FIELD_FRACTION = 1u << 3,
    FIELD_TIMES = 1u << 4,
    FIELD_SEVERITY = 1u << 5,
};

static const struct event_kind {
    const char *name;
    unsigned fields;
} kinds[] = {
    [MR_EVENT_RUN_STARTED] = {"run.started", FIELD_TOTAL},
    [MR_EVENT_NODE_PLANNED] = {"node.planned", FIELD_TOTAL},
    [MR_EVENT_TASK_STARTED] = {"task.started", FIELD_ITEM | FIELD_ATTEMPT},
    [MR_EVENT_TASK_PROGRESS] = {"task.progress", FIELD_ITEM | FIELD_FRACTION},
    [MR_EVENT_TASK_DONE] = {"task.done", FIELD_ITEM | FIELD_ATTEMPT | FIELD_TIMES},
    [MR_EVENT_TASK_RETRY] = {"task.retry", FIELD_ITEM | FIELD_ATTEMPT},
    [MR_EVENT_TASK_REPORT] = {"task.report", FIELD_ITEM | FIELD_SEVERITY},
    [MR_EVENT_NODE_DONE] = {"node.done", FIELD_TOTAL},
    [MR_EVENT_OUTPUT] = {"output", FIELD_ITEM},
    [MR_EVENT_RUN_DONE] = {"run.done", 0},
};
#define KIND_COUNT (sizeof(kinds) / sizeof(kinds[0]))

static const char *const severities[] = {[MR_SEVERITY_NOTE] = "note", [MR_SEVERITY_WARNING] = "warning", [MR_SEVERITY_ERROR] = "error"};

const char *mr_event_name(mr_event_type type)
{
    return (size_t)type < KIND_COUNT ? kinds[type].name : "unknown";
}

/* A reason may quote a file name that is not UTF-8; that must not cost the event: its bytes beyond ASCII become '?'. */
static json_t *text(const char *value)
{
    json_t *valid = json_string(value);
    if (valid)
        return valid;
    char *ascii = strdup(value);
    for (char *c = ascii; c && *c; c++)
        if ((unsigned char)*c >= 0x80)
            *c = '?';
    json_t *safe = ascii ? json_string(ascii) : NULL;
    free(ascii);
    return safe;
}

static int add_text(json_t *object, const char *key, const char *value)
{
    return value ? json_object_set_new(object, key, text(value)) : 0;
}

json_t *mr_event_json(const mr_event *event)
{
    unsigned fields = (size_t)event->type < KIND_COUNT ? kinds[event->type].fields : 0;
    json_t *object = json_object();
    int bad = !object;
    if (bad)
        return NULL;
    bad |= json_object_set_new(object, "event", json_string(mr_event_name(event->type)));
    bad |= json_object_set_new(object, "seq", json_integer((json_int_t)event->seq));
    bad |= json_object_set_new(object, "time_us", json_integer(event->time_us));
    bad |= add_text(object, "run", event->run);
    bad |= add_text(object, "node", event->node);
    if (fields & FIELD_ITEM)
        bad |= add_text(object, "item", event->item);
    bad |= add_text(object, "state", event->state);
    if (fields & FIELD_SEVERITY)
        bad |= json_object_set_new(object, "severity", json_string((size_t)event->severity < 3 ? severities[event->severity] : "error"));
    bad |= add_text(object, "reason", event->reason);
    bad |= add_text(object, "hint", event->hint);
    if (fields & FIELD_ATTEMPT)
        bad |= json_object_set_new(object, "attempt", json_integer(event->attempt));
    if (fields & FIELD_TOTAL)
        bad |= json_object_set_new(object, "total", json_integer((json_int_t)event->total));
    if (fields & FIELD_FRACTION)
        bad |= json_object_set_new(object, "fraction", json_real(event->fraction));
    if ((fields & FIELD_TIMES) || event->elapsed_us) {
        bad |= json_object_set_new(object, "elapsed_us", json_integer(event->elapsed_us));
        bad |= json_object_set_new(object, "cpu_us", json_integer(event->cpu_us));
    }
    if (event->detail)
        bad |= json_object_set(object, "detail", (json_t *)event->detail);
    if (bad) {
        json_decref(object);
        return NULL;
    }
    return object;
}
