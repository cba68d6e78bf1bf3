/* SPDX-License-Identifier: MIT */
/*
 * Runs that a server has started: each is a job with a session of its own and a thread that waits for its end.
 *
 * Order: platform->lock may be held when the engine's is taken (mr_run_cancel), never the other way round: events come without a lock. A run's own
 * `counting` guards its id and tally, and is taken last.
 */
#include "cli/drive.h"
#include "cli/hooked.h"
#include "cli/report.h"
#include "cli/serve/platform.h"
#include "cli/tally.h"

#include "base/file.h"
#include "base/json.h"

#include <stdlib.h>
#include <string.h>

static const mr_span nowhere;

struct mr_served {
    mr_platform *platform;
    mr_session session;
    mr_job job;
    json_t *record; /* of the run that is resumed; the job borrows of it */
    mr_report *report;
    pthread_mutex_t counting;
    mr_tally tally;
    mr_hooked *hooked;
    mr_run *run;
    char *done; /* its last event, which is told when its end is recorded; of who reads events, then of who waits for the end */
    bool rehearsal;
    char id[MR_RUN_ID];
    mr_served *next;
};

static void free_served(mr_served *served)
{
    if (!served)
        return;
    mr_run_free(served->run);
    mr_hooked_free(served->hooked);
    mr_report_free(served->report);
    mr_tally_clear(&served->tally);
    mr_job_clear(&served->job);
    mr_session_close(&served->session);
    json_decref(served->record);
    free(served->done);
    pthread_mutex_destroy(&served->counting);
    free(served);
}

static void on_event(void *context, const mr_event *event)
{
    mr_served *served = context;
    mr_platform *platform = served->platform;
    mr_report_event(served->report, event);
    pthread_mutex_lock(&served->counting);
    if (!served->id[0]) /* the first events come before mr_run_start() has returned */
        snprintf(served->id, sizeof(served->id), "%s", event->run);
    mr_tally_add(&served->tally, event);
    pthread_mutex_unlock(&served->counting);
    mr_hooked_event(served->hooked, event);
    mr_autojson json_t *json = mr_event_json(event);
    char *text = json ? mr_json_text(json) : NULL;
    if (text && event->type == MR_EVENT_RUN_DONE) {
        served->done = text;
        return;
    }
    if (text)
        platform->driver->event(platform->server, event->run, text);
    free(text);
}

/* ---- what is to be run ---- */

static bool add_inputs(mr_job *job, const json_t *inputs, mr_arena *arena)
{
    const char *name;
    json_t *path;
    job->input_texts = calloc(json_object_size(inputs) + 1, sizeof(*job->input_texts));
    if (!job->input_texts)
        return false;
    json_object_foreach((json_t *)inputs, name, path)
    {
        if (json_is_string(path))
            job->input_texts[job->input_count++] = mr_arena_printf(arena, "%s=%s", name, json_string_value(path));
    }
    return true;
}

static bool add_some(mr_job *job, const json_t *params, bool offered)
{
    const char *name;
    json_t *value;
    bool good = true;
    json_object_foreach((json_t *)params, name, value)
    {
        char *text = json_is_string(value) ? strdup(json_string_value(value)) : mr_json_text(value);
        char *copy = strdup(name);
        job->params[job->param_count++] = (mr_given){.name = copy, .text = text, .from = "param", .offered = offered};
        good = good && text && copy;
    }
    return good;
}

static bool add_params(mr_job *job, const json_t *params, const json_t *offers)
{
    job->params = calloc(json_object_size(params) + json_object_size(offers) + 1, sizeof(*job->params));
    return job->params && add_some(job, params, false) && add_some(job, offers, true);
}

