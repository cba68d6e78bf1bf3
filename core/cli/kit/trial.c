/* SPDX-License-Identifier: MIT */
/*
 * A trial: a pipeline of one op (or of several that do the same) and what makes its inputs, run once through the engine.
 * What happened is learned from the run's events, as everybody learns it, and from the page that the inspector writes.
 */
#include "cli/kit/kit_internal.h"

#include "base/clock.h"
#include "base/file.h"
#include "cli/interrupt.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { COPIES_MAX = 8, PIPELINE_MAX = 1 << 20 };
#define TIMEOUT "20s"

/* ---- the pipeline ---- */

static bool is_crossed(const mr_trial *trial, const char *port)
{
    return trial->copies > 1 && trial->op->batch_by && strcmp(trial->op->batch_by, port) == 0;
}

static void put_quoted(FILE *out, const char *text)
{
    json_t *value = json_string(text ? text : "");
    mr_autofree char *quoted = value ? json_dumps(value, JSON_ENCODE_ANY) : NULL;
    fputs(quoted ? quoted : "\"\"", out);
    json_decref(value);
}

/* Media without metadata comes as people give it: as an input of the run. */
static bool is_input(const mr_kit_item *item)
{
    return item->type == MR_TYPE_MEDIA && !item->meta;
}

static void put_source(FILE *out, const mr_kit_item *item, size_t number)
{
    fprintf(out, is_input(item) ? "inputs.i%zu" : "g%zu.item", number);
}

static void put_inputs(FILE *out, const mr_trial *trial)
{
    bool any = false;
    for (size_t i = 0; i < trial->inputs->count; i++) {
        if (is_input(&trial->inputs->list[i].item))
            fprintf(out, "%s  i%zu: {type: media}\n", any ? "" : "inputs:\n", i), any = true;
    }
    fputs("nodes:\n", out);
    for (size_t i = 0; i < trial->inputs->count; i++) {
        const mr_kit_item *item = &trial->inputs->list[i].item;
        if (is_input(item))
            continue;
        fprintf(out, "  g%zu: {op: %s, with: {", i, mr_kit_op_name(item->type));
        if (item->meta) {
            fputs("meta: ", out);
            put_quoted(out, item->meta);
        }
        if (item->content) {
            fputs(item->meta ? ", content: " : "content: ", out);
            put_quoted(out, item->content);
        }
        fputs("}}\n", out);
    }
}

/* The port's sources, in the order given; a list where it takes many. */
static void put_port(FILE *out, const mr_trial *trial, const mr_port *port)
{
    const bool many = (port->flags & (MR_PORT_MANY | MR_PORT_STREAMING)) != 0;
    bool any = false;
    fprintf(out, "%s: %s", port->name, many ? "[" : "");
    for (size_t i = 0; i < trial->inputs->count && (many || !any); i++) {
        if (strcmp(trial->inputs->list[i].port, port->name) != 0)
            continue;
        fputs(any ? ", " : "", out);
        put_source(out, &trial->inputs->list[i].item, i);
        any = true;
    }
    fputs(many ? "]" : "", out);
}

static bool is_given(const mr_trial *trial, const char *port)
{
    for (size_t i = 0; i < trial->inputs->count; i++) {
        if (strcmp(trial->inputs->list[i].port, port) == 0)
            return true;
    }
    return false;
}

static void put_ports(FILE *out, const mr_trial *trial, const char *how, bool crossed)
{
    bool any = false;
    for (const mr_port *port = trial->op->inputs; port && port->name; port++) {
        if (!is_given(trial, port->name) || is_crossed(trial, port->name) != crossed)
            continue;
        if (any)
            fputs(", ", out);
        else
            fprintf(out, "    %s: {", how);
        put_port(out, trial, port);
        any = true;
    }
    fputs(any ? "}\n" : "", out);
}

static char *pipeline_text(const mr_trial *trial)
{
    char *text = NULL;
    size_t len = 0;
    const char *with = trial->with ? trial->with + strspn(trial->with, " \t\n") : NULL;
    FILE *out = open_memstream(&text, &len);
    if (!out)
        return NULL;
    fputs("millrace: 1\nname: trial\n", out);
    put_inputs(out, trial);
    for (uint32_t i = 0; i == 0 || i < trial->copies; i++) {
        fprintf(out, "  n%u:\n    op: %s\n    timeout: " TIMEOUT "\n", i, trial->op->name);
        put_ports(out, trial, "each", true);
        put_ports(out, trial, "in", false);
        if (with && *with)
            fprintf(out, *with == '{' ? "    with: %s\n" : "    with: {%s}\n", with);
    }
    const bool whole = fflush(out) == 0 && !ferror(out);
    fclose(out);
    if (!whole) {
        free(text);
        return NULL;
    }
    return text;
}

