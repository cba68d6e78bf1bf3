/* SPDX-License-Identifier: MIT */
/* From events to hooks, and from what on_run_start says to the job: its params, and nodes that notify. */
#include "cli/hooked.h"

#include "base/file.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct mr_hooked {
    mr_hooks *hooks;
    const char *pipeline;
    pthread_mutex_t lock; /* a verdict may come before the run is known */
    mr_run *run;
    const char *code;
    char *why;
    char *state; /* of the run's end, with reason and time */
    char *reason;
    int64_t elapsed_us;
};

static const mr_span nowhere;

/* ---- before it starts ---- */

const char *mr_hooks_path(const mr_loaded_settings *settings, mr_arena *arena)
{
    const char *path = settings->values.hooks_file;
    const char *config = settings->file;
    const char *slash = config ? strrchr(config, '/') : NULL;
    for (size_t row = 0; mr_setting_table[row].name; row++) {
        const mr_value *given = settings->given[row];
        if (strcmp(mr_setting_table[row].name, "hooks.file") == 0 && given && given->span.line > 0 && path[0] != '/' && slash)
            return mr_arena_printf(arena, "%.*s/%s", (int)(slash - config), config, path);
    }
    return path;
}

static json_t *start_argument(const mr_job *job, bool resumed)
{
    json_t *inputs = json_array();
    for (size_t i = 0; i < job->input_count; i++)
        json_array_append_new(inputs, json_pack("{s:s, s:s}", "name", job->inputs[i].name, "path", job->inputs[i].path));
    return json_pack("{s:s, s:s, s:O, s:o, s:s, s:b}", "pipeline", job->bound.pipeline->name, "file", job->file, "params", job->bound.params,
                     "inputs", inputs, "output", job->output ? job->output : "", "resumed", resumed);
}

static mr_status change_param(mr_job *job, const char *name, const json_t *value)
{
    mr_given *at = job->params;
    while (at < job->params + job->param_count && strcmp(at->name, name) != 0)
        at++;
    char *text = json_is_string(value) ? strdup(json_string_value(value)) : mr_json_text(value);
    if (at < job->params + job->param_count) {
        free((char *)at->text);
    } else {
        at->name = strdup(name);
        job->param_count += at->name != NULL;
    }
    at->text = text;
    at->from = "hook 'on_run_start', param";
    return text && at->name ? MR_OK : MR_ERR_NOMEM;
}

static mr_status change_params(mr_job *job, const json_t *params)
{
    const char *name;
    json_t *value;
    mr_status status = MR_OK;
    mr_given *grown = realloc(job->params, (job->param_count + json_object_size(params) + 1) * sizeof(*grown));
    if (!grown)
        return MR_ERR_NOMEM;
    job->params = grown;
    json_object_foreach((json_t *)params, name, value)
    {
        status = status == MR_OK ? change_param(job, name, value) : status;
    }
    return status;
}

/* {url = …, on = "failure", …}: a node with that trigger; all but 'on' is for notify.webhook. */
static mr_status add_notification(mr_session *session, const json_t *one, const mr_pipeline **pipeline)
{
    static const char *const words[] = {"success", "failure", "always"};
    static const mr_trigger triggers[] = {MR_TRIGGER_SUCCESS, MR_TRIGGER_FAILURE, MR_TRIGGER_ALWAYS};
    const char *from = "hook 'on_run_start', notify";
    const json_t *on = json_object_get(one, "on");
    const char *word = on ? json_string_value(on) : "always";
    mr_autojson json_t *with = json_copy((json_t *)one);
    json_object_del(with, "on");
    for (size_t i = 0; word && i < 3; i++)
        if (strcmp(words[i], word) == 0)
            return mr_pipeline_add_trigger(session->arena, *pipeline, mr_session_ops(session), "notify.webhook", triggers[i], with, from,
                                           session->diags, pipeline);
    mr_error(session->diags, "hook", nowhere, "%s: 'on' is one of success, failure and always", from);
    return MR_ERR_PARAM;
}

/* What it says is bound anew, and so checked as if it had been given with the command. */
static mr_status apply(mr_job *job, bool resumed, const mr_hook_answer *answer, mr_session *session)
{
    size_t i;
    const json_t *one;
    const mr_pipeline *pipeline = job->bound.pipeline;
    mr_status status = MR_OK;
    if (answer->veto) {
        mr_error(session->diags, "veto", nowhere, "hook 'on_run_start' vetoes: %s", answer->veto);
        return MR_ERR_CONFLICT;
    }
    if (answer->params && !resumed)
        status = change_params(job, answer->params);
    json_array_foreach(answer->notify, i, one)
    {
        status = status == MR_OK ? add_notification(session, one, &pipeline) : status;
    }
    if (status != MR_OK || (!answer->params && !answer->notify))
        return status;
    mr_bound_clear(&job->bound);
    return mr_pipeline_bind(session->arena, pipeline, job->params, job->param_count, session->diags, &job->bound);
}