static mr_status describe_new(mr_served *served, const json_t *request)
{
    mr_session *session = &served->session;
    mr_job *job = &served->job;
    const char *name = json_string_value(json_object_get(request, "pipeline"));
    const char *output = json_string_value(json_object_get(request, "output"));
    const char *file = name && !strchr(name, '/') ? mr_find_pipeline(session, name) : name;
    if (!name || (!output && !served->rehearsal) || file == name) {
        mr_error(session->diags, "unknown-pipeline", nowhere, "there is no pipeline '%s'", name ? name : "");
        mr_hint(session->diags, "the list of pipelines has their names");
        return MR_ERR_NOT_FOUND;
    }
    job->pipeline = file;
    job->output = output ? mr_arena_copy(session->arena, output, strlen(output)) : NULL;
    const bool good = (job->output || !output) && add_inputs(job, json_object_get(request, "inputs"), session->arena) &&
                      add_params(job, json_object_get(request, "params"), json_object_get(request, "offers"));
    return good ? MR_OK : MR_ERR_NOMEM;
}

static mr_status describe_resumed(mr_served *served, const char *run)
{
    mr_session *session = &served->session;
    mr_status status = mr_journal_run(served->platform->journal, run, session->diags, &served->record);
    if (status != MR_OK)
        return status;
    if (mr_job_restore(&served->job, json_object_get(served->record, "given"), session->arena))
        return MR_OK;
    mr_error(session->diags, "not-recorded", nowhere, "run %s can't be resumed: what it was given was not recorded", run);
    return MR_ERR_INPUT;
}

static mr_status prepare(mr_served *served, const json_t *request)
{
    mr_platform *platform = served->platform;
    const char *resume = json_string_value(json_object_get(request, "resume"));
    pthread_mutex_lock(&platform->reading);
    mr_status status = resume ? describe_resumed(served, resume) : describe_new(served, request);
    if (status == MR_OK && !mr_job_prepare(&served->job, &served->session))
        status = MR_ERR_PARAM;
    if (status == MR_OK) {
        served->job.settings = *platform->settings;
        if (!served->rehearsal && mr_hooked_begin(&served->job, resume != NULL, &served->session, &served->hooked) != MR_EXIT_DONE) {
            mr_error(served->session.diags, "hook", nowhere, "a hook is against it; the log of the server says why");
            status = MR_ERR_PARAM;
        }
    }
    pthread_mutex_unlock(&platform->reading);
    served->report = mr_report_new();
    if (status == MR_OK && (!served->report || !mr_tally_init(&served->tally, served->job.bound.pipeline)))
        status = MR_ERR_NOMEM;
    return status;
}

/* ---- its life ---- */

static void leave_list(mr_served *served)
{
    mr_platform *platform = served->platform;
    pthread_mutex_lock(&platform->lock);
    mr_served **at = &platform->runs;
    while (*at != served)
        at = &(*at)->next;
    *at = served->next;
    platform->run_count--;
    pthread_cond_broadcast(&platform->fewer);
    pthread_mutex_unlock(&platform->lock);
}

/* False: the server is closing. */
static bool join_list(mr_served *served)
{
    mr_platform *platform = served->platform;
    pthread_mutex_lock(&platform->lock);
    const bool open = !platform->closing;
    if (open) {
        served->next = platform->runs;
        platform->runs = served;
        platform->run_count++;
    }
    pthread_mutex_unlock(&platform->lock);
    return open;
}

/* What a server makes of it outlives a crash, so the run's end has to, too: else the run would be taken for interrupted, and nobody would go on with
 * it. */
static void tell_done(const mr_served *served)
{
    if (served->done)
        served->platform->driver->event(served->platform->server, served->id, served->done);
}

static void tell_closed(const mr_served *served)
{
    char text[MR_RUN_ID + 48];
    snprintf(text, sizeof(text), "{\"event\":\"run.closed\",\"run\":\"%s\"}", served->id);
    served->platform->driver->event(served->platform->server, served->id, text);
}