/* ---- watching ---- */

typedef struct watch {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool started; /* the op */
    bool over;
    bool lost;
    char how[512];
    char message[512];
    json_t *outputs[COPIES_MAX];
} watch;

/* The copy that an event is about; -1: none. */
static int copy_of(const mr_event *event)
{
    if (!event->node || event->node[0] != 'n' || event->node[1] < '0' || event->node[1] >= '0' + COPIES_MAX || event->node[2])
        return -1;
    return event->node[1] - '0';
}

static void note(char *to, size_t size, const mr_event *event)
{
    snprintf(to, size, "%s%s%s%s", event->reason ? event->reason : "", event->hint ? " (" : "", event->hint ? event->hint : "",
             event->hint ? ")" : "");
}

static void on_event(void *context, const mr_event *event)
{
    watch *it = context;
    const int copy = copy_of(event);
    pthread_mutex_lock(&it->lock);
    switch (event->type) {
    case MR_EVENT_TASK_STARTED: it->started = it->started || copy >= 0; break;
    case MR_EVENT_TASK_RETRY: /* nodes of trials have one attempt: its host was lost */
        it->lost = it->lost || copy >= 0;
        if (copy >= 0 && !it->how[0])
            note(it->how, sizeof(it->how), event);
        break;
    case MR_EVENT_TASK_REPORT:
        if (event->severity == MR_SEVERITY_ERROR)
            note(it->message, sizeof(it->message), event);
        break;
    case MR_EVENT_OUTPUT:
        if (copy >= 0 && event->detail)
            json_array_append_new(it->outputs[copy], json_deep_copy(event->detail));
        break;
    case MR_EVENT_RUN_DONE: it->over = true; break;
    default: break;
    }
    pthread_cond_broadcast(&it->changed);
    pthread_mutex_unlock(&it->lock);
}