static mr_status ask_start(mr_hooked *hooked, mr_job *job, bool resumed, mr_session *session)
{
    mr_hook_answer answer;
    mr_autojson json_t *argument = start_argument(job, resumed);
    if (!argument)
        return MR_ERR_NOMEM;
    mr_status status = mr_hooks_ask(hooked->hooks, "on_run_start", argument, session->diags, &answer);
    if (status == MR_OK)
        status = apply(job, resumed, &answer, session);
    mr_hook_answer_clear(&answer);
    return status;
}

/* What a hook said of what it was told. On the hooks' thread. */
static void on_verdict(void *context, const char *code, const char *why)
{
    mr_hooked *hooked = context;
    pthread_mutex_lock(&hooked->lock);
    if (!hooked->why) { /* the first is the one that counts */
        hooked->code = code;
        hooked->why = strdup(why);
        if (hooked->run)
            mr_run_object(hooked->run, code, why);
    }
    pthread_mutex_unlock(&hooked->lock);
}

int mr_hooked_begin(mr_job *job, bool resumed, mr_session *session, mr_hooked **ret_hooked)
{
    *ret_hooked = NULL;
    if (!job->settings.values.hooks_file)
        return MR_EXIT_DONE;
    const char *path = mr_hooks_path(&job->settings, session->arena);
    mr_hooked *hooked = path ? calloc(1, sizeof(*hooked)) : NULL;
    if (!hooked)
        return MR_EXIT_FAILED;
    pthread_mutex_init(&hooked->lock, NULL);
    mr_status status = mr_hooks_open(path, &job->settings.values, session->diags, &hooked->hooks);
    const bool readable = status == MR_OK;
    if (readable) {
        mr_hooks_listen(hooked->hooks, on_verdict, hooked);
        status = ask_start(hooked, job, resumed, session);
    }
    mr_session_flush(session);
    if (status != MR_OK) {
        mr_hooked_free(hooked);
        return readable ? MR_EXIT_FAILED : MR_EXIT_USAGE;
    }
    hooked->pipeline = job->bound.pipeline->name;
    *ret_hooked = hooked;
    return MR_EXIT_DONE;
}

/* ---- while it runs ---- */

void mr_hooked_run(mr_hooked *hooked, mr_run *run)
{
    if (!hooked)
        return;
    pthread_mutex_lock(&hooked->lock);
    hooked->run = run;
    if (hooked->why && run)
        mr_run_object(run, hooked->code, hooked->why);
    pthread_mutex_unlock(&hooked->lock);
}

static void tell_task(mr_hooked *hooked, const mr_event *event)
{
    mr_hooks_tell(hooked->hooks, "on_task_failed",
                  json_pack("{s:s, s:s, s:s, s:s*, s:s*}", "run", event->run, "node", event->node, "item", event->item ? event->item : "", "reason",
                            event->reason, "hint", event->hint));
}

void mr_hooked_event(mr_hooked *hooked, const mr_event *event)
{
    if (!hooked)
        return;
    switch (event->type) {
    case MR_EVENT_NODE_DONE:
        if (mr_hooks_has(hooked->hooks, "on_node_done"))
            mr_hooks_tell(
                hooked->hooks, "on_node_done",
                json_pack("{s:s, s:s, s:s, s:I}", "run", event->run, "node", event->node, "state", event->state, "tasks", (json_int_t)event->total));
        break;
    case MR_EVENT_TASK_DONE:
        if (event->state && strcmp(event->state, "failed") == 0 && mr_hooks_has(hooked->hooks, "on_task_failed"))
            tell_task(hooked, event);
        break;
    case MR_EVENT_RUN_DONE:
        hooked->state = strdup(event->state ? event->state : "");
        hooked->reason = event->reason ? strdup(event->reason) : NULL;
        hooked->elapsed_us = event->elapsed_us;
        break;
    default: break;
    }
}

/* ---- at its end ---- */

bool mr_hooked_end(mr_hooked *hooked, const mr_run *run, mr_session *session)
{
    mr_hook_answer answer = {0};
    if (!hooked)
        return true;
    mr_hooks_drain(hooked->hooks, session->diags);
    pthread_mutex_lock(&hooked->lock);
    hooked->run = NULL;
    if (hooked->why && hooked->state && strcmp(hooked->state, "succeeded") == 0)
        mr_warning(session->diags, hooked->code, nowhere, "%s; but the run had ended by then", hooked->why);
    pthread_mutex_unlock(&hooked->lock);
    mr_autojson json_t *outputs = mr_run_outputs(run);
    mr_autojson json_t *argument =
        json_pack("{s:s, s:s, s:s, s:s*, s:f, s:O}", "run", mr_run_id(run), "pipeline", hooked->pipeline, "state", hooked->state ? hooked->state : "",
                  "reason", hooked->reason, "seconds", (double)hooked->elapsed_us / 1e6, "outputs", outputs);
    if (!argument)
        return false;
    mr_status status = mr_hooks_ask(hooked->hooks, "on_run_done", argument, session->diags, &answer);
    mr_hook_answer_clear(&answer);
    return status == MR_OK;
}

void mr_hooked_free(mr_hooked *hooked)
{
    if (!hooked)
        return;
    mr_hooks_close(hooked->hooks);
    pthread_mutex_destroy(&hooked->lock);
    free(hooked->why);
    free(hooked->state);
    free(hooked->reason);
    free(hooked);
}