static void *wait_for_end(void *context)
{
    mr_served *served = context;
    mr_session *session = &served->session;
    mr_status status = mr_run_wait(served->run, session->diags);
    tell_done(served);
    mr_hooked_end(served->hooked, served->run, session);
    if (!served->rehearsal)
        mr_report_write(served->report, &served->job, session, &served->tally, served->run, session->diags);
    tell_closed(served);
    if (status != MR_OK) {
        mr_autofree char *said = mr_diags_json(session->diags);
        mr_log_event(served->platform->log, MR_LOG_WARNING, "run-ended", NULL, "run %s: %s %s", served->id, served->tally.state, said ? said : "");
    }
    pthread_mutex_lock(&served->platform->lock);
    mr_run *run = served->run; /* from here on nobody cancels it */
    served->run = NULL;
    pthread_mutex_unlock(&served->platform->lock);
    mr_run_free(run); /* its last event has been said */
    leave_list(served);
    free_served(served);
    return NULL;
}

static mr_status start(mr_served *served, const json_t *request)
{
    mr_platform *platform = served->platform;
    const char *resume = json_string_value(json_object_get(request, "resume"));
    mr_autojson json_t *record = resume || served->rehearsal ? NULL : mr_job_record(&served->job, &served->session);
    const mr_run_options how = {
        .inputs = served->job.inputs,
        .input_count = served->job.input_count,
        .output_dir = served->job.output,
        .rehearsal = served->rehearsal,
        .resume = resume,
        .record = record,
        .reader = on_event,
        .reader_context = served,
    };
    mr_run *run = NULL;
    mr_status status = mr_run_start(platform->engine, &served->job.bound, &how, served->session.diags, &run);
    if (status != MR_OK)
        return status;
    mr_hooked_run(served->hooked, run);
    pthread_mutex_lock(&served->counting);
    snprintf(served->id, sizeof(served->id), "%s", mr_run_id(run));
    pthread_mutex_unlock(&served->counting);
    pthread_mutex_lock(&platform->lock);
    served->run = run;
    if (platform->closing)
        mr_run_interrupt(run);
    pthread_mutex_unlock(&platform->lock);
    return MR_OK;
}

/* Takes served. The list keeps the platform open until the thread is through. */
static mr_status watch(mr_served *served)
{
    pthread_t thread;
    pthread_attr_t detached;
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    const int error = pthread_create(&thread, &detached, wait_for_end, served);
    pthread_attr_destroy(&detached);
    if (error == 0)
        return MR_OK;
    mr_run_cancel(served->run);
    wait_for_end(served);
    return MR_ERR_NOMEM;
}

static char *diagnostics_text(const mr_served *served)
{
    mr_autofree char *found = served ? mr_diags_json(served->session.diags) : NULL;
    mr_autojson json_t *list = found ? json_loads(found, 0, NULL) : json_array();
    mr_autojson json_t *answer = list ? json_pack("{s:O}", "diagnostics", list) : NULL;
    return answer ? mr_json_text(answer) : NULL;
}

static mr_served *new_served(mr_platform *platform, const json_t *request)
{
    mr_served *served = calloc(1, sizeof(*served));
    if (!served)
        return NULL;
    served->platform = platform;
    served->rehearsal = json_is_true(json_object_get(request, "rehearsal"));
    pthread_mutex_init(&served->counting, NULL);
    if (mr_session_open_with(&served->session, platform->session->plugins))
        return served;
    free_served(served);
    return NULL;
}

mr_status mr_platform_run_start(mr_platform *platform, const char *request, char **ret_answer)
{
    *ret_answer = NULL;
    mr_autojson json_t *json = json_loads(request, JSON_REJECT_DUPLICATES, NULL);
    mr_served *served = json ? new_served(platform, json) : NULL;
    if (!served)
        return json ? MR_ERR_NOMEM : MR_ERR_PARAM;
    mr_status status = prepare(served, json);
    const bool listed = status == MR_OK && join_list(served);
    if (status == MR_OK)
        status = listed ? start(served, json) : MR_ERR_UNAVAILABLE;
    if (status != MR_OK) {
        *ret_answer = diagnostics_text(served);
        if (listed)
            leave_list(served);
        free_served(served);
        return status;
    }
    mr_autojson json_t *answer = json_pack("{s:s}", "run", served->id);
    *ret_answer = answer ? mr_json_text(answer) : NULL;
    return watch(served);
}