static bool watch_open(watch *it, uint32_t copies)
{
    bool whole = true;
    *it = (watch){.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    for (uint32_t i = 0; i == 0 || i < copies; i++)
        whole = (it->outputs[i] = json_array()) != NULL && whole;
    return whole;
}

static void watch_close(watch *it)
{
    for (size_t i = 0; i < COPIES_MAX; i++)
        json_decref(it->outputs[i]);
    pthread_cond_destroy(&it->changed);
    pthread_mutex_destroy(&it->lock);
}

/* Until the op has started (cancel), or its host is lost, or all is over. True: the run is to be cancelled. */
static bool wait_for_reason(watch *it, bool cancel)
{
    pthread_mutex_lock(&it->lock);
    while (!it->over && !it->lost && !(cancel && it->started))
        pthread_cond_wait(&it->changed, &it->lock);
    const bool answer = !it->over;
    pthread_mutex_unlock(&it->lock);
    return answer;
}

/* ---- running ---- */

static void tell(mr_trial_end *end, const mr_diags *diags, const char *else_say)
{
    const mr_diag *first = diags ? mr_diags_first(diags) : NULL;
    while (first && first->severity != MR_SEVERITY_ERROR)
        first = first->next;
    end->bad_trial = true;
    snprintf(end->message, sizeof(end->message), "%s%s%s%s", first ? first->message : else_say, first && first->hint ? " (" : "",
             first && first->hint ? first->hint : "", first && first->hint ? ")" : "");
}

/* Takes what was seen of it into end. */
static void conclude(watch *it, const mr_trial *trial, mr_trial_end *end)
{
    end->lost = it->lost;
    memcpy(end->how, it->how, sizeof(end->how));
    memcpy(end->message, it->message, sizeof(end->message));
    end->copies_agree = true;
    for (uint32_t i = 1; i < trial->copies; i++)
        end->copies_agree = end->copies_agree && json_equal(it->outputs[0], it->outputs[i]);
    end->outputs = json_incref(it->outputs[0]);
    if (it->lost)
        end->status = MR_ERR_INTERNAL;
}

static void run_bound(mr_bench *bench, const mr_trial *trial, const mr_bound *bound, mr_diags *diags, mr_trial_end *end)
{
    mr_run_input inputs[MR_KIT_GIVEN_MAX];
    char names[MR_KIT_GIVEN_MAX][16];
    size_t count = 0;
    watch seen;
    mr_run *run = NULL;
    for (size_t i = 0; i < trial->inputs->count; i++) {
        if (!is_input(&trial->inputs->list[i].item))
            continue;
        snprintf(names[count], sizeof(names[count]), "i%zu", i);
        inputs[count] = (mr_run_input){.name = names[count], .path = trial->inputs->list[i].item.content};
        count++;
    }
    const mr_run_options how = {
        .inputs = inputs, .input_count = count, .no_cache = true, .output_dir = trial->output, .reader = on_event, .reader_context = &seen};
    mr_status status = watch_open(&seen, trial->copies) ? mr_bench_start(bench, diags) : MR_ERR_NOMEM;
    const int64_t began = mr_now_us();
    if (status == MR_OK)
        status = mr_run_start(bench->engine, bound, &how, diags, &run);
    if (status != MR_OK) {
        tell(end, diags, "memory is short");
        watch_close(&seen);
        return;
    }
    if (bench->interrupt)
        mr_interrupt_watch(bench->interrupt, run);
    if (wait_for_reason(&seen, trial->cancel))
        mr_run_cancel(run);
    end->status = mr_run_wait(run, diags);
    end->took_us = mr_now_us() - began;
    if (bench->interrupt)
        mr_interrupt_watch(bench->interrupt, NULL);
    bench->interrupted = bench->interrupt && mr_interrupt_came(bench->interrupt);
    mr_run_free(run); /* all its events are told then */
    end->seen = *bench->page;
    conclude(&seen, trial, end);
    watch_close(&seen);
}

static void take_wishes(mr_inspection *page, const mr_inspection *wishes)
{
    const mr_inspection nothing = {0};
    const mr_inspection *from = wishes ? wishes : &nothing;
    const size_t begin = offsetof(mr_inspection, fill);
    const size_t seen = offsetof(mr_inspection, entered);
    memcpy((char *)page + begin, (const char *)from + begin, seen - begin);
    memset((char *)page + seen, 0, sizeof(*page) - seen);
}

static void set_batches(mr_bench *bench, const mr_trial *trial)
{
    for (mr_op *copy = bench->copies; copy->name; copy++) {
        if (strcmp(copy->name, trial->op->name) == 0)
            copy->batch_max = trial->batch_max ? trial->batch_max : trial->op->batch_max;
    }
}

void mr_trial_run(mr_bench *bench, const mr_trial *trial, const mr_inspection *wishes, mr_trial_end *ret_end)
{
    const mr_pipeline *pipeline = NULL;
    mr_bound bound = {0};
    *ret_end = (mr_trial_end){.status = MR_ERR_INTERNAL};
    mr_diags *diags = mr_diags_new();
    mr_arena *arena = mr_arena_new(0);
    mr_autofree char *text = pipeline_text(trial);
    mr_status status = diags && arena && text ? MR_OK : MR_ERR_NOMEM;
    set_batches(bench, trial);
    take_wishes(bench->page, wishes);
    if (status == MR_OK)
        status = mr_pipeline_read(arena, "trial", text, strlen(text), &bench->ops, diags, &pipeline);
    if (status == MR_OK)
        status = mr_pipeline_bind(arena, pipeline, NULL, 0, diags, &bound);
    if (status == MR_OK)
        run_bound(bench, trial, &bound, diags, ret_end);
    else
        tell(ret_end, diags, "memory is short");
    mr_bound_clear(&bound);
    mr_arena_free(arena);
    mr_diags_free(diags);
    if (ret_end->lost)
        mr_bench_renew(bench); /* nothing of it is to be met again */
}

void mr_trial_end_clear(mr_trial_end *end)
{
    json_decref(end->outputs);
    *end = (mr_trial_end){0};
}

const char *mr_trial_words(const mr_trial_end *end, char *buf, size_t size)
{
    if (end->bad_trial)
        snprintf(buf, size, "could not be tried: %s", end->message);
    else if (end->lost)
        snprintf(buf, size, "%s", end->how);
    else if (end->status == MR_OK)
        snprintf(buf, size, "succeeded");
    else if (end->message[0])
        snprintf(buf, size, "failed: %s", end->message);
    else
        snprintf(buf, size, "failed with status %d and did not say why", (int)end->seen.status);
    return buf;
}