mr_status mr_platform_run_check(mr_platform *platform, const char *request, char **ret_answer)
{
    *ret_answer = NULL;
    mr_autojson json_t *json = json_loads(request, JSON_REJECT_DUPLICATES, NULL);
    mr_served *served = json ? new_served(platform, json) : NULL;
    if (!served)
        return json ? MR_ERR_NOMEM : MR_ERR_PARAM;
    pthread_mutex_lock(&platform->reading);
    mr_status status = describe_new(served, json);
    if (status == MR_OK && !mr_job_prepare(&served->job, &served->session))
        status = MR_ERR_PARAM;
    pthread_mutex_unlock(&platform->reading);
    *ret_answer = diagnostics_text(served);
    free_served(served);
    return status;
}

bool mr_platform_cancel_locked(mr_platform *platform, const char *run)
{
    bool found = false;
    for (mr_served *served = platform->runs; served; served = served->next) {
        if (served->run && strcmp(mr_run_id(served->run), run) == 0) {
            mr_run_cancel(served->run);
            found = true;
        }
    }
    return found;
}

void mr_platform_interrupt_locked(mr_platform *platform)
{
    for (mr_served *served = platform->runs; served; served = served->next) {
        if (served->run)
            mr_run_interrupt(served->run);
    }
}

mr_status mr_platform_run_demand(mr_platform *platform, const char *run, const char *node, const char *item)
{
    mr_status status = MR_ERR_NOT_FOUND;
    pthread_mutex_lock(&platform->lock);
    for (mr_served *served = platform->runs; served && status == MR_ERR_NOT_FOUND; served = served->next) {
        if (served->run && strcmp(mr_run_id(served->run), run) == 0)
            status = mr_run_demand(served->run, node, item);
    }
    pthread_mutex_unlock(&platform->lock);
    return status;
}

mr_status mr_platform_run_cancel(mr_platform *platform, const char *run)
{
    pthread_mutex_lock(&platform->lock);
    const bool found = mr_platform_cancel_locked(platform, run);
    pthread_mutex_unlock(&platform->lock);
    return found ? MR_OK : MR_ERR_NOT_FOUND;
}

/* ---- how far it is ---- */

static json_t *count_node(const mr_tally_node *node)
{
    return json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I}", "node", node->node->name, "state", mr_node_state_name(node->state), "total",
                     (json_int_t)node->total, "tasks", (json_int_t)node->done, "cached", (json_int_t)node->cached, "failed", (json_int_t)node->failed,
                     "cpu_us", (json_int_t)node->cpu_us);
}

static json_t *count_run(const mr_tally *tally)
{
    const mr_totals totals = mr_tally_totals(tally);
    json_t *nodes = json_array();
    for (size_t i = 0; i < tally->count; i++)
        json_array_append_new(nodes, count_node(&tally->nodes[i]));
    json_t *counts = json_pack("{s:I, s:I, s:I, s:I, s:o}", "total", (json_int_t)totals.tasks, "tasks", (json_int_t)totals.done, "cached",
                               (json_int_t)totals.cached, "failed", (json_int_t)totals.failed, "nodes", nodes);
    if (counts && tally->state[0]) { /* it has said so, and is about to be written down */
        json_object_set_new(counts, "state", json_string(tally->state));
        json_object_set_new(counts, "ended_us", json_integer(tally->ended_us));
    }
    return counts;
}

json_t *mr_platform_counts(mr_platform *platform, const char *run)
{
    json_t *counts = NULL;
    pthread_mutex_lock(&platform->lock);
    for (mr_served *served = platform->runs; served && !counts; served = served->next) {
        pthread_mutex_lock(&served->counting);
        if (strcmp(served->id, run) == 0)
            counts = count_run(&served->tally);
        pthread_mutex_unlock(&served->counting);
    }
    pthread_mutex_unlock(&platform->lock);
    return counts;
}
